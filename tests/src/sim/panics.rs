//! Panics of the project's own code, which nothing may have: counted where they happen, whoever contains them.
//!
//! Invariant: the panics of a run are those of the thread that runs it. Bodies panic on purpose past the hook.

use std::any::Any;
use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From now on panics are noted, beside whatever else is done about them.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            // Those of the crates below are contained by the store, which says what it makes of them.
            if let Some(place) = panicked.location()
                && !place.file().contains("/registry/")
                && !place.file().contains("/library/")
            {
                let text = text(panicked.payload());
                SEEN.with_borrow_mut(|seen| seen.push(format!("{text} (at {place})")));
            }
            before(panicked);
        }));
    });
    SEEN.with_borrow_mut(Vec::clear);
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// The panics on this thread since it was last asked.
pub fn take() -> Vec<String> {
    SEEN.with_borrow_mut(std::mem::take)
}

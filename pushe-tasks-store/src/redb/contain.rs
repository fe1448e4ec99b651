//! Keeps panics of redb inside the store.
//!
//! Invariant: redb does not check pages as it reads them, so that a damaged page may make it panic; the caller sees an error
//! and never an unwinding stack. What redb was in the middle of is not dropped after a panic: its drops write, read the
//! damaged page again, and a second panic while the stack unwinds would end the process.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Something that redb did not carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mishap {
    pub(super) text: String,
    /// Whether it panicked, so that nothing that it holds can be trusted.
    pub(super) panicked: bool,
}

impl Mishap {
    /// An error that redb answered.
    pub(super) fn answered(text: String) -> Self {
        Self { text, panicked: false }
    }
}

/// Runs `work`; errors and panics become mishaps.
pub(super) fn contain<R, E: ToString>(work: impl FnOnce() -> Result<R, E>) -> Result<R, Mishap> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Mishap::answered(error.to_string())),
        Err(panic) => Err(Mishap { text: text_of(panic.as_ref()), panicked: true }),
    }
}

/// Drops a value of redb; after a panic it is leaked instead.
pub(super) fn put_away<T>(value: T, after: Option<&Mishap>) {
    if after.is_some_and(|mishap| mishap.panicked) {
        std::mem::forget(value);
    } else {
        // A panic here says nothing new: the value is gone, and the store that owned it is opened anew.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(value)));
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    format!("redb panicked: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_panics_become_mishaps() {
        let run = |work: fn() -> Result<u8, &'static str>| {
            contain(work).map_err(|mishap| (mishap.text, mishap.panicked))
        };
        assert_eq!(run(|| Ok(3)), Ok(3));
        assert_eq!(run(|| Err("no")), Err(("no".to_owned(), false)));
        assert_eq!(run(|| panic!("at page {}", 7)), Err(("redb panicked: at page 7".to_owned(), true)));
        assert_eq!(run(|| panic!("plain")), Err(("redb panicked: plain".to_owned(), true)));
        assert_eq!(run(|| std::panic::panic_any(1_u8)), Err(("redb panicked: no message".to_owned(), true)));
    }

    #[test]
    fn a_value_that_panics_when_dropped_is_contained_or_leaked() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        put_away(Bad, None);
        put_away(Bad, Some(&Mishap { text: String::new(), panicked: true }));
    }
}

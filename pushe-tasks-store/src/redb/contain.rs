//! Keeps panics of redb inside the store.
//!
//! Invariant: redb does not check pages as it reads them, so that a damaged page may make it panic; whatever it does,
//! the caller sees an error and never an unwinding stack.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a panic becomes the text of it.
///
/// What `work` held is used again only to be dropped, and that happens in here as well, so that no half-changed value is
/// looked at.
pub(super) fn contain<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| text_of(panic.as_ref()))
}

/// Drops a value that may panic as it goes.
pub(super) fn contain_drop<T>(value: T) {
    // A panic here says nothing new: the value is gone, and the store that owned it is opened anew.
    let _ = contain(move || drop(value));
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
    fn a_panic_becomes_its_text() {
        assert_eq!(contain(|| 3), Ok(3));
        assert_eq!(contain(|| panic!("at page {}", 7)), Err::<(), _>("redb panicked: at page 7".into()));
        assert_eq!(contain(|| panic!("plain")), Err::<(), _>("redb panicked: plain".into()));
        let odd = contain(|| std::panic::panic_any(1_u8));
        assert_eq!(odd, Err::<(), _>("redb panicked: no message".into()));
    }

    #[test]
    fn a_value_that_panics_when_dropped_is_contained() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        contain_drop(Bad);
    }
}

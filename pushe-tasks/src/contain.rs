//! Keeps a panic of code that is not the engine's where it happened: bodies, constraints, subscribers to the log.
//!
//! Invariant: what is caught here has run on values of its own or on shared ones only; no state of the engine is half-changed
//! by it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code that may panic.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    // What it leaves behind half-done is dropped with it and seen by nobody.
    catch_unwind(AssertUnwindSafe(run))
}

/// The text of a panic; its payload, whose drop may panic in turn, is gone afterwards.
pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    if let Err(second) = guarded(|| drop(panic)) {
        // Two in a row are enough; the second is left where it is.
        std::mem::forget(second);
    }
    text.unwrap_or_else(|| "a panic whose payload is not text".to_owned())
}

/// Runs code whose answer nobody needs; a panic of it is left to the panic hook, which has told it already.
pub(crate) fn quietly(run: impl FnOnce()) {
    if let Err(panic) = guarded(run) {
        drop(panic_text(panic));
    }
}

/// Tells the log, as the macro of `tracing` with that name: `tell!(warn, work = %id, "..")`. The subscriber is the
/// application's, and may panic; the loops of the engine go on.
macro_rules! tell {
    ($level:ident, $($words:tt)*) => {
        $crate::contain::quietly(|| ::tracing::$level!($($words)*))
    };
}

pub(crate) use tell;

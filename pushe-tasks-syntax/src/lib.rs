//! Text forms and rules of the options of a task.
//!
//! Invariant: the attribute judges its literals and the runtime judges per-call overrides with the
//! same functions, so that what compiles is what runs and both say the same words. Everything here is
//! a plain function over plain values.

pub mod cron;
pub mod duration;
mod error;
pub mod id_format;
pub mod limits;
pub mod period;
pub mod rules;
pub mod words;
pub mod zone;

pub use error::{OptionError, TextError};

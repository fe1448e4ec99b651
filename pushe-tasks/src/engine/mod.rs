//! The running engine: starts the loops below and holds them together.
//!
//! ```text
//! callers ──requests──▶ writer ──events──▶ dispatcher ──bodies──▶ executor
//!                          ▲────requests───────┘  ▲────events───────┘
//! ```
//!
//! Invariant: the store is owned by the writer, timers, lanes and permits by the dispatcher, a body by its attempt; they
//! talk by messages only. Writer and dispatcher are step functions that any driver can drive.

mod attempt;
mod conditions;
mod contention;
mod credit;
mod dispatcher;
mod driver;
mod endings;
pub(crate) mod executor;
mod findings;
mod isolation;
mod lanes;
mod listeners;
mod live;
pub(crate) mod mailbox;
pub(crate) mod message;
mod meter;
mod monitors;
pub(crate) mod period;
mod report;
pub(crate) mod room;
mod second_look;
mod settlement;
pub(crate) mod shared;
mod shutdown;
pub(crate) mod signal;
pub(crate) mod spread;
mod starting;
mod tasks;
mod telling;
#[cfg(test)]
mod traces;
#[cfg(feature = "redb")]
pub(crate) mod transact;
mod trouble;
mod verb;
mod watch;
pub(crate) mod writer;

pub(crate) use attempt::BodyFuture;
pub(crate) use dispatcher::Dispatcher;
#[cfg(feature = "testing")]
pub use driver::Driver;
pub(crate) use driver::{CrashRules, Host, OpenStore, WriterSeat, start_dispatcher, start_writer};
pub(crate) use findings::tell_findings;
pub(crate) use listeners::PeriodOutput;

//! Cron texts: when something happens again by the clock on the wall.
//!
//! Invariant: a text is read once, into sets of numbers; what a slot is in which zone is then a plain function of those
//! sets, of the zone's offsets and of a moment.

mod civil;
mod error;
mod field;
mod parse;
mod slots;

pub use error::CronError;
pub use slots::{Span, Utc, Zone};

/// A cron text that has been read.
///
/// Two texts that mean the same are equal.
///
/// # Examples
/// ```
/// use pushe_tasks_syntax::cron::{Cron, CronError};
///
/// assert_eq!(Cron::parse("30 4 * * mon-fri"), Cron::parse("0 30 4 * * 1,2,3,4,5"));
/// let error = Cron::parse("0 25 * * *").unwrap_err();
/// assert_eq!(error.caret("0 25 * * *"), "  0 25 * * *\n    ^^");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Sunday is 0, and 0 alone.
    weekdays: u64,
    /// How the two day fields meet.
    meeting: Meeting,
    /// Whether the hours are numbers, so that an hour that comes twice counts once.
    fixed_hours: bool,
}

/// How the day of the month and the day of the week meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Meeting {
    /// Neither is restricted, or one is: a day has to be in both.
    Both,
    /// Both are restricted: a day has to be in one.
    Either,
}

//! Options of periodic work, and what a run of it knows of its slot.
//!
//! Invariant: every value here can be made in a constant; what is wrong with one is said by `check`, with the rules that the
//! attribute applies to its literals.

use std::time::{Duration, SystemTime};

use pushe_tasks_store::{Rhythm, StoredPeriod};
use pushe_tasks_syntax::cron::Cron;
use pushe_tasks_syntax::{rules, zone};

pub use pushe_tasks_syntax::period::Missed;

use crate::options::OptionError;

/// When periodic work runs.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use pushe_tasks::{Missed, PeriodOptions};
///
/// const NIGHTLY: PeriodOptions = PeriodOptions::cron("30 4 * * *").tz("Europe/Paris").missed(Missed::Skip);
/// const HOURLY: PeriodOptions = PeriodOptions::every(Duration::from_secs(3600)).flex(Duration::from_secs(600));
///
/// assert_eq!((NIGHTLY.check(), HOURLY.check()), (Ok(()), Ok(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodOptions {
    every: Option<Duration>,
    cron: Option<&'static str>,
    tz: Option<&'static str>,
    flex: Option<Duration>,
    missed: Missed,
    min_gap: Option<Duration>,
    stop_after: Option<u32>,
}

impl PeriodOptions {
    /// Slots this long after each other, a second or longer; the first one at once.
    ///
    /// They stay on their grid however long a run takes, and over restarts.
    pub const fn every(period: Duration) -> Self {
        Self { every: Some(period), ..Self::NONE }
    }

    /// A slot whenever the clock on the wall shows what the text says: minute, hour, day of the month, month and day of the
    /// week, with the second first where there are six fields.
    ///
    /// Where local time is skipped, a slot is at the first moment behind; where it comes twice, hours that are numbers count
    /// once, and any other hours each time.
    pub const fn cron(text: &'static str) -> Self {
        Self { cron: Some(text), ..Self::NONE }
    }

    const NONE: Self = Self {
        every: None,
        cron: None,
        tz: None,
        flex: None,
        missed: Missed::Once,
        min_gap: None,
        stop_after: None,
    };

    /// Whose clock a cron text reads: a name of the IANA database; UTC where nothing is said.
    #[must_use]
    pub const fn tz(mut self, name: &'static str) -> Self {
        self.tz = Some(name);
        self
    }

    /// Lets a run begin this much before its slot, when the scheduler is awake for other work; the first slot is then the end
    /// of the first period.
    #[must_use]
    pub const fn flex(mut self, flex: Duration) -> Self {
        self.flex = Some(flex);
        self
    }

    /// What becomes of slots that were missed: because nothing ran, because a constraint did not hold, or because the run
    /// before took too long. [`Missed::Once`] where nothing is said.
    #[must_use]
    pub const fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Leaves out a run that would begin sooner than this after the beginning of the last.
    #[must_use]
    pub const fn min_gap(mut self, gap: Duration) -> Self {
        self.min_gap = Some(gap);
        self
    }

    /// Ends the work when so many periods have failed in a row; without it a failure ends its period alone.
    #[must_use]
    pub const fn stop_after(mut self, periods: u32) -> Self {
        self.stop_after = Some(periods);
        self
    }

    /// Says which rule these options break, if any.
    ///
    /// # Errors
    /// A period under a second or over a hundred years; a cron text or a zone that is none; a zone without cron; a `flex`
    /// without `every`, or longer than it; a gap of zero; an end after no period.
    pub fn check(&self) -> Result<(), OptionError> {
        if let Some(every) = self.every {
            rules::every(every)?;
        }
        if let Some(text) = self.cron {
            Cron::parse(text).map_err(|wrong| OptionError::WrongCron { error: wrong.error })?;
        }
        if let Some(tz) = self.tz {
            zone::check(tz).map_err(|error| OptionError::WrongZone { error })?;
            rules::tz(self.cron.is_some())?;
        }
        if let Some(flex) = self.flex {
            rules::not_zero("flex", flex)?;
            rules::flex(flex, self.every)?;
        }
        if let Some(gap) = self.min_gap {
            rules::not_zero("min_gap", gap)?;
            rules::not_too_long(gap)?;
        }
        rules::stop_after(self.stop_after.map_or(1, u64::from))
    }

    /// The form that is stored with the work.
    pub(crate) fn stored(&self) -> StoredPeriod {
        let rhythm = match (self.every, self.cron) {
            (Some(every), _) => Rhythm::Every(every),
            (None, text) => Rhythm::Cron {
                text: text.unwrap_or_default().to_owned(),
                zone: self.tz.unwrap_or("UTC").to_owned(),
            },
        };
        let mut stored = StoredPeriod::new(rhythm);
        stored.flex = self.flex.unwrap_or_default();
        stored.missed = match self.missed {
            Missed::Once => pushe_tasks_store::Missed::Once,
            Missed::Skip => pushe_tasks_store::Missed::Skip,
            Missed::All => pushe_tasks_store::Missed::All,
        };
        stored.min_gap = self.min_gap.unwrap_or_default();
        stored.stop_after = self.stop_after;
        stored
    }
}

/// The time at which a run of periodic work was to be.
///
/// # Examples
/// ```
/// /// A key for what must not happen twice in one run of periodic work.
/// fn key(cx: &pushe_tasks::TaskContext) -> Option<String> {
///     Some(format!("{}/{}", cx.work_id(), cx.slot()?.number))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Slot {
    /// Its number: it only grows, and with the work id it is the key for idempotent side effects of the run.
    pub number: u64,
    /// Its time.
    pub at: SystemTime,
}

impl Slot {
    pub(crate) const fn new(number: u64, at: SystemTime) -> Self {
        Self { number, at }
    }
}

#[cfg(test)]
mod tests {
    use pushe_tasks_syntax::cron::CronError;
    use pushe_tasks_syntax::zone::ZoneError;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn periods_written_by_hand_are_judged() {
        let check = |options: PeriodOptions, expected| assert_eq!(options.check(), expected, "{options:?}");
        let hourly = PeriodOptions::every(HOUR);
        let daily = PeriodOptions::cron("0 4 * * *");
        check(hourly, Ok(()));
        check(hourly.flex(HOUR).min_gap(HOUR * 2).stop_after(1), Ok(()));
        check(daily.tz("Pacific/Chatham"), Ok(()));
        check(PeriodOptions::every(Duration::from_millis(999)), Err(OptionError::EveryTooShort));
        check(PeriodOptions::every(Duration::MAX), Err(OptionError::DurationTooLong));
        check(PeriodOptions::cron(""), Err(OptionError::WrongCron { error: CronError::Empty }));
        check(daily.tz(""), Err(OptionError::WrongZone { error: ZoneError::Empty }));
        check(hourly.tz("UTC"), Err(OptionError::TzWithoutCron));
        check(daily.flex(HOUR), Err(OptionError::FlexWithoutEvery));
        check(hourly.flex(HOUR * 2), Err(OptionError::FlexAboveEvery));
        check(hourly.flex(Duration::ZERO), Err(OptionError::ZeroDuration { option: "flex" }));
        check(hourly.min_gap(Duration::ZERO), Err(OptionError::ZeroDuration { option: "min_gap" }));
        check(hourly.stop_after(0), Err(OptionError::ZeroStopAfter));
    }
}

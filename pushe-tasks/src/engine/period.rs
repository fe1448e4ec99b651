//! From what is stored of periodic work to its runs (S5): the pure rules with a zone in hand.
//!
//! Invariant: what an attempt runs, and what comes after it, follows from the claimed record, its spec and a moment.

use std::time::Duration;

use pushe_tasks_store::{
    AttemptEnd, Claimed, Missed as StoredMissed, NextSlot, PeriodEnd, Reason, Rhythm, Settlement, Start,
    StoredPeriod, WallTime,
};
use pushe_tasks_syntax::cron::Cron;
use pushe_tasks_syntax::period::{Grid, Missed, Plan, Slot, Turn, ends};
use pushe_tasks_syntax::zone::TimeZone;

/// The run of periodic work that an attempt makes.
#[derive(Debug)]
pub(super) struct Run {
    plan: Plan<TimeZone>,
    /// What it stands for.
    pub(super) turn: Turn,
    /// Whether its slot expired before it began (S1.7).
    pub(super) lapsed: bool,
    /// When it was first claimed, and when the run before it was.
    began: i64,
    last_began: Option<i64>,
    /// Failed periods in a row before this one.
    failed: u32,
    stop_after: Option<u32>,
}

impl Run {
    /// The run of this claim; `None` for work that is not periodic.
    ///
    /// # Errors
    /// The stored period does not read back: a newer version may have written it.
    pub(super) fn of(claim: &Claimed) -> Result<Option<Self>, String> {
        let (Some(period), Some(stands)) = (&claim.spec.options.period, &claim.record.period) else {
            return Ok(None);
        };
        let plan = plan(period)?;
        let began = stands.began.or(claim.record.claimed_at).unwrap_or_default().as_millis();
        let slot = Slot { number: stands.slot, at: stands.at.as_millis() };
        let turn = plan.turn(slot, began, stands.asked);
        // A run that was asked for at a time of its own is not late for its slot.
        let expires = claim.spec.options.expires.filter(|_| !stands.asked).map_or(i64::MAX, millis);
        Ok(Some(Self {
            lapsed: began.saturating_sub(turn.slot.at) >= expires,
            turn,
            plan,
            began,
            last_began: stands.last_began.map(WallTime::as_millis),
            failed: stands.failed,
            stop_after: period.stop_after,
        }))
    }

    /// What becomes of the work when its slot is left out.
    pub(super) fn left_out(&self, at: WallTime) -> Settlement {
        self.over(AttemptEnd::LeftOut, String::new(), PeriodEnd::LeftOut, at)
    }

    /// What the end of an attempt means for periodic work: no failure ends more than its period, unless `stop_after` says so
    /// (S5.4).
    pub(super) fn settlement(&self, settlement: Settlement, at: WallTime) -> Settlement {
        match settlement {
            Settlement::Succeeded { output } => match self.next(PeriodEnd::Done, at) {
                Some(next) => period(AttemptEnd::Succeeded, String::new(), PeriodEnd::Done, next),
                None => Settlement::Succeeded { output },
            },
            Settlement::Failed { end, error, .. } => self.failed(end, error, at),
            // A back-off that passes the next slot is replaced by it.
            Settlement::Retry { end, error, after } => {
                if self.plan.again(self.turn.slot, at.plus(after).as_millis()).is_some() {
                    Settlement::Retry { end, error, after }
                } else {
                    self.failed(end, error, at)
                }
            }
            other => other,
        }
    }

    fn failed(&self, end: AttemptEnd, error: String, at: WallTime) -> Settlement {
        if ends(self.stop_after, self.failed.saturating_add(1)) {
            return Settlement::Failed { end, reason: Reason::Periods, error };
        }
        self.over(end, error, PeriodEnd::Failed, at)
    }

    fn over(&self, end: AttemptEnd, error: String, how: PeriodEnd, at: WallTime) -> Settlement {
        match self.next(how, at) {
            Some(next) => period(end, error, how, next),
            // Nothing comes before the year 10000.
            None => Settlement::Failed { end, reason: Reason::Periods, error },
        }
    }

    fn next(&self, how: PeriodEnd, at: WallTime) -> Option<NextSlot> {
        let began = if how == PeriodEnd::LeftOut { self.last_began } else { Some(self.began) };
        let coming = self.plan.next(self.turn.slot, at.as_millis(), began)?;
        let moment = WallTime::from_millis(coming.slot.at);
        // The slots of cron name moments of the wall clock.
        let wait = match self.plan.grid {
            Grid::Every { .. } => moment.since(at),
            Grid::Cron { .. } => Duration::ZERO,
        };
        Some(NextSlot {
            number: coming.slot.number,
            at: moment,
            early: WallTime::from_millis(coming.early),
            wait,
        })
    }
}

fn period(end: AttemptEnd, error: String, how: PeriodEnd, next: NextSlot) -> Settlement {
    Settlement::Period { end, error, how, next }
}

/// When work with this period is first due, where it was to start so (S5.1).
///
/// # Errors
/// The period does not read, or has no slot before the year 10000.
pub(crate) fn first(period: &StoredPeriod, start: Start, now: WallTime) -> Result<Start, String> {
    let plan = plan(period)?;
    let coming = |start: WallTime| {
        let first = plan.first(start.as_millis()).ok_or("its first slot would come after the year 9999")?;
        Ok::<_, String>(WallTime::from_millis(first.slot.at))
    };
    Ok(match (start, &period.rhythm) {
        // The store counts from its own now, so that the grid begins where the work is stored.
        (Start::After(delay), Rhythm::Every(every)) if !period.flex.is_zero() => {
            Start::After(delay.saturating_add(*every))
        }
        (Start::After(delay), Rhythm::Cron { .. }) => Start::At(coming(now.plus(delay))?),
        (Start::At(moment), _) => Start::At(coming(moment)?),
        (other, _) => other,
    })
}

fn plan(period: &StoredPeriod) -> Result<Plan<TimeZone>, String> {
    let grid = match &period.rhythm {
        Rhythm::Every(every) => Grid::Every { every: millis(*every).max(1) },
        Rhythm::Cron { text, zone } => Grid::Cron {
            cron: Cron::parse(text).map_err(|wrong| format!("its cron text `{text}`: {wrong}"))?,
            zone: TimeZone::named(zone).map_err(|wrong| format!("its time zone: {wrong}"))?,
        },
        other => return Err(format!("its rhythm {other:?} is not known to this build")),
    };
    let missed = match period.missed {
        StoredMissed::Once => Missed::Once,
        StoredMissed::Skip => Missed::Skip,
        StoredMissed::All => Missed::All,
        other => return Err(format!("{other:?} is not known to this build")),
    };
    Ok(Plan { grid, flex: millis(period.flex), missed, min_gap: millis(period.min_gap) })
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn hourly(stop_after: Option<u32>, failed: u32) -> Run {
        let mut period = StoredPeriod::new(Rhythm::Every(HOUR));
        period.stop_after = stop_after;
        let plan = plan(&period).unwrap();
        let turn = plan.turn(Slot { number: 3, at: 0 }, 0, false);
        Run { plan, turn, lapsed: false, began: 0, last_began: None, failed, stop_after }
    }

    fn next(settlement: &Settlement) -> Option<(AttemptEnd, PeriodEnd, u64, i64)> {
        match settlement {
            Settlement::Period { end, how, next, .. } => Some((*end, *how, next.number, next.at.as_millis())),
            _ => None,
        }
    }

    #[test]
    fn s5_4_what_ends_a_period_does_not_end_the_task() {
        let at = WallTime::from_millis(60_000);
        let failed = |reason| Settlement::Failed { end: AttemptEnd::Failed, reason, error: "boom".into() };
        let retry = |after| Settlement::Retry { end: AttemptEnd::Panicked, error: "boom".into(), after };
        let check = |settlement: Settlement, expected| {
            assert_eq!(next(&hourly(None, 7).settlement(settlement, at)), expected);
        };
        let hour = 3_600_000;
        let done = Settlement::Succeeded { output: Some(vec![1].into()) };
        check(done, Some((AttemptEnd::Succeeded, PeriodEnd::Done, 4, hour)));
        for reason in [Reason::Fail, Reason::Exhausted, Reason::Output] {
            check(failed(reason), Some((AttemptEnd::Failed, PeriodEnd::Failed, 4, hour)));
        }
        check(retry(HOUR), Some((AttemptEnd::Panicked, PeriodEnd::Failed, 4, hour)));
        for kept in [
            retry(Duration::from_secs(3_539)),
            Settlement::Snooze { after: HOUR * 5 },
            Settlement::Return { reason: Reason::Shutdown },
            Settlement::Quarantine { reason: Reason::Payload, error: String::new() },
        ] {
            assert_eq!(hourly(None, 7).settlement(kept.clone(), at), kept);
        }
    }

    #[test]
    fn s5_4_so_many_failed_periods_in_a_row_end_it() {
        let at = WallTime::from_millis(60_000);
        let check = |stop_after, failed, stops| {
            let fail =
                Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Fail, error: "x".into() };
            let settled = hourly(stop_after, failed).settlement(fail, at);
            let stopped = matches!(settled, Settlement::Failed { reason: Reason::Periods, .. });
            assert_eq!(stopped, stops, "{stop_after:?} {failed}");
        };
        check(None, 1_000, false);
        check(Some(3), 1, false);
        check(Some(3), 2, true);
        check(Some(1), 0, true);
    }

    #[test]
    fn s8_1_a_period_waits_for_a_length_and_cron_for_a_moment() {
        let at = WallTime::from_millis(60_000);
        let done = || Settlement::Succeeded { output: None };
        let wait = |run: &Run| match run.settlement(done(), at) {
            Settlement::Period { next, .. } => next.wait,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(&hourly(None, 0)), Duration::from_secs(3_540));
        let text = "0 * * * *".to_owned();
        let plan = plan(&StoredPeriod::new(Rhythm::Cron { text, zone: "Asia/Tokyo".to_owned() })).unwrap();
        let turn = plan.turn(Slot { number: 0, at: 0 }, 0, false);
        let run = Run { plan, turn, lapsed: false, began: 0, last_began: None, failed: 0, stop_after: None };
        assert_eq!(wait(&run), Duration::ZERO);
    }

    #[test]
    fn s5_1_the_first_run_is_at_once_at_the_end_of_a_period_or_at_a_slot() {
        let now = WallTime::from_millis(1_000);
        let after = |seconds| Start::After(Duration::from_secs(seconds));
        let check = |period: &StoredPeriod, start, expected| {
            assert_eq!(first(period, start, now), Ok(expected), "{period:?} {start:?}");
        };
        let hourly = StoredPeriod::new(Rhythm::Every(HOUR));
        check(&hourly, after(0), after(0));
        check(&hourly, after(9), after(9));
        check(&hourly, Start::At(now), Start::At(now));
        let mut flexible = hourly.clone();
        flexible.flex = Duration::from_secs(600);
        check(&flexible, after(9), after(3_609));
        check(&flexible, Start::At(now), Start::At(now.plus(HOUR)));
        let cron = |text: &str, zone: &str| {
            StoredPeriod::new(Rhythm::Cron { text: text.to_owned(), zone: zone.to_owned() })
        };
        check(&cron("0 * * * *", "UTC"), after(0), Start::At(WallTime::from_millis(3_600_000)));
        check(&cron("0 * * * *", "UTC"), after(3_600), Start::At(WallTime::from_millis(7_200_000)));
        assert!(first(&cron("0 0 L * *", "UTC"), after(0), now).unwrap_err().contains('L'));
        assert!(first(&cron("0 0 * * *", "Mars/Base"), after(0), now).unwrap_err().contains("Mars/Base"));
        assert!(first(&cron("0 0 * * *", "UTC"), Start::At(WallTime::MAX), now).is_err());
    }
}

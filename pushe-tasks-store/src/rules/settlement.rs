//! How the end of an attempt changes its record (S1.5 to S1.14, S2.5, S7.2).

use std::time::Duration;

use crate::period::{NextSlot, PeriodEnd, StoredPeriod};
use crate::record::{AttemptRecord, WorkRecord};
use crate::rules::{retention, start, update};
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;
use crate::verbs::Settlement;

/// A snooze is at least this long, so that no body can spin through the store.
const SHORTEST_SNOOZE: Duration = Duration::from_secs(1);

/// What is to be stored beside the changed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended<'s> {
    /// The error text of the attempt; empty for none.
    pub(crate) error: &'s str,
    /// The output of the work.
    pub(crate) output: Option<&'s [u8]>,
    /// The attempt that the history no longer remembers.
    pub(crate) dropped: Option<AttemptRecord>,
}

/// Settles a Running record; `period` is the one that its spec has where the record was updated while it ran.
pub(crate) fn settle<'s>(
    record: &mut WorkRecord,
    settlement: &'s Settlement,
    period: Option<&StoredPeriod>,
    at: WallTime,
) -> Ended<'s> {
    let (updated, asked) = (std::mem::take(&mut record.updated), (record.due, record.wait));
    let mut ended = apply(record, settlement, at);
    if updated {
        update::go_on(record, Some(settlement), asked, period, at);
        ended.output = None;
    }
    ended
}

fn apply<'s>(record: &mut WorkRecord, settlement: &'s Settlement, at: WallTime) -> Ended<'s> {
    let (end, error) = match settlement {
        Settlement::Succeeded { .. } => (AttemptEnd::Succeeded, ""),
        Settlement::Failed { end, error, .. }
        | Settlement::Retry { end, error, .. }
        | Settlement::Period { end, error, .. } => (*end, error.as_str()),
        Settlement::Snooze { .. } => (AttemptEnd::Snoozed, ""),
        Settlement::Return { .. } => (AttemptEnd::Returned, ""),
        Settlement::Quarantine { error, .. } => (AttemptEnd::Quarantined, error.as_str()),
    };
    let dropped = remember(record, end, !error.is_empty(), at);
    record.alone = false;
    let by_itself = !matches!(settlement, Settlement::Return { .. } | Settlement::Quarantine { .. });
    if by_itself {
        record.returned = 0;
        record.interruptions = 0;
    }
    let mut output = None;
    match settlement {
        Settlement::Succeeded { output: encoded } => {
            output = encoded.as_deref();
            finish(record, WorkState::Succeeded, None, at);
        }
        Settlement::Failed { reason, .. } => finish(record, WorkState::Failed, Some(*reason), at),
        Settlement::Retry { after, .. } => {
            record.retries = record.retries.saturating_add(1);
            record.reason = None;
            start::later(record, at, *after);
        }
        Settlement::Period { how, next, .. } => end_period(record, *how, next, at),
        Settlement::Snooze { after } => {
            record.snoozes = record.snoozes.saturating_add(1);
            record.reason = None;
            start::later(record, at, (*after).max(SHORTEST_SNOOZE));
        }
        Settlement::Return { reason } => {
            record.returned = record.returned.saturating_add(1);
            #[cfg(pushe_planted)]
            if crate::planted::is(crate::planted::Bug::NoRefund) {
                record.retries += 1;
            }
            record.reason = Some(*reason);
            start::again(record, at);
        }
        Settlement::Quarantine { reason, .. } => set_aside(record, *reason),
    }
    Ended { error, output, dropped }
}

/// Forgets that a slot was claimed where that claim led to no body.
pub(crate) fn never_began(record: &mut WorkRecord) {
    if let Some(period) = record.period.as_deref_mut()
        && period.began == record.claimed_at
    {
        period.began = None;
    }
}

/// Counts the period that is over, and begins the next (S1.11, S5.4).
fn end_period(record: &mut WorkRecord, how: PeriodEnd, next: &NextSlot, at: WallTime) {
    (record.retries, record.reason, record.progress) = (0, None, None);
    if let Some(period) = record.period.as_deref_mut()
        && how != PeriodEnd::LeftOut
    {
        period.done = period.done.saturating_add(1);
        period.failed = if how == PeriodEnd::Failed { period.failed.saturating_add(1) } else { 0 };
        period.last_began = period.began;
    }
    start::next_slot(record, next, at);
}

/// Cancels an unfinished record; answers the attempt that its history no longer remembers (S1.14).
pub(crate) fn cancel(record: &mut WorkRecord, reason: Reason, now: WallTime) -> Option<AttemptRecord> {
    let dropped = match record.state {
        WorkState::Running => remember(record, AttemptEnd::Cancelled, false, now),
        _ => None,
    };
    finish(record, WorkState::Cancelled, Some(reason), now);
    dropped
}

/// What becomes of a piece that waited for the success of one that has ended so (S4.7).
pub(crate) fn follow(record: &mut WorkRecord, before: WorkState, now: WallTime) {
    record.after = None;
    if before != WorkState::Succeeded {
        finish(record, before, Some(Reason::Prerequisite), now);
    }
}

/// Ends a piece that was never claimed (S1.7).
pub(crate) fn expire(record: &mut WorkRecord, now: WallTime) {
    finish(record, WorkState::Failed, Some(Reason::Expired), now);
}

/// Enqueues an orphan again: a crash is not a failed attempt (S1.12, S7.2). Where a crash that is charged found it alone and
/// is one too many, it is set aside (S7.3); whatever else ran beside it at the earlier ones, this one has no other culprit.
pub(crate) fn rescue(
    record: &mut WorkRecord,
    charged: bool,
    max_interruptions: u32,
    period: Option<&StoredPeriod>,
    now: WallTime,
) -> Option<AttemptRecord> {
    let (updated, asked) = (std::mem::take(&mut record.updated), (record.due, record.wait));
    let dropped = remember(record, AttemptEnd::Interrupted, false, now);
    let alone = std::mem::take(&mut record.alone);
    record.interruptions = record.interruptions.saturating_add(u32::from(charged));
    if updated {
        // What crashed was the old; the count of crashes stays, in case the new is no better.
        record.state = WorkState::Enqueued;
        update::go_on(record, None, asked, period, now);
    } else if charged && alone && record.interruptions >= max_interruptions {
        set_aside(record, Reason::Interruptions);
    } else {
        record.reason = Some(Reason::Crash);
        start::again(record, now);
    }
    dropped
}

/// What is known of the crash that left orphans behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    /// Whether the process before this one ended without recording a stop.
    pub(crate) unannounced: bool,
    /// Whether the machine is in the boot in which the attempt ran.
    pub(crate) same_boot: bool,
    /// Whether the store was opened anew within one living process.
    pub(crate) same_process: bool,
    /// Attempts that had run at least this long are not charged.
    pub(crate) charge_within: Duration,
}

/// Whether an orphan is charged an interruption (S7.1, S7.2).
pub(crate) fn is_charged(crash: &Crash, claimed_at: Option<WallTime>, now: WallTime) -> bool {
    let young = claimed_at.is_some_and(|claimed| now.since(claimed) < crash.charge_within);
    crash.unannounced && crash.same_boot && !crash.same_process && young
}

/// Starts the next attempt (S1.4); `alone` that of a suspect, while no other body lives (S7.3).
pub(crate) fn claim(record: &mut WorkRecord, alone: bool, now: WallTime) {
    record.alone = alone;
    record.claim = record.claim.saturating_add(1);
    #[cfg(pushe_planted)]
    if crate::planted::is(crate::planted::Bug::FenceByAttempt) && record.returned > 0 {
        record.claim -= 1;
    }
    record.state = WorkState::Running;
    record.claimed_at = Some(now);
    (record.expires_at, record.backs_off_until) = (None, None);
    record.reason = None;
    if let Some(period) = record.period.as_deref_mut() {
        period.began.get_or_insert(now);
        period.asked |= period.overridden.take().is_some();
    }
}

/// Sets a record aside with its bytes and the reason (S1.13).
pub(crate) fn set_aside(record: &mut WorkRecord, reason: Reason) {
    record.state = WorkState::Quarantined;
    record.reason = Some(reason);
}

/// Ends a record that was set aside, with the reason for which it was (S1.15).
pub(crate) fn discard(record: &mut WorkRecord, now: WallTime) {
    finish(record, WorkState::Failed, record.reason, now);
}

/// Whether `cancel` takes this piece; Quarantined work is ended by `discard` alone.
pub(crate) const fn is_cancellable(state: WorkState) -> bool {
    matches!(state, WorkState::Enqueued | WorkState::Blocked | WorkState::Running)
}

fn finish(record: &mut WorkRecord, state: WorkState, reason: Option<Reason>, now: WallTime) {
    record.state = state;
    record.reason = reason;
    record.blocked = None;
    record.updated = false;
    record.progress = None;
    record.finished_at = Some(now);
    record.prune_at = retention::prune_at(state, reason, now);
}

fn remember(
    record: &mut WorkRecord,
    end: AttemptEnd,
    has_error: bool,
    at: WallTime,
) -> Option<AttemptRecord> {
    let started = record.claimed_at.unwrap_or(at);
    let mut attempt = AttemptRecord::new(record.claim, record.attempt(), started, at, end);
    attempt.has_error = has_error;
    record.remember(attempt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use super::{AttemptEnd as End, WorkState as S};
    use crate::id::{LaneId, WorkId};
    use crate::record::HISTORY;

    const CLAIMED: WallTime = WallTime::from_millis(1_000);
    const ENDED: WallTime = WallTime::from_millis(4_000);

    /// A record in its third attempt, once charged and once given back.
    fn running() -> WorkRecord {
        let mut record = WorkRecord::new(WorkId::from_bytes([1; 16]), 1, LaneId(1), WallTime::from_millis(0));
        (record.retries, record.interruptions, record.returned) = (2, 1, 1);
        record.progress = Some(vec![50].into());
        claim(&mut record, true, CLAIMED);
        record
    }

    #[test]
    fn a_settlement_moves_the_record_and_counts_what_it_should() {
        let text = || "boom".to_owned();
        let second = Duration::from_secs(1);
        let succeeded = Settlement::Succeeded { output: Some(vec![9].into()) };
        let failed = Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Fail, error: text() };
        let retry = Settlement::Retry { end: AttemptEnd::Panicked, error: text(), after: second * 30 };
        let snooze = Settlement::Snooze { after: Duration::ZERO };
        let stop = Settlement::Return { reason: Reason::ConstraintLost };
        let damaged = Settlement::Quarantine { reason: Reason::Payload, error: text() };
        // State, reason, (retries, snoozes, returned, interruptions), due, end, whether progress is kept.
        let check = |settlement: &Settlement, state, reason, counts, due: i64, end, keeps| {
            let mut record = running();
            let ended = settle(&mut record, settlement, None, ENDED);
            assert_eq!((record.state, record.reason), (state, reason), "{settlement:?}");
            let counted = (record.retries, record.snoozes, record.returned, record.interruptions);
            assert_eq!(counted, counts, "{settlement:?}");
            assert_eq!(record.due.as_millis(), due, "{settlement:?}");
            let last = &record.history[0];
            assert_eq!((last.claim, last.attempt, last.started, last.ended), (1, 3, CLAIMED, ENDED));
            assert_eq!((last.end, last.has_error), (end, !ended.error.is_empty()), "{settlement:?}");
            assert_eq!(record.progress.is_some(), keeps, "{settlement:?}");
            assert_eq!(record.finished_at, state.is_finished().then_some(ENDED));
            assert!(!record.alone, "{settlement:?}");
        };
        check(&succeeded, S::Succeeded, None, (2, 0, 0, 0), 0, End::Succeeded, false);
        check(&failed, S::Failed, Some(Reason::Fail), (2, 0, 0, 0), 0, End::Failed, false);
        check(&retry, S::Enqueued, None, (3, 0, 0, 0), 34_000, End::Panicked, true);
        check(&snooze, S::Enqueued, None, (2, 1, 0, 0), 5_000, End::Snoozed, true);
        check(&stop, S::Enqueued, Some(Reason::ConstraintLost), (2, 0, 2, 1), 0, End::Returned, true);
        check(&damaged, S::Quarantined, Some(Reason::Payload), (2, 0, 1, 1), 0, End::Quarantined, true);
    }

    #[test]
    fn s2_5_the_last_ten_attempts_are_remembered() {
        let mut record = running();
        for n in 1..=12 {
            let retry = Settlement::Retry {
                end: AttemptEnd::Retried,
                error: "again".to_owned(),
                after: Duration::ZERO,
            };
            let ended = settle(&mut record, &retry, None, ENDED);
            assert_eq!(ended.dropped.map(|attempt| attempt.claim), (n > 10).then(|| n - 10));
            claim(&mut record, false, ENDED);
        }
        assert_eq!((record.history.len(), record.history[0].claim), (HISTORY, 3));
    }

    #[test]
    fn s7_2_only_a_young_attempt_of_an_unannounced_end_in_this_boot_is_charged() {
        let sure = Crash {
            unannounced: true,
            same_boot: true,
            same_process: false,
            charge_within: Duration::from_secs(600),
        };
        let check = |crash: Crash, age: Option<u64>, expected| {
            let claimed = age.map(|seconds| ENDED.minus(Duration::from_secs(seconds)));
            assert_eq!(is_charged(&crash, claimed, ENDED), expected, "{crash:?} {age:?}");
        };
        check(sure, Some(0), true);
        check(sure, Some(599), true);
        check(sure, Some(600), false);
        check(sure, None, false);
        check(Crash { unannounced: false, ..sure }, Some(0), false);
        check(Crash { same_boot: false, ..sure }, Some(0), false);
        check(Crash { same_process: true, ..sure }, Some(0), false);
    }

    #[test]
    fn s7_3_only_a_charged_crash_that_found_it_alone_sets_work_aside_at_the_limit() {
        let check = |before, charged, alone, aside: bool| {
            let mut record = running();
            (record.interruptions, record.alone) = (before, alone);
            rescue(&mut record, charged, 3, None, ENDED);
            let (state, reason) =
                if aside { (S::Quarantined, Reason::Interruptions) } else { (S::Enqueued, Reason::Crash) };
            let found = (record.state, record.reason, record.alone);
            assert_eq!(found, (state, Some(reason), false), "{before} {charged} {alone}");
            assert_eq!((record.interruptions, record.retries), (before + u32::from(charged), 2));
        };
        check(0, true, false, false);
        check(1, true, true, false);
        check(2, true, true, true);
        check(2, true, false, false);
        check(2, false, true, false);
        check(9, true, false, false);
        check(9, true, true, true);
        check(9, false, true, false);
    }

    #[test]
    fn s4_7_what_waits_for_a_success_shares_the_fate_of_what_it_waits_for() {
        for (before, after, reason) in [
            (S::Succeeded, S::Blocked, None),
            (S::Failed, S::Failed, Some(Reason::Prerequisite)),
            (S::Cancelled, S::Cancelled, Some(Reason::Prerequisite)),
        ] {
            let mut record = WorkRecord::new(WorkId::from_bytes([1; 16]), 1, LaneId(1), CLAIMED);
            (record.state, record.after) = (S::Blocked, Some(WorkId::from_bytes([2; 16])));
            follow(&mut record, before, ENDED);
            assert_eq!((record.state, record.reason, record.after), (after, reason, None), "{before}");
        }
    }

    #[test]
    fn s1_14_a_cancelled_attempt_is_remembered_and_waiting_work_has_none() {
        let mut record = running();
        cancel(&mut record, Reason::Replaced, ENDED);
        assert_eq!((record.state, record.reason), (WorkState::Cancelled, Some(Reason::Replaced)));
        assert_eq!(record.history[0].end, AttemptEnd::Cancelled);
        let mut waiting = WorkRecord::new(WorkId::from_bytes([1; 16]), 1, LaneId(1), CLAIMED);
        cancel(&mut waiting, Reason::Cancelled, ENDED);
        assert!(waiting.history.is_empty());
    }
}

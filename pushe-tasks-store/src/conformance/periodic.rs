//! Periodic work: slots, their runs, and the clock that is set (S1.11, S4.8, S4.10, S5, S8.1).

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::{after, failure, give_back, retry};
use crate::error::VerbError;
use crate::id::WorkId;
use crate::period::{NextSlot, PeriodEnd, PeriodRecord, Rhythm, StoredPeriod};
use crate::record::Filed;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;
use crate::verbs::{Body, Enqueued, How, NewWork, Policy, Settled, Settlement, Start, Target};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn millis(length: u64) -> Duration {
    Duration::from_millis(length)
}

fn hourly() -> StoredPeriod {
    StoredPeriod::new(Rhythm::Every(millis(HOUR)))
}

fn daily() -> StoredPeriod {
    StoredPeriod::new(Rhythm::Cron { text: "30 4 * * *".to_owned(), zone: "Europe/Paris".to_owned() })
}

/// Periodic work under the name of its task.
fn periodic(world: &mut World, period: StoredPeriod) -> NewWork {
    let mut work = world.unique("Upload", Policy::Keep);
    work.options.period = Some(period);
    work
}

fn add(world: &mut World, period: StoredPeriod) -> WorkId {
    let work = periodic(world, period);
    assert_eq!(world.enqueue(&work).how, How::New);
    work.id
}

fn stands(world: &mut World, id: WorkId) -> PeriodRecord {
    *world.get(id).record.period.expect("it is periodic")
}

/// The slot so long after `from`.
fn slot(number: u64, from: WallTime, wait: u64) -> NextSlot {
    let at = from.plus(millis(wait));
    NextSlot { number, at, early: at, wait: millis(wait) }
}

fn end(how: PeriodEnd, next: NextSlot) -> Settlement {
    let (end, error) = match how {
        PeriodEnd::Done => (AttemptEnd::Succeeded, ""),
        PeriodEnd::Failed => (AttemptEnd::Failed, "boom"),
        PeriodEnd::LeftOut => (AttemptEnd::LeftOut, ""),
    };
    Settlement::Period { end, error: error.to_owned(), how, next }
}

fn override_next(world: &mut World, id: WorkId, at: Option<WallTime>) -> Vec<WorkId> {
    let now = world.now;
    world.write(|tx| tx.override_next(&Target::Work(id), at, now)).expect("it is carried out")
}

fn clamp(world: &mut World) -> usize {
    let now = world.now;
    world.write(|tx| tx.clamp(now)).expect("it is carried out")
}

pub(super) fn s5_1_the_first_slot_is_where_the_work_is_first_due(world: &mut World) {
    let start = world.now;
    let mut work = periodic(world, hourly());
    work.start = after(5_000);
    world.enqueue(&work);
    let (view, period) = (world.get(work.id), stands(world, work.id));
    assert_eq!(view.spec.expect("it reads").options.period, Some(hourly()));
    let due = start.plus(millis(5_000));
    assert_eq!((view.record.due, period.slot, period.at, period.early), (due, 0, due, due));
    assert_eq!((period.began, period.done, period.failed), (None, 0, 0));
    world.reopen();
    assert_eq!(stands(world, work.id), period);
    // With flex the first slot is the end of the first period.
    world.cancel_work(work.id);
    let mut work = periodic(world, StoredPeriod { flex: millis(10 * MINUTE), ..hourly() });
    work.start = after(HOUR);
    world.enqueue(&work);
    let period = stands(world, work.id);
    let due = start.plus(millis(HOUR));
    assert_eq!((period.slot, period.at, period.early), (1, due, due.minus(millis(10 * MINUTE))));
}

pub(super) fn s1_11_a_period_that_is_over_waits_for_the_next_slot(world: &mut World) {
    let start = world.now;
    let id = add(world, hourly());
    world.advance(10);
    let attempt = world.start(id);
    world.settle(attempt, retry(1_000));
    world.advance(1_000);
    let attempt = world.start(id);
    world.write(|tx| tx.progress(&[(attempt, vec![1])])).expect("it is kept");
    let period = stands(world, id);
    assert_eq!(
        (period.slot, period.began),
        (0, Some(start.plus(millis(10)))),
        "the first claim began the run"
    );
    assert_eq!(world.get(id).record.attempt(), 2);
    world.advance(5);
    world.settle(attempt, end(PeriodEnd::Done, slot(1, start, HOUR)));
    let record = world.get(id).record;
    assert_eq!((record.state, record.attempt(), record.progress), (WorkState::Enqueued, 1, None));
    assert_eq!((record.due, record.filed), (start.plus(millis(HOUR)), Filed::Delayed));
    assert_eq!(record.history.last().map(|past| past.end), Some(AttemptEnd::Succeeded));
    let period = stands(world, id);
    assert_eq!((period.slot, period.done, period.began), (1, 1, None));
    assert_eq!(period.last_began, Some(start.plus(millis(10))));
    world.reopen();
    assert_eq!(stands(world, id), period);
    assert_eq!(world.claim(9), []);
    world.now = start.plus(millis(HOUR));
    assert_eq!(world.start(id).claim, 3);
}

pub(super) fn s5_4_failed_periods_in_a_row_are_counted(world: &mut World) {
    let id = add(world, hourly());
    let mut ends = |how, done, failed| {
        let attempt = world.start(id);
        let next = slot(done, world.now, HOUR);
        world.settle(attempt, end(how, next));
        let period = stands(world, id);
        assert_eq!((period.done, period.failed), (done, failed), "{how:?}");
        world.advance(HOUR);
    };
    ends(PeriodEnd::Failed, 1, 1);
    ends(PeriodEnd::Failed, 2, 2);
    // A slot that is left out is neither a run nor a failure.
    ends(PeriodEnd::LeftOut, 2, 2);
    ends(PeriodEnd::Done, 3, 0);
    ends(PeriodEnd::Failed, 4, 1);
    let view = world.get(id);
    assert_eq!(view.errors.len(), 3, "each failure keeps its text");
    let attempt = world.start(id);
    let limit = Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Periods, error: String::new() };
    world.settle(attempt, limit);
    assert_eq!(world.get(id).record.reason, Some(Reason::Periods));
}

pub(super) fn s1_12_an_attempt_that_comes_back_stands_for_the_same_run(world: &mut World) {
    let id = add(world, hourly());
    let attempt = world.start(id);
    let began = stands(world, id).began;
    world.advance(MINUTE);
    world.settle(attempt, give_back());
    let attempt = world.start(id);
    world.advance(MINUTE);
    world.settle(attempt, Settlement::Snooze { after: Duration::from_secs(1) });
    world.advance(1_000);
    world.start(id);
    world.advance(MINUTE);
    world.restart();
    world.start(id);
    assert_eq!((stands(world, id).began, began.is_some()), (began, true));
}

pub(super) fn s5_3_a_claim_that_led_to_no_body_did_not_begin_the_run(world: &mut World) {
    let id = add(world, hourly());
    let attempt = world.start(id);
    assert_eq!(world.settle_as(attempt, give_back(), Body::NeverBegan), Settled::Applied);
    assert_eq!(stands(world, id).began, None);
    world.advance(MINUTE);
    let attempt = world.start(id);
    let began = Some(world.now);
    assert_eq!(stands(world, id).began, began);
    world.settle(attempt, give_back());
    world.advance(MINUTE);
    let attempt = world.start(id);
    world.settle_as(attempt, give_back(), Body::NeverBegan);
    assert_eq!(stands(world, id).began, began, "an earlier attempt did");
}

pub(super) fn s5_1_a_flexible_run_goes_along_with_other_work(world: &mut World) {
    let start = world.now;
    let flexible = StoredPeriod { flex: millis(10 * MINUTE), ..hourly() };
    let mut work = periodic(world, flexible);
    work.start = after(HOUR);
    world.enqueue(&work);
    let id = work.id;
    assert_eq!(
        (world.get(id).record.filed, world.changes.next_due),
        (Filed::Flexible, Some(start.plus(millis(HOUR))))
    );
    world.advance(50 * MINUTE - 1);
    let other = world.plain();
    assert_eq!(world.claim(9).iter().map(|attempt| attempt.work).collect::<Vec<_>>(), [other]);
    world.advance(1);
    let attempt = world.start(id);
    // The next one is claimed at the end of its window, since nothing else comes.
    let at = start.plus(millis(2 * HOUR));
    let next = NextSlot { number: 2, at, early: at.minus(millis(10 * MINUTE)), wait: millis(HOUR) };
    world.settle(attempt, end(PeriodEnd::Done, next));
    assert_eq!((world.get(id).record.filed, world.changes.next_due), (Filed::Flexible, Some(at)));
    world.now = at;
    let attempt = world.start(id);
    // A back-off is no window.
    world.settle(attempt, retry(5 * MINUTE));
    assert_eq!(world.get(id).record.filed, Filed::Delayed);
    world.advance(5 * MINUTE - 1);
    assert_eq!(world.claim(9), []);
    world.advance(1);
    world.start(id);
}

pub(super) fn s4_8_periodic_and_other_work_do_not_share_an_id(world: &mut World) {
    let once = world.add("Upload", Policy::Keep).id;
    let differs =
        |holder, periodic| VerbError::KindDiffers { task_id: "Upload".to_owned(), periodic, holder };
    let work = periodic(world, hourly());
    assert_eq!(world.try_enqueue(std::slice::from_ref(&work)), Err(differs(once, false)));
    let mut work = periodic(world, hourly());
    work.unique = Some(("Upload".to_owned(), Policy::Replace));
    assert_eq!(world.enqueue(&work).how, How::Replaced(vec![once]));
    for policy in [Policy::Keep, Policy::Append] {
        let other = world.unique("Upload", policy);
        assert_eq!(world.try_enqueue(&[other]), Err(differs(work.id, true)), "{policy:?}");
    }
    let kept = How::Kept { state: WorkState::Enqueued, task: "Upload".to_owned(), options_differ: true };
    let daily = periodic(world, daily());
    assert_eq!(world.enqueue(&daily), Enqueued { id: work.id, how: kept });
}

pub(super) fn s4_10_periodic_work_is_found_under_an_earlier_name(world: &mut World) {
    let mut old = periodic(world, hourly());
    old.lane = std::sync::Arc::new(crate::verbs::Lane::of("OldUpload"));
    old.unique = Some(("OldUpload".to_owned(), Policy::Keep));
    world.enqueue(&old);
    let mut work = periodic(world, hourly());
    assert_eq!(world.enqueue(&work).how, How::New, "without aliases it is other work");
    world.cancel_work(work.id);
    work = periodic(world, hourly());
    work.aliases = &["Older", "OldUpload"];
    assert_eq!(world.enqueue(&work).id, old.id);
    work = periodic(world, daily());
    work.aliases = &["Older", "OldUpload"];
    work.unique = Some(("Upload".to_owned(), Policy::Replace));
    assert_eq!(world.enqueue(&work).how, How::Replaced(vec![old.id]));
    let spec = world.get(work.id).spec.expect("it reads");
    assert_eq!(spec.task_id.as_deref(), Some("OldUpload"), "it bears the id that it took over");
}

pub(super) fn s5_6_a_run_at_another_time_is_that_run_alone(world: &mut World) {
    let start = world.now;
    let id = add(world, hourly());
    let attempt = world.start(id);
    let next = slot(1, start, HOUR);
    world.settle(attempt, end(PeriodEnd::Done, next));
    let early = start.plus(millis(10 * MINUTE));
    assert_eq!(override_next(world, id, Some(early)), [id]);
    let record = world.get(id).record;
    assert_eq!((record.due, world.changes.next_due), (early, Some(early)));
    // Taken back, and given again.
    override_next(world, id, None);
    assert_eq!(world.get(id).record.due, next.at);
    override_next(world, id, Some(early));
    world.reopen();
    world.now = early;
    let attempt = world.start(id);
    let period = stands(world, id);
    assert_eq!((period.slot, period.asked, period.overridden), (1, true, None));
    // The run goes on to its next slot, and not to the time that was asked for.
    let next = slot(2, start, 2 * HOUR);
    world.settle(attempt, end(PeriodEnd::Done, next));
    assert_eq!((world.get(id).record.due, stands(world, id).asked), (next.at, false));
}

pub(super) fn s5_6_a_time_given_during_a_run_is_for_the_next(world: &mut World) {
    let start = world.now;
    let id = add(world, hourly());
    let attempt = world.start(id);
    let later = start.plus(millis(3 * HOUR));
    assert_eq!(override_next(world, id, Some(later)), [id]);
    assert_eq!((world.state(id), stands(world, id).asked), (WorkState::Running, false));
    world.settle(attempt, retry(1_000));
    assert_eq!(world.get(id).record.due, later, "it beats the back-off");
    override_next(world, id, None);
    assert_eq!(world.get(id).record.due, start, "its slot has come");
    let attempt = world.start(id);
    override_next(world, id, Some(later));
    world.settle(attempt, end(PeriodEnd::Done, slot(1, start, HOUR)));
    assert_eq!(world.get(id).record.due, later, "it beats the period");
}

pub(super) fn s5_6_only_unfinished_periodic_work_has_a_next_run(world: &mut World) {
    let now = world.now;
    let once = world.plain();
    assert_eq!(override_next(world, once, Some(now)), []);
    let id = add(world, hourly());
    let by_id = world.write(|tx| tx.override_next(&Target::TaskId("Upload".to_owned()), Some(now), now));
    assert_eq!(by_id, Ok(vec![id]));
    world.cancel_work(id);
    assert_eq!(override_next(world, id, Some(now)), []);
    assert_eq!(override_next(world, WorkId::from_bytes([9; 16]), Some(now)), []);
}

pub(super) fn s8_1_waits_by_duration_are_as_long_as_they_were_to_be(world: &mut World) {
    let start = world.now;
    let delayed = NewWork { start: after(HOUR), ..world.work("Upload") };
    let moment = NewWork { start: Start::At(start.plus(millis(HOUR))), ..world.work("Upload") };
    world.enqueue(&delayed);
    world.enqueue(&moment);
    let failing = world.plain();
    let attempt = world.start(failing);
    world.settle(attempt, retry(30_000));
    assert_eq!(clamp(world), 0, "nobody has set the clock");
    world.now = start.minus(millis(48 * HOUR));
    assert_eq!(clamp(world), 2);
    assert_eq!(world.get(delayed.id).record.due, world.now.plus(millis(HOUR)));
    assert_eq!(world.get(failing).record.due, world.now.plus(millis(30_000)));
    assert_eq!(world.get(moment.id).record.due, start.plus(millis(HOUR)), "a moment is a moment");
    assert_eq!(clamp(world), 0);
    world.advance(30_000);
    world.start(failing);
}

pub(super) fn s8_1_a_grid_moves_with_the_clock_when_that_jumps_by_more_than_a_period(world: &mut World) {
    let start = world.now;
    let id = add(world, hourly());
    let attempt = world.start(id);
    world.settle(attempt, end(PeriodEnd::Done, slot(1, start, HOUR)));
    world.now = start.minus(millis(HOUR));
    assert_eq!((clamp(world), stands(world, id).at), (0, start.plus(millis(HOUR))), "the grid is kept");
    world.now = start.minus(millis(HOUR + 1));
    assert_eq!(clamp(world), 1);
    let (record, period) = (world.get(id).record, stands(world, id));
    let moved = world.now.plus(millis(HOUR));
    assert_eq!((record.due, period.at, period.early, period.slot), (moved, moved, moved, 1));
    world.cancel_work(id);
    // The slots of cron are moments of the wall clock.
    let mut work = periodic(world, daily());
    work.start = Start::At(start.plus(millis(HOUR)));
    world.enqueue(&work);
    world.now = start.minus(millis(1_000 * HOUR));
    assert_eq!((clamp(world), stands(world, work.id).at), (0, start.plus(millis(HOUR))));
}

pub(super) fn s8_1_a_clock_that_was_set_back_between_two_processes_is_noticed(world: &mut World) {
    let delayed = NewWork { start: after(HOUR), ..world.work("Upload") };
    world.enqueue(&delayed);
    let due = world.get(delayed.id).record.due;
    world.advance(1);
    world.restart();
    assert_eq!(world.get(delayed.id).record.due, due, "time went on");
    world.now = world.now.minus(millis(48 * HOUR));
    world.restart();
    assert_eq!(world.get(delayed.id).record.due, world.now.plus(millis(HOUR)));
    let attempt_failed = world.plain();
    let attempt = world.start(attempt_failed);
    world.settle(attempt, failure("x"));
}

pub(super) fn s8_1_a_run_that_was_put_off_comes_no_sooner_than_its_slot(world: &mut World) {
    let start = world.now;
    let id = add(world, hourly());
    let attempt = world.start(id);
    world.settle(attempt, end(PeriodEnd::Done, slot(1, start, HOUR)));
    // The clock jumps, the run is put off for a minute, and the clock is set right.
    world.advance(3 * HOUR);
    let attempt = world.start(id);
    let snooze = Settlement::Snooze { after: millis(MINUTE) };
    assert_eq!(world.settle_as(attempt, snooze, Body::NeverBegan), Settled::Applied);
    world.now = start.plus(millis(MINUTE));
    assert_eq!(clamp(world), 1);
    let record = world.get(id).record;
    assert_eq!((record.due, record.wait), (start.plus(millis(HOUR)), millis(59 * MINUTE)));
    world.advance(59 * MINUTE);
    world.start(id);
}

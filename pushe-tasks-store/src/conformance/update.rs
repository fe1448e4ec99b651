//! Update: new payload and options under the same id (S4.3 to S4.5, S4.8, S4.9), and what a program schedules at its start
//! (S5.5).

use std::sync::Arc;
use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::{after, failure, give_back, retry};
use crate::error::VerbError;
use crate::id::{Attempt, WorkId};
use crate::period::{NextSlot, PeriodEnd, PeriodRecord, Rhythm, StoredPeriod};
use crate::record::{Filed, WorkRecord};
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;
use crate::verbs::{Body, Enqueued, How, Lane, NewWork, Policy, Settled, Settlement, Start, Target};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn millis(length: u64) -> Duration {
    Duration::from_millis(length)
}

/// An update of the piece under `a`, with a payload of its own.
fn update(world: &mut World) -> NewWork {
    world.unique("a", Policy::Update)
}

fn updated(id: WorkId, state: WorkState, generation: u32) -> Enqueued {
    Enqueued { id, how: How::Updated { state, generation } }
}

fn record(world: &mut World, id: WorkId) -> WorkRecord {
    world.get(id).record
}

/// Updates what waits under `a`, and looks whether the new payload is stored.
fn give(world: &mut World, amend: impl FnOnce(&mut NewWork)) -> Enqueued {
    let mut work = update(world);
    amend(&mut work);
    let stored = world.enqueue(&work);
    let spec = world.get(stored.id).spec.expect("the spec reads");
    assert_eq!((spec.envelope, spec.options), (work.envelope, work.options));
    assert_eq!(spec.task_id.as_deref(), Some("a"));
    assert_eq!(world.find(work.id), None, "no second piece");
    stored
}

pub(super) fn s4_3_update_gives_what_waits_a_new_payload_and_options(world: &mut World) {
    let start = world.now;
    let first = world.add("a", Policy::Update);
    assert_eq!(first.how, How::New);
    world.advance(10);
    let stored = give(world, |work| {
        work.lane = Arc::new(Lane { key: Some("other".to_owned()), ..Lane::of("Upload") });
        work.boost_millis = 5_000;
        work.start = after(1_000);
        work.options.max_attempts = Some(3);
        work.options.expires = Some(millis(HOUR));
    });
    assert_eq!(stored, updated(first.id, WorkState::Enqueued, 2));
    let found = record(world, first.id);
    assert_eq!((found.enqueued_at, found.due, found.boost_millis), (start, start.plus(millis(1_000)), 5_000));
    assert_eq!(found.expires_at, Some(start.plus(millis(HOUR))), "counted from when it was scheduled");
    assert_eq!(found.filed, Filed::Delayed);
    world.check();
    world.reopen();
    let again = give(world, |_| ());
    assert_eq!(again, updated(first.id, WorkState::Enqueued, 3));
    let found = record(world, first.id);
    assert_eq!((found.due, found.expires_at, found.filed), (start, None, Filed::Ready));
    world.start(first.id);
}

pub(super) fn s4_9_update_keeps_attempts_and_a_running_back_off(world: &mut World) {
    let start = world.now;
    let id = world.add("a", Policy::Update).id;
    let attempt = world.start(id);
    world.settle(attempt, retry(30_000));
    let back = start.plus(millis(30_000));
    assert_eq!(give(world, |_| ()), updated(id, WorkState::Enqueued, 2));
    let found = record(world, id);
    assert_eq!((found.due, found.attempt(), found.history.len()), (back, 2, 1));
    give(world, |work| work.start = after(HOUR));
    assert_eq!(record(world, id).due, start.plus(millis(HOUR)), "the later of the two");
    give(world, |work| work.start = Start::At(start));
    assert_eq!(record(world, id).due, back, "the back-off is not forgotten");
    give(world, |work| work.start = after(40_000));
    world.advance(40_000);
    let attempt = world.start(id);
    world.settle(attempt, give_back());
    give(world, |_| ());
    assert_eq!(record(world, id).due, start, "what was given back waits for nothing");
}

pub(super) fn s4_3_update_leaves_blocked_work_blocked(world: &mut World) {
    let first = world.add("a", Policy::Append).id;
    let attempt = world.start(first);
    let second = world.add("a", Policy::Append).id;
    let stored = give(world, |work| work.start = after(1_000));
    assert_eq!(stored, updated(second, WorkState::Blocked, 2), "the newest that is not running");
    world.advance(MINUTE);
    world.succeed(attempt);
    let found = record(world, second);
    assert_eq!((found.state, found.due), (WorkState::Enqueued, world.now.plus(millis(1_000))));
}

/// Runs the piece under `a`, and updates it meanwhile.
fn running(world: &mut World) -> (WorkId, Attempt) {
    let id = world.add("a", Policy::Update).id;
    let attempt = world.start(id);
    world.write(|tx| tx.progress(&[(attempt, vec![1])])).expect("it is kept");
    assert_eq!(give(world, |_| ()), updated(id, WorkState::Running, 2));
    assert_eq!(give(world, |_| ()), updated(id, WorkState::Running, 3));
    assert_eq!(world.claim(9), [], "one body at a time");
    (id, attempt)
}

pub(super) fn s4_4_whatever_becomes_of_the_running_attempt_the_new_runs(world: &mut World) {
    let error = || "does not decode".to_owned();
    let quarantine = Settlement::Quarantine { reason: Reason::Payload, error: error() };
    let exhausted =
        Settlement::Failed { end: AttemptEnd::Panicked, reason: Reason::Exhausted, error: error() };
    let ends = [
        (Settlement::Succeeded { output: Some(vec![1].into()) }, AttemptEnd::Succeeded, 1),
        (failure("boom"), AttemptEnd::Failed, 1),
        (exhausted, AttemptEnd::Panicked, 1),
        (retry(0), AttemptEnd::Retried, 2),
        (give_back(), AttemptEnd::Returned, 1),
        (quarantine, AttemptEnd::Quarantined, 1),
    ];
    for (settlement, end, attempt_number) in ends {
        let (id, attempt) = running(world);
        world.settle(attempt, settlement);
        let found = record(world, id);
        assert_eq!(
            (found.state, found.generation, found.finished_at),
            (WorkState::Enqueued, 3, None),
            "{end:?}"
        );
        assert_eq!((found.history[0].end, found.attempt()), (end, attempt_number));
        assert_eq!(world.read(|look| look.output(id)), Ok(None), "its output is of the old");
        world.check();
        let attempt = world.start(id);
        world.succeed(attempt);
        let found = record(world, id);
        assert_eq!(
            (found.state, found.claim),
            (WorkState::Succeeded, 2),
            "the new ends as it likes: {end:?}"
        );
    }
}

pub(super) fn s4_4_a_back_off_of_the_old_attempt_holds_for_the_new(world: &mut World) {
    let (id, attempt) = running(world);
    world.settle(attempt, retry(MINUTE));
    assert_eq!(record(world, id).due, world.now.plus(millis(MINUTE)));
    world.advance(MINUTE);
    let attempt = world.start(id);
    give(world, |work| work.start = after(HOUR));
    world.settle(attempt, Settlement::Snooze { after: millis(MINUTE) });
    let found = record(world, id);
    assert_eq!((found.due, found.snoozes), (found.enqueued_at.plus(millis(HOUR)), 1), "the later");
    give(world, |_| ());
    assert_eq!(record(world, id).due, world.now.plus(millis(MINUTE)));
}

pub(super) fn s4_4_a_crash_ends_the_running_attempt_too(world: &mut World) {
    let (id, attempt) = running(world);
    let rescued = world.restart();
    assert_eq!(rescued.orphans, [id]);
    let found = record(world, id);
    assert_eq!((found.state, found.generation, found.updated), (WorkState::Enqueued, 3, false));
    let late = world.settle_as(attempt, Settlement::Succeeded { output: None }, Body::Ended);
    assert_eq!(late, Settled::Fenced);
    world.start(id);
}

pub(super) fn s4_4_a_cancel_ends_updated_work(world: &mut World) {
    let (id, attempt) = running(world);
    world.cancel_work(id);
    assert_eq!(record(world, id).state, WorkState::Cancelled);
    assert_eq!(world.settle_as(attempt, retry(0), Body::Ended), Settled::Fenced);
    assert_eq!(world.add("a", Policy::Update).how, How::New);
}

pub(super) fn s4_5_update_keeps_what_is_quarantined(world: &mut World) {
    let id = world.add("a", Policy::Keep).id;
    let attempt = world.start(id);
    world.quarantine(attempt);
    let work = update(world);
    let kept = world.enqueue(&work);
    let how = How::Kept { state: WorkState::Quarantined, task: "Upload".to_owned(), options_differ: false };
    assert_eq!(kept, Enqueued { id, how });
    assert_eq!(record(world, id).generation, 1);
}

pub(super) fn s4_8_update_refuses_an_id_of_another_task_or_kind(world: &mut World) {
    let holder = world.add("a", Policy::Keep).id;
    let other = NewWork { lane: Arc::new(Lane::of("Other")), ..update(world) };
    let (task_id, task) = ("a".to_owned(), "Upload".to_owned());
    let refused = world.try_enqueue(std::slice::from_ref(&other));
    assert_eq!(refused, Err(VerbError::IdHeldBy { task_id: task_id.clone(), task, holder }));
    let mut other = update(world);
    other.options.period = Some(hourly());
    let refused = world.try_enqueue(std::slice::from_ref(&other));
    assert_eq!(refused, Err(VerbError::KindDiffers { task_id, periodic: false, holder }));
    let renamed = NewWork { lane: Arc::new(Lane::of("Send")), aliases: &["Upload"], ..update(world) };
    assert_eq!(world.enqueue(&renamed), updated(holder, WorkState::Enqueued, 2));
    assert_eq!(world.get(holder).lane.task, "Send", "it bears the newer name");
}

fn hourly() -> StoredPeriod {
    StoredPeriod::new(Rhythm::Every(millis(HOUR)))
}

fn stands(world: &mut World, id: WorkId) -> PeriodRecord {
    *record(world, id).period.expect("it is periodic")
}

/// Hourly work under `a` whose second slot waits.
fn beat(world: &mut World) -> (WorkId, WallTime) {
    let start = world.now;
    let mut work = update(world);
    work.options.period = Some(hourly());
    world.enqueue(&work);
    let attempt = world.start(work.id);
    world.settle(attempt, done(1, start.plus(millis(HOUR))));
    (work.id, start)
}

fn done(number: u64, at: WallTime) -> Settlement {
    let next = NextSlot { number, at, early: at, wait: millis(HOUR) };
    Settlement::Period { end: AttemptEnd::Succeeded, error: String::new(), how: PeriodEnd::Done, next }
}

pub(super) fn s5_5_an_update_keeps_the_grid_of_an_unchanged_rhythm(world: &mut World) {
    let (id, start) = beat(world);
    world.advance(10 * MINUTE);
    let before = stands(world, id);
    give(world, |work| work.options.period = Some(hourly()));
    assert_eq!(stands(world, id), before);
    let flexible = StoredPeriod { flex: millis(5 * MINUTE), ..hourly() };
    give(world, |work| work.options.period = Some(flexible.clone()));
    let next = start.plus(millis(HOUR));
    let (found, period) = (record(world, id), stands(world, id));
    assert_eq!((found.due, found.filed, found.generation), (next, Filed::Flexible, 3));
    assert_eq!((period.slot, period.at, period.early), (1, next, next.minus(millis(5 * MINUTE))));
    world.check();
    world.advance(50 * MINUTE);
    let attempt = world.start(id);
    give(world, |work| work.options.period = Some(StoredPeriod { flex: millis(MINUTE), ..hourly() }));
    let next = start.plus(millis(2 * HOUR));
    world.settle(attempt, done(2, next));
    let period = stands(world, id);
    assert_eq!((period.slot, period.at, period.early, period.done), (2, next, next.minus(millis(MINUTE)), 2));
}

pub(super) fn s5_5_an_update_of_the_rhythm_begins_a_new_grid(world: &mut World) {
    let (id, _) = beat(world);
    world.advance(10 * MINUTE);
    let daily = || StoredPeriod::new(Rhythm::Cron { text: "0 4 * * *".to_owned(), zone: "UTC".to_owned() });
    let first = world.now.plus(millis(5 * HOUR));
    give(world, |work| (work.options.period, work.start) = (Some(daily()), Start::At(first)));
    let period = stands(world, id);
    assert_eq!((period.slot, period.at, period.done, record(world, id).due), (2, first, 1, first));
    world.advance(5 * HOUR);
    // During a run the new grid begins with the end of that.
    let attempt = world.start(id);
    give(world, |work| (work.options.period, work.start) = (Some(hourly()), after(0)));
    let anchor = world.now;
    world.advance(MINUTE);
    world.reopen();
    world.rescue();
    let _ = attempt;
    let (found, period) = (record(world, id), stands(world, id));
    assert_eq!((found.state, found.due), (WorkState::Enqueued, anchor));
    assert_eq!((period.slot, period.at, period.restarts), (3, anchor, None));
    let attempt = world.start(id);
    let half = StoredPeriod::new(Rhythm::Every(millis(30 * MINUTE)));
    give(world, |work| work.options.period = Some(half));
    let anchor = world.now;
    world.settle(attempt, done(4, anchor.plus(millis(HOUR))));
    assert_eq!((stands(world, id).slot, stands(world, id).at), (5, anchor), "not the slot of the old grid");
    assert_eq!(stands(world, id).last_began, Some(anchor));
}

pub(super) fn s4_4_an_updated_period_outlives_the_end_of_the_old(world: &mut World) {
    let (id, _) = beat(world);
    world.advance(HOUR);
    let attempt = world.start(id);
    give(world, |work| work.options.period = Some(hourly()));
    let error = "boom".to_owned();
    let stop = Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Periods, error };
    world.settle(attempt, stop);
    let found = record(world, id);
    assert_eq!((found.state, found.due), (WorkState::Enqueued, world.now));
    assert_eq!((stands(world, id).slot, stands(world, id).failed), (1, 0));
    world.start(id);
}

fn automatic(world: &mut World, task: &str) -> WorkId {
    let mut work = NewWork { unique: Some((task.to_owned(), Policy::Update)), ..world.work(task) };
    work.options.period = Some(hourly());
    work.options.automatic = true;
    world.enqueue(&work).id
}

fn end_automatic(world: &mut World, tasks: &[&str], except: &[WorkId]) -> Vec<WorkId> {
    let tasks = tasks.iter().map(|task| (*task).to_owned()).collect();
    let moved = world.cancel(&Target::Automatic { tasks, except: except.to_vec() });
    moved.iter().map(|moved| moved.attempt.work).collect()
}

pub(super) fn s5_5_what_is_automatic_no_longer_is_cancelled(world: &mut World) {
    let [kept, gone, unknown, aside] =
        ["Kept", "Gone", "Unknown", "Aside"].map(|task| automatic(world, task));
    let mut by_hand = world.work("Gone");
    by_hand.options.period = Some(hourly());
    world.enqueue(&by_hand);
    let attempts = world.claim(9);
    let of = |id| *attempts.iter().find(|attempt| attempt.work == id).expect("it runs");
    let next = world.now.plus(millis(HOUR));
    world.settle(of(kept), done(1, next));
    world.quarantine(of(aside));
    world.reopen();
    world.rescue();
    let again = automatic(world, "Kept");
    assert_eq!(again, kept);
    assert_eq!(end_automatic(world, &["Kept", "Gone", "Aside"], &[kept]), [gone]);
    let found = record(world, gone);
    assert_eq!((found.state, found.reason), (WorkState::Cancelled, Some(Reason::NoLongerAutomatic)));
    assert_eq!([kept, unknown, by_hand.id].map(|id| world.state(id)), [WorkState::Enqueued; 3]);
    assert_eq!(world.state(aside), WorkState::Quarantined);
    assert_eq!(end_automatic(world, &["Kept", "Gone", "Aside"], &[kept]), []);
    // Scheduled by a call since, it is no longer the program's.
    let mut call = NewWork { unique: Some(("Kept".to_owned(), Policy::Update)), ..world.work("Kept") };
    call.options.period = Some(hourly());
    world.enqueue(&call);
    assert_eq!(end_automatic(world, &["Kept"], &[]), []);
    let cancelled = end_automatic(world, &["Unknown"], &[]);
    assert_eq!(cancelled, [unknown]);
}

//! `requeue`, `discard` and `retry_now`: what a person does with work that has ended badly or waits too long.

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::{after, retry};
use crate::error::VerbError;
use crate::id::WorkId;
use crate::period::{Rhythm, StoredPeriod};
use crate::record::Blocked;
use crate::spec::StoredOptions;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;
use crate::verbs::{Body, NewWork, Policy, Settlement, Target};

fn failed(world: &mut World) -> WorkId {
    let id = world.plain();
    let attempt = world.start(id);
    world.fail(attempt);
    id
}

fn set_aside(world: &mut World, task_id: &str) -> WorkId {
    let id = world.add(task_id, Policy::Append).id;
    let attempt = world.start(id);
    world.quarantine(attempt);
    id
}

fn busy(answer: &Result<bool, VerbError>) -> Option<WorkId> {
    match answer {
        Err(VerbError::IdBusy { holder, .. }) => Some(*holder),
        _ => None,
    }
}

pub(super) fn s1_16_failed_work_is_enqueued_anew(world: &mut World) {
    let id = world.plain();
    for _ in 0..2 {
        let attempt = world.start(id);
        world.settle(attempt, retry(0));
    }
    let attempt = world.start(id);
    world.fail(attempt);
    let before = world.get(id);
    world.advance(5_000);
    world.requeue(id);
    let record = world.get(id).record;
    assert_eq!((record.state, record.reason, record.due), (WorkState::Enqueued, None, world.now));
    assert_eq!((record.attempt(), record.generation), (1, before.record.generation + 1));
    assert_eq!((record.finished_at, record.prune_at), (None, WallTime::MAX));
    assert_eq!((record.enqueued_at, record.sequence), (before.record.enqueued_at, before.record.sequence));
    assert_eq!((&record.history, &world.get(id).errors), (&before.record.history, &before.errors));
    assert_eq!(world.changes.next_prune, None);
    world.restart();
    let again = world.start(id);
    assert_eq!(again.claim, attempt.claim + 1, "claim numbers only grow");
    world.succeed(again);
}

pub(super) fn s1_16_an_id_is_taken_again_or_is_busy(world: &mut World) {
    let first = world.add("a", Policy::Keep).id;
    let attempt = world.start(first);
    world.fail(attempt);
    let second = world.add("a", Policy::Keep).id;
    assert_eq!(busy(&world.try_requeue(first)), Some(second));
    assert_eq!(world.state(first), WorkState::Failed);
    let attempt = world.start(second);
    assert_eq!(busy(&world.try_requeue(first)), Some(second));
    world.succeed(attempt);
    world.requeue(first);
    assert_eq!(world.add("a", Policy::Keep).id, first, "it holds its id again");
}

pub(super) fn s1_16_dependents_of_an_id_are_not_revived(world: &mut World) {
    let [first, second] = [(); 2].map(|()| world.add("a", Policy::Append).id);
    let attempt = world.start(first);
    world.fail(attempt);
    world.cancel_work(second);
    world.requeue(first);
    assert_eq!(world.state(second), WorkState::Cancelled);
    world.start(first);
}

pub(super) fn s1_15_quarantined_work_is_enqueued_anew(world: &mut World) {
    let id = set_aside(world, "a");
    let payload = world.get(id).spec.expect("it reads").envelope.payload;
    world.requeue(id);
    let view = world.get(id);
    assert_eq!((view.record.state, view.record.interruptions), (WorkState::Enqueued, 0));
    assert_eq!(view.spec.expect("it reads").envelope.payload, payload);
    let attempt = world.start(id);
    world.succeed(attempt);
}

pub(super) fn s1_15_an_id_that_was_taken_over_is_busy(world: &mut World) {
    let aside = set_aside(world, "a");
    let over = world.add("a", Policy::Replace).id;
    let appended = world.add("a", Policy::Append).id;
    assert_eq!(busy(&world.try_requeue(aside)), Some(over));
    let attempt = world.start(over);
    world.succeed(attempt);
    assert_eq!(busy(&world.try_requeue(aside)), Some(appended));
    let attempt = world.start(appended);
    world.succeed(attempt);
    world.requeue(aside);
    world.start(aside);
}

pub(super) fn s1_15_behind_appended_work_it_stands_last(world: &mut World) {
    let aside = set_aside(world, "a");
    let [second, third] = [(); 2].map(|()| world.add("a", Policy::Append).id);
    world.requeue(aside);
    assert_eq!(world.stands(aside), (WorkState::Blocked, Some(Blocked::Behind)));
    world.check();
    let fourth = world.add("a", Policy::Append).id;
    for id in [second, third, aside, fourth] {
        let attempt = world.start(id);
        world.succeed(attempt);
    }
}

pub(super) fn s1_15_discarded_work_has_failed(world: &mut World) {
    let aside = set_aside(world, "a");
    world.advance(1_000);
    assert_eq!(world.discard(aside), Ok(true));
    let view = world.get(aside);
    assert_eq!((view.record.state, view.record.reason), (WorkState::Failed, Some(Reason::Payload)));
    assert_eq!((view.record.finished_at, view.errors.len()), (Some(world.now), 1));
    assert_eq!(view.record.prune_at, world.now.plus(Duration::from_secs(7 * 24 * 3600)));
    assert_eq!(world.changes.moves.len(), 1);
    let waiting = world.plain();
    let refused = world.discard(waiting);
    assert!(matches!(refused, Err(VerbError::WrongState { state: WorkState::Enqueued, .. })), "{refused:?}");
    let unknown = world.work("Upload").id;
    assert_eq!(world.discard(unknown), Ok(false));
}

pub(super) fn s1_15_only_failed_and_quarantined_work_is_requeued(world: &mut World) {
    let running = world.plain();
    world.start(running);
    let (enqueued, cancelled, done) = (world.plain(), world.plain(), world.plain());
    world.cancel_work(cancelled);
    world.cancel_work(enqueued);
    let attempt = world.start(done);
    world.succeed(attempt);
    for id in [running, enqueued, cancelled, done] {
        let before = world.get(id);
        let refused = world.try_requeue(id);
        assert!(matches!(refused, Err(VerbError::WrongState { .. })), "{refused:?}");
        assert_eq!(world.get(id), before);
    }
    let unknown = world.work("Upload").id;
    assert_eq!(world.try_requeue(unknown), Ok(false));
}

pub(super) fn s1_16_a_body_that_lives_is_waited_for(world: &mut World) {
    let id = world.add("a", Policy::Keep).id;
    let attempt = world.start(id);
    let failure = crate::conformance::world::failure("boom");
    world.settle_as(attempt, failure, Body::Living);
    world.requeue(id);
    assert_eq!(world.stands(id), (WorkState::Blocked, Some(Blocked::Body)));
    assert_eq!(world.claim(9), []);
    world.release(attempt);
    world.start(id);
}

fn periodic(world: &mut World) -> NewWork {
    let period = Some(StoredPeriod::new(Rhythm::Every(Duration::from_secs(60))));
    let options = StoredOptions { period, ..StoredOptions::default() };
    NewWork { options, ..world.unique("p", Policy::Keep) }
}

pub(super) fn s1_16_periodic_work_goes_on_at_its_slot(world: &mut World) {
    let work = periodic(world);
    world.enqueue(&work);
    let slot = world.now;
    let attempt = world.start(work.id);
    let end = AttemptEnd::Failed;
    world.settle(attempt, Settlement::Failed { end, reason: Reason::Periods, error: String::new() });
    world.advance(90_000);
    world.requeue(work.id);
    let record = world.get(work.id).record;
    let period = record.period.expect("it is periodic");
    assert_eq!((record.due, period.at, period.began, period.failed), (slot, slot, None, 0));
    world.start(work.id);
}

pub(super) fn s1_7_what_had_expired_expires_no_more(world: &mut World) {
    let mut work = world.work("Upload");
    work.options.expires = Some(Duration::from_secs(1));
    world.enqueue(&work);
    world.advance(1_000);
    assert_eq!(world.expire(9), 1);
    world.requeue(work.id);
    assert_eq!(world.expire(9), 0);
    assert_eq!(world.get(work.id).record.state, WorkState::Enqueued);
    world.start(work.id);
}

pub(super) fn s9_1_retry_now_ends_a_back_off(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    world.settle(attempt, retry(60_000));
    let delayed = NewWork { start: after(9_000), ..world.work("Upload") };
    world.enqueue(&delayed);
    assert_eq!(world.claim(9), []);
    assert_eq!(world.retry_now(&Target::Work(id)), Ok(vec![id]));
    let record = world.get(id).record;
    assert_eq!((record.due, record.attempt()), (world.now, 2));
    world.start(id);
    assert_eq!(world.retry_now(&Target::Work(delayed.id)), Ok(vec![delayed.id]));
    world.start(delayed.id);
    let ready = world.plain();
    let due = world.get(ready).record.due;
    world.advance(10);
    assert_eq!(world.retry_now(&Target::Work(ready)), Ok(vec![ready]));
    assert_eq!(world.get(ready).record.due, due, "what is due keeps its place");
}

pub(super) fn s9_1_retry_now_ends_the_delay_of_blocked_work(world: &mut World) {
    let first = world.add("a", Policy::Append).id;
    let second = NewWork { start: after(9_000), ..world.unique("a", Policy::Append) };
    world.enqueue(&second);
    let third = NewWork { start: after(9_000), ..world.unique("a", Policy::Append) };
    world.enqueue(&third);
    let attempt = world.start(first);
    let moved = world.retry_now(&Target::TaskId("a".to_owned()));
    assert_eq!(moved, Ok(vec![second.id, third.id]), "what runs is passed over");
    assert_eq!(world.stands(second.id), (WorkState::Blocked, Some(Blocked::Behind)));
    world.succeed(attempt);
    let attempt = world.start(second.id);
    world.succeed(attempt);
    world.start(third.id);
}

pub(super) fn s9_1_retry_now_gives_periodic_work_a_run(world: &mut World) {
    let work = NewWork { start: after(60_000), ..periodic(world) };
    world.enqueue(&work);
    let slot = world.now.plus(Duration::from_secs(60));
    assert_eq!(world.retry_now(&Target::TaskId("p".to_owned())), Ok(vec![work.id]));
    let attempt = world.start(work.id);
    let period = world.get(work.id).record.period.expect("it is periodic");
    assert_eq!((period.at, period.asked), (slot, true), "it is another run than that of the slot");
    world.settle(attempt, retry(30_000));
    assert_eq!(world.retry_now(&Target::Work(work.id)), Ok(vec![work.id]));
    assert_eq!(world.get(work.id).record.period.expect("it is periodic").overridden, None);
    world.start(work.id);
}

pub(super) fn s9_1_only_waiting_work_is_tried_at_once(world: &mut World) {
    let running = world.plain();
    world.start(running);
    let failed = failed(world);
    for (id, expected) in [(running, WorkState::Running), (failed, WorkState::Failed)] {
        let refused = world.retry_now(&Target::Work(id));
        assert!(
            matches!(refused, Err(VerbError::WrongState { state, .. }) if state == expected),
            "{refused:?}"
        );
    }
    let unknown = world.work("Upload").id;
    assert_eq!(world.retry_now(&Target::Work(unknown)), Ok(Vec::new()));
    assert_eq!(world.retry_now(&Target::TaskId("nobody".to_owned())), Ok(Vec::new()));
}

pub(super) fn s4_7_what_waits_for_quarantined_work_waits_for_its_requeue(world: &mut World) {
    let aside = set_aside(world, "a");
    let follower = world.add("a", Policy::AppendAfterSuccess).id;
    let last = world.add("a", Policy::Append).id;
    assert_eq!(world.claim(9), []);
    world.requeue(aside);
    world.check();
    for id in [aside, follower, last] {
        let attempt = world.start(id);
        world.succeed(attempt);
    }
}

pub(super) fn s4_7_what_waits_for_discarded_work_fails(world: &mut World) {
    let aside = set_aside(world, "a");
    let follower = world.add("a", Policy::AppendAfterSuccess).id;
    let last = world.add("a", Policy::Append).id;
    assert_eq!(world.discard(aside), Ok(true));
    let record = world.get(follower).record;
    assert_eq!((record.state, record.reason), (WorkState::Failed, Some(Reason::Prerequisite)));
    world.start(last);
}

//! `expire`: work that was not started in time (S1.7).

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::{give_back, retry};
use crate::id::WorkId;
use crate::state::{Reason, WorkState};
use crate::verbs::{Body, How, NewWork, Policy, Settlement};

const MINUTE: u64 = 60_000;

fn expiring(world: &mut World, millis: u64) -> NewWork {
    let mut work = world.work("Upload");
    work.options.expires = Some(Duration::from_millis(millis));
    work
}

fn add(world: &mut World, millis: u64) -> WorkId {
    let work = expiring(world, millis);
    world.enqueue(&work).id
}

fn reason(world: &mut World, id: WorkId) -> (WorkState, Option<Reason>) {
    let record = world.get(id).record;
    (record.state, record.reason)
}

const EXPIRED: (WorkState, Option<Reason>) = (WorkState::Failed, Some(Reason::Expired));

pub(super) fn s1_7_what_was_not_started_in_time_has_failed(world: &mut World) {
    let id = add(world, MINUTE);
    let until = world.now.plus(Duration::from_millis(MINUTE));
    assert_eq!(world.changes.next_expiry, Some(until));
    world.advance(MINUTE - 1);
    assert_eq!(world.expire(9), 0, "one millisecond early");
    world.reopen();
    world.advance(1);
    assert_eq!(world.claim(9), [], "whether or not it has been ended");
    assert_eq!(world.expire(9), 1);
    assert_eq!(reason(world, id), EXPIRED);
    let record = world.get(id).record;
    assert_eq!((record.finished_at, record.claim, record.history.len()), (Some(world.now), 0, 0));
    assert_eq!(world.changes.next_expiry, None);
    let moved = &world.changes.moves[0];
    assert_eq!((moved.attempt.work, moved.from), (id, Some(WorkState::Enqueued)));
    assert_eq!(world.expire(9), 0);
}

pub(super) fn s1_7_what_has_been_claimed_once_does_not_expire(world: &mut World) {
    let [returned, retried] = [(); 2].map(|()| add(world, MINUTE));
    let attempts = world.claim(9);
    assert_eq!(attempts.len(), 2);
    world.settle(attempts[0], give_back());
    world.settle(attempts[1], retry(5 * MINUTE));
    world.advance(10 * MINUTE);
    assert_eq!((world.changes.next_expiry, world.expire(9)), (None, 0));
    assert_eq!(world.claim(9).len(), 2);
    assert_eq!([returned, retried].map(|id| world.state(id)), [WorkState::Running; 2]);
}

pub(super) fn s1_7_blocked_and_delayed_work_expires_too(world: &mut World) {
    let first = world.add("a", Policy::Append).id;
    let attempt = world.start(first);
    let mut blocked = expiring(world, MINUTE);
    blocked.unique = Some(("a".to_owned(), Policy::Append));
    world.enqueue(&blocked);
    let behind = world.add("a", Policy::Append).id;
    let delayed = NewWork { start: crate::conformance::world::after(9 * MINUTE), ..expiring(world, MINUTE) };
    world.enqueue(&delayed);
    world.advance(2 * MINUTE);
    assert_eq!(world.expire(9), 2);
    assert_eq!([blocked.id, delayed.id].map(|id| reason(world, id)), [EXPIRED; 2]);
    assert_eq!(world.state(behind), WorkState::Blocked, "the first still runs");
    world.succeed(attempt);
    world.start(behind);
}

pub(super) fn s1_7_what_expired_releases_its_id(world: &mut World) {
    let mut first = expiring(world, MINUTE);
    first.unique = Some(("a".to_owned(), Policy::Append));
    world.enqueue(&first);
    let second = world.add("a", Policy::Append).id;
    world.advance(MINUTE);
    assert_eq!(world.expire(9), 1);
    let attempt = world.start(second);
    world.succeed(attempt);
    assert_eq!(world.add("a", Policy::Keep).how, How::New);
}

pub(super) fn s1_7_what_waits_for_a_body_expires(world: &mut World) {
    let first = world.add("a", Policy::Replace).id;
    let attempt = world.start(first);
    let mut second = expiring(world, MINUTE);
    second.unique = Some(("a".to_owned(), Policy::Replace));
    world.enqueue(&second);
    world.advance(MINUTE);
    assert_eq!(world.expire(9), 1);
    assert_eq!(reason(world, second.id), EXPIRED);
    world.settle_as(attempt, Settlement::Succeeded { output: None }, Body::Ended);
    assert_eq!(world.claim(9), []);
}

pub(super) fn s1_7_expiring_is_bounded_and_takes_the_oldest_first(world: &mut World) {
    let ids: Vec<_> = [5, 3, 4, 1, 2].map(|minutes| (minutes, add(world, minutes * MINUTE))).into();
    world.advance(10 * MINUTE);
    assert_eq!(world.expire(3), 3);
    for (minutes, id) in ids {
        assert_eq!(world.state(id) == WorkState::Failed, minutes <= 3, "after {minutes}");
    }
    assert_eq!(world.expire(3), 2);
}

pub(super) fn s1_7_a_clock_that_was_set_back_in_time_lets_it_run(world: &mut World) {
    let before = world.now;
    let id = add(world, MINUTE);
    world.advance(600 * MINUTE);
    assert_eq!(world.claim(9), [], "nobody has ended it yet");
    world.now = before.plus(Duration::from_millis(10));
    world.start(id);
}

pub(super) fn s1_7_a_period_does_not_expire_by_itself(world: &mut World) {
    let mut work = expiring(world, MINUTE);
    let every = crate::Rhythm::Every(Duration::from_secs(3_600));
    work.options.period = Some(crate::StoredPeriod::new(every));
    work.unique = Some(("Upload".to_owned(), Policy::Keep));
    world.enqueue(&work);
    world.advance(2 * MINUTE);
    assert_eq!((world.changes.next_expiry, world.expire(9)), (None, 0));
    world.start(work.id);
}

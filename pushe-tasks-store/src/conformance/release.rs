//! `release`: what waits for other work and for living bodies.

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::{after, failure, retry};
use crate::id::Attempt;
use crate::record::{Blocked, Filed};
use crate::state::WorkState;
use crate::verbs::{Body, How, NewWork, Policy, Settled, Settlement, Start, Target};

const BODY: (WorkState, Option<Blocked>) = (WorkState::Blocked, Some(Blocked::Body));
const ENQUEUED: (WorkState, Option<Blocked>) = (WorkState::Enqueued, None);

pub(super) fn s1_3_a_delay_counts_from_the_release(world: &mut World) {
    let first = world.add("a", Policy::Append).id;
    let delayed = NewWork { start: after(5_000), ..world.unique("a", Policy::Append) };
    let second = world.enqueue(&delayed).id;
    let attempt = world.start(first);
    world.advance(60_000);
    world.succeed(attempt);
    let record = world.get(second).record;
    assert_eq!((record.state, record.filed), (WorkState::Enqueued, Filed::Delayed));
    assert_eq!(record.due, world.now.plus(Duration::from_secs(5)));
    world.advance(4_999);
    assert_eq!(world.claim(9), []);
    world.advance(1);
    world.start(second);
}

pub(super) fn s1_3_a_moment_stays_while_work_is_blocked(world: &mut World) {
    let first = world.add("a", Policy::Append).id;
    let [soon, late] = [1_000, 90_000].map(|millis| world.now.plus(Duration::from_millis(millis)));
    let [second, third] = [soon, late].map(|moment| {
        let work = NewWork { start: Start::At(moment), ..world.unique("a", Policy::Append) };
        world.enqueue(&work).id
    });
    let attempt = world.start(first);
    world.advance(60_000);
    world.succeed(attempt);
    assert_eq!(world.get(second).record.due, soon);
    let attempt = world.start(second);
    world.succeed(attempt);
    assert_eq!((world.get(third).record.due, world.claim(9)), (late, Vec::new()));
    world.advance(30_000);
    world.start(third);
}

pub(super) fn s2_3_a_body_that_goes_on_holds_its_piece(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    assert_eq!(world.settle_as(attempt, retry(0), Body::Living), Settled::Applied);
    assert_eq!((world.state(id), world.claim(9)), (WorkState::Enqueued, Vec::new()));
    world.release(attempt);
    assert_eq!(world.start(id).claim, 2);
}

pub(super) fn s2_3_a_body_that_goes_on_holds_its_id(world: &mut World) {
    let first = world.add("a", Policy::Keep).id;
    let attempt = world.start(first);
    world.settle_as(attempt, failure("timeout"), Body::Living);
    let second = world.add("a", Policy::Keep);
    assert_eq!((second.how, world.stands(second.id)), (How::New, BODY));
    assert_eq!(world.claim(9), []);
    world.release(attempt);
    assert_eq!(world.stands(second.id), ENQUEUED);
    world.start(second.id);
}

pub(super) fn s4_11_new_work_waits_for_a_cancelled_body(world: &mut World) {
    for policy in [Policy::Keep, Policy::Append, Policy::Replace] {
        let first = world.add("a", policy).id;
        let attempt = world.start(first);
        world.cancel(&Target::TaskId("a".to_owned()));
        let second = world.add("a", policy);
        assert_eq!((second.how, world.stands(second.id)), (How::New, BODY), "{policy:?}");
        assert_eq!(world.claim(9), []);
        world.release(attempt);
        let attempt = world.start(second.id);
        world.succeed(attempt);
    }
}

pub(super) fn s4_11_a_fenced_settle_says_that_the_body_ended(world: &mut World) {
    let first = world.add("a", Policy::Replace).id;
    let attempt = world.start(first);
    let second = world.add("a", Policy::Replace).id;
    // The grace has passed and the body goes on; later it ends.
    let settlement = Settlement::Succeeded { output: None };
    assert_eq!(world.settle_as(attempt, settlement.clone(), Body::Living), Settled::Fenced);
    assert_eq!(world.stands(second), BODY);
    assert_eq!(world.settle_as(attempt, settlement, Body::Ended), Settled::Fenced);
    assert_eq!(world.stands(second), ENQUEUED);
}

pub(super) fn s4_11_appended_work_waits_for_a_body_behind_its_predecessor(world: &mut World) {
    let [first, second, third] = [(); 3].map(|()| world.add("a", Policy::Append).id);
    let attempt = world.start(first);
    world.settle_as(attempt, failure("timeout"), Body::Living);
    assert_eq!(world.stands(second), BODY);
    assert_eq!(world.stands(third).1, Some(Blocked::Behind));
    assert_eq!(world.claim(9), []);
    world.cancel_work(second);
    assert_eq!(world.stands(third), BODY, "the next one waits for the same body");
    world.release(attempt);
    world.start(third);
}

pub(super) fn only_the_body_that_lives_is_released(world: &mut World) {
    let first = world.add("a", Policy::Append).id;
    let attempt = world.start(first);
    world.settle_as(attempt, failure("timeout"), Body::Living);
    let second = world.add("a", Policy::Append).id;
    world.release(Attempt { claim: attempt.claim + 1, ..attempt });
    world.release(Attempt { work: second, ..attempt });
    assert_eq!(world.stands(second), BODY);
    world.release(attempt);
    world.release(attempt);
    assert_eq!(world.stands(second), ENQUEUED);
}

pub(super) fn s4_11_a_body_of_before_holds_its_id_whatever_the_rows_say(world: &mut World) {
    let first = world.add("a", Policy::Keep).id;
    let old = world.start(first);
    // The store is opened anew under an executor that goes on, and that nobody has told it of.
    world.restart();
    world.cancel_work(first);
    let second = world.add("a", Policy::Keep).id;
    assert_eq!(world.stands(second), ENQUEUED);
    assert_eq!(world.settle_as(old, failure("late"), Body::Living), Settled::Fenced);
    assert_eq!(world.claim(9), []);
    world.release(old);
    world.start(second);
}

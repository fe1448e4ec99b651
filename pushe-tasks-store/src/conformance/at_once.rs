//! `enqueue_and_claim`: what starts in the transaction that stores it, and what is left to the claim. A store may leave all
//! of it to the claim; what it starts must be what the claim would have started.

use std::sync::Arc;

use crate::conformance::World;
use crate::conformance::world::after;
use crate::id::{Attempt, WorkId};
use crate::state::WorkState;
use crate::verbs::{ClaimRequest, Claimed, Grant, How, Lane, NewWork, Policy};

/// Enqueues one call and claims within these permits of all lanes; answers what was started, by either verb.
fn schedule(world: &mut World, batch: &[NewWork], permits: usize) -> Vec<Claimed> {
    let grants = vec![Grant { permits, lanes: world.lane_ids() }];
    let mut request = ClaimRequest { now: world.now, limit: permits, grants, ..ClaimRequest::default() };
    world.write(|verbs| {
        let (answers, mut started) = verbs.enqueue_and_claim(&[batch], &request);
        let answers = answers.into_iter().flat_map(|answer| answer.expect("the call is taken"));
        assert_eq!(
            answers.map(|new| new.id).collect::<Vec<_>>(),
            batch.iter().map(|work| work.id).collect::<Vec<_>>()
        );
        request.limit -= started.len();
        request.grants[0].permits -= started.len();
        started.extend(verbs.claim(&request).expect("the claim is carried out"));
        started
    })
}

fn works(claimed: &[Claimed]) -> Vec<WorkId> {
    claimed.iter().map(|claimed| claimed.record.id).collect()
}

fn ids(batch: &[NewWork]) -> Vec<WorkId> {
    batch.iter().map(|work| work.id).collect()
}

/// A store that knows the lane, with nothing in it.
fn with_lane(world: &mut World) {
    let first = world.plain();
    let attempt = world.start(first);
    world.succeed(attempt);
}

pub(super) fn s1_4_what_starts_at_once_is_claimed_as_by_a_claim(world: &mut World) {
    with_lane(world);
    let batch: Vec<_> = (0..5).map(|_| world.work("Upload")).collect();
    let started = schedule(world, &batch, 9);
    assert_eq!(works(&started), ids(&batch));
    for (claimed, work) in started.iter().zip(&batch) {
        let view = world.get(work.id);
        assert_eq!(view.record, claimed.record);
        assert_eq!((view.record.state, view.record.claim), (WorkState::Running, 1));
        assert_eq!(view.record.claimed_at, Some(world.now));
        assert_eq!(view.spec.as_ref(), Ok(&claimed.spec));
        assert_eq!(claimed.spec.envelope, work.envelope);
    }
    assert_eq!(world.claim(9), [], "nothing is started twice");
    world.check();
    world.succeed(started[0].attempt());
    assert_eq!(world.state(batch[0].id), WorkState::Succeeded);
    // The others are orphans of a crash, and run again under a claim of their own.
    let rescued = world.restart();
    assert_eq!(rescued.orphans, ids(&batch[1..]));
    let again: Vec<_> = batch[1..].iter().map(|work| Attempt { work: work.id, claim: 2 }).collect();
    assert_eq!(world.claim(9), again);
}

pub(super) fn s1_4_a_lone_call_starts_at_once(world: &mut World) {
    with_lane(world);
    let work = world.work("Upload");
    let started = schedule(world, std::slice::from_ref(&work), 1);
    assert_eq!(works(&started), [work.id]);
    world.check();
    world.reopen();
    assert_eq!(world.state(work.id), WorkState::Running);
}

pub(super) fn s1_21_what_stands_before_starts_first(world: &mut World) {
    with_lane(world);
    let waiting = world.plain();
    world.advance(5);
    let batch = [world.work("Upload"), world.work("Upload")];
    assert_eq!(works(&schedule(world, &batch, 2)), [waiting, batch[0].id]);
    assert_eq!(world.state(batch[1].id), WorkState::Enqueued);
    world.check();
}

pub(super) fn s1_21_what_has_fallen_due_starts_first(world: &mut World) {
    with_lane(world);
    let delayed = NewWork { start: after(10), ..world.work("Upload") };
    world.enqueue(&delayed);
    world.advance(20);
    let new = world.work("Upload");
    assert_eq!(works(&schedule(world, std::slice::from_ref(&new), 1)), [delayed.id]);
}

pub(super) fn s1_21_where_permits_are_short_the_order_decides(world: &mut World) {
    with_lane(world);
    let plain = world.work("Upload");
    let boosted = NewWork { boost_millis: 60_000, ..world.work("Upload") };
    let batch = [plain, boosted];
    assert_eq!(works(&schedule(world, &batch, 1)), [batch[1].id]);
    assert_eq!(world.claim(9).len(), 1);
}

pub(super) fn what_may_not_start_is_only_stored(world: &mut World) {
    with_lane(world);
    let delayed = NewWork { start: after(10), ..world.work("Upload") };
    let unknown = NewWork { lane: Arc::new(Lane::of("Unknown")), ..world.work("Upload") };
    let plain = world.work("Upload");
    let batch = [delayed, unknown, plain];
    // The lane of the second is made by this very call: no request can have named it.
    assert_eq!(works(&schedule(world, &batch, 9)), [batch[2].id]);
    assert_eq!(
        [0, 1, 2].map(|at| world.state(batch[at].id)),
        [WorkState::Enqueued, WorkState::Enqueued, WorkState::Running]
    );
    let late = world.work("Upload");
    assert_eq!(schedule(world, std::slice::from_ref(&late), 0), [], "no permit, no start");
    world.check();
}

pub(super) fn s4_11_ids_are_judged_before_anything_starts(world: &mut World) {
    with_lane(world);
    let [first, second] = [world.unique("a", Policy::Append), world.unique("a", Policy::Append)];
    let batch = [first, second];
    assert_eq!(works(&schedule(world, &batch, 9)), [batch[0].id]);
    assert_eq!(world.state(batch[1].id), WorkState::Blocked);
    // A piece that is stored already is not started a second time.
    let now = world.now;
    let request = ClaimRequest {
        now,
        limit: 9,
        grants: vec![Grant { permits: 9, lanes: world.lane_ids() }],
        ..ClaimRequest::default()
    };
    let plain = world.plain();
    world.start(plain);
    let again = NewWork { id: plain, ..world.work("Upload") };
    let (answers, started) =
        world.write(|verbs| verbs.enqueue_and_claim(&[std::slice::from_ref(&again)], &request));
    assert_eq!(answers[0].as_ref().map(|new| new[0].how.clone()), Ok(How::New));
    assert_eq!(started, []);
}

pub(super) fn s7_3_nothing_starts_at_once_beside_a_suspect(world: &mut World) {
    let suspect = world.plain();
    world.rescue();
    for _ in 0..2 {
        world.start(suspect);
        world.restart();
    }
    let new = world.work("Upload");
    assert_eq!(works(&schedule(world, std::slice::from_ref(&new), 9)), [suspect], "it waits, and runs alone");
    let other = world.work("Upload");
    assert_eq!(schedule(world, std::slice::from_ref(&other), 9), [], "it lives, and runs alone");
    world.check();
}

//! `claim`: what starts, in which order, and what does not.

use std::sync::Arc;

use crate::conformance::World;
use crate::conformance::world::{after, give_back, retry};
use crate::id::{Attempt, LaneId, WorkId};
use crate::record::Filed;
use crate::state::WorkState;
use crate::verbs::{Body, Claimed, Grant, Lane, NewWork, Policy, Settlement};

fn grant(permits: usize, lanes: &[LaneId]) -> Grant {
    Grant { permits, lanes: lanes.to_vec() }
}

fn ids(claimed: &[Claimed]) -> Vec<WorkId> {
    claimed.iter().map(|claimed| claimed.record.id).collect()
}

fn works(attempts: &[Attempt]) -> Vec<WorkId> {
    attempts.iter().map(|attempt| attempt.work).collect()
}

/// Enqueues a piece of the task; answers its id and lane.
fn of(world: &mut World, task: &str) -> (WorkId, LaneId) {
    let work = world.work(task);
    let id = world.enqueue(&work).id;
    (id, world.get(id).record.lane)
}

pub(super) fn s1_4_a_claim_is_durable_and_numbered(world: &mut World) {
    let work = world.unique("a", Policy::Keep);
    let id = world.enqueue(&work).id;
    let lanes = world.lane_ids();
    let claimed = world.claim_of(1, vec![grant(1, &lanes)]);
    let [claimed] = claimed.as_slice() else { panic!("one attempt: {claimed:?}") };
    assert_eq!(claimed.attempt(), Attempt { work: id, claim: 1 });
    assert_eq!(claimed.spec.envelope, work.envelope);
    assert_eq!(claimed.spec.task_id.as_deref(), Some("a"));
    let record = world.get(id).record;
    assert_eq!(record, claimed.record, "what is handed out is what is stored");
    assert_eq!((record.state, record.claim, record.attempt()), (WorkState::Running, 1, 1));
    assert_eq!(record.claimed_at, Some(world.now));
    assert_eq!(world.claim(9), [], "nothing is claimed twice");
    world.reopen();
    assert_eq!(world.state(id), WorkState::Running);
}

pub(super) fn s1_17_claim_numbers_only_grow(world: &mut World) {
    let id = world.plain();
    for claim in 1..=4 {
        let attempt = world.start(id);
        assert_eq!(attempt.claim, claim);
        world.settle(attempt, if claim % 2 == 0 { give_back() } else { retry(0) });
    }
    world.start(id);
    world.restart();
    assert_eq!(world.start(id).claim, 6);
}

pub(super) fn s1_4_delayed_work_is_claimed_when_it_falls_due(world: &mut World) {
    let work = NewWork { start: after(5_000), ..world.work("Upload") };
    let id = world.enqueue(&work).id;
    let due = world.now.plus(std::time::Duration::from_secs(5));
    assert_eq!(world.changes.next_due, Some(due));
    world.advance(4_999);
    assert_eq!(world.claim(9), []);
    world.advance(1);
    world.start(id);
    assert_eq!(world.changes.next_due, None);
}

pub(super) fn s1_21_order_is_by_due_time_then_by_sequence(world: &mut World) {
    let mut expected = Vec::new();
    for (delay, place) in [(300, 3), (100, 1), (200, 2), (100, 1), (0, 0), (0, 0)] {
        let work = NewWork { start: after(delay), ..world.work("Upload") };
        expected.push((place, expected.len(), world.enqueue(&work).id));
    }
    expected.sort();
    world.advance(1_000);
    let started = world.claim(9);
    assert_eq!(works(&started), expected.into_iter().map(|(_, _, id)| id).collect::<Vec<_>>());
}

pub(super) fn s1_21_order_is_kept_over_lanes(world: &mut World) {
    let mut expected = Vec::new();
    for n in 0..12 {
        expected.push(of(world, ["A", "C", "B"][n * n % 3]).0);
        if n % 4 == 0 {
            world.advance(1);
        }
    }
    let mut started = Vec::new();
    for limit in [1, 5, 9] {
        started.extend(works(&world.claim(limit)));
    }
    assert_eq!(started, expected);
}

pub(super) fn s1_21_a_boost_jumps_the_queue(world: &mut World) {
    let first = world.plain();
    world.advance(1_000);
    let low = NewWork { boost_millis: -600_000, ..world.work("Low") };
    let high = NewWork { boost_millis: 600_000, ..world.work("High") };
    let little = NewWork { boost_millis: 500, ..world.work("Upload") };
    let [low, high, little] = [low, high, little].map(|work| world.enqueue(&work).id);
    assert_eq!(works(&world.claim(9)), [high, first, little, low]);
}

pub(super) fn s10_1_permits_bound_each_grant(world: &mut World) {
    let [a1, a2, _] = [(); 3].map(|()| of(world, "A"));
    let [b1, _] = [(); 2].map(|()| of(world, "B"));
    let claimed = world.claim_of(9, vec![grant(2, &[a1.1]), grant(1, &[b1.1])]);
    assert_eq!(ids(&claimed), [a1.0, a2.0, b1.0]);
    let none = world.claim_of(9, vec![grant(0, &[a1.1, b1.1])]);
    assert_eq!(ids(&none), []);
}

pub(super) fn s10_1_permits_are_shared_by_the_lanes_of_a_grant(world: &mut World) {
    let a1 = of(world, "A");
    let b1 = of(world, "B");
    of(world, "A");
    let c1 = of(world, "C");
    let claimed = world.claim_of(9, vec![grant(2, &[a1.1, b1.1]), grant(9, &[c1.1, a1.1])]);
    assert_eq!(ids(&claimed), [a1.0, b1.0, c1.0], "a lane belongs to the first grant that names it");
}

pub(super) fn the_limit_bounds_a_claim_over_all_grants(world: &mut World) {
    let a1 = of(world, "A");
    let b1 = of(world, "B");
    let a2 = of(world, "A");
    let grants = vec![grant(9, &[a1.1]), grant(9, &[b1.1])];
    assert_eq!(ids(&world.claim_of(2, grants.clone())), [a1.0, b1.0]);
    assert_eq!(ids(&world.claim_of(0, grants.clone())), []);
    assert_eq!(ids(&world.claim_of(2, grants)), [a2.0]);
}

pub(super) fn lanes_that_are_not_granted_are_left_alone(world: &mut World) {
    let a = of(world, "A");
    let constrained = {
        let mut lane = Lane::of("A");
        lane.key = Some("album".to_owned());
        NewWork { lane: Arc::new(lane), ..world.work("") }
    };
    let b = world.enqueue(&constrained).id;
    assert_eq!(ids(&world.claim_of(9, vec![grant(9, &[a.1])])), [a.0]);
    assert_eq!(world.state(b), WorkState::Enqueued);
    assert_eq!(ids(&world.claim_of(9, Vec::new())), []);
}

pub(super) fn s1_19_unknown_lanes_are_no_error(world: &mut World) {
    let a = of(world, "A");
    let grants = vec![grant(9, &[LaneId(4_000), LaneId(0), LaneId(u32::MAX), a.1])];
    assert_eq!(ids(&world.claim_of(9, grants)), [a.0]);
}

pub(super) fn s4_11_no_two_bodies_of_one_id_or_piece_live(world: &mut World) {
    let unique = world.add("a", Policy::Keep).id;
    let plain = world.plain();
    let [first, second] = world.claim(2)[..] else { panic!("both start") };
    assert_eq!([first.work, second.work], [unique, plain]);
    // Both bodies go on behind the end of their attempts.
    for attempt in [first, second] {
        world.settle_as(attempt, retry(0), Body::Living);
    }
    assert_eq!((world.state(unique), world.state(plain)), (WorkState::Enqueued, WorkState::Enqueued));
    assert_eq!(world.claim(9), []);
    let third = world.plain();
    assert_eq!(works(&world.claim(1)), [third], "the others pass");
    world.release(second);
    world.start(plain);
    world.release(first);
    world.start(unique);
}

pub(super) fn long_lanes_are_claimed_to_their_end(world: &mut World) {
    let batch: Vec<_> = (0..250).map(|n| world.work(["A", "B"][n % 2])).collect();
    world.try_enqueue(&batch).expect("taken");
    let lanes = world.lane_ids();
    // More than any window, by many permits at once and by few, past pieces that may not start.
    let first = world.claim_of(10, vec![grant(10, &lanes)]);
    for claimed in &first {
        world.settle_as(claimed.attempt(), give_back(), Body::Living);
    }
    let rest = world.claim_of(1_000, vec![grant(200, &lanes[..1]), grant(200, &lanes[1..])]);
    let expected: Vec<_> = batch[10..].iter().map(|work| work.id).collect();
    assert_eq!(ids(&rest), expected);
}

pub(super) fn s8_1_much_that_falls_due_at_once_is_claimed_in_steps(world: &mut World) {
    let batch: Vec<_> = (0..2_500).map(|_| NewWork { start: after(1_000), ..world.work("A") }).collect();
    world.try_enqueue(&batch).expect("taken");
    world.advance(1_000);
    let mut started = 0;
    for _ in 0..10 {
        let claimed = world.claim(2_500).len();
        assert!(claimed <= 1_000, "one call is bounded");
        started += claimed;
        if claimed == 0 || world.changes.next_due.is_none() {
            break;
        }
        assert!(world.changes.next_due <= Some(world.now), "what is left shows");
    }
    assert_eq!(started, 2_500);
    assert!(world.list(&[WorkState::Running]).iter().all(|view| view.record.filed == Filed::Ready));
    let settlement = Settlement::Succeeded { output: None };
    let attempt = Attempt { work: batch[0].id, claim: 1 };
    world.settle(attempt, settlement);
}

//! `rescue`: what a restart finds (S7.1, S7.2).

use crate::conformance::World;
use crate::conformance::world::{BOOT, give_back};
use crate::record::Blocked;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::verbs::{Body, Policy, Settled, Settlement};

pub(super) fn s1_12_orphans_are_enqueued_again(world: &mut World) {
    world.rescue();
    let first = world.plain();
    world.advance(10);
    let attempt = world.start(first);
    let second = world.plain();
    let rescued = world.restart();
    assert_eq!((rescued.orphans.as_slice(), rescued.damaged), ([first].as_slice(), 0));
    let moved = &world.changes.moves[0];
    assert_eq!(
        (moved.attempt, moved.from, moved.to),
        (attempt, Some(WorkState::Running), WorkState::Enqueued)
    );
    let record = world.get(first).record;
    assert_eq!(
        (record.state, record.reason, record.attempt()),
        (WorkState::Enqueued, Some(Reason::Crash), 1)
    );
    assert_eq!((record.history[0].claim, record.history[0].end), (1, AttemptEnd::Interrupted));
    assert_eq!(world.start(first).claim, 2, "it runs again at once, before what came later");
    world.start(second);
}

pub(super) fn s7_1_rescue_finds_an_orphan_once(world: &mut World) {
    world.rescue();
    let id = world.plain();
    world.start(id);
    assert_eq!(world.restart().orphans, [id]);
    let before = world.get(id);
    assert_eq!(world.rescue().orphans, []);
    assert_eq!(world.restart().orphans, []);
    assert_eq!(world.get(id), before);
}

pub(super) fn s7_1_bodies_of_this_process_are_left_alone(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    assert_eq!(world.rescue().orphans, []);
    assert_eq!(world.state(id), WorkState::Running);
    world.succeed(attempt);
}

pub(super) fn s7_1_an_orphan_of_this_process_is_not_charged(world: &mut World) {
    world.rescue();
    let id = world.plain();
    let attempt = world.start(id);
    // Its body has ended, and its settle never came.
    world.release(attempt);
    let rescued = world.rescue();
    assert_eq!((rescued.orphans, rescued.charged), (vec![id], 0));
    assert_eq!(world.start(id).claim, 2);
}

pub(super) fn s7_2_a_crash_is_charged_and_not_an_attempt(world: &mut World) {
    world.rescue();
    let id = world.plain();
    for interruptions in 1..=2 {
        world.start(id);
        world.advance(1_000);
        assert_eq!(world.restart().charged, 1);
        let record = world.get(id).record;
        assert_eq!((record.interruptions, record.attempt(), record.retries), (interruptions, 1, 0));
    }
}

pub(super) fn s7_2_a_recorded_stop_charges_nothing(world: &mut World) {
    world.rescue();
    let id = world.plain();
    world.start(id);
    world.write(|tx| tx.record_stop()).expect("the stop is recorded");
    let rescued = world.restart();
    assert_eq!((rescued.orphans, rescued.charged), (vec![id], 0));
    assert_eq!(world.get(id).record.interruptions, 0);
}

pub(super) fn s7_2_a_stop_counts_for_one_restart(world: &mut World) {
    world.rescue();
    world.write(|tx| tx.record_stop()).expect("the stop is recorded");
    world.restart();
    let id = world.plain();
    world.start(id);
    assert_eq!(world.restart().charged, 1);
}

pub(super) fn s7_2_another_boot_charges_nothing(world: &mut World) {
    world.rescue();
    let id = world.plain();
    world.start(id);
    world.reopen();
    assert_eq!(world.rescue_with(Some([9; 16])).charged, 0);
    world.start(id);
    world.reopen();
    assert_eq!(world.rescue_with(Some([9; 16])).charged, 1, "the new boot is remembered");
    world.start(id);
    world.reopen();
    assert_eq!(world.rescue_with(Some(BOOT)).charged, 0);
}

pub(super) fn s7_2_long_attempts_are_not_charged(world: &mut World) {
    world.rescue();
    let old = world.plain();
    world.start(old);
    world.advance(1);
    let young = world.plain();
    world.start(young);
    world.advance(600_000 - 1);
    let rescued = world.restart();
    assert_eq!((rescued.orphans.len(), rescued.charged), (2, 1));
    assert_eq!(world.get(old).record.interruptions, 0);
    assert_eq!(world.get(young).record.interruptions, 1);
}

pub(super) fn s4_11_no_body_outlives_its_process(world: &mut World) {
    let replaced = world.add("a", Policy::Replace).id;
    world.start(replaced);
    let new = world.add("a", Policy::Replace).id;
    assert_eq!(world.stands(new).1, Some(Blocked::Body));
    let zombie = world.add("b", Policy::Keep).id;
    let attempt = world.start(zombie);
    world.settle_as(attempt, give_back(), Body::Living);
    assert_eq!(world.claim(9), []);
    assert_eq!(world.restart().orphans, [], "neither is running");
    assert_eq!(world.stands(new), (WorkState::Enqueued, None));
    assert_eq!(world.claim(9).len(), 2);
}

pub(super) fn s4_6_an_orphan_keeps_its_place_in_the_queue(world: &mut World) {
    let [first, second] = [(); 2].map(|()| world.add("a", Policy::Append).id);
    world.start(first);
    world.restart();
    assert_eq!(world.stands(second), (WorkState::Blocked, Some(Blocked::Behind)));
    let attempt = world.start(first);
    assert_eq!(world.claim(9), []);
    world.succeed(attempt);
    world.start(second);
}

pub(super) fn s1_17_claims_of_an_earlier_process_are_fenced(world: &mut World) {
    let id = world.plain();
    let old = world.start(id);
    world.restart();
    assert_eq!(world.settle_as(old, Settlement::Succeeded { output: None }, Body::Ended), Settled::Fenced);
    let new = world.start(id);
    assert_eq!(world.settle_as(old, Settlement::Succeeded { output: None }, Body::Ended), Settled::Fenced);
    world.succeed(new);
}

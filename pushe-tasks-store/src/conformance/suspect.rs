//! Suspects: work that crashes have found running runs alone, and alone it is convicted (S7.3).

use crate::conformance::World;
use crate::conformance::world::{after, give_back, retry};
use crate::id::{Attempt, WorkId};
use crate::record::Blocked;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::verbs::{Body, Claimed, NewWork, Policy};

/// A piece that two crashes have found running, with nothing beside it.
fn suspect(world: &mut World) -> WorkId {
    let id = world.plain();
    crash_twice(world, id);
    id
}

/// Makes suspects of all that may start, this piece among it.
fn crash_twice(world: &mut World, id: WorkId) {
    world.rescue();
    for _ in 0..2 {
        let claimed = world.claim(99);
        assert!(claimed.iter().any(|attempt| attempt.work == id));
        world.restart();
    }
    assert_eq!(world.get(id).record.interruptions, 2);
}

fn works(claimed: &[Attempt]) -> Vec<WorkId> {
    claimed.iter().map(|attempt| attempt.work).collect()
}

/// A piece of another lane.
fn other(world: &mut World) -> WorkId {
    let work = world.work("Other");
    world.enqueue(&work).id
}

/// Claims all that may start beside this suspect.
fn claim_beside(world: &mut World, beside: Attempt) -> Vec<WorkId> {
    works(&world.claim_by(99, |request| {
        request.beside = Some(beside);
        request.passes_suspects = true;
    }))
}

/// Claims all that may start although a suspect waits.
fn claim_passing(world: &mut World) -> Vec<WorkId> {
    works(&world.claim_by(99, |request| request.passes_suspects = true))
}

pub(super) fn s7_3_after_two_crashes_work_runs_alone_and_before_all_others(world: &mut World) {
    let first = world.plain();
    world.advance(10);
    let suspect = suspect(world);
    // The second crash has made a suspect of the first piece as well: it stands before.
    let attempt = world.start(first);
    world.succeed(attempt);
    world.advance(10);
    let mut other = world.work("Upload");
    other.boost_millis = 1_000_000;
    let other = world.enqueue(&other).id;
    assert_eq!(world.changes.suspects, 1);
    let claimed = world.claim(99);
    assert_eq!(works(&claimed), [suspect], "before what is boosted");
    assert!(world.get(suspect).record.alone);
    assert_eq!((world.changes.suspects, world.changes.waiting_suspect), (0, None));
    assert_eq!(world.claim(99), [], "nothing starts beside it");
    world.succeed(claimed[0]);
    let record = world.get(suspect).record;
    assert_eq!((record.alone, record.interruptions), (false, 0));
    let attempt = world.start(other);
    assert!(!world.get(other).record.alone, "what no crash found is never marked");
    world.succeed(attempt);
}

pub(super) fn s7_3_others_start_beside_a_suspect_whose_time_alone_has_passed(world: &mut World) {
    let suspect = suspect(world);
    let attempt = world.start(suspect);
    assert_eq!(claim_beside(world, attempt), [], "there is nothing to start");
    assert!(world.get(suspect).record.alone, "and so it is still alone");
    let other = world.plain();
    let stale = Attempt { claim: attempt.claim - 1, ..attempt };
    assert_eq!(claim_beside(world, stale), [], "the time of an earlier attempt");
    assert_eq!(claim_passing(world), []);
    assert_eq!(claim_beside(world, attempt), [other]);
    assert!(!world.get(suspect).record.alone);
    let third = world.plain();
    world.start(third);
    assert_eq!(world.restart().quarantined, []);
    let record = world.get(suspect).record;
    assert_eq!((record.state, record.interruptions), (WorkState::Enqueued, 3));
}

pub(super) fn s7_3_a_suspect_waits_for_the_bodies_that_live(world: &mut World) {
    let mut late = world.work("Upload");
    late.start = after(1_000);
    let suspect = world.enqueue(&late).id;
    world.advance(1_000);
    crash_twice(world, suspect);
    let attempt = world.start(suspect);
    world.settle(attempt, give_back());
    assert_eq!(world.get(suspect).record.interruptions, 2, "to be stopped clears nobody");
    // Others that were started while it could not start itself.
    let running = other(world);
    let lane = world.get(running).record.lane;
    let living = world.claim_of(1, vec![crate::Grant { permits: 1, lanes: vec![lane] }]);
    assert_eq!(living.iter().map(|claimed| claimed.record.id).collect::<Vec<_>>(), [running]);
    assert_eq!(world.changes.waiting_suspect, None, "its lane is not granted");
    let next = other(world);
    assert_eq!(world.claim(99), [], "it holds the others up");
    assert_eq!(world.changes.waiting_suspect, Some(suspect));
    assert_eq!(claim_passing(world), [next]);
    assert_eq!(world.changes.waiting_suspect, Some(suspect), "it goes on waiting");
    world.succeed(living[0].attempt());
    assert_eq!(world.claim(99), []);
    let next = Attempt { work: next, claim: 1 };
    world.settle_as(next, give_back(), Body::Living);
    assert_eq!(world.claim(99), [], "a body that nobody can stop lives as well");
    world.release(next);
    let third = world.start(suspect);
    assert!(world.get(suspect).record.alone);
    world.succeed(third);
}

pub(super) fn s7_3_a_suspect_that_cannot_start_holds_nobody_up(world: &mut World) {
    let suspect = suspect(world);
    let attempt = world.start(suspect);
    world.settle(attempt, give_back());
    let other = other(world);
    let lane = world.get(other).record.lane;
    let grants = vec![crate::Grant { permits: 9, lanes: vec![lane] }];
    let claimed: Vec<_> = world.claim_of(9, grants).iter().map(Claimed::attempt).collect();
    assert_eq!(works(&claimed), [other], "its lane is closed");
    world.succeed(claimed[0]);
    // Without permits it has no turn yet, and neither has anybody else.
    let lanes = world.lane_ids();
    assert!(world.claim_of(9, vec![crate::Grant { permits: 0, lanes }]).is_empty());
    assert_eq!(world.claim(0), []);
    let attempt = world.start(suspect);
    world.settle(attempt, retry(5_000));
    assert_eq!(world.get(suspect).record.interruptions, 0);
}

pub(super) fn s7_3_a_delayed_suspect_holds_nobody_up(world: &mut World) {
    let old = suspect(world);
    let attempt = world.start(old);
    // The new piece inherits what its id was charged, and waits for its time.
    world.settle(attempt, give_back());
    let first = world.add("a", Policy::Replace).id;
    let attempt = world.start(old);
    world.succeed(attempt);
    crash_twice(world, first);
    let new = NewWork { start: after(1_000), ..world.unique("a", Policy::Replace) };
    let new = world.enqueue(&new).id;
    assert_eq!(world.get(new).record.interruptions, 2);
    let other = world.plain();
    let attempt = world.start(other);
    world.advance(1_000);
    assert_eq!(world.claim(99), []);
    assert_eq!(world.changes.waiting_suspect, Some(new), "it has fallen due");
    world.succeed(attempt);
    world.start(new);
    assert!(world.get(new).record.alone);
}

pub(super) fn s7_3_the_third_crash_sets_aside_what_it_finds_alone(world: &mut World) {
    let id = world.add("a", Policy::Append).id;
    crash_twice(world, id);
    let behind = world.add("a", Policy::Append).id;
    world.start(id);
    let rescued = world.restart();
    assert_eq!((rescued.quarantined, rescued.orphans, rescued.charged), (vec![id], vec![], 1));
    let record = world.get(id).record;
    assert_eq!((record.state, record.reason), (WorkState::Quarantined, Some(Reason::Interruptions)));
    assert_eq!((record.interruptions, record.attempt()), (3, 1));
    assert_eq!(record.history.last().map(|past| past.end), Some(AttemptEnd::Interrupted));
    let moved = world.changes.moves.iter().find(|moved| moved.attempt.work == id).expect("it moved");
    assert_eq!((moved.to, moved.reason), (WorkState::Quarantined, Some(Reason::Interruptions)));
    assert_eq!(world.stands(behind), (WorkState::Enqueued, None), "it counts as ended");
    world.start(behind);
}

pub(super) fn s7_3_the_limit_of_crashes_is_the_callers(world: &mut World) {
    let id = suspect(world);
    for crash in 3..=5 {
        world.start(id);
        world.reopen();
        let rescued = world.rescue_by(|request| request.max_interruptions = 5);
        assert_eq!(rescued.quarantined, if crash == 5 { vec![id] } else { vec![] }, "crash {crash}");
    }
}

pub(super) fn s7_3_a_crash_without_charge_sets_nothing_aside(world: &mut World) {
    let id = suspect(world);
    world.start(id);
    world.advance(600_000);
    assert_eq!((world.restart().quarantined, world.get(id).record.interruptions), (vec![], 2));
    world.start(id);
    world.write(|tx| tx.record_stop()).expect("the stop is recorded");
    assert_eq!(world.restart().quarantined, []);
    world.start(id);
    world.reopen();
    assert_eq!(world.rescue_with(Some([9; 16])).quarantined, [], "another boot");
    assert_eq!(world.get(id).record.interruptions, 2);
}

pub(super) fn s7_3_a_cancelled_suspect_whose_body_lives_still_keeps_others_away(world: &mut World) {
    let suspect = suspect(world);
    let attempt = world.start(suspect);
    world.cancel_work(suspect);
    let other = world.plain();
    assert_eq!(world.claim(99), [], "its body may yet end the process");
    assert_eq!(claim_beside(world, attempt), [other]);
    assert_eq!(world.state(suspect), WorkState::Cancelled);
    let others = [world.plain(), world.plain()];
    assert_eq!(works(&world.claim(99)), others);
    assert_eq!(world.restart().quarantined, []);
}

pub(super) fn s7_3_poison_pieces_end_within_limit_and_2_and_their_number_of_starts(world: &mut World) {
    const POISON: usize = 7;
    const INNOCENT: usize = 5;
    let mut pieces = Vec::new();
    for piece in 0..POISON + INNOCENT {
        world.advance(1);
        let work = if piece % 2 == 0 { world.work("A") } else { world.work("B") };
        pieces.push(world.enqueue(&work).id);
    }
    // Poison between the others.
    let is_poison = |id: &WorkId| {
        let at = pieces.iter().position(|piece| piece == id).expect("a piece");
        at % 2 == 0 || at == 1
    };
    assert_eq!(pieces.iter().filter(|id| is_poison(id)).count(), POISON);
    world.rescue();
    let mut starts = 1;
    // One process: it runs what it may until a poisonous body ends it, or until nothing is left.
    while let Some(ended) = run(world, &is_poison) {
        assert!(ended, "a process that ends without a crash has nothing left to do");
        world.advance(1_000);
        world.restart();
        starts += 1;
        assert!(starts <= 3 + 2 + POISON, "{starts} starts");
    }
    assert!(starts > POISON, "each one of them is caught alone");
    for id in &pieces {
        let record = world.get(*id).record;
        if is_poison(id) {
            assert_eq!((record.state, record.reason), (WorkState::Quarantined, Some(Reason::Interruptions)));
        } else {
            assert_eq!((record.state, record.retries, record.attempt()), (WorkState::Succeeded, 0, 1));
        }
    }
}

/// Claims and settles until a poisonous body begins (`Some(true)`) or nothing is left.
fn run(world: &mut World, is_poison: &impl Fn(&WorkId) -> bool) -> Option<bool> {
    loop {
        let claimed = world.claim(99);
        if claimed.is_empty() {
            return None;
        }
        if claimed.iter().any(|attempt| is_poison(&attempt.work)) {
            return Some(true);
        }
        for attempt in claimed {
            world.succeed(attempt);
        }
    }
}

pub(super) fn s7_3_work_that_runs_beside_poison_is_never_set_aside(world: &mut World) {
    let poison = world.plain();
    let innocent = world.plain();
    crash_twice(world, poison);
    for crashes in 3..=12 {
        // The poison takes effect only after its time alone.
        let first = world.claim(99);
        assert_eq!(works(&first), [poison]);
        assert_eq!(claim_beside(world, first[0]), []);
        let plain = world.plain();
        assert_eq!(claim_beside(world, first[0]), [plain]);
        assert_eq!(world.restart().quarantined, [], "crash {crashes}");
        let (record, other) = (world.get(poison).record, world.get(plain).record);
        assert_eq!((record.interruptions, other.interruptions), (crashes, 1));
        assert_eq!((record.attempt(), other.attempt()), (1, 1));
        world.cancel_work(plain);
    }
    assert_eq!(world.get(innocent).record.interruptions, 2, "it has not run since");
    let [poison, innocent] = [poison, innocent].map(|id| world.stands(id));
    assert_eq!([poison, innocent], [(WorkState::Enqueued, None::<Blocked>); 2]);
}

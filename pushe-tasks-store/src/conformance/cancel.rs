//! `cancel`: what it ends, and what it leaves.

use crate::conformance::World;
use crate::conformance::world::after;
use crate::id::WorkId;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::verbs::{Body, Moved, NewWork, Policy, Settled, Settlement, Target};

fn works(moves: &[Moved]) -> Vec<WorkId> {
    moves.iter().map(|moved| moved.attempt.work).collect()
}

pub(super) fn s1_14_waiting_work_is_cancelled(world: &mut World) {
    let ready = world.plain();
    let delayed = NewWork { start: after(9_000), ..world.work("Upload") };
    let delayed = world.enqueue(&delayed).id;
    let head = world.add("a", Policy::Append).id;
    let blocked = world.add("a", Policy::Append).id;
    for id in [ready, delayed, blocked] {
        let [moved] = <[Moved; 1]>::try_from(world.cancel_work(id)).expect("one move");
        assert_eq!((moved.attempt.work, moved.to), (id, WorkState::Cancelled));
        assert_eq!(moved.reason, Some(Reason::Cancelled));
        let record = world.get(id).record;
        assert_eq!((record.state, record.reason), (WorkState::Cancelled, Some(Reason::Cancelled)));
        assert_eq!((record.finished_at, record.history.len()), (Some(world.now), 0));
        world.check();
    }
    world.advance(9_000);
    world.start(head);
    assert_eq!(world.claim(9), []);
}

pub(super) fn s1_14_running_work_is_fenced_off(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    world.advance(50);
    let [moved] = <[Moved; 1]>::try_from(world.cancel_work(id)).expect("one move");
    assert_eq!((moved.attempt, moved.from), (attempt, Some(WorkState::Running)));
    let late = world.settle_as(attempt, Settlement::Succeeded { output: Some(vec![1].into()) }, Body::Ended);
    assert_eq!(late, Settled::Fenced);
    let record = world.get(id).record;
    assert_eq!((record.state, record.reason), (WorkState::Cancelled, Some(Reason::Cancelled)));
    assert_eq!((record.history[0].end, record.history[0].ended), (AttemptEnd::Cancelled, world.now));
    assert_eq!(world.read(|look| look.output(id)), Ok(None));
    assert_eq!(world.restart().orphans, []);
}

pub(super) fn s1_14_finished_and_quarantined_work_stays(world: &mut World) {
    let [succeeded, failed, quarantined] = [(); 3].map(|()| world.plain());
    let attempt = world.start(succeeded);
    world.succeed(attempt);
    let attempt = world.start(failed);
    world.fail(attempt);
    let attempt = world.start(quarantined);
    world.quarantine(attempt);
    for id in [succeeded, failed, quarantined] {
        let before = world.get(id);
        assert_eq!((world.cancel_work(id), world.get(id)), (Vec::new(), before));
    }
}

pub(super) fn s9_1_a_task_id_names_all_that_bears_it(world: &mut World) {
    let finished = world.add("a", Policy::Append).id;
    let attempt = world.start(finished);
    world.succeed(attempt);
    let [first, second] = [(); 2].map(|()| world.add("a", Policy::Append).id);
    let other = world.add("b", Policy::Append).id;
    world.start(first);
    let moves = world.cancel(&Target::TaskId("a".to_owned()));
    assert_eq!(works(&moves), [first, second]);
    assert_eq!((world.state(finished), world.state(other)), (WorkState::Succeeded, WorkState::Enqueued));
    assert_eq!(world.cancel(&Target::TaskId("a".to_owned())), []);
}

pub(super) fn s9_1_a_cancel_of_a_task_id_releases_nothing_of_it(world: &mut World) {
    let ids = [(); 4].map(|()| world.add("a", Policy::Append).id);
    let moves = world.cancel(&Target::TaskId("a".to_owned()));
    assert_eq!(works(&moves), ids);
    assert!(moves.iter().all(|moved| moved.to == WorkState::Cancelled));
    assert_eq!(world.changes.moves, moves);
    assert_eq!(world.claim(9), []);
}

pub(super) fn s9_1_what_is_unknown_is_not_cancelled(world: &mut World) {
    let unknown = world.work("Upload").id;
    let id = world.plain();
    assert_eq!(world.cancel_work(unknown), []);
    assert_eq!(world.cancel(&Target::TaskId("a".to_owned())), []);
    assert_eq!(world.state(id), WorkState::Enqueued);
}

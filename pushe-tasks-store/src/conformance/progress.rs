//! `progress`: the last value of a running attempt (S6.3).

use crate::conformance::World;
use crate::conformance::world::{give_back, retry};
use crate::id::{Attempt, WorkId};
use crate::verbs::Policy;

fn report(world: &mut World, attempt: Attempt, value: &[u8]) {
    let batch = [(attempt, value.to_vec())];
    world.write(|tx| tx.progress(&batch)).expect("the progress is carried out");
}

fn progress(world: &mut World, work: WorkId) -> Option<Vec<u8>> {
    world.get(work).record.progress.map(crate::Opaque::into_bytes)
}

pub(super) fn s6_3_the_last_progress_is_kept_across_stops(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    report(world, attempt, &[10]);
    report(world, attempt, &[20]);
    assert_eq!(world.changes.moves, []);
    assert_eq!(progress(world, id), Some(vec![20]));
    world.settle(attempt, give_back());
    assert_eq!(progress(world, id), Some(vec![20]));
    let attempt = world.start(id);
    world.settle(attempt, retry(0));
    world.start(id);
    world.restart();
    assert_eq!(progress(world, id), Some(vec![20]));
}

pub(super) fn s6_3_progress_is_cleared_on_finish(world: &mut World) {
    let start = |world: &mut World| {
        let id = world.add("a", Policy::Replace).id;
        let attempt = world.start(id);
        report(world, attempt, &[10]);
        attempt
    };
    let succeeded = start(world);
    world.succeed(succeeded);
    let failed = start(world);
    world.fail(failed);
    let cancelled = start(world);
    world.cancel_work(cancelled.work);
    for attempt in [succeeded, failed, cancelled] {
        assert_eq!(progress(world, attempt.work), None);
    }
}

pub(super) fn s6_3_progress_of_a_stale_attempt_is_passed_over(world: &mut World) {
    let id = world.plain();
    let old = world.start(id);
    world.settle(old, give_back());
    report(world, old, &[1]);
    assert_eq!(progress(world, id), None);
    let new = world.start(id);
    let unknown = Attempt { work: world.work("Upload").id, claim: 1 };
    let batch = [(new, vec![3]), (unknown, vec![2]), (old, vec![1])];
    world.write(|tx| tx.progress(&batch)).expect("the progress is carried out");
    assert_eq!(progress(world, id), Some(vec![3]));
    world.succeed(new);
    report(world, new, &[4]);
    assert_eq!(progress(world, id), None);
}

//! `pause` and `resume`: switches that keep work from starting (S9.1).

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::after;
use crate::id::WorkId;
use crate::pause::{PauseScope, Paused};
use crate::state::WorkState;
use crate::verbs::{ClaimRequest, Claimed, Grant, NewWork};

fn task(name: &str) -> PauseScope {
    PauseScope::Tasks(vec![name.to_owned()])
}

fn claimed(world: &mut World) -> Vec<WorkId> {
    world.claim(9).iter().map(|attempt| attempt.work).collect()
}

fn other(world: &mut World) -> WorkId {
    let work = world.work("Other");
    world.enqueue(&work).id
}

pub(super) fn s9_1_paused_work_does_not_start(world: &mut World) {
    let first = world.plain();
    world.pause(&PauseScope::All);
    let second = world.plain();
    assert_eq!(claimed(world), []);
    assert_eq!(world.state(first), WorkState::Enqueued);
    world.resume(&PauseScope::All);
    assert_eq!(claimed(world), [first, second]);
}

pub(super) fn s9_1_a_task_is_paused_apart_from_all(world: &mut World) {
    let (upload, other) = (world.plain(), other(world));
    world.pause(&task("Upload"));
    world.pause(&PauseScope::All);
    assert_eq!(claimed(world), []);
    world.resume(&PauseScope::All);
    assert_eq!(claimed(world), [other], "the switch of the task stays on");
    world.resume(&task("Other"));
    assert_eq!(claimed(world), [], "one that was off stays off");
    world.resume(&task("Upload"));
    assert_eq!(claimed(world), [upload]);
}

pub(super) fn s9_1_pauses_hold_over_restarts(world: &mut World) {
    let (upload, other) = (world.plain(), other(world));
    let since = world.now;
    world.pause(&task("Upload"));
    world.advance(50);
    world.pause(&task("Upload"));
    world.restart();
    let paused = world.read(|look| look.paused()).expect("it reads");
    assert_eq!(paused.tasks.into_iter().collect::<Vec<_>>(), [("Upload".to_owned(), since)]);
    assert_eq!(claimed(world), [other]);
    world.resume(&task("Upload"));
    world.pause(&PauseScope::All);
    world.restart();
    assert_eq!(claimed(world), []);
    world.resume(&PauseScope::All);
    world.restart();
    assert_eq!(world.read(|look| look.paused()), Ok(Paused::default()));
    assert_eq!(world.claim(9).len(), 2, "the orphan of the restart, and what was paused");
    assert_eq!(world.state(upload), WorkState::Running);
}

pub(super) fn s9_1_running_work_goes_on_and_delays_run_out(world: &mut World) {
    let running = world.plain();
    let attempt = world.start(running);
    let delayed = NewWork { start: after(1_000), ..world.work("Upload") };
    world.enqueue(&delayed);
    world.pause(&PauseScope::All);
    world.succeed(attempt);
    assert_eq!(world.state(running), WorkState::Succeeded);
    let due = world.now.plus(Duration::from_secs(1));
    assert_eq!(world.read(|look| look.next_due()), Ok(Some(due)));
    world.advance(1_000);
    assert_eq!(claimed(world), []);
    assert_eq!(world.read(|look| look.next_due()), Ok(None), "its time came while it was paused");
    world.resume(&PauseScope::All);
    assert_eq!(claimed(world), [delayed.id], "and it does not count anew");
}

pub(super) fn s9_1_nothing_starts_at_once_while_paused(world: &mut World) {
    let first = world.plain();
    world.start(first);
    world.pause(&task("Upload"));
    let other = [world.work("Other")];
    world.enqueue(&other[0]);
    assert_eq!(claimed(world), [other[0].id]);
    // Ids that grow, and nothing that stands before: what else would start at once.
    world.advance(1);
    let batch = [world.work("Upload")];
    let at_once = |world: &mut World, batch: &[NewWork]| {
        let grants = vec![Grant { permits: 9, lanes: world.lane_ids() }];
        let request = ClaimRequest { now: world.now, limit: 9, grants, ..ClaimRequest::default() };
        let (_, claimed) = world.write(|tx| tx.enqueue_and_claim(&[batch], &request));
        claimed.iter().map(Claimed::attempt).map(|attempt| attempt.work).collect::<Vec<_>>()
    };
    assert_eq!(at_once(world, &batch), []);
    assert_eq!(claimed(world), []);
    world.resume(&task("Upload"));
    assert_eq!(claimed(world), [batch[0].id]);
    world.advance(1);
    let batch = [world.work("Upload")];
    assert_eq!(at_once(world, &batch), [batch[0].id]);
}

pub(super) fn s9_1_a_paused_suspect_holds_nobody_up(world: &mut World) {
    let suspect = world.plain();
    world.rescue();
    for _ in 0..2 {
        world.start(suspect);
        world.restart();
    }
    let other = other(world);
    world.pause(&task("Upload"));
    assert_eq!(claimed(world), [other], "though the suspect would start before all others");
    assert_eq!(world.changes.waiting_suspect, None);
    world.resume(&task("Upload"));
    assert_eq!(claimed(world), []);
    assert_eq!(world.changes.waiting_suspect, Some(suspect));
}

pub(super) fn s9_1_only_a_change_of_what_is_paused_is_told(world: &mut World) {
    world.plain();
    assert_eq!(world.changes.paused, None);
    world.pause(&PauseScope::All);
    let (told, all) = (world.changes.paused.clone().expect("it has changed"), Some(world.now));
    assert_eq!((told.all, told.tasks.len()), (all, 0));
    world.pause(&PauseScope::All);
    assert_eq!(world.changes.paused, None);
    world.resume(&PauseScope::All);
    assert_eq!(world.changes.paused, Some(Paused::default()));
    world.resume(&task("Nobody"));
    assert_eq!(world.changes.paused, None);
}

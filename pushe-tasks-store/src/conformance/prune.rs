//! `prune`: how long finished work is kept (S9.5).

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::after;
use crate::id::WorkId;
use crate::state::WorkState;
use crate::verbs::{Filter, How, NewWork, Policy, Settlement};

const HOUR: u64 = 3_600_000;

fn succeeded(world: &mut World) -> WorkId {
    let id = world.plain();
    let attempt = world.start(id);
    world.succeed(attempt);
    id
}

pub(super) fn s9_5_finished_work_is_kept_for_its_retention(world: &mut World) {
    let replaced = world.add("a", Policy::Keep).id;
    let cancelled = world.add("a", Policy::Replace).id;
    world.cancel_work(cancelled);
    let done = succeeded(world);
    let failed = world.plain();
    let attempt = world.start(failed);
    world.fail(attempt);
    let mut gone = |millis, expected: &[WorkId]| {
        world.advance(millis - 1);
        assert_eq!(world.prune(100), 0, "one millisecond early");
        world.advance(1);
        assert_eq!(world.prune(100), expected.len());
        for id in expected {
            assert_eq!(world.find(*id), None);
        }
        world.check();
    };
    gone(HOUR, &[replaced]);
    gone(23 * HOUR, &[cancelled, done]);
    gone(6 * 24 * HOUR, &[failed]);
}

pub(super) fn s9_5_quarantined_and_unfinished_work_is_never_pruned(world: &mut World) {
    let set_aside = world.plain();
    let attempt = world.start(set_aside);
    world.quarantine(attempt);
    let running = world.plain();
    world.start(running);
    let enqueued = world.add("a", Policy::Append).id;
    let blocked = world.add("a", Policy::Append).id;
    world.now = crate::WallTime::MAX.minus(Duration::from_secs(3600));
    assert_eq!((world.prune(100), world.changes.next_prune), (0, None));
    let states = [set_aside, running, enqueued, blocked].map(|id| world.state(id));
    let expected = [WorkState::Quarantined, WorkState::Running, WorkState::Enqueued, WorkState::Blocked];
    assert_eq!(states, expected);
}

pub(super) fn s9_5_pruning_is_bounded_and_takes_the_oldest_first(world: &mut World) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(succeeded(world));
        world.advance(1_000);
    }
    world.advance(24 * HOUR);
    assert_eq!((world.prune(2), world.prune(0)), (2, 0));
    assert_eq!((world.find(ids[1]), world.find(ids[2]).is_some()), (None, true));
    assert_eq!((world.prune(100), world.prune(100)), (3, 0));
}

/// Fault 62: somebody pages through the store while it is pruned.
pub(super) fn s9_5_pages_go_on_over_a_pruning(world: &mut World) {
    // Every other piece has finished, and goes while the pages are read.
    let mut kept = Vec::new();
    for n in 0..40 {
        if n % 2 == 0 {
            succeeded(world);
        } else {
            let waits =
                NewWork { start: after(48 * HOUR), ..world.unique(&format!("kept {n}"), Policy::Keep) };
            kept.push(world.enqueue(&waits).id);
        }
    }
    kept.sort();
    world.advance(24 * HOUR);
    let mut seen = Vec::new();
    let mut filter = Filter { states: Vec::new(), tasks: Vec::new(), after: None, limit: 7 };
    loop {
        let views = world.read(|look| look.list(&filter)).expect("a page reads");
        let Some(last) = views.last() else { break };
        filter.after = Some(last.record.id);
        for view in views {
            assert!(view.spec.is_ok(), "a piece is there whole or not at all: {view:?}");
            seen.push(view.record.id);
        }
        // The piece at which the page ended may go too.
        world.prune(4);
    }
    let twice = seen.windows(2).any(|pair| pair[0] >= pair[1]);
    assert!(!twice, "each once, in order");
    let unfinished: Vec<_> = seen.into_iter().filter(|id| kept.contains(id)).collect();
    assert_eq!(unfinished, kept, "none that is kept is left out");
}

pub(super) fn s9_5_pruned_work_is_gone_with_all_that_hung_on_it(world: &mut World) {
    let work = world.unique("a", Policy::Keep);
    world.enqueue(&work);
    for _ in 0..3 {
        let attempt = world.start(work.id);
        world.settle(attempt, crate::conformance::world::retry(0));
    }
    let attempt = world.start(work.id);
    world.settle(attempt, Settlement::Succeeded { output: Some(vec![1].into()) });
    let sequence = world.get(work.id).record.sequence;
    world.advance(24 * HOUR);
    assert_eq!(world.prune(100), 1);
    world.reopen();
    assert_eq!(world.find(work.id), None);
    assert_eq!(world.read(|look| look.output(work.id)), Ok(None));
    assert_eq!(world.read(|look| look.newest_with_task_id("a")), Ok(None));
    // The same piece may come again, as a new one.
    assert_eq!(world.enqueue(&NewWork { ..work.clone() }).how, How::New);
    let view = world.get(work.id);
    assert_eq!((view.record.claim, view.errors.len()), (0, 0));
    assert!(view.record.sequence > sequence, "counters go on");
}

pub(super) fn s9_5_the_next_pruning_is_told(world: &mut World) {
    let day = Duration::from_millis(24 * HOUR);
    succeeded(world);
    let first = world.now.plus(day);
    assert_eq!(world.changes.next_prune, Some(first));
    world.advance(1_000);
    succeeded(world);
    assert_eq!(world.changes.next_prune, Some(first));
    world.advance(24 * HOUR - 1_000);
    world.prune(100);
    assert_eq!(world.changes.next_prune, Some(first.plus(Duration::from_secs(1))));
}

pub(super) fn s9_5_a_task_may_say_how_long_its_work_is_kept(world: &mut World) {
    let hour = Duration::from_secs(3_600);
    let tasks = [("Upload".to_owned(), hour * 2), ("Other".to_owned(), hour * 1_000)];
    world.write(|tx| tx.retain(&tasks)).expect("it is taken");
    let done = succeeded(world);
    let failed = world.plain();
    let attempt = world.start(failed);
    world.fail(attempt);
    let replaced = world.add("a", Policy::Keep).id;
    let cancelled = world.add("a", Policy::Replace).id;
    world.cancel_work(cancelled);
    let third = world.work("Third");
    world.enqueue(&third);
    let attempt = world.start(third.id);
    world.succeed(attempt);
    let mut late = world.work("Upload");
    late.options.expires = Some(Duration::from_millis(1));
    world.enqueue(&late);
    world.advance(1);
    assert_eq!(world.expire(9), 1);
    world.advance(2 * HOUR - 2);
    assert_eq!(world.prune(100), 0, "one millisecond early");
    world.advance(1);
    assert_eq!(world.prune(100), 4);
    for id in [done, failed, replaced, cancelled] {
        assert_eq!(world.find(id), None);
    }
    world.advance(1);
    assert_eq!((world.prune(100), world.find(late.id)), (1, None));
    // Another task has the store's own time; and what the running code says ends with it.
    assert_eq!(world.state(third.id), WorkState::Succeeded);
    world.reopen();
    let done = succeeded(world);
    world.advance(24 * HOUR - 1);
    world.prune(100);
    assert_eq!(world.state(done), WorkState::Succeeded);
}

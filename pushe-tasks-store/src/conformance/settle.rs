//! `settle`: how attempts end, and what the fence keeps out.

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::{failure, give_back, retry};
use crate::id::Attempt;
use crate::record::Filed;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::verbs::{Body, Settle, Settled, Settlement};

pub(super) fn s1_5_success_stores_the_output(world: &mut World) {
    for output in [Some(vec![1, 2, 3]), Some(Vec::new()), None] {
        let id = world.plain();
        let attempt = world.start(id);
        world.advance(10);
        world.settle(attempt, Settlement::Succeeded { output: output.clone().map(Into::into) });
        world.reopen();
        assert_eq!(world.read(|look| look.output(id)), Ok(output));
        let record = world.get(id).record;
        assert_eq!((record.state, record.reason), (WorkState::Succeeded, None));
        assert_eq!(record.finished_at, Some(world.now));
        assert_eq!(record.history[0].end, AttemptEnd::Succeeded);
    }
}

pub(super) fn s1_6_failure_keeps_its_reason_and_text(world: &mut World) {
    for (end, reason) in [
        (AttemptEnd::Failed, Reason::Fail),
        (AttemptEnd::Panicked, Reason::Exhausted),
        (AttemptEnd::TimedOut, Reason::Exhausted),
        (AttemptEnd::Succeeded, Reason::Output),
    ] {
        let id = world.plain();
        let attempt = world.start(id);
        world.settle(attempt, Settlement::Failed { end, reason, error: "no album: ä".to_owned() });
        world.reopen();
        let view = world.get(id);
        assert_eq!((view.record.state, view.record.reason), (WorkState::Failed, Some(reason)));
        assert_eq!(view.errors, [(1, "no album: ä".to_owned())]);
        assert_eq!((view.record.history[0].end, view.record.history[0].has_error), (end, true));
        assert_eq!(world.claim(9), []);
    }
}

pub(super) fn s1_8_retry_waits_for_its_back_off(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    world.advance(500);
    world.settle(attempt, retry(30_000));
    let record = world.get(id).record;
    assert_eq!((record.state, record.filed, record.retries), (WorkState::Enqueued, Filed::Delayed, 1));
    assert_eq!((record.due, record.wait), (world.now.plus(record.wait), Duration::from_secs(30)));
    assert_eq!(world.changes.next_due, Some(record.due));
    world.advance(29_999);
    assert_eq!(world.claim(9), []);
    world.advance(1);
    assert_eq!(world.start(id).claim, 2);
}

pub(super) fn s1_9_snooze_gives_the_attempt_back(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    world.settle(attempt, Settlement::Snooze { after: Duration::from_secs(60) });
    let record = world.get(id).record;
    assert_eq!((record.attempt(), record.snoozes, record.history[0].end), (1, 1, AttemptEnd::Snoozed));
    assert_eq!(record.due, world.now.plus(Duration::from_secs(60)));
    world.advance(60_000);
    let attempt = world.start(id);
    world.settle(attempt, Settlement::Snooze { after: Duration::ZERO });
    assert_eq!(world.get(id).record.due, world.now.plus(Duration::from_secs(1)), "never less than a second");
}

pub(super) fn s1_10_stopped_work_may_run_again_at_once(world: &mut World) {
    let first = world.plain();
    world.advance(1_000);
    let attempt = world.start(first);
    let second = world.plain();
    world.settle(attempt, give_back());
    let record = world.get(first).record;
    assert_eq!((record.state, record.reason), (WorkState::Enqueued, Some(Reason::ConstraintLost)));
    assert_eq!((record.attempt(), record.retries, record.returned), (1, 0, 1), "the attempt is given back");
    assert_eq!(record.history[0].end, AttemptEnd::Returned);
    let attempt = world.start(first);
    assert_eq!(world.get(first).record.reason, None);
    world.advance(1);
    world.settle(attempt, retry(0));
    assert_eq!(world.get(first).record.returned, 0, "an attempt has ended by itself");
    let started = world.claim(2);
    assert_eq!(started.iter().map(|attempt| attempt.work).collect::<Vec<_>>(), [second, first]);
}

pub(super) fn s1_13_quarantine_keeps_the_payload(world: &mut World) {
    let work = world.work("Upload");
    world.enqueue(&work);
    let attempt = world.start(work.id);
    world.quarantine(attempt);
    world.restart();
    let view = world.get(work.id);
    assert_eq!((view.record.state, view.record.reason), (WorkState::Quarantined, Some(Reason::Payload)));
    assert_eq!(view.errors, [(1, "does not decode".to_owned())]);
    assert_eq!(view.spec.expect("the spec reads").envelope, work.envelope);
    assert_eq!(world.claim(9), []);
}

pub(super) fn s1_17_a_stale_claim_changes_nothing(world: &mut World) {
    let id = world.plain();
    let old = world.start(id);
    world.settle(old, give_back());
    let new = world.start(id);
    let before = world.get(id);
    for settlement in
        [Settlement::Succeeded { output: Some(vec![1].into()) }, failure("late"), retry(0), give_back()]
    {
        assert_eq!(world.settle_as(old, settlement, Body::Ended), Settled::Fenced);
        assert_eq!((world.get(id), &world.changes.moves), (before.clone(), &vec![]));
    }
    assert_eq!(world.read(|look| look.output(id)), Ok(None));
    let future = Attempt { work: id, claim: new.claim + 1 };
    assert_eq!(world.settle_as(future, failure("early"), Body::Ended), Settled::Fenced);
    world.succeed(new);
}

pub(super) fn s1_17_a_settle_counts_once(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    let settle = |settlement| Settle { attempt, at: attempt_end(), settlement, body: Body::Ended };
    let settled = world.settle_all(&[settle(retry(0)), settle(failure("again"))]);
    assert_eq!(settled, [Settled::Applied, Settled::Fenced]);
    assert_eq!(world.get(id).record.retries, 1);
}

fn attempt_end() -> crate::WallTime {
    crate::WallTime::from_millis(1_800_000_000_000)
}

pub(super) fn s1_17_unknown_work_is_fenced(world: &mut World) {
    let work = world.work("Upload").id;
    let settled = world.settle_as(Attempt { work, claim: 1 }, failure("who"), Body::Ended);
    assert_eq!(settled, Settled::Fenced);
    let id = world.plain();
    let settled = world.settle_as(Attempt { work: id, claim: 0 }, failure("not claimed"), Body::Ended);
    assert_eq!((settled, world.state(id)), (Settled::Fenced, WorkState::Enqueued));
}

pub(super) fn s1_18_the_attempt_counts_retries_alone(world: &mut World) {
    let id = world.plain();
    let steps = [
        (retry(0), 2),
        (give_back(), 2),
        (Settlement::Snooze { after: Duration::from_secs(1) }, 2),
        (retry(0), 3),
    ];
    for (settlement, attempt) in steps {
        let started = world.start(id);
        world.settle(started, settlement);
        assert_eq!(world.get(id).record.attempt(), attempt);
        world.advance(1_000);
    }
    let numbers: Vec<_> =
        world.get(id).record.history.iter().map(|ended| (ended.claim, ended.attempt)).collect();
    assert_eq!(numbers, [(1, 1), (2, 2), (3, 2), (4, 2)]);
}

pub(super) fn s2_5_the_last_ten_attempts_are_remembered(world: &mut World) {
    let id = world.plain();
    for claim in 1..=12 {
        let started = world.now;
        let attempt = world.start(id);
        world.advance(7);
        let error = format!("error {claim}");
        let end = AttemptEnd::Panicked;
        world.settle(attempt, Settlement::Retry { end, error, after: Duration::ZERO });
        let last = world.get(id).record.history.pop().expect("one is remembered");
        assert_eq!((last.started, last.ended, last.end), (started, world.now, end));
    }
    world.reopen();
    let view = world.get(id);
    assert_eq!(
        view.record.history.iter().map(|ended| ended.claim).collect::<Vec<_>>(),
        (3..=12).collect::<Vec<_>>()
    );
    let expected: Vec<_> = (3..=12).map(|claim| (claim, format!("error {claim}"))).collect();
    assert_eq!(view.errors, expected);
}

pub(super) fn s6_4_an_error_text_is_cut(world: &mut World) {
    let id = world.plain();
    let attempt = world.start(id);
    let text = "ä".repeat(20_000);
    world.settle(attempt, failure(&text));
    let (_, kept) = &world.get(id).errors[0];
    assert!(kept.len() <= 16 * 1024 + 32 && kept.len() >= 16 * 1024 - 4, "{}", kept.len());
    assert!(kept.starts_with("ää") && !kept.ends_with('ä'), "it says that it was cut");
}

pub(super) fn s7_2_an_outcome_resets_interruptions(world: &mut World) {
    world.rescue();
    let id = world.plain();
    world.start(id);
    assert_eq!(world.restart().charged, 1);
    let attempt = world.start(id);
    world.settle(attempt, give_back());
    assert_eq!(world.get(id).record.interruptions, 1, "a stop is no outcome");
    let attempt = world.start(id);
    world.settle(attempt, retry(0));
    assert_eq!(world.get(id).record.interruptions, 0);
}

pub(super) fn settles_of_one_batch_are_judged_each(world: &mut World) {
    let [first, second] = [(); 2].map(|()| world.plain());
    let attempts = world.claim(2);
    world.cancel_work(first);
    let at = world.now;
    let settle = |attempt| Settle {
        attempt,
        at,
        settlement: Settlement::Succeeded { output: None },
        body: Body::Ended,
    };
    let settled = world.settle_all(&[settle(attempts[0]), settle(attempts[1])]);
    assert_eq!(settled, [Settled::Fenced, Settled::Applied]);
    assert_eq!((world.state(first), world.state(second)), (WorkState::Cancelled, WorkState::Succeeded));
}

//! Unique ids and what each policy does (S4).

use std::sync::Arc;

use crate::conformance::World;
use crate::conformance::world::{after, retry};
use crate::error::VerbError;
use crate::id::WorkId;
use crate::record::Blocked;
use crate::spec::StoredOptions;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::verbs::{Body, Enqueued, How, Lane, NewWork, Policy, Settled, Settlement};

const BEHIND: (WorkState, Option<Blocked>) = (WorkState::Blocked, Some(Blocked::Behind));
const BODY: (WorkState, Option<Blocked>) = (WorkState::Blocked, Some(Blocked::Body));
const ENQUEUED: (WorkState, Option<Blocked>) = (WorkState::Enqueued, None);

fn kept(id: WorkId, state: WorkState, options_differ: bool) -> Enqueued {
    Enqueued { id, how: How::Kept { state, task: "Upload".to_owned(), options_differ } }
}

pub(super) fn s4_2_every_policy_stores_the_first(world: &mut World) {
    let all = [Policy::Keep, Policy::Replace, Policy::Append, Policy::AppendAfterSuccess, Policy::Update];
    for (task_id, policy) in ["a", "b", "c", "d", "e"].into_iter().zip(all) {
        let stored = world.add(task_id, policy);
        assert_eq!(stored.how, How::New, "{policy:?}");
        assert_eq!(world.stands(stored.id), ENQUEUED);
    }
}

pub(super) fn s4_1_finished_work_holds_no_id(world: &mut World) {
    let all = [Policy::Keep, Policy::Replace, Policy::Append, Policy::AppendAfterSuccess, Policy::Update];
    for policy in all {
        let first = world.add("a", policy);
        assert_eq!(first.how, How::New, "{policy:?}");
        let attempt = world.start(first.id);
        world.succeed(attempt);
        let second = world.add("a", policy);
        assert_eq!(second.how, How::New, "{policy:?}");
        let attempt = world.start(second.id);
        world.fail(attempt);
        let third = world.add("a", policy);
        assert_eq!(third.how, How::New, "{policy:?}");
        world.cancel_work(third.id);
    }
}

pub(super) fn s4_3_keep_answers_what_waits(world: &mut World) {
    let first = world.add("a", Policy::Keep).id;
    assert_eq!(world.add("a", Policy::Keep), kept(first, WorkState::Enqueued, false));
    assert_eq!(world.list(&[]).len(), 1);
    world.reopen();
    assert_eq!(world.add("a", Policy::Keep), kept(first, WorkState::Enqueued, false));
    assert_eq!(world.add("b", Policy::Keep).how, How::New, "another id");
}

pub(super) fn s4_4_keep_answers_what_runs(world: &mut World) {
    let first = world.add("a", Policy::Keep).id;
    let attempt = world.start(first);
    assert_eq!(world.add("a", Policy::Keep), kept(first, WorkState::Running, false));
    world.settle(attempt, retry(5_000));
    assert_eq!(world.add("a", Policy::Keep), kept(first, WorkState::Enqueued, false));
}

pub(super) fn s4_9_keep_answers_the_oldest_and_says_whether_options_differ(world: &mut World) {
    let first = world.add("a", Policy::Append).id;
    world.add("a", Policy::Append);
    assert_eq!(world.add("a", Policy::Keep), kept(first, WorkState::Enqueued, false));
    let options = StoredOptions { max_attempts: Some(3), ..StoredOptions::default() };
    let other = NewWork { options, ..world.unique("a", Policy::Keep) };
    assert_eq!(world.enqueue(&other), kept(first, WorkState::Enqueued, true));
    let stored = world.get(first).spec.expect("the spec reads");
    assert_eq!(stored.options, StoredOptions::default(), "what is stored stays");
}

pub(super) fn s4_8_keep_refuses_an_id_of_another_task(world: &mut World) {
    let first = world.add("a", Policy::Keep).id;
    let other = NewWork { lane: Arc::new(Lane::of("Other")), ..world.unique("a", Policy::Keep) };
    let refused = world.try_enqueue(std::slice::from_ref(&other));
    let (task_id, task) = ("a".to_owned(), "Upload".to_owned());
    assert_eq!(refused, Err(VerbError::IdHeldBy { task_id, task, holder: first }));
    // Append and Replace may take the id of any task.
    let appended = NewWork { lane: Arc::new(Lane::of("Other")), ..world.unique("a", Policy::Append) };
    assert_eq!(world.enqueue(&appended).how, How::Appended(first));
    let new = NewWork { lane: Arc::new(Lane::of("Third")), ..world.unique("a", Policy::Replace) };
    assert_eq!(world.enqueue(&new).how, How::Replaced(vec![first, appended.id]));
}

pub(super) fn s4_8_an_alias_is_the_same_task(world: &mut World) {
    let first = world.add("a", Policy::Keep).id;
    let mut renamed = world.unique("a", Policy::Keep);
    renamed.lane = Arc::new(Lane::of("Send"));
    renamed.aliases = &["Post", "Upload"];
    assert_eq!(world.enqueue(&renamed), kept(first, WorkState::Enqueued, false));
}

pub(super) fn s4_3_replace_cancels_what_waits(world: &mut World) {
    let delayed = NewWork { start: after(60_000), ..world.unique("a", Policy::Keep) };
    let first = world.enqueue(&delayed).id;
    let second = world.add("a", Policy::Replace);
    assert_eq!(second.how, How::Replaced(vec![first]));
    let old = world.get(first).record;
    assert_eq!((old.state, old.reason), (WorkState::Cancelled, Some(Reason::Replaced)));
    assert_eq!((old.finished_at, old.history.len()), (Some(world.now), 0));
    assert_eq!(world.stands(second.id), ENQUEUED);
    world.check();
    // The index of ids has followed: the new piece alone holds the id.
    assert_eq!(world.add("a", Policy::Keep), kept(second.id, WorkState::Enqueued, false));
    let third = world.add("a", Policy::Replace);
    assert_eq!(third.how, How::Replaced(vec![second.id]));
    world.start(third.id);
    assert_eq!(world.claim(9), []);
}

pub(super) fn s4_4_replace_waits_for_the_body_it_replaces(world: &mut World) {
    let first = world.add("a", Policy::Replace).id;
    let attempt = world.start(first);
    let second = world.add("a", Policy::Replace);
    assert_eq!(second.how, How::Replaced(vec![first]));
    let old = world.get(first).record;
    assert_eq!((old.state, old.reason), (WorkState::Cancelled, Some(Reason::Replaced)));
    assert_eq!(old.history[0].end, AttemptEnd::Cancelled);
    let moved = &world.changes.moves[0];
    assert_eq!((moved.attempt, moved.to), (attempt, WorkState::Cancelled), "who is to be asked to stop");
    assert_eq!(world.stands(second.id), BODY);
    assert_eq!(world.claim(9), [], "the old body still lives");
    let late = world.settle_as(attempt, Settlement::Succeeded { output: None }, Body::Ended);
    assert_eq!(late, Settled::Fenced);
    assert_eq!(world.state(first), WorkState::Cancelled, "the late result is fenced off");
    assert_eq!(world.stands(second.id), ENQUEUED);
    world.start(second.id);
}

pub(super) fn s4_4_of_many_replacements_the_newest_runs(world: &mut World) {
    let first = world.add("a", Policy::Replace).id;
    let attempt = world.start(first);
    let second = world.add("a", Policy::Replace).id;
    let third = world.add("a", Policy::Replace);
    assert_eq!(third.how, How::Replaced(vec![second]));
    assert_eq!(world.state(second), WorkState::Cancelled);
    assert_eq!(world.stands(third.id), BODY);
    world.settle_as(attempt, Settlement::Succeeded { output: None }, Body::Ended);
    world.start(third.id);
    assert_eq!(world.claim(9), []);
}

pub(super) fn s4_9_replace_cancels_all(world: &mut World) {
    let first = world.add("a", Policy::Append).id;
    let second = world.add("a", Policy::Append).id;
    let third = world.add("a", Policy::Append).id;
    let attempt = world.start(first);
    let new = world.add("a", Policy::Replace);
    assert_eq!(new.how, How::Replaced(vec![first, second, third]));
    for id in [first, second, third] {
        assert_eq!(world.get(id).record.reason, Some(Reason::Replaced));
    }
    assert_eq!(world.stands(new.id), BODY);
    world.settle_as(attempt, retry(0), Body::Ended);
    world.start(new.id);
}

pub(super) fn s4_9_replace_inherits_interruptions(world: &mut World) {
    world.rescue();
    let first = world.add("a", Policy::Replace).id;
    world.start(first);
    assert_eq!(world.restart().charged, 1);
    let second = world.add("a", Policy::Replace).id;
    assert_eq!(world.get(second).record.interruptions, 1);
}

pub(super) fn s4_6_append_runs_every_piece_in_order(world: &mut World) {
    let mut ids = Vec::new();
    for n in 0..5 {
        let appended = world.add("a", Policy::Append);
        let expected = ids.last().map_or(How::New, |last| How::Appended(*last));
        assert_eq!(appended.how, expected);
        assert_eq!(world.stands(appended.id), if n == 0 { ENQUEUED } else { BEHIND });
        ids.push(appended.id);
    }
    // The ids of the pieces say nothing about their order.
    assert!(!ids.is_sorted());
    world.reopen();
    for id in ids {
        let attempt = world.start(id);
        assert_eq!(world.claim(9), [], "one at a time");
        world.settle(attempt, retry(0));
        let attempt = world.start(id);
        world.succeed(attempt);
    }
    assert_eq!(world.list(&[WorkState::Succeeded]).len(), 5);
}

pub(super) fn s4_6_append_goes_on_whatever_became_of_the_one_before(world: &mut World) {
    let [failed, cancelled, quarantined, last] = [(); 4].map(|()| world.add("a", Policy::Append).id);
    let attempt = world.start(failed);
    world.fail(attempt);
    assert_eq!(world.stands(cancelled), ENQUEUED);
    world.cancel_work(cancelled);
    let attempt = world.start(quarantined);
    world.quarantine(attempt);
    world.start(last);
}

pub(super) fn s4_6_cancelling_a_middle_piece_takes_only_that_one_out(world: &mut World) {
    let [first, middle, last] = [(); 3].map(|()| world.add("a", Policy::Append).id);
    assert_eq!(world.cancel_work(middle).len(), 1);
    assert_eq!((world.stands(first), world.stands(last)), (ENQUEUED, BEHIND));
    let attempt = world.start(first);
    assert_eq!(world.claim(9), []);
    world.succeed(attempt);
    world.start(last);
}

pub(super) fn s4_5_quarantined_work_is_kept_replaced_and_appended_to(world: &mut World) {
    let set_aside = |world: &mut World, task_id: &str| {
        let id = world.add(task_id, Policy::Keep).id;
        let attempt = world.start(id);
        world.quarantine(attempt);
        id
    };
    let old = set_aside(world, "keep");
    let kept = world.add("keep", Policy::Keep);
    assert_eq!(kept.id, old, "what would do the same again is kept off");
    assert!(matches!(kept.how, How::Kept { state: WorkState::Quarantined, .. }), "{kept:?}");

    let old = set_aside(world, "replace");
    let new = world.add("replace", Policy::Replace);
    assert_eq!((new.how, world.stands(new.id)), (How::New, ENQUEUED));
    assert_eq!(world.state(old), WorkState::Quarantined, "nothing of it is lost");
    world.cancel_work(new.id);

    let old = set_aside(world, "append");
    let new = world.add("append", Policy::Append);
    assert_eq!((new.how, world.stands(new.id)), (How::Appended(old), ENQUEUED));
    let next = world.add("append", Policy::Append);
    assert_eq!((next.how, world.stands(next.id)), (How::Appended(new.id), BEHIND));
}

pub(super) fn s4_5_what_stands_behind_quarantined_work_goes_on(world: &mut World) {
    let [first, second] = [(); 2].map(|()| world.add("a", Policy::Append).id);
    let attempt = world.start(first);
    world.quarantine(attempt);
    assert_eq!(world.stands(second), ENQUEUED);
    world.start(second);
}

pub(super) fn s4_1_ids_of_finished_and_unfinished_work_are_kept_apart(world: &mut World) {
    for _ in 0..20 {
        let id = world.add("a", Policy::Keep).id;
        let attempt = world.start(id);
        world.succeed(attempt);
    }
    let last = world.add("a", Policy::Append);
    assert_eq!(last.how, How::New);
    assert_eq!(world.add("a", Policy::Keep).id, last.id);
}

fn after_success(world: &mut World) -> Enqueued {
    world.add("a", Policy::AppendAfterSuccess)
}

fn reason(world: &mut World, id: WorkId) -> (WorkState, Option<Reason>) {
    let record = world.get(id).record;
    (record.state, record.reason)
}

pub(super) fn s4_3_appended_after_success_waits_for_it(world: &mut World) {
    let first = after_success(world).id;
    let second = after_success(world);
    assert_eq!((second.how, world.stands(second.id)), (How::Appended(first), BEHIND));
    let attempt = world.start(first);
    let third = after_success(world);
    assert_eq!((third.how, world.stands(third.id)), (How::Appended(second.id), BEHIND));
    assert_eq!(world.get(third.id).record.after, Some(second.id));
    world.settle(attempt, retry(0));
    assert_eq!(world.stands(second.id), BEHIND, "it has not ended");
    world.reopen();
    world.rescue();
    let attempt = world.start(first);
    world.succeed(attempt);
    assert_eq!((world.stands(second.id), world.stands(third.id)), (ENQUEUED, BEHIND));
    assert_eq!(world.get(second.id).record.after, None);
    for id in [second.id, third.id] {
        let attempt = world.start(id);
        world.succeed(attempt);
    }
    assert_eq!(after_success(world).how, How::New);
}

pub(super) fn s4_7_a_failed_predecessor_fails_what_was_appended_to_it(world: &mut World) {
    let first = after_success(world).id;
    let behind = [(); 20].map(|()| after_success(world).id);
    let attempt = world.start(first);
    world.fail(attempt);
    for id in behind {
        assert_eq!(reason(world, id), (WorkState::Failed, Some(Reason::Prerequisite)));
        assert_eq!(world.get(id).record.finished_at, Some(world.now));
    }
    assert_eq!(world.changes.moves.len(), 21);
    assert_eq!(after_success(world).how, How::New, "the id is free again");
}

pub(super) fn s4_7_a_cancelled_predecessor_cancels_what_was_appended_to_it(world: &mut World) {
    let [first, second, third] = [(); 3].map(|()| after_success(world).id);
    let moved: Vec<_> = world.cancel_work(second).iter().map(|moved| moved.attempt.work).collect();
    assert_eq!(moved, [second, third]);
    assert_eq!(reason(world, second), (WorkState::Cancelled, Some(Reason::Cancelled)));
    assert_eq!(reason(world, third), (WorkState::Cancelled, Some(Reason::Prerequisite)));
    assert_eq!(world.stands(first), ENQUEUED);
    let fourth = after_success(world);
    assert_eq!(fourth.how, How::Appended(first));
    let attempt = world.start(first);
    world.cancel(&crate::Target::TaskId("a".to_owned()));
    assert_eq!(reason(world, fourth.id), (WorkState::Cancelled, Some(Reason::Cancelled)), "it was named");
    world.settle_as(attempt, Settlement::Succeeded { output: None }, Body::Ended);
    assert_eq!(world.state(fourth.id), WorkState::Cancelled);
}

pub(super) fn s4_7_an_expired_predecessor_fails_what_was_appended_to_it(world: &mut World) {
    let mut first = world.unique("a", Policy::AppendAfterSuccess);
    first.options.expires = Some(std::time::Duration::from_secs(1));
    world.enqueue(&first);
    let second = after_success(world).id;
    world.advance(1_000);
    assert_eq!(world.expire(9), 1);
    assert_eq!(reason(world, first.id), (WorkState::Failed, Some(Reason::Expired)));
    assert_eq!(reason(world, second), (WorkState::Failed, Some(Reason::Prerequisite)));
}

pub(super) fn s4_5_quarantined_work_is_waited_for_by_what_needs_its_success(world: &mut World) {
    let [first, second] = [(); 2].map(|()| after_success(world).id);
    let attempt = world.start(first);
    world.quarantine(attempt);
    assert_eq!(world.stands(second), BEHIND, "until it is resolved");
    let third = after_success(world);
    assert_eq!(third.how, How::Appended(second));
    world.restart();
    assert_eq!((world.claim(9), world.stands(second)), (vec![], BEHIND));
    // It holds the id, as all that waits does.
    assert_eq!(world.add("a", Policy::Keep).id, second);
    world.cancel_work(second);
    assert_eq!(reason(world, third.id), (WorkState::Cancelled, Some(Reason::Prerequisite)));
    let fourth = after_success(world);
    assert_eq!((fourth.how, world.stands(fourth.id)), (How::Appended(first), BEHIND));
}

pub(super) fn s4_6_append_and_append_after_success_keep_one_order(world: &mut World) {
    let first = after_success(world).id;
    let plain = world.add("a", Policy::Append);
    let last = after_success(world);
    assert_eq!((plain.how, last.how), (How::Appended(first), How::Appended(plain.id)));
    let attempt = world.start(first);
    world.fail(attempt);
    assert_eq!((world.stands(plain.id), world.stands(last.id)), (ENQUEUED, BEHIND));
    let attempt = world.start(plain.id);
    world.succeed(attempt);
    world.start(last.id);
}

pub(super) fn s4_8_append_after_success_refuses_an_id_of_another_task(world: &mut World) {
    let first = world.add("a", Policy::Keep).id;
    let lane = Arc::new(Lane::of("Other"));
    let other = NewWork { lane: Arc::clone(&lane), ..world.unique("a", Policy::AppendAfterSuccess) };
    let refused = world.try_enqueue(std::slice::from_ref(&other));
    let (task_id, task) = ("a".to_owned(), "Upload".to_owned());
    assert_eq!(refused, Err(VerbError::IdHeldBy { task_id, task, holder: first }));
    assert!(!world.get(first).record.followed);
    let other = NewWork { lane, ..world.unique("a", Policy::Append) };
    world.enqueue(&other);
    let refused = world.unique("a", Policy::AppendAfterSuccess);
    assert!(world.try_enqueue(std::slice::from_ref(&refused)).is_err(), "the newest is what counts");
}

pub(super) fn s4_9_replace_cancels_what_waits_for_a_success(world: &mut World) {
    let [first, second] = [(); 2].map(|()| after_success(world).id);
    let new = world.add("a", Policy::Replace);
    assert_eq!(new.how, How::Replaced(vec![first, second]));
    for id in [first, second] {
        assert_eq!(reason(world, id), (WorkState::Cancelled, Some(Reason::Replaced)));
    }
    world.start(new.id);
}

/// A quarantined piece, and one that waits for its success.
fn set_aside(world: &mut World) -> (WorkId, WorkId) {
    let [first, second] = [(); 2].map(|()| after_success(world).id);
    let attempt = world.start(first);
    world.quarantine(attempt);
    (first, second)
}

pub(super) fn s4_5_requeued_work_goes_before_what_waits_for_its_success(world: &mut World) {
    let (first, second) = set_aside(world);
    let third = world.add("a", Policy::Append).id;
    let sequence = world.get(first).record.sequence;
    world.requeue(first);
    assert_eq!(world.get(first).record.sequence, sequence, "it keeps its place");
    assert_eq!([first, second, third].map(|id| world.stands(id)), [ENQUEUED, BEHIND, BEHIND]);
    for id in [first, second, third] {
        let attempt = world.start(id);
        world.succeed(attempt);
    }
}

pub(super) fn s4_5_discarded_work_fails_what_waits_for_its_success(world: &mut World) {
    let (first, second) = set_aside(world);
    let third = world.add("a", Policy::Append).id;
    assert_eq!(world.discard(first), Ok(true));
    assert_eq!(reason(world, second), (WorkState::Failed, Some(Reason::Prerequisite)));
    assert_eq!(world.stands(third), ENQUEUED);
}

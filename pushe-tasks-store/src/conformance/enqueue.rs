//! `enqueue`: what is stored, and when nothing is.

use std::sync::Arc;

use crate::conformance::World;
use crate::conformance::world::after;
use crate::error::VerbError;
use crate::record::Filed;
use crate::spec::StoredOptions;
use crate::state::WorkState;
use crate::time::WallTime;
use crate::verbs::{Enqueued, How, Lane, NewWork, Policy, Start, StoredConstraint};

pub(super) fn s1_1_a_piece_is_stored_as_it_was_given(world: &mut World) {
    let mut lane = Lane::of("Upload");
    lane.constraints = vec![StoredConstraint { kind: "network".to_owned(), value: vec![1] }];
    lane.key = Some("album".to_owned());
    let options = StoredOptions { max_attempts: Some(8), jitter: 0.25, ..StoredOptions::default() };
    let work =
        NewWork { lane: Arc::new(lane), options, boost_millis: 60_000, ..world.unique("a/ä", Policy::Keep) };
    assert_eq!(world.enqueue(&work), Enqueued { id: work.id, how: How::New });
    world.reopen();
    let view = world.get(work.id);
    assert_eq!(view.lane, work.lane);
    let spec = view.spec.expect("the spec reads");
    assert_eq!(spec.task_id.as_deref(), Some("a/ä"));
    assert_eq!((spec.options, spec.envelope), (work.options, work.envelope));
    let record = view.record;
    assert_eq!((record.state, record.filed), (WorkState::Enqueued, Filed::Ready));
    assert_eq!((record.claim, record.attempt(), record.generation), (0, 1, 1));
    assert_eq!((record.enqueued_at, record.due, record.boost_millis), (world.now, world.now, 60_000));
    assert!(record.history.is_empty() && record.progress.is_none() && record.reason.is_none());
}

pub(super) fn s1_1_what_is_due_is_ready_and_the_rest_is_delayed(world: &mut World) {
    let now = world.now.as_millis();
    let mut check = |start, due, filed| {
        let work = NewWork { start, ..world.work("Upload") };
        let id = world.enqueue(&work).id;
        let record = world.get(id).record;
        assert_eq!((record.due.as_millis(), record.filed), (due, filed), "{start:?}");
    };
    let at = |millis| Start::At(WallTime::from_millis(millis));
    check(after(0), now, Filed::Ready);
    check(after(1), now + 1, Filed::Delayed);
    check(after(u64::MAX), i64::MAX, Filed::Delayed);
    check(at(now), now, Filed::Ready);
    check(at(now - 5), now - 5, Filed::Ready);
    check(at(now + 5), now + 5, Filed::Delayed);
    assert_eq!(world.changes.next_due, Some(WallTime::from_millis(now + 1)));
}

pub(super) fn s1_21_sequence_numbers_grow_over_a_restart(world: &mut World) {
    let first = world.plain();
    let second = world.plain();
    world.reopen();
    let third = world.plain();
    let [first, second, third] = [first, second, third].map(|id| world.get(id).record.sequence);
    assert!(first < second && second < third, "{first} {second} {third}");
}

pub(super) fn s4_12_a_batch_is_all_or_nothing(world: &mut World) {
    let held = NewWork { lane: Arc::new(Lane::of("Other")), ..world.unique("a", Policy::Keep) };
    world.enqueue(&held);
    let replaced = world.add("b", Policy::Keep).id;
    let commit = world.changes.commit;
    // The first two do much that has to be undone when the last is refused.
    let batch = [
        NewWork { lane: Arc::new(Lane::of("New lane")), ..world.work("") },
        world.unique("b", Policy::Replace),
        world.unique("a", Policy::Keep),
    ];
    let refused = world.try_enqueue(&batch);
    let task_id = "a".to_owned();
    assert_eq!(refused, Err(VerbError::IdHeldBy { task_id, task: "Other".to_owned(), holder: held.id }));
    assert_eq!(world.changes.moves, [], "nothing moved");
    assert_eq!(
        (world.changes.commit, &world.changes.new_lanes, &world.changes.ready),
        (commit, &vec![], &vec![])
    );
    assert_eq!(world.find(batch[0].id), None);
    assert_eq!(world.state(replaced), WorkState::Enqueued);
    world.check();
    let next = world.plain();
    let [before, next] = [replaced, next].map(|id| world.get(id).record.sequence);
    assert!(before < next);
}

pub(super) fn s4_12_a_batch_is_judged_in_order(world: &mut World) {
    let batch = [
        world.unique("a", Policy::Append),
        world.unique("a", Policy::Append),
        world.unique("a", Policy::Keep),
        world.unique("a", Policy::Replace),
    ];
    let [first, second, third, last] = world.try_enqueue(&batch).expect("taken").try_into().expect("four");
    assert_eq!(first, Enqueued { id: batch[0].id, how: How::New });
    assert_eq!(second, Enqueued { id: batch[1].id, how: How::Appended(batch[0].id) });
    assert_eq!(third.id, batch[0].id);
    assert_eq!(last, Enqueued { id: batch[3].id, how: How::Replaced(vec![batch[0].id, batch[1].id]) });
}

pub(super) fn s4_12_a_refused_verb_leaves_the_others_of_its_transaction(world: &mut World) {
    let held = NewWork { lane: Arc::new(Lane::of("Other")), ..world.unique("a", Policy::Keep) };
    world.enqueue(&held);
    let (before, refused, behind) =
        (world.work("Upload"), [world.work("Upload"), world.unique("a", Policy::Keep)], world.work("Upload"));
    let now = world.now;
    world.write(|tx| {
        assert!(tx.enqueue(std::slice::from_ref(&before), now).is_ok());
        assert!(matches!(tx.enqueue(&refused, now), Err(VerbError::IdHeldBy { .. })));
        assert_eq!(tx.get(refused[0].id), Ok(None));
        assert!(tx.enqueue(std::slice::from_ref(&behind), now).is_ok());
    });
    assert_eq!(world.changes.moves.len(), 2);
    world.reopen();
    assert_eq!(world.list(&[]).len(), 3);
    assert_eq!((world.state(before.id), world.state(behind.id)), (WorkState::Enqueued, WorkState::Enqueued));
}

pub(super) fn s7_5_an_enqueue_is_repeated_safely(world: &mut World) {
    let work = world.unique("a", Policy::Append);
    let first = world.enqueue(&work);
    assert_eq!(world.enqueue(&work), first);
    assert_eq!(world.list(&[]).len(), 1, "it does not run behind itself");
    let attempt = world.start(work.id);
    world.succeed(attempt);
    assert_eq!(world.enqueue(&work), first);
    assert_eq!(world.state(work.id), WorkState::Succeeded, "finished work does not run again");
}

pub(super) fn pieces_that_share_a_lane_share_it_for_ever(world: &mut World) {
    let mut constrained = Lane::of("Upload");
    constrained.constraints = vec![StoredConstraint { kind: "network".to_owned(), value: vec![] }];
    let constrained = Arc::new(constrained);
    let first = world.plain();
    let lanes = world.changes.new_lanes.clone();
    assert_eq!(lanes.len(), 1);
    assert_eq!(*lanes[0].1, Lane::of("Upload"));
    let other = NewWork { lane: Arc::clone(&constrained), ..world.work("") };
    world.enqueue(&other);
    assert_eq!(world.changes.new_lanes.len(), 1);
    world.reopen();
    let second = world.plain();
    assert_eq!(world.changes.new_lanes, []);
    let lane = world.get(first).record.lane;
    assert_eq!((lanes[0].0, world.get(second).record.lane), (lane, lane));
    assert_ne!(world.get(other.id).record.lane, lane);
    assert_eq!(world.lane_ids().len(), 2);
}

pub(super) fn a_transaction_says_what_it_changed(world: &mut World) {
    let id = world.plain();
    let lane = world.get(id).record.lane;
    let changes = world.changes.clone();
    assert_eq!(changes.ready, [(lane, 1)]);
    let [moved] = changes.moves.as_slice() else { panic!("one move: {:?}", changes.moves) };
    assert_eq!((moved.attempt.work, moved.attempt.claim, moved.lane), (id, 0, lane));
    assert_eq!((moved.from, moved.to, moved.reason), (None, WorkState::Enqueued, None));
    let attempt = world.start(id);
    assert!(world.changes.commit > changes.commit);
    assert_eq!(world.changes.ready, [(lane, 0)]);
    assert_eq!(world.changes.moves[0].attempt, attempt);
    assert_eq!(world.changes.moves[0].from, Some(WorkState::Enqueued));
    world.succeed(attempt);
    assert_eq!((world.changes.moves.len(), &world.changes.ready), (1, &vec![]));
    let commit = world.changes.commit;
    world.reopen();
    world.plain();
    assert!(world.changes.commit > commit, "the number of a commit goes on over a restart");
}

pub(super) fn many_calls_are_each_all_or_none_and_keep_their_order(world: &mut World) {
    let held = world.add("a", Policy::Keep).id;
    let delayed = |world: &mut World, millis| NewWork { start: after(millis), ..world.work("Upload") };
    // Of two lanes in turn, some delayed: no table gets them in the order of its keys.
    let plain: Vec<_> = (0..6)
        .map(|number| match number % 3 {
            0 => delayed(world, 5_000 - number),
            1 => NewWork { lane: Arc::new(Lane::of("Other")), ..world.work("Upload") },
            _ => NewWork { boost_millis: number.cast_signed(), ..world.work("Upload") },
        })
        .collect();
    let refused = [
        world.work("Upload"),
        NewWork { lane: Arc::new(Lane::of("Other")), ..world.unique("a", Policy::Keep) },
    ];
    let (unique, last) = (world.unique("b", Policy::Append), world.work("Upload"));
    // Ids that do not rise, one of them stored already and one twice in the group.
    let again = plain[0].clone();
    let [reversed, early] = { [world.work("Upload"), world.work("Upload")] };
    let calls: [&[NewWork]; 8] = [
        &plain[..4],
        &refused,
        &[],
        &plain[4..],
        std::slice::from_ref(&unique),
        &[early.clone(), reversed.clone(), last.clone()],
        std::slice::from_ref(&again),
        std::slice::from_ref(&last),
    ];
    let now = world.now;
    let answers = world.write(|verbs| verbs.enqueue_each(&calls, now));
    assert_eq!(answers.len(), calls.len());
    for (number, (call, answer)) in calls.iter().zip(&answers).enumerate() {
        if number == 1 {
            let (task_id, task) = ("a".to_owned(), "Upload".to_owned());
            assert_eq!(*answer, Err(VerbError::IdHeldBy { task_id, task, holder: held }));
        } else {
            let new: Vec<_> = call.iter().map(|work| Enqueued { id: work.id, how: How::New }).collect();
            assert_eq!(*answer, Ok(new), "call {number}");
        }
    }
    assert!(world.find(refused[0].id).is_none(), "the refused call left nothing");
    let stored = [held].into_iter().chain(plain.iter().map(|work| work.id));
    let stored: Vec<_> = stored.chain([unique.id, early.id, reversed.id, last.id]).collect();
    let sequences: Vec<_> = stored.iter().map(|id| world.get(*id).record.sequence).collect();
    assert!(sequences.is_sorted(), "in the order of the calls: {sequences:?}");
    assert_eq!(world.list(&[]).len(), stored.len());
    // Ready pieces are counted, and start in their order over both lanes.
    let ready: u64 =
        world.read(|look| look.lanes().map_or(0, |lanes| lanes.iter().map(|lane| lane.ready).sum()));
    assert_eq!(ready, stored.len() as u64 - 2, "two are delayed");
    let started: Vec<_> = world.claim(2).iter().map(|attempt| attempt.work).collect();
    assert_eq!(started, [plain[5].id, plain[2].id], "the greater boost first");
    // What is stored later stands between them and behind them.
    let more: Vec<_> = (0..3).map(|_| world.plain()).collect();
    world.reopen();
    world.check();
    let beyond = world.write(|verbs| verbs.enqueue_each(&[&plain[..2]], now));
    assert!(beyond[0].is_ok());
    assert_eq!(
        world.list(&[]).len(),
        stored.len() + more.len(),
        "known ids are not stored again after a restart"
    );
}

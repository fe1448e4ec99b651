//! `query` and `cancel_page`: what is named is found, in pages that agree with each other (S9.1, S9.2).

use crate::conformance::World;
use crate::conformance::world::after;
use crate::id::WorkId;
use crate::state::WorkState;
use crate::verbs::{Body, NewWork, Policy, Query};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A piece of a task, with tags.
fn tagged(world: &mut World, task: &str, tags: &[&str]) -> WorkId {
    let mut work = world.work(task);
    work.options.tags = texts(tags);
    world.enqueue(&work).id
}

/// All pages, with how many there were.
fn pages(world: &mut World, query: &Query) -> (Vec<WorkId>, usize) {
    let (mut query, mut found, mut count) = (query.clone(), Vec::new(), 0);
    loop {
        let page = world.query(&query);
        assert!(page.works.len() <= query.limit);
        found.extend(page.works.iter().map(|view| view.record.id));
        count += 1;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return (found, count),
        }
    }
}

fn found(world: &mut World, query: &Query) -> Vec<WorkId> {
    pages(world, query).0
}

fn sorted<const N: usize>(mut ids: [WorkId; N]) -> [WorkId; N] {
    ids.sort();
    ids
}

pub(super) fn s9_2_kinds_are_joined_and_names_within_a_kind_are_not(world: &mut World) {
    let red = tagged(world, "Upload", &["red"]);
    let both = tagged(world, "Other", &["red", "blue"]);
    let blue = tagged(world, "Upload", &["blue", "blue"]);
    let plain = world.add("a", Policy::Keep).id;
    let all = Query::default();
    let tags = |tags: &[&str]| Query { tags: texts(tags), ..Query::default() };
    assert_eq!(found(world, &all), sorted([red, both, blue, plain]));
    assert_eq!(found(world, &tags(&["red"])), sorted([red, both]));
    assert_eq!(found(world, &tags(&["red", "blue", "none"])), sorted([red, both, blue]), "each once");
    assert_eq!(found(world, &tags(&["none"])), []);
    assert_eq!(found(world, &Query { tasks: texts(&["Other"]), ..tags(&["red"]) }), [both]);
    assert_eq!(
        found(world, &Query { tasks: texts(&["Upload", "Other"]), ..tags(&["blue"]) }),
        sorted([both, blue])
    );
    assert_eq!(found(world, &Query { ids: vec![red, plain], ..tags(&["red"]) }), [red]);
    assert_eq!(found(world, &Query { task_ids: texts(&["a", "b"]), ..all.clone() }), [plain]);
    assert_eq!(found(world, &Query { task_ids: texts(&["a"]), ..tags(&["red"]) }), []);
    let states = vec![WorkState::Running, WorkState::Failed];
    assert_eq!(found(world, &Query { states, ..all.clone() }), []);
    let unknown = world.work("Upload").id;
    assert_eq!(found(world, &Query { ids: vec![unknown], ..all }), []);
}

/// Pieces in every state, all with one tag; answers them by state.
fn one_of_each(world: &mut World) -> Vec<(WorkState, WorkId)> {
    let named = |world: &mut World| {
        let mut work = world.unique("a", Policy::Append);
        work.options.tags = texts(&["all"]);
        world.enqueue(&work).id
    };
    let ids: Vec<_> = (0..7).map(|_| named(world)).collect();
    let attempt = world.start(ids[0]);
    world.succeed(attempt);
    let attempt = world.start(ids[1]);
    world.fail(attempt);
    let attempt = world.start(ids[2]);
    world.quarantine(attempt);
    world.cancel_work(ids[3]);
    world.start(ids[4]);
    let mut delayed = NewWork { start: after(9_000), ..world.work("Upload") };
    delayed.options.tags = texts(&["all"]);
    let delayed = world.enqueue(&delayed).id;
    world.cancel_work(ids[6]);
    vec![
        (WorkState::Succeeded, ids[0]),
        (WorkState::Failed, ids[1]),
        (WorkState::Quarantined, ids[2]),
        (WorkState::Cancelled, ids[3]),
        (WorkState::Running, ids[4]),
        (WorkState::Blocked, ids[5]),
        (WorkState::Cancelled, ids[6]),
        (WorkState::Enqueued, delayed),
    ]
}

pub(super) fn s9_2_every_kind_leads_to_the_same_pages(world: &mut World) {
    let pieces = one_of_each(world);
    world.reopen();
    let all: Vec<_> = pieces.iter().map(|(_, id)| *id).collect();
    for limit in [1, 3, 100] {
        for states in [
            vec![],
            vec![WorkState::Running],
            vec![WorkState::Blocked, WorkState::Quarantined],
            vec![WorkState::Cancelled, WorkState::Enqueued],
            vec![WorkState::Succeeded, WorkState::Failed, WorkState::Running],
        ] {
            let shown = |state: &WorkState| states.is_empty() || states.contains(state);
            let mut expected: Vec<_> =
                pieces.iter().filter(|(state, _)| shown(state)).map(|(_, id)| *id).collect();
            expected.sort();
            let by_state = Query { limit, states: states.clone(), ..Query::default() };
            let by_tag = Query { tags: texts(&["all"]), ..by_state.clone() };
            let by_id = Query { ids: all.clone(), ..by_state.clone() };
            for query in [&by_state, &by_tag, &by_id] {
                assert_eq!(found(world, query), expected, "{query:?}");
            }
            let by_task_id = Query { task_ids: texts(&["a"]), ..by_state };
            expected.retain(|id| *id != pieces[7].1);
            assert_eq!(found(world, &by_task_id), expected);
        }
    }
}

pub(super) fn s9_2_tags_follow_their_piece_through_all_states(world: &mut World) {
    let id = tagged(world, "Upload", &["red", "blue"]);
    let stands = |world: &mut World, state| {
        for tag in ["red", "blue"] {
            let query = |state| Query { tags: texts(&[tag]), states: vec![state], ..Query::default() };
            assert_eq!(found(world, &query(state)), [id], "{state}");
            let other = if state == WorkState::Running { WorkState::Enqueued } else { WorkState::Running };
            assert_eq!(found(world, &query(other)), [], "{state}");
        }
        world.check();
    };
    stands(world, WorkState::Enqueued);
    let attempt = world.start(id);
    stands(world, WorkState::Running);
    world.settle_as(attempt, crate::conformance::world::failure("boom"), Body::Ended);
    stands(world, WorkState::Failed);
    world.requeue(id);
    stands(world, WorkState::Enqueued);
    world.cancel_work(id);
    stands(world, WorkState::Cancelled);
    world.advance(24 * 3_600_000);
    assert_eq!(world.prune(9), 1);
    assert_eq!(found(world, &Query { tags: texts(&["red"]), ..Query::default() }), []);
}

pub(super) fn s9_2_a_page_of_little_effort_says_where_it_goes_on(world: &mut World) {
    for _ in 0..20 {
        tagged(world, "Upload", &["all"]);
    }
    let rare = tagged(world, "Other", &["all"]);
    for _ in 0..20 {
        tagged(world, "Upload", &["all"]);
    }
    let tasks = texts(&["Other"]);
    let by_tag = Query { tags: texts(&["all"]), tasks, effort: 4, limit: 2, ..Query::default() };
    let by_scan = Query { tags: Vec::new(), ..by_tag.clone() };
    for query in [by_tag, by_scan] {
        let (ids, count) = pages(world, &query);
        assert_eq!(ids, [rare]);
        assert!((10..=12).contains(&count), "{count} looks of 4 over 41 pieces");
        let (ids, count) = pages(world, &Query { effort: 4_096, ..query });
        assert_eq!((ids, count), (vec![rare], 1));
    }
    // More pieces under one task id than a look may take: what is named is found all the same.
    let ids: Vec<_> = (0..9).map(|_| world.add("a", Policy::Append).id).collect();
    let query = Query { task_ids: texts(&["a"]), effort: 5, ..Query::default() };
    let mut expected = ids;
    expected.sort();
    assert_eq!(found(world, &query), expected);
}

pub(super) fn s9_2_pages_of_a_scan_agree_while_work_is_pruned_and_stored(world: &mut World) {
    let mut stays = Vec::new();
    let mut goes = Vec::new();
    for number in 0..30 {
        let id = tagged(world, "Upload", &["all"]);
        if number % 3 == 0 {
            stays.push(id);
        } else {
            let attempt = world.claim(99).into_iter().find(|attempt| attempt.work == id).expect("it starts");
            world.succeed(attempt);
            goes.push(id);
        }
    }
    world.advance(24 * 3_600_000);
    for tags in [Vec::new(), texts(&["all"])] {
        let mut query = Query { tags, limit: 4, ..Query::default() };
        let mut seen = Vec::new();
        loop {
            let page = world.query(&query);
            seen.extend(page.works.iter().map(|view| view.record.id));
            let Some(next) = page.next else { break };
            query.after = Some(next);
            world.prune(3);
            tagged(world, "Upload", &["all"]);
        }
        let mut once = seen.clone();
        once.sort();
        assert_eq!(seen, once, "in order");
        once.dedup();
        assert_eq!(seen.len(), once.len(), "nothing is shown twice");
        assert!(stays.iter().all(|id| seen.contains(id)), "and what stays is not passed over");
    }
    assert!(goes.iter().all(|id| world.find(*id).is_none()), "much was pruned meanwhile");
}

pub(super) fn s9_2_pages_go_backwards_too(world: &mut World) {
    for number in 0..300 {
        tagged(world, "Upload", if number % 2 == 0 { &["all", "even"] } else { &["all"] });
    }
    world.add("a", Policy::Keep);
    for query in [
        Query::default(),
        Query { tags: texts(&["all"]), ..Query::default() },
        Query { tags: texts(&["all", "even"]), limit: 7, ..Query::default() },
        Query { task_ids: texts(&["a"]), ..Query::default() },
    ] {
        let mut forwards = found(world, &query);
        assert!(!forwards.is_empty());
        forwards.reverse();
        assert_eq!(found(world, &Query { newest_first: true, ..query.clone() }), forwards, "{query:?}");
        let until = Some(forwards[forwards.len() / 2]);
        let bounded = found(world, &Query { newest_first: true, until, ..query });
        assert_eq!(bounded, forwards[forwards.len() / 2..]);
    }
}

pub(super) fn s9_1_a_query_is_cancelled_page_by_page(world: &mut World) {
    let red: Vec<_> = (0..5).map(|_| tagged(world, "Upload", &["red"])).collect();
    let blue = tagged(world, "Upload", &["blue"]);
    let attempt = world.claim(1)[0];
    let done = world.claim(1)[0];
    world.succeed(done);
    let (mut query, mut cancelled, now) =
        (Query { tags: texts(&["red"]), limit: 2, ..Query::default() }, Vec::new(), world.now);
    loop {
        let page = world.write(|tx| tx.cancel_page(&query, now)).expect("it is carried out");
        assert!(page.moved.len() <= 2);
        cancelled.extend(page.moved.iter().map(|moved| moved.attempt.work));
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    let mut expected: Vec<_> = red.iter().copied().filter(|id| *id != done.work).collect();
    expected.sort();
    assert_eq!(cancelled, expected);
    assert_eq!((world.state(blue), world.state(done.work)), (WorkState::Enqueued, WorkState::Succeeded));
    assert_eq!(world.state(attempt.work), WorkState::Cancelled, "what runs is cancelled too");
    let states = vec![WorkState::Running, WorkState::Succeeded];
    let named = Query { states, ..Query::default() };
    let page = world.write(|tx| tx.cancel_page(&named, now)).expect("it is carried out");
    assert_eq!(
        (page.moved.len(), world.state(blue)),
        (0, WorkState::Enqueued),
        "only what is in those states"
    );
    let finished = Query { states: vec![WorkState::Succeeded], ..Query::default() };
    assert_eq!(world.write(|tx| tx.cancel_page(&finished, now)), Ok(crate::CancelledPage::default()));
}

pub(super) fn s9_1_a_cancelled_page_leaves_out_what_came_later(world: &mut World) {
    let first = world.plain();
    let now = world.now;
    let all = Query { limit: 1, ..Query::default() };
    let page = world.write(|tx| tx.cancel_page(&all, now)).expect("it is carried out");
    assert_eq!(page.newest, Some(first));
    world.advance(1);
    let later = world.plain();
    let rest = Query { after: page.next, until: page.newest, ..all };
    let page = world.write(|tx| tx.cancel_page(&rest, now)).expect("it is carried out");
    assert_eq!((page.moved.len(), page.next), (0, None));
    assert_eq!(world.state(later), WorkState::Enqueued);
}

pub(super) fn s9_1_a_cancel_of_a_query_releases_what_stands_behind(world: &mut World) {
    let mut first = world.unique("a", Policy::Append);
    first.options.tags = texts(&["red"]);
    world.enqueue(&first);
    let second = world.add("a", Policy::Append).id;
    let red = Query { tags: texts(&["red"]), ..Query::default() };
    let now = world.now;
    world.write(|tx| tx.cancel_page(&red, now)).expect("it is carried out");
    assert_eq!(world.state(first.id), WorkState::Cancelled);
    world.start(second);
}

pub(super) fn s4_7_a_cancel_of_a_query_cancels_what_waits_for_it(world: &mut World) {
    let mut first = world.unique("a", Policy::Append);
    first.options.tags = texts(&["red"]);
    world.enqueue(&first);
    let follower = world.add("a", Policy::AppendAfterSuccess).id;
    let red = Query { tags: texts(&["red"]), ..Query::default() };
    let now = world.now;
    let page = world.write(|tx| tx.cancel_page(&red, now)).expect("it is carried out");
    assert_eq!((page.moved.len(), world.state(follower)), (2, WorkState::Cancelled));
}

pub(super) fn s4_3_an_update_brings_tags_of_its_own(world: &mut World) {
    let mut work = world.unique("a", Policy::Keep);
    work.options.tags = texts(&["red", "both"]);
    let id = world.enqueue(&work).id;
    let mut new = world.unique("a", Policy::Update);
    new.options.tags = texts(&["both", "blue"]);
    assert_eq!(world.enqueue(&new).id, id);
    let mut bears = |tag| found(world, &Query { tags: texts(&[tag]), ..Query::default() });
    assert_eq!((bears("red"), bears("both"), bears("blue")), (vec![], vec![id], vec![id]));
}

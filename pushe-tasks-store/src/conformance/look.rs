//! Looking: pages, ids, lanes (S9.2).

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::world::{after, retry};
use crate::id::WorkId;
use crate::state::WorkState;
use crate::verbs::{Census, Filter, NewWork, Policy};

fn page(world: &mut World, filter: &Filter) -> Vec<WorkId> {
    let views = world.read(|look| look.list(filter)).expect("the page reads");
    views.iter().map(|view| view.record.id).collect()
}

fn all() -> Filter {
    Filter { states: Vec::new(), tasks: Vec::new(), after: None, limit: 100 }
}

pub(super) fn s9_2_a_page_goes_on_where_the_last_one_ended(world: &mut World) {
    let mut ids: Vec<_> = (0..7).map(|_| world.plain()).collect();
    ids.sort();
    let mut seen = Vec::new();
    let mut filter = Filter { limit: 3, ..all() };
    loop {
        let found = page(world, &filter);
        assert!(found.len() <= 3);
        let Some(last) = found.last() else { break };
        filter.after = Some(*last);
        seen.extend(found);
    }
    assert_eq!(seen, ids);
    assert_eq!(page(world, &Filter { limit: 0, ..all() }), []);
}

pub(super) fn s9_4_a_census_counts_what_is_set_aside_and_names_the_first_in_line(world: &mut World) {
    let census = |world: &mut World| world.read(|look| look.census()).expect("it reads");
    assert_eq!(census(world), Census::default());
    let begun = world.now;
    for _ in 0..2 {
        let work = world.plain();
        let attempt = world.start(work);
        world.quarantine(attempt);
    }
    let first = world.plain();
    world.advance(1_000);
    world.plain();
    let other = NewWork { start: after(5_000), ..world.work("Other") };
    world.enqueue(&other);
    let mut seen = census(world);
    assert_eq!(seen.quarantined, 2);
    seen.first_in_line.sort();
    let line: Vec<_> =
        seen.first_in_line.iter().map(|(lane, due)| (lane.task.as_str(), due.since(begun))).collect();
    let (ready, delayed) = (world.get(first).record.due.since(begun), Duration::from_secs(6));
    assert_eq!(line, [("Other", delayed), ("Upload", ready)]);
    world.restart();
    assert_eq!(census(world).quarantined, 2);
}

pub(super) fn s9_2_a_page_shows_what_the_filter_names(world: &mut World) {
    let first = world.plain();
    let attempt = world.start(first);
    world.succeed(attempt);
    let second = world.plain();
    let other = world.work("Other");
    world.enqueue(&other);
    let states = vec![WorkState::Succeeded, WorkState::Running];
    assert_eq!(page(world, &Filter { states, ..all() }), [first]);
    let tasks = vec!["Other".to_owned(), "Nobody".to_owned()];
    assert_eq!(page(world, &Filter { tasks, ..all() }), [other.id]);
    let (states, tasks) = (vec![WorkState::Enqueued], vec!["Upload".to_owned()]);
    // A page is filled from behind what the filter passes over.
    assert_eq!(page(world, &Filter { states, tasks, limit: 1, after: None }), [second]);
}

pub(super) fn s9_2_the_newest_piece_of_an_id_is_found_finished_or_not(world: &mut World) {
    let newest = |world: &mut World| {
        let view = world.read(|look| look.newest_with_task_id("a")).expect("it reads");
        view.map(|view| view.record.id)
    };
    assert_eq!(newest(world), None);
    let [first, second] = [(); 2].map(|()| world.add("a", Policy::Append).id);
    world.add("b", Policy::Append);
    assert_eq!(newest(world), Some(second));
    world.cancel_work(second);
    assert_eq!(newest(world), Some(second), "the newest is finished, an older one is not");
    world.cancel_work(first);
    assert_eq!(newest(world), Some(second));
    let third = world.add("a", Policy::Append).id;
    assert_eq!(newest(world), Some(third));
}

pub(super) fn s9_2_lanes_show_what_is_ready(world: &mut World) {
    let ready = |world: &mut World| {
        let lanes = world.read(|look| look.lanes()).expect("lanes read");
        lanes.into_iter().map(|view| (view.lane.task.clone(), view.ready)).collect::<Vec<_>>()
    };
    world.plain();
    let id = world.add("a", Policy::Append).id;
    world.add("a", Policy::Append);
    let other = NewWork { start: after(9_000), ..world.work("Other") };
    world.enqueue(&other);
    let expected = |upload, other| vec![("Upload".to_owned(), upload), ("Other".to_owned(), other)];
    assert_eq!(ready(world), expected(2, 0));
    world.reopen();
    assert_eq!(ready(world), expected(2, 0));
    let started = world.claim(2);
    assert_eq!((started[1].work, ready(world)), (id, expected(0, 0)));
    world.settle(started[0], retry(0));
    world.succeed(started[1]);
    world.advance(9_000);
    world.claim(0);
    assert_eq!(ready(world), expected(2, 1));
}

pub(super) fn s9_2_within_a_transaction_its_own_writes_are_seen(world: &mut World) {
    let (work, now) = (world.unique("a", Policy::Keep), world.now);
    world.write(|tx| {
        tx.enqueue(std::slice::from_ref(&work), now).expect("taken");
        assert_eq!(tx.list(&all()).expect("the page reads").len(), 1);
        assert_eq!(tx.lanes().expect("lanes read")[0].ready, 1);
        let view = tx.newest_with_task_id("a").expect("it reads").expect("it is there");
        assert_eq!(view.record.id, work.id);
        assert_eq!(tx.next_due(), Ok(None));
        assert_eq!(tx.output(work.id), Ok(None));
    });
}

pub(super) fn what_is_unknown_is_none(world: &mut World) {
    let unknown = world.work("Upload").id;
    assert_eq!(world.find(unknown), None);
    assert_eq!(world.read(|look| look.output(unknown)), Ok(None));
    assert_eq!(world.read(|look| look.newest_with_task_id("a")), Ok(None));
    assert_eq!(world.read(|look| look.next_due()), Ok(None));
    assert_eq!(page(world, &all()), []);
}

pub(super) fn the_uuid_stays_and_the_epoch_grows(world: &mut World) {
    let before = world.facts();
    assert!(before.epoch > 0);
    world.reopen();
    let again = world.facts();
    assert_eq!((again.kind, again.uuid), (before.kind, before.uuid));
    assert!(again.epoch > before.epoch);
}

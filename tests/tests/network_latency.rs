//! How long a change of the network takes to start work, and what it costs while very much waits (CONSTRAINTS 4.1).
#![cfg(target_os = "linux")]
#![allow(clippy::unused_async, reason = "a task is an `async fn`, whether it waits for anything or not")]

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, SystemClock};
use pushe_tasks::constraint::{Damping, Manual, NetworkConstraint, NetworkReach, NetworkState};
use pushe_tasks::store::{Changes, Look, MemoryStore, Store, StoreError, StoreFacts, Verbs};
use pushe_tasks::{SchedulerBuilder, prelude::*};
use pushe_tasks_tests::deadline::soon;
use pushe_tasks_tests::kernel::{Routes, link_index};
use pushe_tasks_tests::netns::{Veth, in_netns};
use tokio::sync::mpsc;

type Say = mpsc::UnboundedSender<MonoTime>;

/// Says when it began.
#[pushe_task(network = Connected)]
async fn send(_: u32, State(say): State<Say>, State(clock): State<SystemClock>) {
    let _ = say.send(clock.mono());
}

fn measured(line: &str) {
    writeln!(std::io::stderr(), "MEASURED {line}").expect("a place for a measurement");
}

/// The middle one and the one that 99 of 100 do not exceed.
fn percentiles(samples: &mut [Duration]) -> (Duration, Duration) {
    samples.sort();
    (samples[samples.len() / 2], samples[samples.len() * 99 / 100])
}

const SAMPLES: usize = 500;

#[test]
fn from_a_route_to_the_body_takes_three_milliseconds_at_the_median() {
    in_netns("from_a_route_to_the_body_takes_three_milliseconds_at_the_median", || {
        let place = tempfile::tempdir().unwrap().keep();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=256m", "tmpfs"]).arg(&place).status();
        assert!(mount.unwrap().success(), "a tmpfs can be mounted here");
        let link = Veth::up("up0", 0);
        let (routes, index, gateway) = (Routes::new(), link_index("up0"), [10, 99, 0, 2]);
        let _ = link;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let clock = SystemClock::new();
            let (say, mut said) = mpsc::unbounded_channel();
            let builder = TaskScheduler::builder(place.join("tasks.redb")).detached().only::<Send>();
            let builder = builder.state::<Say>(say).state(clock).damping::<NetworkConstraint>(Damping::NONE);
            let scheduler = soon("the start", builder.start()).await.unwrap();
            let (mut samples, mut timer) = (Vec::new(), Vec::new());
            for sample in 0..u32::try_from(SAMPLES).unwrap() {
                let work = Send::schedule(sample).on(&scheduler).await.unwrap();
                let held = async {
                    while !scheduler.explain(work.id()).await.unwrap().to_string().contains("no usable default route") {
                        tokio::task::yield_now().await;
                    }
                };
                soon("work that waits", held).await;
                let before = clock.mono();
                routes.add_default(gateway, index);
                samples.push(soon("a body", said.recv()).await.unwrap().since(before));
                routes.remove_default(gateway, index);
                soon("the work", work.output()).await.unwrap();
                let before = clock.mono();
                clock.sleep_until(before.plus(Duration::from_millis(1))).await;
                timer.push(clock.mono().since(before));
            }
            let (median, late) = percentiles(&mut samples);
            let (_, timer) = percentiles(&mut timer);
            measured(&format!(
                "from a route to the body, {SAMPLES} samples: p50 {median:?}, p99 {late:?}; a bare timer of 1 ms: p99 {timer:?}"
            ));
            assert!(median <= Duration::from_millis(3), "{median:?}");
            assert!(late <= Duration::from_millis(20), "{late:?}");
            scheduler.shutdown(Duration::ZERO).await;
        });
    });
}

/// How often a store was asked for a transaction, and for a look.
#[derive(Clone, Debug, Default)]
struct Counts {
    transactions: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
}

impl Counts {
    fn now(&self) -> (usize, usize) {
        (self.transactions.load(Ordering::SeqCst), self.looks.load(Ordering::SeqCst))
    }
}

/// A store in memory that counts what is asked of it.
struct Counted(MemoryStore, Counts);

impl Store for Counted {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        self.1.transactions.fetch_add(1, Ordering::SeqCst);
        self.0.write(body)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.1.looks.fetch_add(1, Ordering::SeqCst);
        self.0.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.0.facts()
    }
}

const PIECES: u32 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_event_costs_no_look_at_100_000_pieces_that_wait() {
    let (network, counts, clock) =
        (Manual::new(NetworkState::offline()), Counts::default(), SystemClock::new());
    let (say, mut said) = mpsc::unbounded_channel();
    let store = Counted(MemoryStore::new([7; 16]), counts.clone());
    let builder =
        SchedulerBuilder::on_store(Box::new(store)).detached().only::<Send>().state::<Say>(say).state(clock);
    let builder = builder.network_source(network.clone()).damping::<NetworkConstraint>(Damping::NONE);
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let mut last = None;
    for batch in 0..PIECES / 10_000 {
        let pieces = (0..10_000).map(|piece| Send::schedule(batch * 10_000 + piece));
        last = scheduler.schedule_many(pieces).await.unwrap().pop();
    }
    let last = last.unwrap().id();
    let mut events = Vec::new();
    for event in 0..50 {
        let (reach, wanted) = if event % 2 == 0 {
            (NetworkReach::Local, "no usable default route")
        } else {
            (NetworkReach::Offline, "no network link is up")
        };
        let before = (clock.mono(), counts.now());
        network.set(NetworkState::reaching(reach));
        let mut questions = 0;
        let known = async {
            loop {
                questions += 1;
                if scheduler.explain(last).await.unwrap().to_string().contains(wanted) {
                    return;
                }
            }
        };
        soon(wanted, known).await;
        events.push(clock.mono().since(before.0));
        // Each question looks at its piece; the event itself asks for nothing.
        assert_eq!(counts.now(), (before.1.0, before.1.1 + questions));
    }
    let (median, late) = percentiles(&mut events);
    measured(&format!(
        "an event that starts nothing, {PIECES} waiting: p50 {median:?}, p99 {late:?}, no transaction"
    ));
    assert!(median < Duration::from_millis(5), "{median:?}");

    let mut starts = Vec::new();
    for _ in 0..9 {
        let before = (clock.mono(), counts.now());
        network.set(NetworkState::routed());
        starts.push(soon("a body", said.recv()).await.unwrap().since(before.0));
        let (transactions, looks) = counts.now();
        let (transactions, looks) = (transactions - before.1.0, looks - before.1.1);
        // One claims; on a busy machine the ends of the first bodies may be in already.
        assert!(transactions <= 64 && looks == 0, "{transactions} transactions, {looks} looks");
        network.set(NetworkState::offline());
        let quiet = async {
            while scheduler.health().await.unwrap().running > 0
                || !scheduler.explain(last).await.unwrap().to_string().contains("no network link is up")
            {
                tokio::task::yield_now().await;
            }
        };
        soon("quiet", quiet).await;
        while said.try_recv().is_ok() {}
    }
    let (median, late) = percentiles(&mut starts);
    measured(&format!("an event that starts the first of {PIECES}: p50 {median:?}, longest {late:?} of 9"));
    assert!(median < Duration::from_millis(5), "{starts:?}");
    scheduler.shutdown(Duration::ZERO).await;
}

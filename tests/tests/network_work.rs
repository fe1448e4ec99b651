//! Work that needs a network, against the kernel, each test in a namespace of its own (SEMANTICS 1.10, 1.17, 9.3).
#![cfg(target_os = "linux")]

use std::future::Future;
use std::io::Write as _;
use std::sync::{Arc, Mutex, mpsc as blocking};
use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, SystemClock};
use pushe_tasks::constraint::{NetworkSource, NetworkState, Reading};
use pushe_tasks::{
    FromTaskContext as _, NetworkType, Obstacle, Outcome, Receipt, RunOn, Schedule, Standing, State,
    StopReason, Task, TaskContext, TaskError, TaskOptions, TaskScheduler, WorkState,
};
use pushe_tasks_tests::deadline::soon;
use pushe_tasks_tests::netns::{Veth, in_netns, ip};
use tokio::sync::mpsc;

/// How long a network must be there before work starts, and be gone before it is stopped.
const RISE: Duration = Duration::from_secs(1);
const FALL: Duration = Duration::from_secs(5);

/// What a body tells the test.
#[derive(Clone, Copy, Debug)]
enum Said {
    Began { attempt: u32, at: MonoTime },
    Asked { why: StopReason, at: MonoTime },
}

/// What bodies are given.
#[derive(Clone)]
struct Stage {
    clock: Arc<SystemClock>,
    say: mpsc::UnboundedSender<Said>,
    /// Where a stubborn body waits for the test.
    gate: Arc<Mutex<Option<blocking::Receiver<()>>>>,
}

impl Stage {
    fn began(&self, cx: &TaskContext) {
        let _ = self.say.send(Said::Began { attempt: cx.attempt(), at: self.clock.mono() });
    }

    async fn asked(&self, cx: &TaskContext) {
        cx.cancellation_token().cancelled().await;
        let why = cx.stop_reason().expect("a body that is asked to stop is told why");
        let _ = self.say.send(Said::Asked { why, at: self.clock.mono() });
    }
}

/// What a body does when it is told to stop.
const OBEY: u32 = 0;
const FINISH: u32 = 1;

/// Succeeds at once, or waits until it is told to stop.
struct Send;

impl Task for Send {
    const NAME: &'static str = "Send";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().network(NetworkType::Connected);
    /// Whether to wait, and what to do then.
    type Input = Option<u32>;
    type Output = u32;

    async fn perform(wait: Option<u32>, cx: TaskContext) -> Result<Outcome<u32>, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.began(&cx);
        let Some(then) = wait else { return Ok(Outcome::Success(cx.attempt())) };
        stage.asked(&cx).await;
        if then == OBEY { Err(TaskError::new("stopped")) } else { Ok(Outcome::Success(then)) }
    }
}

/// Holds its thread, hears that it is to stop, goes on, and succeeds when the test lets it.
struct Stubborn;

impl Task for Stubborn {
    const NAME: &'static str = "Stubborn";
    const OPTIONS: TaskOptions<Self> =
        TaskOptions::new().network(NetworkType::Connected).run_on(RunOn::Blocking);
    type Input = ();
    type Output = String;

    async fn perform((): (), cx: TaskContext) -> Result<Outcome<String>, TaskError> {
        let State(stage) = State::<Stage>::from_task_context(&cx)?;
        stage.began(&cx);
        let gate = stage.gate.lock().unwrap().take();
        let Some(gate) = gate else { return Ok(Outcome::Success("the second body".to_owned())) };
        stage.asked(&cx).await;
        let _ = gate.recv();
        Ok(Outcome::Success("the first body".to_owned()))
    }
}

/// An engine, and what its bodies say.
struct Engine {
    scheduler: TaskScheduler,
    clock: Arc<SystemClock>,
    said: mpsc::UnboundedReceiver<Said>,
}

impl Engine {
    async fn start(stop_grace: Duration, gate: Option<blocking::Receiver<()>>) -> Self {
        let (say, said) = mpsc::unbounded_channel();
        let clock = Arc::new(SystemClock::new());
        let stage = Stage { clock: Arc::clone(&clock), say, gate: Arc::new(Mutex::new(gate)) };
        let builder = TaskScheduler::in_memory().detached().state(stage).stop_grace(stop_grace);
        let builder = builder.register::<Send>().register::<Stubborn>().only::<Send>().only::<Stubborn>();
        Self { scheduler: soon("the start", builder.start()).await.unwrap(), clock, said }
    }

    async fn schedule<T: Task>(&self, input: T::Input) -> Receipt<T> {
        soon("a receipt", Schedule::<T>::new(input).on(&self.scheduler).into_future()).await.unwrap()
    }

    async fn began(&mut self) -> (u32, MonoTime) {
        match soon("a body", self.said.recv()).await.unwrap() {
            Said::Began { attempt, at } => (attempt, at),
            other @ Said::Asked { .. } => panic!("{other:?}"),
        }
    }

    async fn asked(&mut self) -> MonoTime {
        match soon("a stop", self.said.recv()).await.unwrap() {
            Said::Asked { why: StopReason::ConstraintLost, at } => at,
            other => panic!("{other:?}"),
        }
    }

    fn says_nothing(&mut self) {
        assert!(self.said.try_recv().is_err(), "no body runs");
    }

    /// Asks where a piece stands until that is as wanted: a standing has no event of its own.
    async fn stands(&self, work: &Receipt<impl Task>, wanted: impl Fn(&Standing) -> bool) -> Standing {
        let standing = async {
            loop {
                let standing = self.scheduler.explain(work.id()).await.unwrap();
                if wanted(&standing) {
                    return standing;
                }
                tokio::task::yield_now().await;
            }
        };
        soon("a standing", standing).await
    }

    /// Waits until the engine knows that there is no network, and checks that it says so.
    async fn waits_for_network(&self, work: &Receipt<impl Task>) {
        let known = |standing: &Standing| {
            let unread = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Constraint { why, .. } if why == "no reading yet");
            standing.state == WorkState::Enqueued && !standing.obstacles.iter().any(unread)
        };
        let text = self.stands(work, known).await.to_string();
        assert!(text.starts_with("waits for network: Connected ("), "{text}");
        assert!(!text.contains("; for "), "for nothing else: {text}");
    }

    async fn end(self) {
        let report = soon("the shutdown", self.scheduler.shutdown(FALL)).await;
        assert!(report.still_running().is_empty());
    }
}

/// Takes the carrier away and waits until it is gone: the kernel may take its time after `ip` has ended.
async fn carrier_down(link: Veth) {
    link.carrier("down");
    let network = NetworkSource::new(Arc::new(SystemClock::new()));
    let gone = async {
        while network.snapshot() != Reading::Known(NetworkState::offline()) {
            tokio::task::yield_now().await;
        }
    };
    soon("the loss of the carrier", gone).await;
}

/// Runs the body in its namespace, with a link that has a default route.
fn test<F: Future<Output = ()>>(name: &str, body: impl FnOnce(Veth) -> F) {
    in_netns(name, || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let link = Veth::up("up0", 0);
        ip(&format!("route add {}", link.default_route()));
        runtime.expect("a runtime").block_on(body(link));
    });
}

fn measured(line: &str) {
    writeln!(std::io::stderr(), "MEASURED {line}").expect("a place for a measurement");
}

#[test]
fn work_starts_when_the_network_comes() {
    test("work_starts_when_the_network_comes", |link| async move {
        let mut latencies = Vec::new();
        for _ in 0..10 {
            carrier_down(link).await;
            let mut engine = Engine::start(FALL, None).await;
            let work = engine.schedule::<Send>(None).await;
            engine.waits_for_network(&work).await;
            engine.says_nothing();
            let before = engine.clock.mono();
            link.carrier("up");
            let (attempt, at) = engine.began().await;
            latencies.push(at.since(before));
            assert_eq!(attempt, 1);
            assert_eq!(soon("the work", work.output()).await.unwrap(), 1);
            engine.end().await;
        }
        latencies.sort();
        let (first, median, last) = (latencies[0], latencies[5], latencies[9]);
        measured(&format!(
            "from `ip` to the body: shortest {first:?}, median {median:?}, longest {last:?} of 10"
        ));
        assert!(first >= RISE, "the network must hold for {RISE:?} first: {latencies:?}");
        assert!(median <= Duration::from_millis(1_200), "{latencies:?}");
        assert!(last <= Duration::from_secs(2), "{latencies:?}");
    });
}

#[test]
fn s1_10_work_that_loses_the_network_is_stopped_and_its_attempt_given_back() {
    let name = "s1_10_work_that_loses_the_network_is_stopped_and_its_attempt_given_back";
    test(name, |link| async move {
        let mut engine = Engine::start(FALL, None).await;
        let work = engine.schedule::<Send>(Some(OBEY)).await;
        let (attempt, _) = engine.began().await;
        assert_eq!(attempt, 1);
        let before = engine.clock.mono();
        link.carrier("down");
        let after = engine.asked().await.since(before);
        measured(&format!("from `ip` to the stop: {after:?}"));
        assert!(after >= FALL && after <= FALL + Duration::from_secs(1), "{after:?}");
        engine.waits_for_network(&work).await;
        let info = engine.scheduler.info(work.id()).await.unwrap();
        assert_eq!((info.attempt, info.interruptions, info.snoozes), (1, 0, 0));
        engine.says_nothing();
        link.carrier("up");
        assert_eq!(engine.began().await.0, 1, "the attempt was given back");
        engine.end().await;
    });
}

#[test]
fn a_network_that_comes_back_within_the_grace_stops_nothing() {
    test("a_network_that_comes_back_within_the_grace_stops_nothing", |link| async move {
        let mut engine = Engine::start(FALL, None).await;
        let running = engine.schedule::<Send>(Some(OBEY)).await;
        engine.began().await;
        let probe = Schedule::<Send>::new(None).delay("1d").on(&engine.scheduler).await.unwrap();
        link.carrier("down");
        // The kernel and the source take their time: what is scheduled before the engine knows would start.
        let closed = |standing: &Standing| standing.obstacles.len() == 2;
        let text = engine.stands(&probe, closed).await.to_string();
        assert!(text.contains("; for network: Connected ("), "{text}");
        let waiting = engine.schedule::<Send>(None).await;
        // The gate closes at once for what has not started, and the running body goes on.
        engine.waits_for_network(&waiting).await;
        link.carrier("up");
        // It starts a second later; the body that runs has heard nothing.
        assert_eq!(engine.began().await.0, 1);
        let before = engine.clock.mono();
        link.carrier("down");
        // The grace counts anew from the second loss.
        assert!(engine.asked().await.since(before) >= FALL);
        engine.waits_for_network(&running).await;
        engine.end().await;
    });
}

#[test]
fn a_success_within_the_stop_grace_counts() {
    test("a_success_within_the_stop_grace_counts", |link| async move {
        let mut engine = Engine::start(FALL, None).await;
        let work = engine.schedule::<Send>(Some(FINISH)).await;
        engine.began().await;
        link.carrier("down");
        engine.asked().await;
        assert_eq!(soon("the work", work.output()).await.unwrap(), FINISH);
        engine.says_nothing();
        engine.end().await;
    });
}

#[test]
fn s1_17_the_late_result_of_a_body_that_was_given_up_is_fenced() {
    test("s1_17_the_late_result_of_a_body_that_was_given_up_is_fenced", |link| async move {
        let (release, gate) = blocking::channel();
        let mut engine = Engine::start(Duration::from_millis(10), Some(gate)).await;
        let work = engine.schedule::<Stubborn>(()).await;
        assert_eq!(engine.began().await.0, 1);
        link.carrier("down");
        engine.asked().await;
        // It is given up, and its work waits again.
        let standing = engine.stands(&work, |standing| standing.state == WorkState::Enqueued).await;
        let text = standing.to_string();
        assert!(text.contains("network: Connected"), "{text}");
        let own_body = |obstacle: &Obstacle| matches!(obstacle, Obstacle::OwnBody { .. });
        assert!(standing.obstacles.iter().any(own_body), "{text}");
        let health = engine.scheduler.health().await.unwrap();
        assert_eq!(health.zombies, [(work.id(), "Stubborn".to_owned())]);
        link.carrier("up");
        // The network is no obstacle any more; its own body still is, so that never two of them run.
        let own_body = |standing: &Standing| matches!(standing.obstacles[..], [Obstacle::OwnBody { .. }]);
        engine.stands(&work, own_body).await;
        engine.says_nothing();
        release.send(()).unwrap();
        assert_eq!(engine.began().await.0, 1, "the attempt was given back");
        assert_eq!(soon("the work", work.output()).await.unwrap(), "the second body");
        assert!(engine.scheduler.health().await.unwrap().zombies.is_empty());
        engine.end().await;
    });
}

#[test]
fn twenty_flaps_in_two_seconds_stop_a_running_attempt_at_most_once_and_burn_none() {
    let name = "twenty_flaps_in_two_seconds_stop_a_running_attempt_at_most_once_and_burn_none";
    test(name, |link| async move {
        let mut engine = Engine::start(FALL, None).await;
        let work = engine.schedule::<Send>(Some(OBEY)).await;
        engine.began().await;
        let begun = engine.clock.mono();
        for half in 1..=40_u32 {
            link.carrier(if half % 2 == 1 { "down" } else { "up" });
            // The trace is one of real time: 20 times down and up within two seconds.
            engine.clock.sleep_until(begun.plus(Duration::from_millis(50) * half)).await;
        }
        measured(&format!("20 flaps took {:?}", engine.clock.mono().since(begun)));
        engine.says_nothing();
        link.carrier("down");
        engine.asked().await;
        engine.waits_for_network(&work).await;
        engine.says_nothing();
        let info = engine.scheduler.info(work.id()).await.unwrap();
        assert_eq!((info.attempt, info.interruptions, info.snoozes), (1, 0, 0));
        engine.end().await;
    });
}

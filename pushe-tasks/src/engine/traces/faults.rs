//! Sources that fail, and networks that flap (faults 56 and 57).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// A source that breaks in a way of its own; `read` tells what `truth` is, unless it is broken too.
#[derive(Clone)]
struct Broken {
    truth: Manual<NetworkState>,
    watches: Arc<AtomicUsize>,
    how: How,
}

#[derive(Clone)]
enum How {
    /// Every watch says what is so, then panics at the next change.
    Panics,
    /// It never says anything, neither by watch nor by read.
    Silent,
    /// The watch says that there is a network, whatever is so.
    Lies,
    /// The watch says what is so a moment after it has begun, and sleeps through what comes.
    Sleeps,
    /// It has worked; from now on neither watch nor read comes back.
    Dies(Arc<AtomicBool>),
}

impl Source for Broken {
    type Key = ();
    type State = NetworkState;

    async fn read(&self, (): &()) -> Reading<NetworkState> {
        match &self.how {
            How::Silent => std::future::pending().await,
            How::Dies(dead) if dead.load(Ordering::SeqCst) => panic!("on purpose"),
            _ => self.truth.read(&()).await,
        }
    }

    async fn watch(&self, (): (), out: watch::Sender<Reading<NetworkState>>) {
        self.watches.fetch_add(1, Ordering::SeqCst);
        match &self.how {
            How::Silent => std::future::pending().await,
            How::Lies => {
                publish(&out, Reading::Known(NetworkState::routed()));
                std::future::pending::<()>().await;
            }
            How::Dies(dead) if dead.load(Ordering::SeqCst) => {}
            How::Sleeps => {
                tokio_sleep(millis(100)).await;
                publish(&out, self.truth.read(&()).await);
                std::future::pending::<()>().await;
            }
            How::Panics | How::Dies(_) => {
                let (below, mut seen) = watch::channel(Reading::unknown("nothing yet"));
                let mut changes = 0;
                tokio::select! {
                    () = self.truth.watch((), below) => {}
                    () = async {
                        while seen.changed().await.is_ok() {
                            changes += 1;
                            assert!(changes == 1 || matches!(self.how, How::Dies(_)), "on purpose");
                            publish(&out, seen.borrow_and_update().clone());
                        }
                    } => {}
                    () = died(&self.how, &self.truth) => {}
                }
            }
        }
    }
}

/// Ends once the source is to die; it is told by a change of the truth.
async fn died(how: &How, truth: &Manual<NetworkState>) {
    let How::Dies(dead) = how else { return std::future::pending().await };
    let (below, mut seen) = watch::channel(Reading::unknown("nothing yet"));
    tokio::select! {
        () = truth.watch((), below) => {}
        () = async {
            while seen.changed().await.is_ok() && !dead.load(Ordering::SeqCst) {}
        } => {}
    }
}

fn broken(met: bool, how: How) -> (World, Arc<AtomicUsize>) {
    let truth = Manual::new(state(met));
    let watches = Arc::new(AtomicUsize::new(0));
    let source = Broken { truth: truth.clone(), watches: Arc::clone(&watches), how };
    (World::on(met, truth, source, 64), watches)
}

#[test]
fn fault_56_a_source_that_panics_is_begun_again_with_back_off_and_work_goes_on() {
    run(|| async {
        let (world, watches) = broken(true, How::Panics);
        let running = world.schedule(300_000, OnLost::Stop).await;
        world.pass(secs(1)).await;
        assert_eq!(world.ledger.begun(), 1);
        world.set(false);
        // It panics on the loss; a second later a new watch tells of it, and the grace begins.
        world.pass(secs(5)).await;
        assert_eq!(world.ledger.count(Did::Stopped), 0);
        world.pass(millis(1_100)).await;
        assert_eq!(world.ledger.count(Did::Stopped), 1);
        assert_eq!(watches.load(Ordering::SeqCst), 2);
        world.set(true);
        world.pass(secs(10)).await;
        assert_eq!(world.ledger.begun(), 2, "a third watch has told of the gain");
        assert_eq!(world.finish(&[running]).await, 1);
        // All that while nobody spun.
        assert_eq!(watches.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn fault_56_a_source_that_is_silent_counts_as_unknown_after_a_second() {
    run(|| async {
        let (world, _) = broken(true, How::Silent);
        let work = world.schedule(10, OnLost::Stop).await;
        world.pass(millis(900)).await;
        assert_eq!(world.ledger.begun(), 0, "it may still speak");
        // Nothing is known of the network: it is taken for connected, and the task's own retry covers that. The
        // read before the claim, which does not come back either, is waited for one second.
        world.pass(millis(1_200)).await;
        assert_eq!(world.ledger.begun(), 1);
        world.finish(&[work]).await;
    });
}

#[test]
fn fault_56_a_source_that_lies_is_caught_by_the_read_before_the_claim() {
    run(|| async {
        let (world, _) = broken(false, How::Lies);
        let work = world.schedule(10, OnLost::Stop).await;
        world.pass(secs(60)).await;
        assert_eq!(world.ledger.begun(), 0);
        let info = world.scheduler.info(work).await.unwrap();
        assert_eq!((info.attempt, info.interruptions), (1, 0), "nothing is burned");
    });
}

#[test]
fn a_flap_that_the_watch_slept_through_holds_no_work_for_ever() {
    run(|| async {
        let (world, watches) = broken(true, How::Sleeps);
        let first = world.schedule(10, OnLost::Stop).await;
        assert_eq!(world.finish(&[first]).await, 1);
        // The gate is open, and the look before the start finds that there is no network; the watch knows nothing of it.
        world.set(false);
        let second = world.schedule(10, OnLost::Stop).await;
        world.pass(millis(10)).await;
        assert_eq!(world.ledger.begun(), 1);
        // By the time a watch looks there is a network again, so that nothing differs from what was told before.
        world.set(true);
        world.pass(secs(5)).await;
        assert_eq!((world.ledger.begun(), watches.load(Ordering::SeqCst)), (2, 2));
        assert_eq!(world.finish(&[second]).await, 1);
    });
}

#[test]
fn fault_56_the_last_reading_of_a_source_that_died_counts_for_30_s_and_then_work_is_held() {
    run(|| async {
        let dead = Arc::new(AtomicBool::new(false));
        let (world, watches) = broken(true, How::Dies(Arc::clone(&dead)));
        let running = world.schedule(600_000, OnLost::Stop).await;
        world.pass(secs(1)).await;
        assert_eq!(world.ledger.begun(), 1);
        dead.store(true, Ordering::SeqCst);
        world.network.set(NetworkState::routed().metered(crate::constraint::Metered::GuessNo));
        world.pass(secs(29)).await;
        let soon = world.schedule(10, OnLost::Stop).await;
        world.pass(millis(500)).await;
        assert_eq!(world.ledger.begun(), 2, "the last reading still counts");
        world.finish(&[soon]).await;
        world.pass(secs(2)).await;
        let late = world.schedule(10, OnLost::Stop).await;
        world.pass(secs(10)).await;
        assert_eq!(world.ledger.begun(), 2);
        assert_eq!(world.ledger.count(Did::Stopped), 1, "after the grace running work is stopped");
        let text = world.scheduler.explain(late).await.unwrap().to_string();
        assert!(text.contains("network: Connected (the watch has ended"), "{text}");
        assert!(watches.load(Ordering::SeqCst) < 10, "it is begun again with back-off");
        dead.store(false, Ordering::SeqCst);
        world.pass(secs(90)).await;
        assert!(world.ledger.begun() >= 4, "it is back");
        assert_eq!(world.finish(&[running, late]).await, 1);
    });
}

#[test]
fn fault_57_a_thousand_flaps_a_second_stop_a_running_attempt_at_most_once_and_burn_none() {
    for ends_met in [true, false] {
        run(|| async move {
            let world = World::start(true);
            let running = world.schedule(200_000, OnLost::Stop).await;
            world.pass(secs(1)).await;
            let waiting = world.schedule(10, OnLost::Stop).await;
            world.pass(millis(1)).await;
            for toggle in 0..10_000 {
                world.set(toggle % 2 == 1);
                world.pass(millis(1)).await;
            }
            assert_eq!(world.ledger.count(Did::Stopped), 0, "no loss lasted for the grace");
            world.set(ends_met);
            world.pass(secs(29)).await;
            assert_eq!(world.ledger.count(Did::Stopped), usize::from(!ends_met));
            let begun = world.ledger.begun();
            assert_eq!(begun, 2, "what was ready before the storm; nothing begins within the long rise");
            let text = world.schedule(10, OnLost::Stop).await;
            world.set(true);
            let all = [running, waiting, text];
            assert_eq!(world.finish(&all).await, 1, "no attempt is burned");
            assert_eq!(world.ledger.count(Did::Stopped), usize::from(!ends_met));
            for id in all {
                assert_eq!(world.scheduler.info(id).await.unwrap().interruptions, 0);
            }
        });
    }
}

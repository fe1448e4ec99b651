//! Random traces of a network against what the constraint promises.

use super::*;

/// How a trace behaves: mostly calm, or flapping.
fn step(random: &mut fastrand::Rng) -> Duration {
    let longest = [50_000, 900_000, 4_000_000, 40_000_000][random.usize(0..4)];
    Duration::from_micros(random.u64(1..longest))
}

/// The raw state over time: since when it was so.
struct Truth(Vec<(Duration, bool)>);

impl Truth {
    /// What was so at that moment, and since when.
    fn at(&self, moment: Duration) -> (bool, Duration) {
        let (since, met) = *self.0.iter().rfind(|(since, _)| *since <= moment).expect("a beginning");
        (met, since)
    }

    /// Whether something changed at that very moment, so that either answer is right.
    fn changes_at(&self, moment: Duration) -> bool {
        self.0.iter().any(|(since, _)| *since == moment)
    }
}

/// One trace; answers how many attempts it stopped and how many starts had to wait for a plain rise.
async fn trace(seed: u64) -> (usize, usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let begins = random.bool();
    let world = World::start(begins);
    let mut work = Vec::new();
    // It runs through the whole trace, so that the network is watched at every moment.
    let anchor = world.schedule(u64::MAX, OnLost::Stop).await;
    for _ in 0..random.usize(1..5) {
        work.push(world.schedule(random.u64(0..20_000), OnLost::Stop).await);
    }
    let now = || world.ledger.clock.mono().since_origin();
    let mut truth = Truth(vec![(Duration::ZERO, begins)]);
    for _ in 0..random.usize(1..40) {
        world.pass(step(&mut random)).await;
        let met = random.bool();
        if truth.0.last().is_some_and(|(_, last)| *last != met) {
            truth.0.push((now(), met));
        }
        world.set(met);
        if random.u8(0..6) == 0 {
            work.push(world.schedule(random.u64(0..20_000), OnLost::Stop).await);
        }
    }
    if !truth.at(now()).0 {
        world.pass(step(&mut random)).await;
        truth.0.push((now(), true));
        world.set(true);
    }
    // The longest rise is 30 s.
    world.pass(secs(31)).await;
    let begun = world.ledger.all();
    let waiting = begun.iter().filter(|(_, did, _)| matches!(did, Did::Began { .. })).count();
    assert!(waiting > work.len(), "seed {seed}: what waited has not begun: {begun:?}");
    assert_eq!(world.scheduler.info(anchor).await.unwrap().attempt, 1, "seed {seed}");
    world.scheduler.cancel(anchor).await.unwrap();
    assert_eq!(world.finish(&work).await, 1, "seed {seed}: a stop costs no attempt");
    judge(seed, &world.ledger.all(), &truth)
}

fn judge(seed: u64, entries: &[(Duration, Did, bool)], truth: &Truth) -> (usize, usize) {
    let (mut stops, mut rises) = (0, 0);
    let last = entries.iter().rfind(|(_, did, _)| *did == Did::Stopped).map_or(secs(0), |(at, ..)| *at);
    for &(at, did, raw) in entries {
        let (met, since) = truth.at(at);
        match did {
            Did::Began { attempt } => {
                assert_eq!(attempt, 1, "seed {seed}");
                assert!(
                    raw || truth.changes_at(at),
                    "seed {seed}: begun at {at:?} while not met: {:?}",
                    truth.0
                );
                // Where it was not met at first, a gain has to last for the rise.
                if met && !truth.changes_at(at) && since > Duration::ZERO {
                    let lasted = at.saturating_sub(since);
                    assert!(lasted + millis(1) >= RISE, "seed {seed}: begun {lasted:?} after the gain");
                    rises += usize::from(lasted <= RISE + millis(2));
                }
            }
            Did::Stopped => {
                if at == last {
                    // The anchor, which the test has cancelled.
                    continue;
                }
                stops += 1;
                let lasted = at.saturating_sub(since);
                assert!(!met || truth.changes_at(at), "seed {seed}: stopped while met");
                assert!(lasted + millis(1) >= FALL, "seed {seed}: stopped {lasted:?} after the loss");
            }
            Did::Ended => {}
        }
    }
    (stops, rises)
}

#[test]
fn no_random_trace_breaks_what_the_constraint_promises() {
    let (mut stops, mut rises) = (0, 0);
    for seed in 0..600 {
        run(|| async {
            let (stopped, rose) = trace(seed).await;
            stops += stopped;
            rises += rose;
        });
    }
    // The traces do what they are meant to: many stop something, and many starts come right after the rise.
    assert!(stops > 100 && rises > 100, "{stops} stops, {rises} starts right after the rise");
}

#[test]
fn after_the_rise_the_work_begins_at_once() {
    run(|| async {
        let world = World::start(false);
        let work = world.schedule(10, OnLost::Stop).await;
        world.pass(secs(3)).await;
        world.set(true);
        world.pass(millis(999)).await;
        assert_eq!(world.ledger.begun(), 0);
        world.pass(millis(2)).await;
        assert_eq!(world.ledger.begun(), 1);
        world.finish(&[work]).await;
    });
}

#[test]
fn a_flap_shorter_than_the_grace_stops_nothing_and_a_longer_one_once() {
    run(|| async {
        let world = World::start(true);
        let work = world.schedule(60_000, OnLost::Stop).await;
        world.pass(secs(1)).await;
        world.set(false);
        world.pass(millis(4_990)).await;
        world.set(true);
        world.pass(secs(5)).await;
        assert_eq!(world.ledger.count(Did::Stopped), 0);
        world.set(false);
        world.pass(millis(5_010)).await;
        assert_eq!(world.ledger.count(Did::Stopped), 1);
        world.set(true);
        assert_eq!(world.finish(&[work]).await, 1);
        assert_eq!(world.ledger.count(Did::Stopped), 1);
    });
}

#[test]
fn on_lost_finish_lets_an_attempt_end_and_starts_no_other() {
    run(|| async {
        let world = World::start(true);
        let goes_on = world.schedule(30_000, OnLost::Finish).await;
        world.pass(secs(1)).await;
        world.set(false);
        let waits = world.schedule(10, OnLost::Finish).await;
        world.finish(&[goes_on]).await;
        assert_eq!((world.ledger.begun(), world.ledger.count(Did::Stopped)), (1, 0));
        world.set(true);
        world.finish(&[waits]).await;
    });
}

#[test]
fn more_than_three_flips_a_minute_double_the_rise_for_work_too() {
    run(|| async {
        let world = World::start(true);
        let first = world.schedule(1, OnLost::Stop).await;
        world.finish(&[first]).await;
        for _ in 0..2 {
            world.set(false);
            world.pass(millis(100)).await;
            world.set(true);
            world.pass(millis(100)).await;
        }
        // Four changes within a minute: the second gain has to last for two seconds, of which 100 ms have passed.
        let work = world.schedule(1, OnLost::Stop).await;
        world.pass(millis(1_890)).await;
        assert_eq!(world.ledger.begun(), 1);
        world.pass(millis(20)).await;
        assert_eq!(world.ledger.begun(), 2);
        world.finish(&[work]).await;
    });
}

#[test]
fn truth_is_looked_up_by_time() {
    let truth = Truth(vec![(secs(0), true), (secs(2), false)]);
    assert_eq!(truth.at(secs(1)), (true, secs(0)));
    assert_eq!(truth.at(secs(2)), (false, secs(2)));
    assert!(truth.changes_at(secs(2)) && !truth.changes_at(secs(1)));
}

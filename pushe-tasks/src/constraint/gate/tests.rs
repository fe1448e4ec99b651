//! Tables of traces, and random traces against the rules themselves.

use std::time::Duration;

use super::*;

const NETWORK: Damping = Damping { rise: Duration::from_secs(1), fall: Duration::from_secs(5) };

fn at(millis: u64) -> MonoTime {
    MonoTime::from_origin(Duration::from_millis(millis))
}

fn verdict(met: bool) -> Verdict {
    if met { Verdict::met() } else { Verdict::hold("down") }
}

/// Feeds `(moment, met)` and looks at `(moment, open, stop due)`.
fn check(damping: Damping, trace: &[(u64, bool)], expected: &[(u64, bool, bool)]) {
    for &(moment, open, stop) in expected {
        let mut gate = Gate::new(damping, at(0));
        for &(told, met) in trace.iter().filter(|(told, _)| *told <= moment) {
            gate.observe(&verdict(met), at(told));
        }
        assert_eq!(gate.is_open(at(moment)), open, "open at {moment} of {trace:?}");
        assert_eq!(gate.stop_due(at(moment)), stop, "stop at {moment} of {trace:?}");
    }
}

#[test]
fn a_gate_that_heard_nothing_is_closed() {
    check(NETWORK, &[], &[(0, false, false), (60_000, false, false)]);
    let gate = Gate::new(NETWORK, at(7));
    assert_eq!(gate.state(at(9)), GateState::Closed { why: "no reading yet", since: at(7) });
    assert_eq!(gate.next_change(at(9)), None);
}

#[test]
fn the_first_verdict_acts_without_the_rise() {
    check(NETWORK, &[(300, true)], &[(299, false, false), (300, true, false)]);
}

#[test]
fn a_start_without_the_constraint_waits_for_the_rise() {
    check(
        NETWORK,
        &[(0, false), (400, true)],
        &[(400, false, false), (1_399, false, false), (1_400, true, false)],
    );
}

#[test]
fn a_loss_closes_at_once_and_stops_after_the_fall() {
    check(
        NETWORK,
        &[(0, true), (1_000, false)],
        &[(999, true, false), (1_000, false, false), (5_999, false, false), (6_000, false, true)],
    );
}

#[test]
fn a_gain_that_does_not_last_opens_nothing() {
    let trace = [(0, false), (100, true), (600, false), (1_100, true)];
    check(NETWORK, &trace, &[(1_099, false, false), (2_099, false, false), (2_100, true, false)]);
}

#[test]
fn a_fall_without_end_never_stops() {
    let damping = Damping { rise: Duration::ZERO, fall: Duration::MAX };
    check(damping, &[(0, true), (1, false)], &[(1, false, false), (u64::MAX, false, false)]);
    let mut gate = Gate::new(damping, at(0));
    gate.observe(&verdict(false), at(1));
    assert_eq!(gate.next_change(at(1)), None);
}

#[test]
fn without_damping_every_change_acts_at_once_however_often() {
    let trace: Vec<_> = (0..200).map(|i| (i * 10, i % 2 == 0)).collect();
    let expected: Vec<_> = (0..200).map(|i| (i * 10, i % 2 == 0, i % 2 == 1)).collect();
    check(Damping::NONE, &trace, &expected);
}

/// The rise that each gain of a trace of flaps had to wait for, in milliseconds.
fn rises(flaps: &[(u64, u64)]) -> Vec<u64> {
    let mut gate = Gate::new(NETWORK, at(0));
    gate.observe(&verdict(true), at(0));
    let rise = |(lost, gained): &(u64, u64)| {
        gate.observe(&verdict(false), at(*lost));
        gate.observe(&verdict(true), at(*gained));
        let opens = gate.next_change(at(*gained)).expect("a gain waits");
        u64::try_from(opens.since(at(*gained)).as_millis()).expect("a short rise")
    };
    flaps.iter().map(rise).collect()
}

#[test]
fn flapping_doubles_the_rise_up_to_its_limit_and_calm_resets_it() {
    let flaps: Vec<_> = (0..8).map(|i| (i * 2_000 + 1_000, i * 2_000 + 1_500)).collect();
    assert_eq!(rises(&flaps), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);

    let slow: Vec<_> = (0..8).map(|i| (i * 61_000 + 1_000, i * 61_000 + 1_500)).collect();
    assert_eq!(rises(&slow), [1_000; 8], "few changes a minute are free");

    let calm = [(1_000, 1_500), (2_000, 2_500), (302_499, 302_500), (602_500, 602_501)];
    assert_eq!(rises(&calm), [1_000, 2_000, 2_000, 1_000], "five minutes without a change reset");
}

#[test]
fn the_reason_is_the_newest_and_its_time_that_of_the_closing() {
    let mut gate = Gate::new(NETWORK, at(0));
    gate.observe(&verdict(true), at(10));
    gate.observe(&Verdict::hold("no carrier"), at(20));
    gate.observe(&Verdict::hold("no route"), at(30));
    assert_eq!(gate.state(at(40)), GateState::Closed { why: "no route", since: at(20) });
    gate.observe(&verdict(true), at(50));
    let waiting = GateState::Closed { why: "met; must hold for 1s first", since: at(20) };
    assert_eq!(gate.state(at(60)), waiting);
    assert_eq!(gate.next_change(at(60)), Some(at(1_050)));
    assert_eq!(gate.state(at(1_050)), GateState::Open);
}

/// Random traces, looked at every few milliseconds, against the rules as the text of this module states them.
#[test]
fn random_traces_keep_the_rules() {
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let damping = Damping {
            rise: Duration::from_millis(random.u64(0..3_000)),
            fall: Duration::from_millis(random.u64(0..6_000)),
        };
        let calmness = [50, 500, 5_000, 60_000][random.usize(0..4)];
        let mut gate = Gate::new(damping, at(0));
        let (mut now, mut since, mut told, mut changes) = (0_u64, 0_u64, None, 0_u32);
        for _ in 0..random.usize(1..60) {
            now += random.u64(0..calmness);
            let met = random.bool();
            if told != Some(met) {
                since = now;
                changes += 1;
            }
            told = Some(met);
            gate.observe(&verdict(met), at(now));
            for _ in 0..random.usize(0..6) {
                now += random.u64(0..calmness);
                let lasted = Duration::from_millis(now - since);
                let (open, stop) = (gate.is_open(at(now)), gate.stop_due(at(now)));
                assert!(!open || met, "seed {seed}: open while not met at {now}");
                assert!(!stop || (!met && lasted >= damping.fall), "seed {seed}: stopped too early at {now}");
                assert!(met || lasted < damping.fall || stop, "seed {seed}: not stopped at {now}");
                let longest = LONGEST_RISE.max(damping.rise);
                assert!(!met || lasted < longest || open, "seed {seed}: still closed at {now}");
                if changes == 1 || (changes <= 4 && lasted >= damping.rise) {
                    assert_eq!(open, met, "seed {seed}: the plain rise at {now}");
                }
                if changes > 1 && lasted < damping.rise {
                    assert!(!open, "seed {seed}: open within the rise at {now}");
                }
                let same = |later| (gate.is_open(later), gate.stop_due(later)) == (open, stop);
                match gate.next_change(at(now)) {
                    Some(next) => {
                        let before = MonoTime::from_origin(
                            next.since_origin().saturating_sub(Duration::from_nanos(1)),
                        );
                        assert!(next > at(now) && same(before) && !same(next), "seed {seed}: {next:?}");
                    }
                    None => assert!(same(at(now + 3_600_000)), "seed {seed}: changes untold after {now}"),
                }
            }
        }
    }
}

#[test]
fn a_loss_that_acts_at_once_does_not_wait_for_the_fall() {
    let mut gate = Gate::new(NETWORK, at(0));
    gate.observe(&verdict(true), at(0));
    assert!(!gate.has_held());
    gate.observe(&verdict(false), at(100));
    assert!(gate.has_held() && !gate.stop_due(at(100)));
    gate.observe(&Verdict::hold("metered").at_once(), at(200));
    assert!(gate.stop_due(at(200)) && gate.has_held());
    assert_eq!(gate.next_change(at(200)), None);
    let mut never = Gate::new(Damping { fall: Duration::MAX, ..NETWORK }, at(0));
    never.observe(&Verdict::hold("metered").at_once(), at(100));
    assert!(!never.stop_due(at(u64::MAX)));
}

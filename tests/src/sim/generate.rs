//! From a seed to a script: every seed draws a profile first, so that scripts differ in kind and not only in order.

use super::random::Random;
use super::script::{At, Call, Crash, End, Mode, Op, Policy, Script, Step, Trouble};
use super::source::{Reads, Watches};

/// What a seed makes likely.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
struct Profile {
    keys: u64,
    /// Cases in a hundred.
    with_key: u64,
    with_network: u64,
    one_policy: Option<Policy>,
    misbehaves: u64,
    largest: u64,
    faults: bool,
    clocks: bool,
    rot: bool,
    crash: u64,
    dies: bool,
    slow: u64,
}

impl Profile {
    fn draw(random: &mut Random) -> Self {
        let policies = [None, None, Some(Policy::Keep), Some(Policy::Replace), Some(Policy::Append)];
        Self {
            keys: 1 + random.below(4),
            with_key: *random.pick(&[30, 60, 90]),
            with_network: *random.pick(&[0, 20, 60]),
            one_policy: *random.pick(&policies),
            misbehaves: *random.pick(&[10, 30, 60]),
            largest: *random.pick(&[32, 512, 12_000]),
            faults: random.percent(60),
            clocks: random.percent(40),
            rot: random.percent(30),
            crash: *random.pick(&[6, 12, 25]),
            dies: random.percent(30),
            slow: *random.pick(&[50, 2_000, 60_000]),
        }
    }
}

/// The script of this seed.
pub fn script(seed: u64) -> Script {
    let mut random = Random::new(seed ^ 0x5eed_0f5c_1a9d);
    let profile = Profile::draw(&mut random);
    let max_running = 1 + small(random.below(8));
    let mode = if random.percent(50) { Mode::Liveness } else { Mode::Safety };
    let mut ops = Vec::new();
    if random.percent(10) {
        ops.push(Op::CrashInCreation(crash(&mut random), number(random.below(90))));
    }
    for _ in 0..20 + random.below(40) {
        ops.push(op(&mut random, &profile));
    }
    // From a stream of its own: it adds to what the seed has always meant.
    let mut random = Random::new(seed ^ 0xf1a9_50c3_4b1d);
    if random.percent(35) {
        for _ in 0..=random.below(5) {
            let at = small(random.below(ops.len() as u64 + 1));
            ops.splice(at..at, trouble_on_the_network(&mut random, &profile));
        }
    }
    Script { seed, mode, max_running, ops }
}

/// Something happens to the network or to its source, mostly while a body runs on it.
fn trouble_on_the_network(random: &mut Random, profile: &Profile) -> Vec<Op> {
    let trouble = source_op(random);
    if random.percent(30) {
        return vec![trouble];
    }
    let step =
        Step { wait: number(2_000 + random.below(90_000)), obeys: random.percent(80), end: End::Success };
    let body = Call { network: true, key: None, delay: 0, plan: vec![step], ..call(random, profile) };
    let mut ops = vec![Op::Network(true), Op::Schedule(body)];
    // A network that has come holds for a second, or longer where it flaps.
    ops.push(Op::Advance(number(random.below(*random.clone().pick(&[1, 2_000, 31_000])))));
    ops.push(trouble);
    if random.percent(40) {
        ops.push(Op::Network(random.percent(30)));
    }
    ops.push(Op::Advance(number(random.below(90_000))));
    ops
}

fn source_op(random: &mut Random) -> Op {
    if random.percent(30) {
        return Op::Storm(short(20 + random.below(200)));
    }
    let watches =
        [Watches::Tell, Watches::Tell, Watches::End, Watches::Panic, Watches::AreSilent, Watches::Lie];
    let reads = [Reads::Tell, Reads::Tell, Reads::Tell, Reads::Panic, Reads::Hang, Reads::Lie];
    Op::Source(*random.pick(&watches), *random.pick(&reads))
}

fn small(number: u64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn number(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn short(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn byte(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn op(random: &mut Random, profile: &Profile) -> Op {
    if random.percent(profile.crash) {
        return crash_op(random, profile);
    }
    if profile.faults && random.percent(12) {
        return fault_op(random);
    }
    if profile.clocks && random.percent(12) {
        let hours = [60_000, 3_600_000, 30 * 3_600_000, 400 * 24 * 3_600_000_i64];
        return match random.below(3) {
            0 => Op::Jump(*random.pick(&hours)),
            1 => Op::Jump(-random.pick(&hours)),
            _ => Op::Suspend(number(random.below(8 * 3_600_000))),
        };
    }
    if profile.rot && random.percent(4) {
        return Op::Rot(short(random.below(64)), byte(random.below(256)));
    }
    match random.below(100) {
        0..28 => Op::Schedule(call(random, profile)),
        28..38 => {
            let key = byte(random.below(profile.keys));
            let policy = policy(random, profile);
            let calls = (0..2 + random.below(4)).map(|_| {
                let call = call(random, profile);
                if random.percent(80) { Call { key: Some(key), policy, ..call } } else { call }
            });
            Op::Race(calls.collect())
        }
        38..42 => {
            let task = byte(random.below(3));
            let calls = (0..2 + random.below(4)).map(|_| Call { task, ..call(random, profile) });
            Op::Many(calls.collect())
        }
        42..48 => Op::Cancel(short(random.below(64))),
        48..51 => Op::CancelKey(byte(random.below(profile.keys))),
        51..54 => Op::CancelRace(short(random.below(64)), call(random, profile)),
        54..59 => Op::Wait(short(random.below(64))),
        59..62 => Op::Look(short(random.below(64))),
        62..82 => Op::Advance(number(random.below(*random.clone().pick(&[10, 1_000, 40_000, 900_000])))),
        82..84 => Op::Days(byte(1 + random.below(9))),
        84..91 => Op::Network(random.percent(60)),
        91..93 => Op::Flap(byte(2 + random.below(9))),
        93..98 => Op::Shutdown(number(random.below(15_000)), call(random, profile)),
        _ => Op::WithoutTask,
    }
}

fn crash(random: &mut Random) -> Crash {
    if random.percent(50) { Crash::Kill } else { Crash::PowerCut }
}

fn crash_op(random: &mut Random, profile: &Profile) -> Op {
    let crash = crash(random);
    match random.below(20) {
        0 => return Op::CrashInRecovery(crash, number(random.below(60))),
        1 if profile.faults => return Op::CrashInReopen(crash, number(random.below(60))),
        _ => {}
    }
    let at = match random.below(10) {
        0..3 => At::Now,
        3..6 => At::Call(number(random.below(60))),
        6 => At::BeforeCommit(byte(random.below(4))),
        7 | 8 => At::AfterCommit(byte(random.below(4))),
        _ => At::BodyEnd,
    };
    Op::Crash(crash, at)
}

fn fault_op(random: &mut Random) -> Op {
    match random.below(10) {
        0 | 1 => Op::Full(byte(random.below(40))),
        2..4 => Op::Heal,
        _ => {
            let trouble = *random.pick(&[
                Trouble::Sync,
                Trouble::Sync,
                Trouble::SyncDone,
                Trouble::Write,
                Trouble::Read,
                Trouble::SetLen,
                Trouble::Any,
            ]);
            let lasts = *random.pick(&[1, 1, 1, 2, 5, 0]);
            Op::Fault(trouble, byte(random.below(6)), lasts)
        }
    }
}

fn policy(random: &mut Random, profile: &Profile) -> Policy {
    let drawn = *random.pick(&[Policy::Keep, Policy::Replace, Policy::Append]);
    profile.one_policy.unwrap_or(drawn)
}

fn call(random: &mut Random, profile: &Profile) -> Call {
    let key = random.percent(profile.with_key).then(|| byte(random.below(profile.keys)));
    let timeout = random.percent(20).then(|| number(1 + random.below(30_000)));
    Call {
        task: byte(random.below(3)),
        key,
        policy: policy(random, profile),
        network: random.percent(profile.with_network),
        delay: if random.percent(25) { number(random.below(60_000)) } else { 0 },
        attempts: random.percent(50).then(|| number(1 + random.below(4))),
        backoff: number(1 + random.below(60_000)),
        timeout,
        own_id: random.percent(70),
        filler: short(random.below(profile.largest)),
        plan: (0..random.below(4)).map(|_| step(random, profile)).collect(),
    }
}

fn step(random: &mut Random, profile: &Profile) -> Step {
    let wait = if random.percent(40) { 0 } else { number(random.below(profile.slow)) };
    let end = if random.percent(profile.misbehaves) {
        match random.below(if profile.dies { 12 } else { 11 }) {
            0..3 => End::Retry,
            3 => End::RetryAfter(number(random.below(90_000))),
            4 => End::Fail,
            5..7 => End::Snooze(number(random.below(60_000))),
            7..9 => End::Panic,
            9 | 10 => End::Child,
            _ => End::Die,
        }
    } else {
        End::Success
    };
    Step { wait, obeys: random.percent(70), end }
}

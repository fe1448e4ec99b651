//! The targets: what floor and aim ask of each ratio or figure.

use pushe_tasks_bench_protocol::Phase;

use super::rounds::Round;
use super::sides::SideName;
use super::stats::{Ratio, ratio, values};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

/// One target and how it was met.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) what: String,
    pub(super) value: Option<Ratio>,
    pub(super) better: Better,
    pub(super) floor: f64,
    pub(super) aim: f64,
}

impl Verdict {
    pub(super) fn meets(&self, bound: f64) -> Option<bool> {
        let value = self.value?.median;
        Some(match self.better {
            Better::More => value >= bound,
            Better::Less => value <= bound,
        })
    }
}

/// A ratio against another side.
struct Against {
    phase: Phase,
    figure: &'static str,
    side: &'static str,
    better: Better,
    floor: f64,
    aim: f64,
}

/// More is better.
const fn more(phase: Phase, side: &'static str, floor: f64, aim: f64) -> Against {
    Against { phase, figure: "per_second", side, better: Better::More, floor, aim }
}

/// Less is better.
const fn less(phase: Phase, figure: &'static str, side: &'static str, floor: f64, aim: f64) -> Against {
    Against { phase, figure, side, better: Better::Less, floor, aim }
}

const RATIOS: &[Against] = &[
    more(Phase::A, "bare redb", 0.70, 0.85),
    more(Phase::A, "effectum", 1.5, 2.0),
    more(Phase::B, "bare redb", 0.75, 0.95),
    more(Phase::B, "effectum", 2.0, 3.0),
    more(Phase::C, "bare redb", 0.75, 1.0),
    more(Phase::C, "effectum", 1.8, 2.5),
    more(Phase::D, "effectum", 3.0, 5.0),
    more(Phase::D, "effectum-wal", 1.5, 2.5),
    more(Phase::D, "apalis-sqlite", 100.0, 250.0),
    less(Phase::E, "p50_us", "bare redb", 3.0, 1.8),
    less(Phase::E, "p50_us", "effectum", 1.0 / 2.0, 1.0 / 3.5),
    more(Phase::G, "effectum", 3.5, 6.0),
    more(Phase::G, "effectum-wal", 1.8, 3.0),
    less(Phase::G, "cpu_us", "effectum", 0.35, 0.2),
];

/// Of our side alone.
const FIGURES: &[(Phase, &str, &str, Better, f64, f64)] = &[
    (Phase::F, "growth_mb", "MB of memory at a million waiting", Better::Less, 48.0, 32.0),
    (Phase::F, "bytes_a_piece", "bytes of the file a waiting piece", Better::Less, 400.0, 300.0),
    (Phase::F, "open_clean_s", "s to open with a million waiting, closed in order", Better::Less, 1.0, 0.3),
    (Phase::F, "open_crashed_s", "s to open with a million waiting, after a crash", Better::Less, 2.0, 1.0),
    (
        Phase::H,
        "empty_claim_us",
        "us of a claim that finds nothing among a million",
        Better::Less,
        200.0,
        50.0,
    ),
    (Phase::I, "growth_percent", "% growth of the file under churn", Better::Less, 10.0, 0.0),
];

/// Cost at five million waiting by that at ten thousand, of our side.
const GROWTHS: &[(&str, &str, f64, f64)] = &[
    ("a_per_second_10000", "a_per_second_5000000", 2.0, 1.5),
    ("c_per_second_10000", "c_per_second_5000000", 2.0, 1.5),
    ("d_per_second_10000", "d_per_second_5000000", 2.0, 1.5),
    ("memory_mb_5000000", "memory_mb_1000000", 1.2, 1.2),
];

pub(super) fn judge(rounds: &[Round]) -> Vec<Verdict> {
    let measured = |phase| rounds.iter().flat_map(|round| &round.runs).any(|run| run.phase == phase);
    let mut verdicts = Vec::new();
    for target in RATIOS.iter().filter(|target| measured(target.phase)) {
        let side =
            if target.side == "bare redb" { SideName::Raw } else { SideName::Peer(target.side.to_owned()) };
        let value = ratio(rounds, target.phase, target.figure, &side);
        let what = format!("{} {} by {}", target.phase.letter(), target.figure, target.side);
        let Against { better, floor, aim, .. } = *target;
        verdicts.push(Verdict { what, value, better, floor, aim });
    }
    for (phase, name, what, better, floor, aim) in FIGURES.iter().filter(|figure| measured(figure.0)) {
        let value = Ratio::of(&values(rounds, *phase, &SideName::Ours, name));
        let what = format!("{} {what}", phase.letter());
        verdicts.push(Verdict { what, value, better: *better, floor: *floor, aim: *aim });
    }
    if measured(Phase::H) {
        for (over, under, floor, aim) in GROWTHS {
            let first = |name| values(rounds, Phase::H, &SideName::Ours, name).first().copied();
            let value = first(over).zip(first(under)).map(|(over, under)| over / under.max(1e-9));
            let value = value.and_then(|value| Ratio::of(&[value]));
            let what = format!("h {over} by {under}");
            verdicts.push(Verdict { what, value, better: Better::Less, floor: *floor, aim: *aim });
        }
    }
    let runs = || rounds.iter().flat_map(|round| &round.runs).filter(|run| run.side.is_ours());
    for (what, count) in [
        ("pieces lost", runs().map(|run| run.said.lost).sum::<u64>()),
        ("pieces run twice", runs().map(|run| run.said.twice).sum::<u64>()),
    ] {
        let value = Ratio::of(&[count as f64]);
        verdicts.push(Verdict { what: what.to_owned(), value, better: Better::Less, floor: 0.0, aim: 0.0 });
    }
    verdicts
}

//! What `compare` says: for people, and for machines.

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use serde_json::{Value, json};

use super::rounds::Round;
use super::stats::{median, values};
use super::targets::{Better, Verdict};

/// Figures that are shown for every phase, in this order; all others only in JSON or for phases that run once.
const SHOWN: &[&str] = &["per_second", "p50_us", "p99_us", "open_loop_p50_us", "open_loop_p99_us", "cpu_us"];

pub(super) fn text(rounds: &[Round], verdicts: &[Verdict]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "machine: {}", machine())?;
    for (number, round) in rounds.iter().enumerate() {
        let noisy = if round.noisy { ", NOISY: left out of the ratios" } else { "" };
        writeln!(out, "round {}: {:.0} syncs of 4 KiB a second{noisy}", number + 1, round.syncs_per_second)?;
    }
    let runs = || rounds.iter().flat_map(|round| &round.runs);
    writeln!(out, "\ndurability in force, as each side read it back:")?;
    let said: BTreeSet<_> = runs().map(|run| (run.side.text(), run.said.durability.as_str())).collect();
    for (side, durability) in said {
        writeln!(out, "  {side:14} {durability}")?;
    }
    writeln!(out, "\nmedians:")?;
    let measured: BTreeSet<_> = runs().map(|run| (run.phase, &run.side)).collect();
    for (phase, side) in measured {
        let of_side = || runs().filter(|run| run.phase == phase && run.side == *side);
        let (lost, twice) =
            of_side().fold((0, 0), |sum, run| (sum.0 + run.said.lost, sum.1 + run.said.twice));
        write!(out, "  {} {:14}", phase.letter(), side.text())?;
        let names: BTreeSet<_> = of_side().flat_map(|run| run.said.figures.keys()).collect();
        let shown = SHOWN.iter().copied().filter(|name| names.iter().any(|other| other == name));
        let once =
            names.iter().map(|name| name.as_str()).filter(|name| !SHOWN.contains(name) && *name != "sent");
        for name in shown.chain(once) {
            if let Some(middle) = median(&values(rounds, phase, side, name)) {
                write!(out, "  {name} {}", short(middle))?;
            }
        }
        let verified = of_side().next().map_or("", |run| &run.said.verified);
        writeln!(out, "  [lost {lost}, twice {twice}: {verified}]")?;
    }
    writeln!(out, "\ntargets (median of the pairs, least to most):")?;
    for verdict in verdicts {
        let sign = if verdict.better == Better::More { "at least" } else { "at most" };
        let value = verdict.value.map_or("not measured".to_owned(), |value| {
            format!(
                "{} ({} to {}, {} pairs)",
                short(value.median),
                short(value.least),
                short(value.most),
                value.pairs
            )
        });
        let judged = |bound| match verdict.meets(bound) {
            None => "-",
            Some(true) => "met",
            Some(false) => "NOT MET",
        };
        let (floor, aim) = (verdict.floor, verdict.aim);
        writeln!(
            out,
            "  {:58} {value:44} floor {sign} {}: {}; aim {}: {}",
            verdict.what,
            short(floor),
            judged(floor),
            short(aim),
            judged(aim)
        )?;
    }
    Ok(())
}

pub(super) fn json(rounds: &[Round], verdicts: &[Verdict]) -> io::Result<()> {
    let rounds: Vec<Value> = rounds
        .iter()
        .map(|round| {
            let runs: Vec<Value> = round
                .runs
                .iter()
                .map(|run| {
                    json!({
                        "phase": run.phase.letter().to_string(), "side": run.side.text(), "turn": run.pair,
                        "durability": run.said.durability, "figures": run.said.figures,
                        "lost": run.said.lost, "twice": run.said.twice, "verified": run.said.verified,
                    })
                })
                .collect();
            json!({ "syncs_per_second": round.syncs_per_second, "noisy": round.noisy, "runs": runs })
        })
        .collect();
    let targets: Vec<Value> = verdicts
        .iter()
        .map(|verdict| {
            json!({
                "what": verdict.what,
                "median": verdict.value.map(|value| value.median),
                "least": verdict.value.map(|value| value.least),
                "most": verdict.value.map(|value| value.most),
                "pairs": verdict.value.map(|value| value.pairs),
                "floor": verdict.floor, "aim": verdict.aim,
                "meets_floor": verdict.meets(verdict.floor), "meets_aim": verdict.meets(verdict.aim),
            })
        })
        .collect();
    writeln!(io::stdout().lock(), "{}", json!({ "machine": machine(), "rounds": rounds, "targets": targets }))
}

/// Processor, number of processors and kernel, as the system tells them.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let count = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{model}, {count} processors, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

/// Three or four figures that count.
fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

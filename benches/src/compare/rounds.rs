//! The rounds: each begins with a look at the disk, then the sides take turns, forwards and backwards.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use pushe_tasks_bench_protocol::Phase;
use serde::Deserialize;

use super::disk::syncs_per_second;
use super::options::Options;
use super::sides::{Side, SideName};
use crate::ours::Failure;

/// A disk that syncs at less than this share of its calm rate makes a round noisy.
const CALM_SHARE: f64 = 0.5;

/// One measurement of one side.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) phase: Phase,
    pub(super) side: SideName,
    /// Where it stood in the round: runs of one pair are neighbours.
    pub(super) pair: usize,
    pub(super) said: Said,
}

/// What a side said.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Said {
    pub(super) durability: String,
    pub(super) figures: BTreeMap<String, f64>,
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) verified: String,
}

impl Run {
    pub(super) const fn is_clean(&self) -> bool {
        self.said.lost == 0 && self.said.twice == 0
    }

    pub(super) fn figure(&self, name: &str) -> Option<f64> {
        self.said.figures.get(name).copied()
    }
}

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) syncs_per_second: f64,
    pub(super) noisy: bool,
    pub(super) runs: Vec<Run>,
}

/// Whether this phase runs in every round, or only in the first.
const fn repeats(phase: Phase) -> bool {
    !matches!(phase, Phase::F | Phase::H | Phase::I | Phase::J)
}

pub(super) fn measure(options: &Options, sides: &[Side]) -> Result<Vec<Round>, Failure> {
    let mut rounds = Vec::new();
    for number in 0..options.rounds {
        let place = tempfile::tempdir()?;
        let syncs_per_second = syncs_per_second(place.path())?;
        let mut runs = Vec::new();
        for phase in options.phases.iter().copied().filter(|phase| number == 0 || repeats(*phase)) {
            let taking_part: Vec<_> = sides.iter().filter(|side| side.does(phase)).collect();
            // Forwards and backwards, so that what drifts with time meets every side alike.
            for side in &taking_part {
                runs.push(measure_one(options, side, phase, 0)?);
            }
            for side in taking_part.iter().rev().filter(|_| repeats(phase)) {
                runs.push(measure_one(options, side, phase, 1)?);
            }
        }
        writeln!(
            io::stderr(),
            "round {} of {}: {syncs_per_second:.0} syncs a second",
            number + 1,
            options.rounds
        )?;
        rounds.push(Round { syncs_per_second, noisy: false, runs });
    }
    let calm = rounds.iter().map(|round| round.syncs_per_second).fold(0.0, f64::max);
    for round in &mut rounds {
        round.noisy = round.syncs_per_second < calm * CALM_SHARE;
    }
    Ok(rounds)
}

fn measure_one(options: &Options, side: &Side, phase: Phase, pair: usize) -> Result<Run, Failure> {
    let place = tempfile::tempdir()?;
    let asked = side.asked(phase, options, place.path());
    let output = side.command(&asked).output()?;
    let name = side.name.text();
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name} failed in phase {}: {text}", phase.letter()).into());
    }
    let said = String::from_utf8(output.stdout)?;
    let line =
        said.lines().rfind(|line| line.starts_with('{')).ok_or_else(|| format!("{name} said nothing"))?;
    Ok(Run { phase, side: side.name.clone(), pair, said: serde_json::from_str(line)? })
}

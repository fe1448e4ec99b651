//! `compare`: rounds of sides in turn, then medians, ratios pair by pair, and the targets.

mod disk;
mod options;
mod report;
mod rounds;
mod sides;
mod stats;
mod targets;

use std::process::ExitCode;

use crate::ours::Failure;

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, Failure> {
    let options = options::Options::from_args(args)?;
    let sides = sides::prepare(&options)?;
    let rounds = rounds::measure(&options, &sides)?;
    let verdicts = targets::judge(&rounds);
    if options.json {
        report::json(&rounds, &verdicts)?;
    } else {
        report::text(&rounds, &verdicts)?;
    }
    // A lost piece spoils everything; a target that is not met is a result.
    let honest = rounds.iter().flat_map(|round| &round.runs).all(|run| !run.side.is_ours() || run.is_clean());
    Ok(if honest { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! Measures the engine against bare redb and against its peers.
//!
//! ```text
//! cargo run --release -p pushe-tasks-bench -- compare [--phases a,b,c,d,e,g] [--rounds 5] [--peers effectum,..|none] [--json]
//! cargo run --release -p pushe-tasks-bench -- gates [--store]
//! cargo run --release -p pushe-tasks-bench -- annotated [--tasks 1000]
//! ```
//!
//! Invariant: no figure stands alone. Every ratio is of two sides that took turns in one round, each in a process and on a
//! file of its own, and every phase verifies what it counted.

#![expect(clippy::cast_precision_loss, reason = "counts of a measurement are far below 2^53")]

mod annotated;
mod compare;
mod gates;
mod ours;
mod raw;
mod rows;
mod store_work;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use pushe_tasks_bench_protocol::Asked;

use crate::ours::Failure;

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(mut args: Vec<String>) -> Result<ExitCode, Failure> {
    let rest = if args.is_empty() { args.clone() } else { args.split_off(1) };
    match args.first().map(String::as_str) {
        Some("compare") => compare::run(rest),
        Some("ours") => ours::run(&Asked::from_args(rest)?).and_then(|answer| said(&answer)),
        Some("raw") => raw::run(&Asked::from_args(rest)?).and_then(|answer| said(&answer)),
        Some("gates") => gates::run(&rest),
        Some("work") => gates::work(&rest),
        Some("annotated") => annotated::run(&rest),
        _ => {
            Err("say `compare`, `gates` or `annotated`; the first page of `benches/RESULTS.md` shows how"
                .into())
        }
    }
}

fn said(answer: &pushe_tasks_bench_protocol::Answer) -> Result<ExitCode, Failure> {
    answer.say()?;
    Ok(ExitCode::SUCCESS)
}

/// Pieces a second.
fn rate(pieces: u64, elapsed: Duration) -> f64 {
    pieces as f64 / elapsed.as_secs_f64().max(1e-9)
}

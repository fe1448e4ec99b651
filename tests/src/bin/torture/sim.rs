//! `sim`: simulated crashes, script after script.
#![expect(clippy::print_stdout, reason = "it is a command")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pushe_tasks_tests::sim::{self, Outcome};

use crate::arguments::number;

/// So many failing scripts are told of before it gives up.
const MOST_FAILURES: usize = 5;

/// What every run of at least 10,000 cycles must have met so often.
const AT_LEAST: u64 = 100;

/// Runs scripts from a seed on until so many processes have died.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let seed = number(arguments, "--seed")?.unwrap_or(1);
    let cycles = number(arguments, "--cycles")?.unwrap_or(10_000);
    let seconds = number(arguments, "--seconds")?.unwrap_or(cycles.div_ceil(50).max(60));
    let begun = now();
    let (mut total, mut next, mut failures) = (Total::default(), seed, Vec::new());
    while total.of("cycles") < cycles && failures.len() < MOST_FAILURES {
        if begun.elapsed() > Duration::from_secs(seconds) {
            return Err(format!("{} cycles in {seconds} s, and {cycles} were wanted", total.of("cycles")));
        }
        let script = sim::script(next);
        let outcome = sim::run(&script);
        total.add(&outcome);
        if !outcome.violations.is_empty() {
            failures.push(next);
            tell(next, &script, &outcome)?;
        }
        next += 1;
    }
    total.print();
    println!(
        "seeds {seed} to {} in {:.1} s, trace {:016x}",
        next - 1,
        begun.elapsed().as_secs_f64(),
        total.trace
    );
    println!(
        "cycles {}, acknowledged {}, lost {}, unexpected {}, duplicated {}, other violations {}, panics that escaped {}",
        total.of("cycles"),
        total.of("acknowledged"),
        total.violations("I1"),
        total.violations("I2"),
        total.violations("I4"),
        total.other,
        total.of("panics that escaped"),
    );
    if !failures.is_empty() {
        return Err(format!("the scripts of the seeds {failures:?} failed"));
    }
    let rare: Vec<_> = sim::MEETS.iter().filter(|what| total.of(what) < AT_LEAST).collect();
    if cycles >= 10_000 && !rare.is_empty() {
        return Err(format!("seen less than {AT_LEAST} times: {rare:?}"));
    }
    Ok(())
}

/// Tells of a failure, and leaves its shrunk script where the corpus is.
fn tell(seed: u64, script: &sim::Script, outcome: &Outcome) -> Result<(), String> {
    println!("seed {seed} fails: {:#?}", outcome.violations);
    println!("its last events:");
    outcome.recent.iter().for_each(|event| println!("    {event}"));
    let small = sim::shrink(script);
    let path = std::env::temp_dir().join(format!("pushe-sim-{seed}.script"));
    std::fs::write(&path, small.to_text()).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("shrunk to {} operations; put it into tests/sim-corpus: {}", small.ops.len(), path.display());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the command is bounded in real time")]
fn now() -> Instant {
    Instant::now()
}

/// What all runs together have shown.
#[derive(Default)]
struct Total {
    counts: BTreeMap<&'static str, u64>,
    violations: BTreeMap<String, u64>,
    other: u64,
    trace: u64,
}

impl Total {
    fn add(&mut self, outcome: &Outcome) {
        for (what, count) in &outcome.counts {
            *self.counts.entry(what).or_default() += count;
        }
        for violation in &outcome.violations {
            let name = sim::shrink::name_of(violation);
            if !matches!(name, "I1" | "I2" | "I4") {
                self.other += 1;
            }
            *self.violations.entry(name.to_owned()).or_default() += 1;
        }
        self.trace = self.trace.rotate_left(7) ^ outcome.trace;
    }

    fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    fn violations(&self, name: &str) -> u64 {
        self.violations.get(name).copied().unwrap_or(0)
    }

    fn print(&self) {
        for (what, count) in &self.counts {
            println!("{count:>9}  {what}");
        }
    }
}

//! `sim`: simulated crashes, script after script.

use std::collections::BTreeMap;

use pushe_tasks_tests::sim;

use crate::arguments::Arguments;
use crate::figures::{Figures, Wrong, say};

/// So many scripts may fail before it ends.
const FAILED: u64 = 5;

/// Runs scripts from a seed on until so many processes have died.
pub(crate) fn run(arguments: &Arguments) -> Result<Option<Figures>, String> {
    let mut figures = Figures::default();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut next = arguments.seed;
    while figures.cycles < arguments.cycles && figures.violations() < FAILED && !arguments.is_late() {
        let outcome = sim::run(&sim::script(next));
        for (what, count) in &outcome.counts {
            *counts.entry(what).or_default() += count;
        }
        figures.cycles = counts.get("cycles").copied().unwrap_or(0);
        for violation in &outcome.violations {
            figures.wrong(Wrong::Unexpected, format_args!("seed {next}: {violation:?}"));
        }
        if !outcome.violations.is_empty() {
            outcome.recent.iter().for_each(|event| say(&format!("    {event}")));
        }
        next += 1;
    }
    figures.notes = counts.iter().map(|(what, count)| format!("{count:>9}  {what}")).collect();
    Ok(Some(figures))
}

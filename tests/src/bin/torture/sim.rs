//! `sim`: simulated crashes, script after script.
#![expect(clippy::print_stdout, reason = "it is a command")]

use std::collections::BTreeMap;

use pushe_tasks_tests::sim;

/// Runs scripts from a seed on until so many processes have died.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let seed = number(arguments, "--seed")?.unwrap_or(1);
    let cycles = number(arguments, "--cycles")?.unwrap_or(10_000);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut next, mut failed) = (seed, 0);
    while counts.get("cycles").copied().unwrap_or(0) < cycles && failed < 5 {
        let script = sim::script(next);
        let outcome = sim::run(&script);
        for (what, count) in &outcome.counts {
            *counts.entry(what).or_default() += count;
        }
        if !outcome.violations.is_empty() {
            failed += 1;
            println!("seed {next}: {:#?}", outcome.violations);
            outcome.recent.iter().for_each(|event| println!("    {event}"));
        }
        next += 1;
    }
    for (what, count) in &counts {
        println!("{count:>9}  {what}");
    }
    if failed > 0 { Err(format!("{failed} scripts failed")) } else { Ok(()) }
}

fn number(arguments: &[String], name: &str) -> Result<Option<u64>, String> {
    let Some(at) = arguments.iter().position(|argument| argument == name) else { return Ok(None) };
    let value = arguments.get(at + 1).ok_or_else(|| format!("`{name}` needs a number"))?;
    value.parse().map(Some).map_err(|_| format!("`{name}` needs a number, not `{value}`"))
}

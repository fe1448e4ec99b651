//! `sim`: simulated crashes, script after script.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use pushe_tasks_tests::sim::{self, Outcome, Script, shrink};

use crate::arguments::Arguments;
use crate::figures::{Figures, Wrong, say};

/// So many violations end it.
const MOST: u64 = 5;

/// What a run of at least 10,000 cycles must have met so often, each.
const AT_LEAST: u64 = 100;

/// Runs scripts from a seed on until so many processes have died.
pub(crate) fn run(arguments: &Arguments) -> Result<Option<Figures>, String> {
    let mut figures = Figures::default();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut next, mut trace, mut told) = (arguments.seed, 0_u64, Ok(()));
    in_order(arguments.seed, |seed, outcome| {
        for (what, count) in &outcome.counts {
            *counts.entry(what).or_default() += count;
        }
        figures.cycles = counts.get("cycles").copied().unwrap_or(0);
        for violation in &outcome.violations {
            let kind = match shrink::name_of(violation) {
                "I1" | "I3" => Wrong::Lost,
                "I4" | "I5" => Wrong::Duplicated,
                "panic" => Wrong::Panic,
                _ => Wrong::Unexpected,
            };
            figures.wrong(kind, format_args!("seed {seed}: {violation}"));
        }
        if !outcome.violations.is_empty() {
            told = tell(seed, &sim::script(seed), outcome);
        }
        trace = trace.rotate_left(7) ^ outcome.trace;
        next = seed + 1;
        let enough = figures.cycles >= arguments.cycles || figures.violations() >= MOST;
        if enough || told.is_err() || arguments.is_late() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    told?;
    figures.acknowledged = counts.get("acknowledged").copied().unwrap_or(0);
    figures.notes = counts.iter().map(|(what, count)| format!("{count:>9}  {what}")).collect();
    figures.notes.push(format!("seeds {} to {}, trace {trace:016x}", arguments.seed, next - 1));
    let rare = sim::MEETS.iter().filter(|what| counts.get(**what).copied().unwrap_or(0) < AT_LEAST);
    let rare: Vec<_> = rare.collect();
    if figures.cycles >= 10_000 && !rare.is_empty() {
        return Err(format!("seen less than {AT_LEAST} times: {rare:?}"));
    }
    Ok(Some(figures))
}

/// Runs the scripts of all seeds from `first` on, a thread a core, and hands over what came of them in the order of the seeds:
/// what is made of it does not depend on the threads.
fn in_order(first: u64, mut take: impl FnMut(u64, &Outcome) -> ControlFlow<()>) {
    let (next, enough) = (AtomicU64::new(first), AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let tell = tell.clone();
            scope.spawn(|| {
                let tell = tell;
                while !enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let _ = tell.send((seed, sim::run(&sim::script(seed))));
                }
            });
        }
        drop(tell);
        let (mut early, mut expected) = (BTreeMap::new(), first);
        for (seed, outcome) in &told {
            early.insert(seed, outcome);
            while let Some(outcome) = early.remove(&expected) {
                if take(expected, &outcome).is_break() {
                    enough.store(true, Ordering::Relaxed);
                    return;
                }
                expected += 1;
            }
        }
    });
}

/// Tells of a failure, and leaves its shrunk script to be put into the corpus.
fn tell(seed: u64, script: &Script, outcome: &Outcome) -> Result<(), String> {
    outcome.recent.iter().for_each(|event| say(&format!("    {event}")));
    let small = sim::shrink(script);
    let path = std::env::temp_dir().join(format!("pushe-sim-{seed}.script"));
    std::fs::write(&path, small.to_text()).map_err(|error| format!("{}: {error}", path.display()))?;
    say(&format!("shrunk to {} operations, for tests/sim-corpus: {}", small.ops.len(), path.display()));
    Ok(())
}

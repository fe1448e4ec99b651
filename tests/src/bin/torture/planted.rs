//! `planted`: shows that the simulator sees every bug that is planted, in each of three disjoint ranges of seeds.

use pushe_tasks_store::planted::{BUGS, Bug, pick};
use pushe_tasks_tests::sim;

use crate::arguments::Arguments;
use crate::figures::{Figures, Wrong, say};

/// Where the ranges begin, and how long they are.
const RANGES: [u64; 3] = [1_000_000, 2_000_000, 3_000_000];
const SEEDS: u64 = 2_000;

/// So many seeds of each range are shown to be well without a bug.
const CLEAN: u64 = 200;

/// Looks for each bug in each range until it is caught.
pub(crate) fn run(_: &Arguments) -> Result<Option<Figures>, String> {
    let mut figures = Figures { cycles: 1, ..Figures::default() };
    // What is seen without any bug proves nothing about one.
    for range in RANGES {
        for seed in range..range + CLEAN {
            for violation in sim::run(&sim::script(seed)).violations {
                figures.wrong(Wrong::Unexpected, format_args!("without a bug, seed {seed}: {violation}"));
            }
        }
    }
    for bug in BUGS {
        for range in RANGES {
            match caught(bug, range) {
                Some((seeds, violation)) if seeds > CLEAN => figures.wrong(
                    Wrong::Unexpected,
                    format_args!("{bug:?} from {range}: only at seed {seeds}, beyond what is known to be well: {violation}"),
                ),
                Some((seeds, violation)) => say(&format!("{bug:?} from {range}: seed {seeds}: {violation}")),
                None => figures.wrong(Wrong::Unexpected, format_args!("{bug:?} is not seen from {range} on")),
            }
        }
    }
    Ok(Some(figures))
}

/// How many seeds it takes, and what is said of the bug.
fn caught(bug: Bug, range: u64) -> Option<(u64, String)> {
    pick(Some(bug));
    let found = (0..SEEDS).find_map(|seed| {
        let outcome = sim::run(&sim::script(range + seed));
        Some((seed + 1, outcome.violations.first()?.clone()))
    });
    pick(None);
    found
}

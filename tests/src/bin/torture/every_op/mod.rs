//! `every-op`: scripts over the store, met by a crash and by an I/O error at every single operation on the disk.
//!
//! Invariant: what is found afterwards is what a store in memory holds after the steps that were acknowledged, and, after a
//! step that was in doubt, either with or without all of it.

mod model;
mod scenarios;

use pushe_tasks_store::redb::{Effect, Fault, Lasts, Opening, RedbStore, SimDisk, StoreOptions};
use pushe_tasks_store::{StoreError, WallTime};

use crate::arguments::Arguments;
use crate::figures::{Figures, Wrong};
use model::{Contents, Model, read};
use scenarios::{Scenario, Step, scenarios};

/// Where the clock stands in all scripts.
pub(crate) const NOW: WallTime = WallTime::from_millis(1_795_500_619_000);

/// Power cuts that are tried from one crash, beside a kill.
const CUTS: u64 = 2;

/// What is done to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    /// The machine stops before it.
    Crash,
    /// It fails.
    Once,
    /// It and all later ones fail, until the disk is healed behind the last step.
    ForEver,
}

/// What became of a step, as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Applied,
    Skipped,
    InDoubt,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Option<Figures>, String> {
    let mut figures = Figures::default();
    let scenarios = scenarios();
    let mut trials = Vec::new();
    for (at, scenario) in scenarios.iter().enumerate() {
        let base = prepare(scenario)?;
        let operations = whole(scenario, &base)?;
        figures.notes.push(format!("{operations:>6} operations: {}", scenario.name));
        trials.extend((0..operations).map(|operation| (at, operation)));
    }
    let total = trials.len();
    let wanted = usize::try_from(arguments.cycles).unwrap_or(usize::MAX);
    if wanted < total {
        fastrand::Rng::with_seed(arguments.seed).shuffle(&mut trials);
        trials.truncate(wanted);
        trials.sort_unstable();
    }
    let mut base = None;
    for (at, operation) in &trials {
        if arguments.is_late() {
            break;
        }
        let scenario = &scenarios[*at];
        let base = match &base {
            Some((prepared, base)) if prepared == at => base,
            _ => &base.insert((*at, prepare(scenario)?)).1,
        };
        for blow in [Blow::Crash, Blow::Once, Blow::ForEver] {
            strike(scenario, base, *operation, blow, &mut figures);
        }
        figures.cycles += 1;
    }
    figures.whole = figures.cycles == trials.len() as u64;
    figures.notes.push(format!(
        "{} of {total} operations of {} scripts, each met by a crash, an error, and errors for ever",
        figures.cycles,
        scenarios.len()
    ));
    Ok(Some(figures))
}

/// The disk on which the script begins.
fn prepare(scenario: &Scenario) -> Result<SimDisk, String> {
    let disk = SimDisk::new(1);
    if scenario.before.is_empty() {
        return Ok(disk);
    }
    let mut store = open(&disk)?;
    for step in &scenario.before {
        if step.apply(&mut store) != Told::Applied {
            return Err(format!("{}: the disk is whole, and a step is not carried out", scenario.name));
        }
    }
    drop(store);
    Ok(disk.after_kill())
}

/// Runs the script on a disk that works; answers how many operations it takes.
fn whole(scenario: &Scenario, base: &SimDisk) -> Result<u64, String> {
    let disk = base.after_kill();
    let mut store = open(&disk)?;
    for step in &scenario.steps {
        if *step == Step::Reopen {
            drop(store);
            store = open(&disk)?;
        } else if step.apply(&mut store) != Told::Applied {
            return Err(format!("{}: the disk is whole, and {step:?} is not carried out", scenario.name));
        }
    }
    drop(store);
    let told = vec![Told::Applied; scenario.steps.len()];
    let found = read(&mut open(&disk)?)?;
    let expected = Model::replay(scenario, &told, false)?.reopened()?;
    if found != expected {
        return Err(format!("{}: on a disk that works: {}", scenario.name, expected.differs(&found)));
    }
    Ok(disk.calls() - base.calls())
}

/// Runs the script with one blow, and compares what is left.
fn strike(scenario: &Scenario, base: &SimDisk, operation: u64, blow: Blow, figures: &mut Figures) {
    let disk = base.after_kill();
    let at = disk.calls() + operation;
    match blow {
        Blow::Crash => disk.freeze_at(at),
        Blow::Once | Blow::ForEver => disk.inject(Fault {
            at,
            call: None,
            lasts: if blow == Blow::Once { Lasts::Once } else { Lasts::Forever },
            error: std::io::ErrorKind::Other,
            effect: Effect::Fails,
        }),
    }
    let (store, told) = play(scenario, &disk, blow);
    figures.acknowledged += told.iter().filter(|told| **told == Told::Applied).count() as u64;
    let what = format!("{}, operation {operation}, {blow:?}", scenario.name);
    let mut variants = Vec::new();
    for with in [false, true] {
        match Model::replay(scenario, &told, with) {
            Ok(model) => variants.push(model),
            Err(problem) => return figures.wrong(Wrong::Unexpected, format_args!("{what}: {problem}")),
        }
        if !told.contains(&Told::InDoubt) {
            break;
        }
    }
    let mut left: Vec<(String, SimDisk)> = Vec::new();
    match blow {
        Blow::Crash => {
            left.extend(
                (0..CUTS).map(|seed| (format!("{what}, cut {seed}"), disk.after_power_cut(seed ^ at))),
            );
            left.push((format!("{what}, kill"), disk.after_kill()));
            drop(store);
        }
        Blow::Once | Blow::ForEver => {
            disk.heal();
            // The store that lived through it, which goes on by itself.
            if let Some(mut store) = store.filter(|_| !told.contains(&Told::InDoubt)) {
                let lasting = variants.iter_mut().map(Model::contents).collect::<Result<Vec<_>, _>>();
                let lasting = lasting.unwrap_or_default();
                compare(&mut store, &lasting, &format!("{what}, alive"), figures);
            }
            left.push((format!("{what}, cut"), disk.after_power_cut(at)));
        }
    }
    let after = variants.into_iter().map(Model::reopened).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    for (what, disk) in left {
        match open(&disk) {
            Ok(mut store) => compare(&mut store, &after, &what, figures),
            Err(problem) => figures.wrong(Wrong::Lost, format_args!("{what}: {problem}")),
        }
    }
}

/// Runs the steps until one is in doubt, or the machine has stopped. What is not told of was not begun.
fn play(scenario: &Scenario, disk: &SimDisk, blow: Blow) -> (Option<RedbStore>, Vec<Told>) {
    let mut told = Vec::new();
    let mut store = open_at_last(disk, blow);
    for step in &scenario.steps {
        if disk.is_stopped() {
            break;
        }
        if *step == Step::Reopen {
            drop(store);
            store = open_at_last(disk, blow);
            told.push(Told::Applied);
            continue;
        }
        let Some(open) = &mut store else {
            // Nothing can be done without a store.
            told.push(Told::Skipped);
            continue;
        };
        let mut answer = step.apply(open);
        // Nobody heard the answer.
        if disk.is_stopped() && answer != Told::Applied {
            answer = Told::InDoubt;
        }
        told.push(answer);
        if answer == Told::InDoubt {
            break;
        }
    }
    (store, told)
}

fn open(disk: &SimDisk) -> Result<RedbStore, String> {
    let opening = Opening { now: NOW, new_uuid: [1; 16], program: "every-op".to_owned() };
    RedbStore::open_on(Box::new(disk.clone()), StoreOptions::default(), opening)
        .map_err(|error| error.to_string())
}

/// Opens the store; where an error that came once met the opening, again.
fn open_at_last(disk: &SimDisk, blow: Blow) -> Option<RedbStore> {
    let first = open(disk).ok();
    if first.is_none() && blow == Blow::Once { open(disk).ok() } else { first }
}

/// Compares a store with what it may hold.
fn compare(store: &mut RedbStore, variants: &[Contents], what: &str, figures: &mut Figures) {
    // Reading opens it anew, where the last step has met an error.
    let found = read(store);
    if let Err(problem) = store.check() {
        figures.wrong(Wrong::Unexpected, format_args!("{what}: {problem}"));
    }
    match found {
        Err(problem) => figures.wrong(Wrong::Lost, format_args!("{what}: {problem}")),
        Ok(found) if variants.contains(&found) => {}
        Ok(found) => {
            let Some(nearest) = variants.first() else { return figures.wrong(Wrong::Unexpected, "no model") };
            let kind = if nearest.lacks(&found) { Wrong::Lost } else { Wrong::Unexpected };
            figures.wrong(kind, format_args!("{what}: {}", nearest.differs(&found)));
        }
    }
}

/// What an answer tells.
pub(crate) fn told<R>(answer: &Result<R, StoreError>) -> Told {
    match answer {
        Ok(_) => Told::Applied,
        Err(StoreError::InDoubt(_)) => Told::InDoubt,
        Err(_) => Told::Skipped,
    }
}

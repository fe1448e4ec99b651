//! `kill`: an application is killed with SIGKILL at a random moment, over and over, on one store.
//!
//! Invariant: what the application had told before the kill is what must be found after it.

use std::time::Duration;

use fastrand::Rng;

use crate::arguments::Arguments;
use crate::figures::{Figures, Wrong};
use crate::harness::{Application, Ended};
use crate::ledger::{Ledger, Shares};

/// Kills of one store, before it is let come to its end and another one is begun.
const KILLS: u64 = 10;
/// What a cycle waits for before it may kill.
const ACKNOWLEDGED: u64 = 50;
const LIVING: u64 = 10;
/// The kill comes this much later at the most.
const LATER_MICROS: u64 = 15_000;

pub(crate) fn run(arguments: &Arguments) -> Result<Option<Figures>, String> {
    let mut random = Rng::with_seed(arguments.seed);
    let (mut figures, mut shares) = (Figures::default(), Shares::default());
    let (mut fewest, mut fewest_living) = (u64::MAX, u64::MAX);
    while figures.cycles < arguments.cycles && !arguments.is_late() {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let store = place.path().join("tasks.redb");
        let mut ledger = Ledger::new(random.u64(..));
        for _ in 0..KILLS.min(arguments.cycles - figures.cycles) {
            let (acknowledged, living) = kill_once(&store, &mut ledger, &mut figures, &mut random)?;
            (fewest, fewest_living) = (fewest.min(acknowledged), fewest_living.min(living));
            ledger.compare(&store, &mut figures, &mut shares);
            figures.cycles += 1;
        }
        drain(&store, &mut ledger, &mut figures)?;
    }
    figures.notes = shares.notes();
    figures
        .notes
        .push(format!("at least {fewest} acknowledgements and {fewest_living} running bodies a cycle"));
    if !shares.is_wide() {
        figures.wrong(Wrong::Unexpected, "the kills do not meet what they are to meet");
    }
    Ok(Some(figures))
}

/// Runs an application until it has told enough, and kills it; answers how much it had told.
fn kill_once(
    store: &std::path::Path,
    ledger: &mut Ledger,
    figures: &mut Figures,
    random: &mut Rng,
) -> Result<(u64, u64), String> {
    ledger.begin();
    let mut application = Application::start(store, ledger.seed(), Some(ledger.next()))?;
    let enough = |ledger: &Ledger| ledger.acknowledged() >= ACKNOWLEDGED && ledger.living() >= LIVING;
    let ended = application.hear(ledger, figures, |ledger, _| enough(ledger));
    if ended != Ended::Heard {
        figures.wrong(Wrong::Unexpected, format_args!("the application is {ended:?}"));
    }
    let living = ledger.living();
    let later = Duration::from_micros(random.u64(..LATER_MICROS));
    application.hear_for(later, ledger, figures);
    application.kill(ledger, figures)?;
    Ok((ledger.acknowledged(), living))
}

/// Lets everything that is stored come to its end, and looks at it.
pub(crate) fn drain(
    store: &std::path::Path,
    ledger: &mut Ledger,
    figures: &mut Figures,
) -> Result<(), String> {
    ledger.begin();
    let mut application = Application::start(store, ledger.seed(), None)?;
    match application.hear(ledger, figures, |_, _| false) {
        Ended::Gone => {
            if let Err(problem) = application.finish() {
                figures.wrong(Wrong::Unexpected, problem);
            }
        }
        ended => figures.wrong(Wrong::Lost, format_args!("not everything comes to its end: {ended:?}")),
    }
    ledger.compare(store, figures, &mut Shares::default());
    ledger.all_finished(figures);
    Ok(())
}

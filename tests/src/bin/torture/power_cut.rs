//! `power-cut`: the file system under an application loses all that is not synced, at a random moment, over and over.
//!
//! Invariant: whatever was acknowledged before the cut is there when the disk is mounted again. The application is stopped
//! first, as a machine without power is: a sync that is under way when this cut comes answers success, and its data is
//! gone (Linux 6.18: the newest of a plain program's syncs in 20 of 150 cuts, and in none of 150 where it was stopped).

use std::time::Duration;

use fastrand::Rng;

use crate::arguments::Arguments;
use crate::figures::{Figures, Wrong};
use crate::harness::{Application, Ended};
use crate::kill::drain;
use crate::ledger::{Ledger, Shares};
use crate::mount::{Mount, have_own_mounts};

/// Cuts of one file system, before what is on it is let come to its end.
const CUTS: u64 = 10;
/// What a cycle waits for before it may cut.
const ACKNOWLEDGED: u64 = 20;
/// The cut comes this much later at the most.
const LATER_MICROS: u64 = 15_000;

pub(crate) fn run(arguments: &Arguments) -> Result<Option<Figures>, String> {
    if !have_own_mounts("power-cut")? {
        return Ok(None);
    }
    let mut random = Rng::with_seed(arguments.seed);
    let (mut figures, mut shares) = (Figures::default(), Shares::default());
    while figures.cycles < arguments.cycles && !arguments.is_late() {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut mount = Mount::new(place.path())?;
        mount.mount()?;
        let store = mount.path().join("tasks.redb");
        let mut ledger = Ledger::new(random.u64(..));
        for _ in 0..CUTS.min(arguments.cycles - figures.cycles) {
            ledger.begin();
            let mut application = Application::start(&store, ledger.seed(), Some(ledger.next()))?;
            let ended = application
                .hear(&mut ledger, &mut figures, |ledger, _| ledger.acknowledged() >= ACKNOWLEDGED);
            if ended != Ended::Heard {
                figures.wrong(Wrong::Unexpected, format_args!("the application is {ended:?}"));
            }
            let later = Duration::from_micros(random.u64(..LATER_MICROS));
            application.hear_for(later, &mut ledger, &mut figures);
            application.stop()?;
            mount.cut()?;
            application.kill(&mut ledger, &mut figures)?;
            mount.unmount()?;
            mount.mount()?;
            ledger.compare(&store, &mut figures, &mut shares);
            figures.cycles += 1;
        }
        drain(&store, &mut ledger, &mut figures)?;
    }
    figures.notes = shares.notes();
    Ok(Some(figures))
}

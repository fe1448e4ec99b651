//! `fsync-fail`: the disk under an application is thinner than it says. A sync fails, later there is room again, and then the
//! cache is gone: only a store that was opened anew from what the disk holds keeps what it acknowledges.
//!
//! Invariant: whatever was acknowledged, before the failure, within it or after it, is there in the end.

use std::time::Duration;

use fastrand::Rng;

use crate::arguments::Arguments;
use crate::figures::Figures;
use crate::harness::{Application, Ended};
use crate::kill::drain;
use crate::ledger::{Ledger, Shares};
use crate::mount::{ThinPool, have_own_mounts};

/// Calls that are acknowledged before the room is taken, and after it is there again.
const ACKNOWLEDGED: u64 = 50;
/// So long the application goes on without room, once a call has been refused: a sync has failed by then.
const WITHOUT_ROOM: Duration = Duration::from_millis(30);

pub(crate) fn run(arguments: &Arguments) -> Result<Option<Figures>, String> {
    if !have_own_mounts("fsync-fail")? {
        return Ok(None);
    }
    let mut random = Rng::with_seed(arguments.seed);
    let (mut figures, mut refused, mut told) = (Figures::default(), 0, 0);
    while figures.cycles < arguments.cycles && !arguments.is_late() {
        let (calls, troubled) = cycle(random.u64(..), figures.cycles.is_multiple_of(2), &mut figures)?;
        refused += calls;
        told += u64::from(troubled);
        figures.cycles += 1;
    }
    figures.notes.push(format!("{refused} calls were refused for want of room, or left in doubt"));
    figures
        .notes
        .push(format!("in {told} cycles a caller that asked for the health was told of the trouble"));
    Ok(Some(figures))
}

fn cycle(seed: u64, cut: bool, figures: &mut Figures) -> Result<(u64, bool), String> {
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let pool = ThinPool::new(place.path())?;
    let mut mount = pool.file_system()?;
    let store = mount.path().join("tasks.redb");
    let mut ledger = Ledger::new(seed);
    ledger.begin();
    let mut application = Application::start(&store, seed, Some(ledger.next()))?;
    let until = |ended: Ended| match ended {
        Ended::Heard => Ok(()),
        Ended::Gone | Ended::Silent => Err(format!("the application is {ended:?}")),
    };
    until(application.hear(&mut ledger, figures, |ledger, _| ledger.acknowledged() >= ACKNOWLEDGED))?;
    pool.fill()?;
    until(application.hear(&mut ledger, figures, |ledger, _| ledger.refused() > 0))?;
    application.hear_for(WITHOUT_ROOM, &mut ledger, figures);
    pool.empty()?;
    let before = ledger.acknowledged();
    let enough = before + ACKNOWLEDGED;
    until(application.hear(&mut ledger, figures, |ledger, _| ledger.acknowledged() >= enough))?;
    if cut {
        application.stop()?;
        mount.cut()?;
    }
    application.kill(&mut ledger, figures)?;
    // The cache goes with the mount.
    mount.unmount()?;
    mount.mount()?;
    ledger.compare(&store, figures, &mut Shares::default());
    let found = (ledger.refused(), ledger.troubled());
    drain(&store, &mut ledger, figures)?;
    mount.unmount()?;
    mount.mount()?;
    ledger.begin();
    ledger.compare(&store, figures, &mut Shares::default());
    Ok(found)
}

//! Bugs on purpose, by which the simulator is shown to see. They exist only under `--cfg pushe_planted`, which no feature
//! and no dependent crate can turn on, and there only one that was picked at run time acts.

use std::sync::atomic::{AtomicU8, Ordering};

/// The bugs, each of which is one marked line where it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// A caller is told of its work before the commit.
    AckBeforeCommit = 1,
    /// A body begins before its claim is durable.
    ClaimAfterRun,
    /// A late result is taken whatever its claim.
    NoFence,
    /// Replace leaves the old piece in the indexes.
    ReplaceKeepsIndex,
    /// After an error the store is opened anew from the system's cache.
    ReopenWithoutGuard,
    /// Stored values are read whatever their checksum.
    NoChecksum,
    /// The holders of an id are looked up outside of the transaction.
    UniqueOutside,
    /// A constraint that held once is not looked at again.
    ConstraintOnce,
    /// What a monitor said counts at the claim, without a second look.
    NoSecondLook,
    /// A lost constraint stops work without its grace.
    StopAtOnce,
    /// An attempt that is given back is charged.
    NoRefund,
    /// Appended work does not wait for its turn.
    AppendAtOnce,
    /// The number that fences does not grow over attempts that were given back.
    FenceByAttempt,
    /// The next slot of a period is counted from the end of its run.
    PeriodFromNow,
    /// Waits are not shortened after the clock was set back.
    ClampMissing,
}

/// All of them.
pub const BUGS: [Bug; 15] = [
    Bug::AckBeforeCommit,
    Bug::ClaimAfterRun,
    Bug::NoFence,
    Bug::ReplaceKeepsIndex,
    Bug::ReopenWithoutGuard,
    Bug::NoChecksum,
    Bug::UniqueOutside,
    Bug::ConstraintOnce,
    Bug::NoSecondLook,
    Bug::StopAtOnce,
    Bug::NoRefund,
    Bug::AppendAtOnce,
    Bug::FenceByAttempt,
    Bug::PeriodFromNow,
    Bug::ClampMissing,
];

static PICKED: AtomicU8 = AtomicU8::new(0);

/// Picks the bug that acts from now on in this process; `None` for none.
pub fn pick(bug: Option<Bug>) {
    PICKED.store(bug.map_or(0, |bug| bug as u8), Ordering::SeqCst);
}

/// Whether this one acts.
pub fn is(bug: Bug) -> bool {
    PICKED.load(Ordering::Relaxed) == bug as u8
}

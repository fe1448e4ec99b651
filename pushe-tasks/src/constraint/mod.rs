//! Constraints: conditions of the device or of the application that must hold for work to start and to go on.
//!
//! A [`Source`] tells what is so, one for each machine, host or directory; a [`Constraint`] is a small stored value
//! that judges its source's state. So a thousand tasks with thresholds of their own share one monitor.
//!
//! Invariant: a constraint does not act. [`Constraint::check`] is a plain function of state and time, and so is the
//! damping of its answers; the dispatcher alone claims and stops.
//!
//! ---
#![doc = include_str!("../../CONSTRAINTS.md")]

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::clock::WallTime;

mod answers;
pub(crate) mod erased;
pub(crate) mod gate;
mod host;
pub(crate) mod kinds;
mod manual;
pub(crate) mod monitor;
pub(crate) mod network;
mod power;
mod requirement;
mod safety;
mod source;
mod storage;
mod stored;
#[cfg(feature = "time-window")]
mod window;

pub use answers::{Answer, WhereUnknown};
pub use host::{HostSource, HostState, Reach};
pub use manual::Manual;
pub use network::{
    Metered, NetworkConstraint, NetworkOpinion, NetworkOverride, NetworkReach, NetworkSource, NetworkState,
    Roaming,
};
pub use power::{BatteryNotLow, Charging, PowerSource, PowerState};
pub use requirement::Requirement;
pub use source::{Reading, Source, publish};
pub use storage::{DirectoryNotLow, StorageNotLow, StoragePlace, StorageSource, StorageState};
#[cfg(feature = "time-window")]
pub use window::{Day, TimeWindow, WindowSource};

/// What a constraint says about one state at one moment.
///
/// Times are wall times, so that they keep their meaning over sleep and restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The constraint holds.
    Met {
        /// When it must be judged again although nothing was reported; `None`: only when the state changes.
        until: Option<WallTime>,
    },
    /// The constraint does not hold.
    Hold {
        /// The reason, for people: lower case, no full stop, such as "no usable default route".
        why: Cow<'static, str>,
        /// When it must be judged again although nothing was reported; `None`: only when the state changes.
        recheck: Option<WallTime>,
        /// Whether running work must stop without the grace, such as where going on costs money.
        at_once: bool,
    },
}

impl Verdict {
    /// Holds until the state changes.
    pub const fn met() -> Self {
        Self::Met { until: None }
    }

    /// Does not hold until the state changes.
    pub fn hold(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Hold { why: why.into(), recheck: None, at_once: false }
    }

    /// The same verdict; where it does not hold, running work stops without the grace.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        if let Self::Hold { at_once, .. } = &mut self {
            *at_once = true;
        }
        self
    }

    /// The same verdict, judged again at that moment although nothing was reported.
    #[must_use]
    pub fn until(mut self, moment: WallTime) -> Self {
        match &mut self {
            Self::Met { until } => *until = Some(moment),
            Self::Hold { recheck, .. } => *recheck = Some(moment),
        }
        self
    }

    /// Whether the constraint holds.
    pub const fn is_met(&self) -> bool {
        matches!(self, Self::Met { .. })
    }

    /// When the constraint must be judged again although its source has said nothing new.
    pub const fn recheck_at(&self) -> Option<WallTime> {
        match self {
            Self::Met { until } => *until,
            Self::Hold { recheck, .. } => *recheck,
        }
    }
}

/// How quickly a change of a constraint acts.
///
/// A lost constraint stops new claims at once, whatever stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damping {
    /// How long a regained constraint must hold before work starts on it.
    pub rise: Duration,
    /// How long a constraint must be lost before running work is stopped; `Duration::MAX`: it is never stopped.
    pub fall: Duration,
}

impl Damping {
    /// Acts at once in both directions.
    pub const NONE: Self = Self { rise: Duration::ZERO, fall: Duration::ZERO };

    /// That of constraints which say nothing about it: a rise of 1 s and a fall of 5 s.
    pub const DEFAULT: Self = Self { rise: Duration::from_secs(1), fall: Duration::from_secs(5) };
}

/// Stored bytes that are no value of the constraint kind they are stored under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintDecodeError(Cow<'static, str>);

impl ConstraintDecodeError {
    /// An error with its reason, such as "format 9 is newer than this program".
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for ConstraintDecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConstraintDecodeError {}

/// A condition that is stored with a piece of work and judges the state of a [`Source`].
///
/// Stored work carries `(KIND, encode())`. Work whose kind nobody registers is held with that reason; it neither runs
/// nor gets lost.
///
/// # Examples
/// ```
/// use pushe_tasks::clock::WallTime;
/// use pushe_tasks::constraint::{Constraint, ConstraintDecodeError, Manual, Verdict};
///
/// /// Work that may run only while somebody is signed in.
/// #[derive(Debug)]
/// struct SignedIn;
///
/// impl Constraint for SignedIn {
///     const KIND: &'static str = "app/signed-in";
///     type Source = Manual<bool>;
///     fn encode(&self) -> Vec<u8> { vec![1] }
///     fn decode(_: &[u8]) -> Result<Self, ConstraintDecodeError> { Ok(Self) }
///     fn key(&self) {}
///     fn check(&self, signed_in: &bool, _: WallTime) -> Verdict {
///         if *signed_in { Verdict::met() } else { Verdict::hold("nobody is signed in") }
///     }
/// }
/// assert!(SignedIn.check(&true, WallTime::from_millis(0)).is_met());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a constraint",
    label = "not a constraint",
    note = "a built-in constraint is named, such as `Charging` or `Reach(\"db.local:5432\")`; any other entry is a value of a type that implements `Constraint`"
)]
pub trait Constraint: Sized + fmt::Debug + Send + Sync + 'static {
    /// The stable name that is stored beside the value.
    const KIND: &'static str;

    /// Where the state comes from.
    type Source: Source;

    /// The stored form; it begins with a format number of its own.
    fn encode(&self) -> Vec<u8>;

    /// Reads the stored form back.
    ///
    /// # Errors
    /// Bytes that are no such value; the work is held with the error as its reason.
    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError>;

    /// Says what is wrong with this value, for values that can be written wrongly, such as a place without a port.
    ///
    /// It is asked when the engine starts and when work is scheduled.
    ///
    /// # Errors
    /// A text for people that names what is wrong and, after a semicolon, what to write instead.
    fn verify(&self) -> Result<(), String> {
        Ok(())
    }

    /// What of the source this constraint looks at: constraints with one source and one key share a monitor.
    fn key(&self) -> <Self::Source as Source>::Key;

    /// Judges one state. A plain function: equal arguments give equal answers. It must not block, since one thread asks
    /// all constraints; where it panics, work is held with that reason.
    fn check(&self, state: &<Self::Source as Source>::State, now: WallTime) -> Verdict;

    /// Judges the absence of a reading; by default work is held.
    fn unknown(&self, why: &str) -> Verdict {
        Verdict::hold(why.to_owned())
    }

    /// How quickly a change acts; by default a gain must hold for 1 s, and running work is stopped after a loss of 5 s.
    fn damping(&self) -> Damping {
        Damping::DEFAULT
    }

    /// Names the constraint for people, such as "network: Connected"; by default its kind.
    fn describe(&self) -> Cow<'static, str> {
        Cow::Borrowed(Self::KIND)
    }
}

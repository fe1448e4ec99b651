//! How a scheduler is (S9.4).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use pushe_tasks_store::{StoreFacts, WorkId};

pub use pushe_tasks_store::StoreHealth;

/// How a scheduler is.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use pushe_tasks::{Health, Liveness, StoreHealth};
///
/// fn is_well(health: &Health) -> bool {
///     let in_time = health.oldest_waiting.is_none_or(|age| age < Duration::from_secs(600));
///     health.store == StoreHealth::Healthy && health.dispatcher == Liveness::Alive && in_time
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// How its store is.
    pub store: StoreHealth,
    /// What the store says of itself, with what opening it brought to light.
    pub facts: StoreFacts,
    /// Whether the dispatcher answers, which decides what starts and what stops. Where it does not, what it alone knows is told
    /// as nothing: `running`, `ready`, `no_handler`, `zombies`, `suspects`, `alone` and `sources`.
    pub dispatcher: Liveness,
    /// How long the piece has waited that has waited longest of those whose time has come and whose task is registered. Of
    /// work with priorities of its own, another one may have waited longer by the difference. `None` where none waits, or the
    /// store does not answer.
    pub oldest_waiting: Option<Duration>,
    /// Pieces that are set aside; `None` where the store does not answer.
    pub quarantined: Option<u64>,
    /// Bodies that run now.
    pub running: u64,
    /// Pieces whose time has come and whose task is registered; they wait for constraints or room.
    pub ready: u64,
    /// Pieces whose time has come and whose task nobody here registers, by stored task name. They are kept.
    pub no_handler: BTreeMap<String, u64>,
    /// Blocking bodies that go on although their attempt is over, with their task's name.
    pub zombies: Vec<(WorkId, String)>,
    /// Pieces whose time has come and that run alone, since crashes have found them running at least twice.
    pub suspects: u64,
    /// The one of them that runs now.
    pub alone: Option<WorkId>,
    /// Since when the runtime that bodies run on has polled nothing, because some body blocks its threads; such a body
    /// belongs on `run_on = Blocking`. It is noticed within 35 s.
    pub blocked_since: Option<SystemTime>,
    /// Sources of constraints that are watched and have nothing to tell: work that looks at them waits, or runs where its
    /// constraint holds in that case. A source that died counts 30 s later, when its last reading no longer does.
    pub sources: Vec<SilentSource>,
    /// Requests that wait for the store's writer: at most 1,024 calls that schedule, with 64 MiB, as many
    /// others, and what the engine itself has to tell.
    pub queue_depth: usize,
    /// Calls that schedule and wait for room in that queue, because the disk is slower than they are.
    pub callers_waiting: usize,
    /// Ends of attempts that could not be stored yet.
    pub held_settles: u64,
}

/// Whether the dispatcher answers.
///
/// # Examples
/// ```
/// fn since_when(liveness: pushe_tasks::Liveness) -> Option<std::time::SystemTime> {
///     match liveness {
///         pushe_tasks::Liveness::Stalled { since } => Some(since),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Liveness {
    /// It answers.
    Alive,
    /// It has not answered for a second: something holds it up, such as the `check` of a constraint that blocks. A watchdog
    /// on a thread of its own says so in the log after two.
    Stalled {
        /// Since when.
        since: SystemTime,
    },
}

/// A source of constraints that is watched and has nothing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SilentSource {
    /// The type of the source and what of it is watched.
    pub name: String,
    /// Why it has nothing to tell.
    pub why: String,
    /// Since when.
    pub since: SystemTime,
}

/// The dispatcher's part of it.
#[derive(Debug, Default)]
pub(crate) struct EngineHealth {
    pub(crate) running: u64,
    pub(crate) ready: u64,
    pub(crate) no_handler: BTreeMap<String, u64>,
    pub(crate) zombies: Vec<(WorkId, String)>,
    pub(crate) suspects: u64,
    pub(crate) alone: Option<WorkId>,
    pub(crate) blocked_since: Option<SystemTime>,
    pub(crate) sources: Vec<SilentSource>,
    pub(crate) trouble: Option<String>,
}

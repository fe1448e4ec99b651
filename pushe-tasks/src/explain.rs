//! Why a piece of work is not running (S9.3).
//!
//! Invariant: an explanation names everything that the engine knows to keep the work from running now, not just the first.

use std::fmt;
use std::time::SystemTime;

use pushe_tasks_store::{Reason, WorkId, WorkState};

use crate::info::StopReason;

/// Where a piece of work stands, and what keeps it from running now.
///
/// Its `Display` is a line for people, such as ``waits for network: Connected (no usable default route, for 7 s)``.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::Obstacle;
///
/// #[pushe_task(name = "explained")]
/// async fn say_hello() {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
/// let receipt = SayHello::schedule().delay("5m").on(&scheduler).await?;
/// let standing = scheduler.explain(receipt.id()).await?;
/// assert!(standing.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Time { .. })));
/// # scheduler.shutdown(std::time::Duration::ZERO).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// When this was so, by the clock of the scheduler.
    pub at: SystemTime,
    /// Its state.
    pub state: WorkState,
    /// Its attempt, where it runs.
    pub running: Option<RunningAttempt>,
    /// All that keeps it from running; empty for Enqueued work says that it is about to start.
    pub obstacles: Vec<Obstacle>,
    /// What somebody should look at, although it keeps nothing from running.
    pub warnings: Vec<Warning>,
}

/// An attempt that is under way.
///
/// # Examples
/// ```
/// fn tell(attempt: &pushe_tasks::RunningAttempt) -> String {
///     match attempt.stopping {
///         Some(reason) => format!("attempt {} is to stop: {reason:?}", attempt.number),
///         None => format!("attempt {} has run since {:?}", attempt.number, attempt.since),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it was claimed.
    pub since: SystemTime,
    /// Why its body has been told to stop, where it has been.
    pub stopping: Option<StopReason>,
}

/// One thing that keeps a piece of work from running.
///
/// Each tells since when it has been there, as far as this scheduler knows: it may be older than the work, and what was there
/// before the scheduler was started counts from its start.
///
/// # Examples
/// ```
/// use pushe_tasks::{Obstacle, Standing};
///
/// fn waits_for_permits(standing: &Standing) -> bool {
///     standing.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Concurrency { .. } | Obstacle::MaxRunning { .. }))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// Its time has not come.
    Time {
        /// When it comes.
        until: SystemTime,
        /// Since when it waits for it.
        since: SystemTime,
    },
    /// A constraint does not hold.
    Constraint {
        /// The kind of the constraint, such as `network`.
        kind: String,
        /// The constraint, such as `network: Connected`.
        constraint: String,
        /// Why it does not hold.
        why: String,
        /// The present reading of its source, as the source's state writes itself; `None` where there is none yet.
        reading: Option<String>,
        /// Since when it has not held.
        since: SystemTime,
        /// When the passing of time alone may change that: the end of the time for which it must hold, or the next moment at
        /// which it is judged again, such as the beginning of a time window.
        until: Option<SystemTime>,
    },
    /// As many of its task run as `concurrency` allows.
    Concurrency {
        /// The task's name.
        task: String,
        /// The limit.
        limit: u64,
        /// Since when there has been more work of the task than permits.
        since: SystemTime,
    },
    /// As many bodies run as `max_running` allows.
    MaxRunning {
        /// The limit.
        limit: u64,
        /// Since when there has been more work than places.
        since: SystemTime,
    },
    /// A constraint that has held much work has let it go, and its start is spread over a while.
    Spread {
        /// When all of it may have started.
        until: SystemTime,
        /// When it was let go.
        since: SystemTime,
    },
    /// Nobody in this process registers its task name.
    NoHandler {
        /// The stored task name.
        task: String,
        /// When this scheduler was started.
        since: SystemTime,
    },
    /// It is paused.
    Paused {
        /// Its stored task name, where that task is paused; `None` where all work is.
        task: Option<String>,
        /// Since when.
        since: SystemTime,
    },
    /// Earlier unfinished work bears its task id.
    EarlierWork {
        /// Since when it is Blocked.
        since: SystemTime,
    },
    /// It runs after the success of this piece, which has not come: that waits, runs, or is quarantined.
    Success {
        /// The piece.
        of: WorkId,
        /// Since when it is Blocked.
        since: SystemTime,
    },
    /// The body of work that bore its task id has not ended yet.
    EarlierBody {
        /// Since when it is Blocked.
        since: SystemTime,
    },
    /// A body of its own that could not be stopped has not ended yet.
    OwnBody {
        /// When that body was given up.
        since: SystemTime,
    },
    /// Nothing else starts until this suspect, work that crashes have found running, has run alone for a while.
    Suspect {
        /// The suspect, which runs or waits to.
        work: WorkId,
        /// Until when at the latest.
        until: SystemTime,
        /// Since when others are held back for it.
        since: SystemTime,
    },
    /// It is itself a suspect: crashes have found it running, and it runs alone.
    Alone {
        /// How many crashes.
        crashes: u32,
        /// The bodies that have to end first.
        bodies: usize,
        /// When the scheduler found it so, which was at its start.
        since: SystemTime,
    },
    /// It has been set aside; `requeue` or `discard` ends that.
    Quarantined {
        /// Why.
        reason: Option<Reason>,
        /// The text of the error with which it was set aside.
        error: Option<String>,
        /// When it was set aside.
        since: SystemTime,
    },
    /// The store does not work.
    Store {
        /// What it said.
        why: String,
        /// Since when.
        since: SystemTime,
    },
    /// The scheduler is shutting down.
    Shutdown {
        /// When that began.
        since: SystemTime,
    },
}

impl Obstacle {
    /// Since when it has been there, as far as the scheduler knows.
    ///
    /// # Examples
    /// ```
    /// use pushe_tasks::{Obstacle, Standing};
    ///
    /// fn longest(standing: &Standing) -> Option<&Obstacle> {
    ///     standing.obstacles.iter().min_by_key(|obstacle| obstacle.since())
    /// }
    /// ```
    pub const fn since(&self) -> SystemTime {
        match self {
            Self::Time { since, .. }
            | Self::Constraint { since, .. }
            | Self::Concurrency { since, .. }
            | Self::MaxRunning { since, .. }
            | Self::Spread { since, .. }
            | Self::NoHandler { since, .. }
            | Self::Paused { since, .. }
            | Self::EarlierWork { since }
            | Self::Success { since, .. }
            | Self::EarlierBody { since }
            | Self::OwnBody { since }
            | Self::Suspect { since, .. }
            | Self::Alone { since, .. }
            | Self::Quarantined { since, .. }
            | Self::Store { since, .. }
            | Self::Shutdown { since } => *since,
        }
    }

    /// What has to come about for the work to go on, without a word of time but that which it waits for.
    fn tell(&self, f: &mut fmt::Formatter<'_>, now: SystemTime) -> fmt::Result {
        match self {
            Self::Time { until, .. } => match until.duration_since(now) {
                Ok(left) => write!(f, "its time, in {:.1} s", left.as_secs_f64()),
                Err(_) => f.write_str("its time, which has just come"),
            },
            Self::Constraint { constraint, why, .. } => write!(f, "{constraint} ({why}"),
            Self::Concurrency { task, limit, .. } => write!(f, "one of the {limit} permits of `{task}`"),
            Self::MaxRunning { limit, .. } => write!(f, "one of the {limit} places of the scheduler"),
            Self::Spread { .. } => f.write_str("its turn among the much work that a constraint has let go"),
            Self::NoHandler { task, .. } => {
                write!(f, "a task named `{task}`, which this program does not register")
            }
            Self::Paused { task: Some(task), .. } => {
                write!(f, "`resume_task(\"{task}\")`, since its task is paused")
            }
            Self::Paused { task: None, .. } => f.write_str("`resume()`, since all work is paused"),
            Self::EarlierWork { .. } => f.write_str("earlier work with its task id"),
            Self::Success { of, .. } => write!(f, "the success of the work {of}"),
            Self::EarlierBody { .. } => f.write_str("the body of earlier work with its task id to end"),
            Self::OwnBody { .. } => f.write_str("its own earlier body to end"),
            Self::Suspect { work, .. } => {
                write!(f, "the work {work}, which crashes have found running, to run alone")
            }
            Self::Alone { crashes, bodies, .. } => {
                write!(f, "{bodies} other bodies to end, since {crashes} crashes have found it running")
            }
            Self::Quarantined { error, .. } => {
                f.write_str("somebody to requeue or discard it, since it has been set aside")?;
                error.iter().try_for_each(|error| write!(f, ": {error}"))
            }
            Self::Store { why, .. } => write!(f, "the store to work again ({why}"),
            Self::Shutdown { .. } => f.write_str("the next start, since this scheduler is shutting down"),
        }
    }

    /// The whole line: what it waits for, and for how long.
    fn tell_at(&self, f: &mut fmt::Formatter<'_>, now: SystemTime) -> fmt::Result {
        self.tell(f, now)?;
        let lasted = now.duration_since(self.since()).unwrap_or_default().as_secs();
        match self {
            Self::Time { .. } => Ok(()),
            Self::Constraint { .. } | Self::Store { .. } => write!(f, ", for {lasted} s)"),
            _ => write!(f, " (for {lasted} s)"),
        }
    }
}

/// What somebody should look at.
///
/// # Examples
/// ```
/// use pushe_tasks::{Standing, Warning};
///
/// fn never_gets_done(standing: &Standing) -> bool {
///     standing.warnings.iter().any(|warning| matches!(warning, Warning::GivenBack { .. }))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// So many attempts in a row were stopped and given back, and none has ended by itself: the work may be longer than
    /// what it needs ever lasts.
    GivenBack {
        /// How many: at least 20.
        attempts: u32,
        /// Why the newest of them was stopped, where the work waits again.
        reason: Option<StopReason>,
    },
}

/// So many attempts that were given back in a row are worth a warning.
pub(crate) const GIVEN_BACK: u32 = 20;

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(RunningAttempt { number, since, .. }) = self.running {
            let seconds = self.at.duration_since(since).map_or(0, |elapsed| elapsed.as_secs());
            write!(f, "has run its attempt {number} for {seconds} s")?;
        } else if self.obstacles.is_empty() {
            match self.state {
                WorkState::Enqueued => f.write_str("is about to start")?,
                state => write!(f, "is {state}")?,
            }
        } else {
            f.write_str("waits for ")?;
        }
        for (index, obstacle) in self.obstacles.iter().enumerate() {
            if index > 0 {
                f.write_str("; for ")?;
            }
            obstacle.tell_at(f, self.at)?;
        }
        self.warnings.iter().try_for_each(|warning| write!(f, "; {warning}"))
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell_at(f, crate::clock::now())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GivenBack { attempts, .. } => {
                write!(f, "{attempts} attempts in a row were given back, and none has ended")
            }
        }
    }
}

//! Why a piece of work is not running (S9.3), in its first form.
//!
//! Invariant: an explanation names everything that the engine knows to keep the work from running now, not just the first.

use std::fmt;
use std::time::SystemTime;

use pushe_tasks_store::{WorkId, WorkState};

/// Where a piece of work stands, and what keeps it from running now.
///
/// Its `Display` is a line for people, such as ``waits for network: Connected (no usable default route, for 7 s)``.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Its state.
    pub state: WorkState,
    /// Where it runs: the number of its attempt, and since when.
    pub running: Option<(u32, SystemTime)>,
    /// All that keeps it from running; empty for Enqueued work says that it is about to start.
    pub obstacles: Vec<Obstacle>,
}

/// One thing that keeps a piece of work from running.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// Its time has not come.
    Time {
        /// When it comes.
        until: SystemTime,
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
        /// Since when it has not held, as far as this engine knows.
        since: SystemTime,
    },
    /// As many of its task run as `concurrency` allows.
    Concurrency {
        /// The task's name.
        task: String,
        /// The limit.
        limit: u64,
    },
    /// As many bodies run as `max_running` allows.
    MaxRunning {
        /// The limit.
        limit: u64,
    },
    /// Nobody in this process registers its task name.
    NoHandler {
        /// The stored task name.
        task: String,
    },
    /// Earlier unfinished work bears its task id.
    EarlierWork,
    /// It runs after the success of this piece, which has not come: that waits, runs, or is quarantined.
    Success {
        /// The piece.
        of: WorkId,
    },
    /// The body of work that bore its task id has not ended yet.
    EarlierBody,
    /// A body of its own that could not be stopped has not ended yet.
    OwnBody,
    /// Nothing else starts until this suspect, work that crashes have found running, has run alone for a while.
    Suspect {
        /// The suspect, which runs or waits to.
        work: WorkId,
        /// Until when at the latest.
        until: SystemTime,
    },
    /// It is itself a suspect: crashes have found it running, and it runs alone.
    Alone {
        /// How many crashes.
        crashes: u32,
        /// The bodies that have to end first.
        bodies: usize,
    },
    /// The store does not work.
    Store {
        /// What it said.
        why: String,
    },
    /// The engine is shutting down.
    Shutdown,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((attempt, since)) = self.running {
            let seconds = crate::clock::now().duration_since(since).map_or(0, |elapsed| elapsed.as_secs());
            return write!(f, "has run its attempt {attempt} for {seconds} s");
        }
        if self.obstacles.is_empty() {
            return match self.state {
                WorkState::Enqueued => f.write_str("is about to start"),
                state => write!(f, "is {state}"),
            };
        }
        f.write_str("waits for ")?;
        for (index, obstacle) in self.obstacles.iter().enumerate() {
            if index > 0 {
                f.write_str("; for ")?;
            }
            obstacle.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { until } => match until.duration_since(crate::clock::now()) {
                Ok(left) => write!(f, "its time, in {:.1} s", left.as_secs_f64()),
                Err(_) => f.write_str("its time, which has just come"),
            },
            Self::Constraint { constraint, why, since, .. } => {
                let lasted = crate::clock::now().duration_since(*since).unwrap_or_default();
                write!(f, "{constraint} ({why}, for {} s)", lasted.as_secs())
            }
            Self::Concurrency { task, limit } => write!(f, "one of the {limit} permits of `{task}`"),
            Self::MaxRunning { limit } => write!(f, "one of the {limit} places of the scheduler"),
            Self::NoHandler { task } => {
                write!(f, "a task named `{task}`, which this program does not register")
            }
            Self::EarlierWork => f.write_str("earlier work with its task id"),
            Self::Success { of } => write!(f, "the success of the work {of}"),
            Self::EarlierBody => f.write_str("the body of earlier work with its task id to end"),
            Self::OwnBody => f.write_str("its own earlier body to end"),
            Self::Suspect { work, .. } => {
                write!(f, "the work {work}, which crashes have found running, to run alone")
            }
            Self::Alone { crashes, bodies } => {
                write!(f, "{bodies} other bodies to end, since {crashes} crashes have found it running")
            }
            Self::Store { why } => write!(f, "the store to work again ({why})"),
            Self::Shutdown => f.write_str("the next start, since this scheduler is shutting down"),
        }
    }
}

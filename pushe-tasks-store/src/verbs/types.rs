//! What the verbs take and answer: plain data.
//!
//! Invariant: nothing here knows a table; a store of any kind speaks these types.

use std::sync::Arc;
use std::time::Duration;

use crate::finding::{Finding, StoreHealth};
use crate::id::{Attempt, LaneId, WorkId};
use crate::opaque::Opaque;
use crate::period::{NextSlot, PeriodEnd};
use crate::record::WorkRecord;
use crate::spec::{Envelope, StoredOptions, WorkSpec};
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;
use crate::wire::Damage;

/// How many findings are kept.
#[cfg(feature = "redb")]
const FINDINGS: usize = 64;

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreFacts {
    /// The kind of store, such as `redb` or `memory`.
    pub kind: &'static str,
    /// Where it lives, for people.
    pub place: String,
    /// Names the store for its whole life, wherever its file is moved.
    pub uuid: [u8; 16],
    /// How often it has been opened.
    pub epoch: u64,
    /// Whether it works.
    pub health: StoreHealth,
    /// What is worth telling of its openings, oldest first: the last 64.
    pub findings: Vec<Finding>,
    /// How many findings there have been.
    pub noticed: u64,
}

impl StoreFacts {
    /// The facts of a store of this kind.
    pub const fn new(kind: &'static str, place: String, uuid: [u8; 16], epoch: u64) -> Self {
        Self { kind, place, uuid, epoch, health: StoreHealth::Healthy, findings: Vec::new(), noticed: 0 }
    }

    /// Adds a finding. Where there are too many, the oldest reopening goes, and else the oldest of all.
    #[cfg(feature = "redb")]
    pub(crate) fn notice(&mut self, finding: Finding) {
        if self.findings.len() >= FINDINGS {
            let reopening = |finding: &Finding| matches!(finding, Finding::Reopened { .. });
            let oldest = self.findings.iter().position(reopening).unwrap_or(0);
            self.findings.remove(oldest);
        }
        self.findings.push(finding);
        self.noticed += 1;
    }
}

/// A constraint as it is stored: its kind and its encoded value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoredConstraint {
    /// The stable name of its kind.
    pub kind: String,
    /// Its value, encoded by its kind.
    pub value: Vec<u8>,
}

/// What all pieces of one lane share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The stored task name.
    pub task: String,
    /// The constraints, sorted.
    pub constraints: Vec<StoredConstraint>,
    /// The concurrency key, where the task has one.
    pub key: Option<String>,
}

impl Lane {
    /// The lane of a task without constraints.
    pub fn of(task: &str) -> Self {
        Self { task: task.to_owned(), constraints: Vec::new(), key: None }
    }
}

/// What scheduling does when unfinished work with the task id exists (S4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Keeps the unfinished piece.
    Keep,
    /// Cancels it and stores the new one.
    Replace,
    /// Stores the new one to run after it.
    Append,
    /// Stores the new one to run after it once it has succeeded; it fails with it, and is cancelled with it.
    AppendAfterSuccess,
    /// Gives the unfinished piece the new one's payload and options; a running attempt ends under the old ones first.
    Update,
}

/// When a piece may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// After this long, counted from now or, for a Blocked piece, from its release.
    After(Duration),
    /// At this moment of the wall clock.
    At(WallTime),
}

/// One piece of work to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewWork {
    /// Its id, made by the caller.
    pub id: WorkId,
    /// Its lane.
    pub lane: Arc<Lane>,
    /// The task's other names: work of one of them under the same task id is work of the same task.
    pub aliases: &'static [&'static str],
    /// Its unique id and what to do when that is taken.
    pub unique: Option<(String, Policy)>,
    /// When it may start.
    pub start: Start,
    /// How far it jumps the queue, in milliseconds.
    pub boost_millis: i64,
    /// Options that are stored with it.
    pub options: StoredOptions,
    /// Its input.
    pub envelope: Envelope,
}

/// What became of a scheduled piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// The piece that stands for the call: the new one, or the one that was kept.
    pub id: WorkId,
    /// Which of them.
    pub how: How,
}

/// How a scheduled piece came to be stored, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// It was stored; no unfinished work bore its task id.
    New,
    /// The piece that bears the task id was kept, in this state.
    Kept {
        /// Its state.
        state: WorkState,
        /// Its stored task name: an alias of the task.
        task: String,
        /// Whether its stored options differ from those of the call.
        options_differ: bool,
    },
    /// It took the place of these.
    Replaced(Vec<WorkId>),
    /// It runs after this one.
    Appended(WorkId),
    /// The piece that bears the task id has its payload and options now.
    Updated {
        /// Its state.
        state: WorkState,
        /// How often it has had new ones, and 1 for the first.
        generation: u32,
    },
}

/// What may be claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Now.
    pub now: WallTime,
    /// The most attempts to start.
    pub limit: usize,
    /// What may start, and how many of each.
    pub grants: Vec<Grant>,
    /// The suspect beside which others may start: its time alone has passed. It then no longer counts as alone.
    pub beside: Option<Attempt>,
    /// Whether others start although a suspect waits for the bodies that live to end.
    pub passes_suspects: bool,
}

/// Lanes that share permits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The most attempts to start in these lanes together.
    pub permits: usize,
    /// The lanes.
    pub lanes: Vec<LaneId>,
}

/// An attempt that may now begin: its claim is durable once the transaction is.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The record as claimed: its claim number fences the attempt.
    pub record: WorkRecord,
    /// What it is asked to do.
    pub spec: WorkSpec,
}

impl Claimed {
    /// The attempt's name.
    pub const fn attempt(&self) -> Attempt {
        Attempt { work: self.record.id, claim: self.record.claim }
    }
}

/// The end of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Settle {
    /// The attempt.
    pub attempt: Attempt,
    /// When it ended.
    pub at: WallTime,
    /// What becomes of the work.
    pub settlement: Settlement,
    /// Whether its body still lives: a blocking body that nobody can stop.
    pub body: Body,
}

/// Whether the body of a settled attempt still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It has ended.
    Ended,
    /// There was none: the attempt was given back before. Its claim then was no beginning of a periodic run.
    NeverBegan,
    /// It goes on; `release` will say when it has ended.
    Living,
}

/// What becomes of the work when an attempt has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Settlement {
    /// It succeeded (S1.5).
    Succeeded {
        /// The encoded output, where there is one.
        output: Option<Opaque>,
    },
    /// It failed for good (S1.6).
    Failed {
        /// How the attempt ended.
        end: AttemptEnd,
        /// Why that is the end.
        reason: Reason,
        /// The text of its error.
        error: String,
    },
    /// It runs again (S1.8).
    Retry {
        /// How the attempt ended.
        end: AttemptEnd,
        /// The text of its error.
        error: String,
        /// The back-off, counted from the end of the attempt.
        after: Duration,
    },
    /// A period is over, and the work waits for its next slot (S1.11).
    Period {
        /// How the attempt ended.
        end: AttemptEnd,
        /// The text of its error; empty for none.
        error: String,
        /// What became of the period.
        how: PeriodEnd,
        /// The slot after it.
        next: NextSlot,
    },
    /// It asked to run later; the attempt is given back (S1.9).
    Snooze {
        /// How much later.
        after: Duration,
    },
    /// It was stopped; the attempt is given back (S1.10).
    Return {
        /// Why it was stopped.
        reason: Reason,
    },
    /// It is set aside (S1.13).
    Quarantine {
        /// Why.
        reason: Reason,
        /// What was wrong.
        error: String,
    },
}

/// What a settle did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The work moved.
    Applied,
    /// The claim was stale; nothing moved.
    Fenced,
}

/// Which work a verb is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// One piece.
    Work(WorkId),
    /// Every unfinished piece that bears the task id.
    TaskId(String),
    /// Every unfinished piece of these tasks that the start of a program scheduled, but for these pieces (S5.5).
    Automatic {
        /// Stored task names.
        tasks: Vec<String>,
        /// What is still scheduled so.
        except: Vec<WorkId>,
    },
}

/// A piece of work that a verb moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The piece, with its newest claim.
    pub attempt: Attempt,
    /// Its lane.
    pub lane: LaneId,
    /// Where it stood; `None` for a new piece.
    pub from: Option<WorkState>,
    /// Where it stands.
    pub to: WorkState,
    /// Why.
    pub reason: Option<Reason>,
}

/// How orphans are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescueRequest {
    /// Now.
    pub now: WallTime,
    /// The machine's boot, where it is known.
    pub boot: Option<[u8; 16]>,
    /// Attempts that had run at least this long are not charged.
    pub charge_within: Duration,
    /// So many crashes set a piece aside, if the last of them found it alone.
    pub max_interruptions: u32,
}

impl RescueRequest {
    /// Charges attempts younger than ten minutes, and sets a piece aside after three crashes.
    pub const fn new(now: WallTime, boot: Option<[u8; 16]>) -> Self {
        Self { now, boot, charge_within: Duration::from_secs(600), max_interruptions: 3 }
    }
}

/// What `rescue` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rescued {
    /// Orphans that were enqueued again.
    pub orphans: Vec<WorkId>,
    /// How many of them were charged an interruption.
    pub charged: usize,
    /// Orphans that were set aside: crashes had found them running too often, and the last of them alone.
    pub quarantined: Vec<WorkId>,
    /// Records that do not read back and were set aside.
    pub damaged: usize,
}

/// One piece of work as it can be seen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkView {
    /// Its record.
    pub record: WorkRecord,
    /// Its lane.
    pub lane: Arc<Lane>,
    /// What it is asked to do, or why that does not read back.
    pub spec: Result<WorkSpec, Damage>,
    /// The error texts of its remembered attempts, by claim.
    pub errors: Vec<(u64, String)>,
}

impl WorkView {
    /// The view of these parts.
    pub const fn new(
        record: WorkRecord,
        lane: Arc<Lane>,
        spec: Result<WorkSpec, Damage>,
        errors: Vec<(u64, String)>,
    ) -> Self {
        Self { record, lane, spec, errors }
    }
}

/// Which records a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// States that it shows; empty for all.
    pub states: Vec<WorkState>,
    /// Task names that it shows; empty for all.
    pub tasks: Vec<String>,
    /// Shows only what stands behind this id.
    pub after: Option<WorkId>,
    /// The most records on a page.
    pub limit: usize,
}

/// Which pieces a page shows: within a kind of name any of them, between kinds all. A kind that names nothing shows all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Work ids.
    pub ids: Vec<WorkId>,
    /// Task ids.
    pub task_ids: Vec<String>,
    /// Stored task names.
    pub tasks: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// States.
    pub states: Vec<WorkState>,
    /// Shows only what stands behind this id, in the order of the page.
    pub after: Option<WorkId>,
    /// Shows no id that is greater.
    pub until: Option<WorkId>,
    /// By falling ids instead of rising ones.
    pub newest_first: bool,
    /// The most pieces on a page.
    pub limit: usize,
    /// The most entries that are looked at for one page, so that no look takes long.
    pub effort: usize,
}

impl Default for Query {
    /// The first hundred of all pieces, by rising ids.
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            task_ids: Vec::new(),
            tasks: Vec::new(),
            tags: Vec::new(),
            states: Vec::new(),
            after: None,
            until: None,
            newest_first: false,
            limit: 100,
            effort: 4_096,
        }
    }
}

/// One page of pieces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The pieces, in order.
    pub works: Vec<WorkView>,
    /// Behind which id the next page goes on; `None` behind the last. A page may be short, or empty, and not the last: then
    /// it would have taken more effort.
    pub next: Option<WorkId>,
}

/// What one step of a cancel that names many has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelledPage {
    /// What was cancelled.
    pub moved: Vec<Moved>,
    /// Behind which id the next step goes on; `None` when it is done.
    pub next: Option<WorkId>,
    /// The greatest id that was stored by then: work that came later is not meant.
    pub newest: Option<WorkId>,
}

/// One lane as it can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneView {
    /// Its id.
    pub id: LaneId,
    /// What its pieces share.
    pub lane: Arc<Lane>,
    /// How many pieces are ready in it.
    pub ready: u64,
}

//! A script: what is done to the world and what goes wrong in it, as data made up front.
//!
//! Invariant: a script with the seed in its head is all that a run depends on. Operations name pieces of work by numbers
//! that wrap, so that any of them can be left out and the rest still means something; that is what lets failures shrink.

use serde::{Deserialize, Serialize};

use super::source::{Reads, Watches};

/// One run of the simulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// What the world around the script draws on: power cuts, ids, jitter.
    pub seed: u64,
    /// Whether faults end at the end of the operations and all work must then come to its end.
    pub mode: Mode,
    /// How many bodies run at once.
    pub max_running: usize,
    /// What happens, in this order.
    pub ops: Vec<Op>,
}

/// What is asked of the world at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Faults go on to the end.
    Safety,
    /// Faults end, and all work must come to its end in time.
    Liveness,
}

/// One call of `schedule`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which task: an index into `TASKS`.
    pub task: u8,
    /// The number of its task id, if it bears one.
    pub key: Option<u8>,
    /// What to do where unfinished work bears the id.
    pub policy: Policy,
    /// Whether it needs the network.
    pub network: bool,
    /// Its delay in milliseconds.
    pub delay: u32,
    /// Its most attempts.
    pub attempts: Option<u32>,
    /// Its back-off: `Fixed`, so many milliseconds.
    pub backoff: u32,
    /// Its timeout in milliseconds.
    pub timeout: Option<u32>,
    /// Whether the caller makes the work id, and so may repeat a call in doubt.
    pub own_id: bool,
    /// Bytes of its payload beyond what its body needs.
    pub filler: u16,
    /// What its body does, attempt by attempt; success when all steps are used up.
    pub plan: Vec<Step>,
}

/// A policy in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// `ExistingWorkPolicy::Keep`.
    Keep,
    /// `ExistingWorkPolicy::Replace`.
    Replace,
    /// `ExistingWorkPolicy::Append`.
    Append,
}

/// What a body does in one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How long it takes, in milliseconds.
    pub wait: u32,
    /// Whether it hears that it is to stop; one that does not is dropped after its grace.
    pub obeys: bool,
    /// How it ends.
    pub end: End,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With success.
    Success,
    /// With an error.
    Retry,
    /// With an error that asks for another attempt after so many milliseconds.
    RetryAfter(u32),
    /// For good.
    Fail,
    /// It asks to run so many milliseconds later.
    Snooze(u32),
    /// With a panic.
    Panic,
    /// The process dies there.
    Die,
    /// It schedules a piece of the same task without an id, then succeeds.
    Child,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Crash {
    /// It is killed: the system and its cache live on.
    Kill,
    /// The power is cut: what was not synced is there, or not, or in part.
    PowerCut,
}

/// When it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// Now, between two calls of the disk.
    Now,
    /// At this call of the disk from now on.
    Call(u32),
    /// When this transaction from now on has been applied and is about to be committed.
    BeforeCommit(u8),
    /// When this transaction from now on has been committed and nobody has been told.
    AfterCommit(u8),
    /// When the next body has ended and its end has not been stored.
    BodyEnd,
}

/// What goes wrong with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// A sync fails, and with it what it was to keep.
    Sync,
    /// A sync is carried out and reported as failed.
    SyncDone,
    /// A write fails half-way.
    Write,
    /// A read fails.
    Read,
    /// A change of length fails.
    SetLen,
    /// Any call fails.
    Any,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// One call of `schedule`.
    Schedule(Call),
    /// Calls of `schedule` that race one another.
    Race(Vec<Call>),
    /// One call of `schedule_many`.
    Many(Vec<Call>),
    /// `cancel` of one piece.
    Cancel(u16),
    /// `cancel` of all that bears a task id.
    CancelKey(u8),
    /// `cancel` of one piece, while a call with a task id is made.
    CancelRace(u16, Call),
    /// Somebody waits for a piece to end, and then asks for its output.
    Wait(u16),
    /// `info`, `explain`, `list` and `health`.
    Look(u16),
    /// Time passes.
    Advance(u32),
    /// Days pass, so that finished records are pruned.
    Days(u8),
    /// The wall clock is set, by so many milliseconds.
    Jump(i64),
    /// The machine sleeps for so many milliseconds.
    Suspend(u32),
    /// The network is there, or not.
    Network(bool),
    /// The network comes and goes this often, a few milliseconds apart.
    Flap(u8),
    /// The network comes and goes so often, a thousand times a second.
    Storm(u16),
    /// What tells the engine of the network does so from now on.
    Source(Watches, Reads),
    /// `shutdown` with so many milliseconds of grace, racing a call; then a new start.
    Shutdown(u32, Call),
    /// A process ends.
    Crash(Crash, At),
    /// A process ends while the next one opens the store, at this call of the disk.
    CrashInRecovery(Crash, u32),
    /// The store is made anew, and the process ends at this call of the disk.
    CrashInCreation(Crash, u32),
    /// A sync fails, and the process ends while the store is opened anew, so many calls later.
    CrashInReopen(Crash, u32),
    /// The disk fails, after so many calls of the kind and for so many; 0 for ever.
    Fault(Trouble, u8, u8),
    /// All faults of the disk end.
    Heal,
    /// The disk has room for so many kilobytes more.
    Full(u8),
    /// The program is started without one of its tasks until the next start.
    WithoutTask,
    /// On a copy of the disk, a bit of a stored payload flips while no process runs.
    Rot(u16, u8),
}

impl Op {
    /// What it is called in the figures.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Schedule(_) => "schedule",
            Self::Race(_) => "race",
            Self::Many(_) => "many",
            Self::Cancel(_) => "cancel",
            Self::CancelKey(_) => "cancel by id",
            Self::CancelRace(..) => "cancel race",
            Self::Wait(_) => "wait",
            Self::Look(_) => "look",
            Self::Advance(_) => "advance",
            Self::Days(_) => "days",
            Self::Jump(_) => "wall jump",
            Self::Suspend(_) => "suspend",
            Self::Network(_) => "network",
            Self::Flap(_) => "flap",
            Self::Storm(_) => "storm of flaps",
            Self::Source(..) => "source changes",
            Self::Shutdown(..) => "shutdown",
            Self::Crash(..) => "crash",
            Self::CrashInRecovery(..) => "crash in recovery",
            Self::CrashInCreation(..) => "crash in creation",
            Self::CrashInReopen(..) => "crash in reopening",
            Self::Fault(..) => "disk fault",
            Self::Heal => "heal",
            Self::Full(_) => "disk full",
            Self::WithoutTask => "task not registered",
            Self::Rot(..) => "bit rot",
        }
    }
}

impl Script {
    /// The script as text: its head, then one operation a line.
    ///
    /// # Panics
    /// Never: every script can be written.
    pub fn to_text(&self) -> String {
        let head = Self { ops: Vec::new(), ..self.clone() };
        let mut text = serde_json::to_string(&head).expect("a script is plain data");
        for op in &self.ops {
            text.push('\n');
            text.push_str(&serde_json::to_string(op).expect("an operation is plain data"));
        }
        text.push('\n');
        text
    }

    /// Reads what `to_text` has written.
    ///
    /// # Errors
    /// The first line that is none of a script.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let head = lines.next().ok_or("it is empty")?;
        let mut script: Self = serde_json::from_str(head).map_err(|error| format!("head: {error}"))?;
        for (number, line) in lines.enumerate() {
            let op = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 2))?;
            script.ops.push(op);
        }
        Ok(script)
    }
}

//! The ledger outside of the process: what was asked for, what was answered, what ran.
//!
//! Invariant: nothing is written here on behalf of a process that has died, and nothing here is lost with one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pushe_tasks::clock::{MonoTime, WallTime};
use pushe_tasks::{WorkId, WorkState};

use super::job::Job;
use super::script::{Call, End, Policy};
use super::source::Told;

/// So many events are told with a failure.
const RECENT: usize = 50;

/// The ledger, shared by the world and the bodies of the process in it.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Ledger>>);

impl Shared {
    /// Opens it.
    pub fn open(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of one call of `schedule`.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
pub struct Piece {
    /// The call.
    pub call: Call,
    /// What its body is to be given.
    pub job: Job,
    /// Its stored name, once it is known.
    pub id: Option<WorkId>,
    /// When it was asked for.
    pub asked: WallTime,
    /// What the caller was told.
    pub answer: Answer,
    /// The piece behind which it was put, as the caller was told.
    pub after: Option<WorkId>,
    /// Whether the caller was told that it is cancelled or replaced.
    pub cancelled: bool,
    /// Whether anybody may have cancelled or replaced it.
    pub maybe_cancelled: bool,
    /// Its bodies, in order.
    pub runs: Vec<Run>,
    /// The state in which somebody was told that it ended.
    pub told: Option<WorkState>,
    /// The state in which it was last seen in the store.
    pub seen: Option<WorkState>,
    /// Whether its record may be gone, since it ended long ago.
    pub pruned: bool,
    /// Whether the wall clock was set while it waited, so that its waits may be shorter or longer than they were.
    pub clock_set: bool,
    /// Whether a crash can have found it running alone: at a crash, no other body lived.
    pub died_alone: bool,
}

/// What a caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it may be stored or not.
    Unknown,
    /// It is stored.
    Stored,
    /// It may be stored or not, as the caller knows.
    Doubt,
    /// Another one was kept in its place.
    Kept,
    /// It is not stored.
    Refused,
}

/// One body.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its claim, as it is stored; 0 where the store could not be asked.
    pub claim: u64,
    /// Its number for people.
    pub attempt: u32,
    /// In which process it ran.
    pub life: usize,
    /// When it began.
    pub began: WallTime,
    /// How and when it ended, where it did.
    pub ended: Option<(Ended, WallTime, MonoTime)>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As its step said.
    By(End),
    /// It heard that it was to stop.
    Stopped,
    /// It was dropped.
    Dropped,
}

/// One process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// Whether it ended, or met errors of the disk, so that ends of bodies may not have been stored.
    pub dirty: bool,
}

/// What a run found.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Every call, by its token.
    pub pieces: Vec<Piece>,
    /// Tokens by stored name.
    pub by_id: BTreeMap<WorkId, usize>,
    /// Bodies that live now, by token.
    pub living: BTreeMap<usize, Living>,
    /// All processes, the present one last.
    pub lives: Vec<Life>,
    /// The process is dead: it says nothing any more.
    pub dead: bool,
    /// A body asked for the death of the process.
    pub die: bool,
    /// The process dies when the next body has ended.
    pub die_at_end: bool,
    /// The piece whose stored payload is damaged.
    pub rotten: Option<usize>,
    /// Whether the last commit failed.
    pub failing: bool,
    /// What there is of a network, and what the engine could know of it.
    pub source: Told,
    /// The latest moment that the wall clock has shown.
    pub latest: WallTime,
    /// The most bodies at once.
    pub max_running: usize,
    /// What must not be.
    pub violations: Vec<String>,
    /// How often each thing was done or met.
    pub counts: BTreeMap<&'static str, u64>,
    /// A hash of all events.
    pub trace: u64,
    /// The last events.
    pub recent: VecDeque<String>,
}

/// A body that lives.
#[derive(Clone, Copy, Debug)]
pub struct Living {
    /// Its task.
    pub task: u8,
    /// Its task id.
    pub key: Option<u8>,
}

impl Ledger {
    /// Writes an event down.
    pub fn note(&mut self, event: String) {
        for byte in event.bytes() {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    /// Writes down what must not be.
    pub fn violation(&mut self, what: String) {
        self.note(format!("VIOLATION {what}"));
        self.violations.push(what);
    }

    /// Counts something.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The number of the present process.
    pub const fn life(&self) -> usize {
        self.lives.len().saturating_sub(1)
    }

    /// The present process may lose ends of bodies.
    pub fn soil(&mut self) {
        if let Some(life) = self.lives.last_mut() {
            life.dirty = true;
        }
    }

    /// A call is about to be made; answers its token.
    pub fn ask(&mut self, call: &Call, id: Option<WorkId>, now: WallTime) -> usize {
        let token = self.pieces.len();
        let job = Job::of(token, call);
        let replaces = |other: &Piece| other.call.key == call.key && other.call.policy == Policy::Replace;
        let maybe_cancelled = call.key.is_some() && self.pieces.iter().any(replaces);
        self.pieces.push(Piece {
            call: call.clone(),
            job,
            id,
            asked: now,
            answer: Answer::Unknown,
            after: None,
            cancelled: false,
            maybe_cancelled,
            runs: Vec::new(),
            told: None,
            seen: None,
            pruned: false,
            clock_set: false,
            died_alone: false,
        });
        if let Some(id) = id {
            self.by_id.insert(id, token);
        }
        if call.key.is_some() && call.policy == Policy::Replace {
            self.maybe_replaced(token, call.key);
        }
        token
    }

    fn maybe_replaced(&mut self, by: usize, key: Option<u8>) {
        for (token, piece) in self.pieces.iter_mut().enumerate() {
            piece.maybe_cancelled |= token != by && piece.call.key == key;
        }
    }

    /// Notes the stored name of a piece.
    pub fn name(&mut self, token: usize, id: WorkId) {
        match self.pieces[token].id {
            Some(known) if known != id => {
                self.violation(format!("I2: piece {token} is stored under {known} and {id}"));
            }
            Some(_) => {}
            None => {
                self.pieces[token].id = Some(id);
                self.by_id.insert(id, token);
            }
        }
    }

    /// What `cancel` or Replace answered: these pieces are cancelled.
    pub fn cancelled(&mut self, ids: &[WorkId], why: &str) {
        for id in ids {
            match self.by_id.get(id).copied() {
                Some(token) => {
                    self.note(format!("{why} took {token}"));
                    self.pieces[token].cancelled = true;
                    self.pieces[token].maybe_cancelled = true;
                }
                // Its call has not been answered: its token is learnt from the store.
                None => self.note(format!("{why} took a piece whose call is not answered")),
            }
        }
    }

    /// Begins to keep the accounts of a new process.
    pub fn new_life(&mut self, now: MonoTime) {
        self.source.new_life(now);
        self.lives.push(Life::default());
        (self.dead, self.die, self.die_at_end, self.failing) = (false, false, false, false);
        self.living.clear();
    }

    /// The process has died, with the bodies that live.
    pub fn died(&mut self) {
        self.soil();
        for (token, piece) in self.pieces.iter_mut().enumerate() {
            piece.died_alone |= self.living.keys().all(|other| *other == token);
        }
    }

    /// The wall clock was set: what lies in its future now may be over at any time.
    pub fn clock_set(&mut self, now: WallTime) {
        for piece in &mut self.pieces {
            piece.clock_set = true;
            piece.asked = piece.asked.min(now);
            for run in &mut piece.runs {
                if let Some((_, at, _)) = &mut run.ended {
                    *at = (*at).min(now);
                }
            }
        }
    }

    /// The end of a body; answers whether the process dies of it.
    pub fn end(&mut self, token: usize, ended: Ended, wall: WallTime, mono: MonoTime) -> bool {
        if self.dead {
            return false;
        }
        self.living.remove(&token);
        // Bodies that a runtime drops at its end are dropped in an order of its own, which is no part of the trace.
        if ended != Ended::Dropped {
            self.note(format!("body of {token} ended: {ended:?}"));
        }
        if let Some(run) = self.pieces[token].runs.last_mut() {
            run.ended = Some((ended, wall, mono));
        }
        if ended == Ended::By(End::Die) || self.die_at_end {
            self.count(if self.die_at_end { "crash at the end of a body" } else { "body kills its process" });
            (self.die, self.dead) = (true, true);
        }
        self.die
    }
}

impl Piece {
    /// How often a body of it ended in a way that is another attempt.
    pub fn retries(&self) -> usize {
        let retried = |run: &&Run| {
            let by = matches!(
                run.ended,
                Some((Ended::By(End::Retry | End::RetryAfter(_) | End::Panic | End::Fail), ..))
            );
            // What was stopped may have been stopped by its timeout.
            by || (self.call.timeout.is_some() && !matches!(run.ended, Some((Ended::By(_), ..))))
        };
        self.runs.iter().filter(retried).count()
    }

    /// Whether a body of it ended in success or for good, in a process that could store that.
    pub fn settled_for_sure(&self, lives: &[Life]) -> bool {
        self.runs.iter().any(|run| {
            let over = matches!(run.ended, Some((Ended::By(End::Success | End::Child | End::Fail), ..)));
            over && !lives[run.life].dirty
        })
    }

    /// The back-off after one attempt, at the least.
    pub fn least_wait(&self, end: End) -> Duration {
        match end {
            End::Retry | End::Panic => Duration::from_millis(u64::from(self.call.backoff)),
            End::RetryAfter(wait) => Duration::from_millis(u64::from(wait)),
            End::Snooze(wait) => Duration::from_millis(u64::from(wait).max(1_000)),
            End::Success | End::Fail | End::Die | End::Child => Duration::ZERO,
        }
    }
}

//! The work of the application: everything about a piece follows from the seed and its number, so that the ledger knows
//! it without being told.
//!
//! Invariant: equal seeds and numbers make equal pieces.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use fastrand::Rng;
use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::{
    Backoff, ExistingWorkPolicy, Outcome, RetryOptions, Schedule, Task, TaskContext, TaskError, TaskOptions,
    WorkId,
};
use serde::{Deserialize, Serialize};

use super::line::{End, Line, tell};

/// The input of one piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) plan: Plan,
    filling: Vec<u8>,
}

/// What its body does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Plan {
    Succeed,
    /// After so many milliseconds.
    Slowly(u64),
    /// Its first attempt errs.
    RetryOnce,
    /// Its first attempt panics.
    PanicOnce,
    Fail,
}

/// How a piece is scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) unique: Option<(String, ExistingWorkPolicy)>,
    pub(crate) delay: Duration,
    /// Whether it is cancelled as soon as it is stored.
    pub(crate) then_cancel: bool,
}

fn random(seed: u64, number: u64, stream: u64) -> Rng {
    Rng::with_seed(seed.rotate_left(32) ^ (number << 3) ^ stream)
}

impl Job {
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let mut random = random(seed, number, 1);
        let plan = match random.u32(..100) {
            0..40 => Plan::Succeed,
            40..75 => Plan::Slowly(random.u64(1..10)),
            75..85 => Plan::Slowly(random.u64(20..60)),
            85..93 => Plan::RetryOnce,
            93..96 => Plan::PanicOnce,
            _ => Plan::Fail,
        };
        let bytes = if random.u32(..50) == 0 { random.usize(..40_000) } else { random.usize(..300) };
        let filling = std::iter::repeat_with(|| random.u8(..)).take(bytes).collect();
        Self { number, plan, filling }
    }

    /// What tells one input from another.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.number.hash(&mut hasher);
        self.filling.hash(&mut hasher);
        hasher.finish()
    }
}

impl Call {
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let mut random = random(seed, number, 2);
        let key = random.u32(..4);
        let unique = match random.u32(..100) {
            0..10 => Some((format!("keep/{key}"), ExistingWorkPolicy::Keep)),
            10..20 => Some((format!("replace/{key}"), ExistingWorkPolicy::Replace)),
            20..32 => Some((format!("append/{key}"), ExistingWorkPolicy::Append)),
            _ => None,
        };
        let delay =
            if random.u32(..10) == 0 { Duration::from_millis(random.u64(1..20)) } else { Duration::ZERO };
        Self { unique, delay, then_cancel: random.u32(..20) == 0 }
    }

    pub(crate) fn schedule(&self, seed: u64, number: u64) -> Schedule<Work> {
        let mut schedule = Schedule::<Work>::new(Job::of(seed, number)).with_work_id(id_of(number));
        if let Some((id, policy)) = &self.unique {
            schedule = schedule.id(id).policy(*policy);
        }
        if self.delay.is_zero() { schedule } else { schedule.delay(self.delay) }
    }
}

/// The piece with this number; ids grow with numbers.
pub(crate) fn id_of(number: u64) -> WorkId {
    WorkId::from_parts(number, [0; 10])
}

/// The number of a piece; `None` for an id that no piece of this application has.
pub(crate) fn number_of(id: WorkId) -> Option<u64> {
    let bytes = id.as_bytes();
    let number = bytes[..6].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (id_of(number) == id).then_some(number)
}

/// The task.
pub(crate) struct Work;

/// Tells the end of a body however it ends, its future being dropped among the ways.
struct Ending(u64, End);

impl Drop for Ending {
    fn drop(&mut self) {
        tell(&Line::End(self.0, self.1));
    }
}

/// The text of a panic that is planned.
pub(crate) const PLANNED: &str = "a planned panic";

impl Task for Work {
    const NAME: &'static str = "Work";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new()
        .retry(RetryOptions::new().backoff(Backoff::Fixed).delay(Duration::from_millis(3)).jitter(0.0));
    type Input = Job;
    type Output = u64;

    async fn perform(job: Job, cx: TaskContext) -> Result<Outcome<u64>, TaskError> {
        tell(&Line::Start(job.number, cx.attempt(), job.hash()));
        let mut ending = Ending(job.number, End::Dropped);
        if let Plan::Slowly(millis) = job.plan {
            let clock = SystemClock::new();
            clock.sleep_until(clock.mono().plus(Duration::from_millis(millis))).await;
        }
        let first = cx.attempt() == 1;
        if job.plan == Plan::PanicOnce && first {
            ending.1 = End::Retry;
            panic!("{PLANNED}");
        }
        let (end, answer) = match job.plan {
            Plan::RetryOnce if first => (End::Retry, Err(TaskError::new("once more"))),
            Plan::Fail => (End::Failed, Err(TaskError::new(pushe_tasks::Fail::because("it is to fail")))),
            _ => (End::Succeeded, Ok(Outcome::Success(job.number))),
        };
        ending.1 = end;
        answer
    }
}

//! The tasks of the simulated program: their bodies do what the script says, and tell the ledger.

use std::time::Duration;

use pushe_tasks::clock::{Clock as _, WallTime};
use pushe_tasks::{
    Fail, FromTaskContext as _, Outcome, Retry, RetryOptions, Schedule, Snooze, State, StopReason, Task,
};
use pushe_tasks::{TaskContext, TaskError, TaskOptions, WorkState};
use serde::{Deserialize, Serialize};

use super::clock::SimClock;
use super::ledger::{Ended, Ledger, Living, Run, Shared};
use super::probe::Probe;
use super::script::{Call, End, Step};

/// What a piece of work is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its token, so written that it can be read in the stored bytes.
    token: [u8; 8],
    /// What its bodies do.
    plan: Vec<Step>,
    /// Bytes that must come through unchanged.
    filler: Vec<u8>,
}

impl Job {
    /// The job of a call.
    pub fn of(token: usize, call: &Call) -> Self {
        let byte = |at: u16| u8::try_from((usize::from(at) * (7 + token % 89) + token) % 251).unwrap_or(0);
        let filler = (0..call.filler).map(byte).collect();
        Self { token: (token as u64).to_le_bytes(), plan: call.plan.clone(), filler }
    }

    /// The bytes that must come through unchanged.
    pub fn filler(&self) -> &[u8] {
        &self.filler
    }

    /// Its token.
    pub fn token(&self) -> usize {
        Self::token_of(&self.token)
    }

    /// The token in an encoded job.
    pub fn token_of(payload: &[u8]) -> usize {
        let bytes = payload.first_chunk::<8>().copied().unwrap_or([0xff; 8]);
        usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
    }
}

/// What the bodies are given of the world.
#[derive(Clone, Debug)]
pub struct World {
    /// The ledger.
    pub ledger: Shared,
    /// The clock.
    pub clock: SimClock,
    /// The store of this process.
    pub probe: Probe,
}

/// The names of the tasks, by their number in scripts.
pub const TASKS: [&str; 3] = ["Plain", "Narrow", "Rare"];

/// How many bodies of each may live.
const LIMITS: [usize; 3] = [usize::MAX, 2, usize::MAX];

macro_rules! task {
    ($(#[$doc:meta])* $name:ident, $number:literal, $options:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Task for $name {
            const NAME: &'static str = TASKS[$number];
            const OPTIONS: TaskOptions<Self> = $options;
            type Input = Job;
            type Output = u64;

            async fn perform(job: Job, context: TaskContext) -> Result<Outcome<u64>, TaskError> {
                body::<Self>($number, job, context).await
            }
        }
    };
}

task! {
    /// A task without limits.
    Plain, 0, TaskOptions::new()
}
task! {
    /// A task of which two pieces run at a time.
    Narrow, 1, TaskOptions::new().concurrency(2)
}
task! {
    /// A task that some processes do not register.
    Rare, 2, TaskOptions::new()
}

/// Tells the ledger of the end of a body, however it comes.
struct Guard {
    world: World,
    token: usize,
    ended: Ended,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (wall, mono) = (self.world.clock.wall(), self.world.clock.mono());
        if self.world.ledger.open().end(self.token, self.ended, wall, mono) {
            self.world.probe.kill();
        }
    }
}

async fn body<T: Task<Input = Job>>(
    task: u8,
    job: Job,
    context: TaskContext,
) -> Result<Outcome<u64>, TaskError> {
    let State(world) = State::<World>::from_task_context(&context)?;
    let token = job.token();
    let step = begin(&world, task, &job, &context);
    let Some(step) = step else { return Ok(Outcome::Success(0)) };
    let mut guard = Guard { world: world.clone(), token, ended: Ended::Dropped };
    let stop = context.cancellation_token().clone();
    tokio::select! {
        biased;
        () = stop.cancelled(), if step.obeys => {
            guard.ended = Ended::Stopped;
            judge_stop(&world, token, context.stop_reason());
            return Err(TaskError::new("it was stopped"));
        }
        () = world.clock.sleep(Duration::from_millis(u64::from(step.wait))) => {}
    }
    if step.end == End::Child {
        child::<T>(&world, task, &context).await;
    }
    // What does not succeed after it was told to stop was stopped; only a failure for good stands, unless it is too late.
    guard.ended = match (step.end, context.stop_reason()) {
        (End::Retry | End::RetryAfter(_) | End::Snooze(_), Some(_))
        | (End::Fail, Some(StopReason::Timeout)) => Ended::Stopped,
        (end, _) => Ended::By(end),
    };
    drop(guard);
    match step.end {
        End::Success | End::Child => Ok(Outcome::Success(token as u64)),
        End::Retry => Err(TaskError::new("again")),
        End::RetryAfter(wait) => Err(Retry::after(Duration::from_millis(u64::from(wait))).into()),
        End::Fail => Err(Fail::because("it cannot be done").into()),
        End::Snooze(wait) => Err(Snooze::lasting(Duration::from_millis(u64::from(wait))).into()),
        // Without a word from the panic hook.
        End::Panic => std::panic::resume_unwind(Box::new("scripted")),
        End::Die => std::future::pending().await,
    }
}

/// A piece that a body schedules.
async fn child<T: Task<Input = Job>>(world: &World, task: u8, context: &TaskContext) {
    let call = Call {
        task,
        key: None,
        policy: super::script::Policy::Keep,
        network: false,
        delay: 0,
        attempts: None,
        backoff: 1_000,
        timeout: None,
        own_id: false,
        filler: 9,
        plan: Vec::new(),
    };
    let token = world.ledger.open().ask(&call, None, world.clock.wall());
    let job = world.ledger.open().pieces[token].job.clone();
    let answer = Schedule::<T>::new(job).retry(retry(&call)).await;
    let _ = context;
    super::calls::scheduled(
        &world.ledger,
        token,
        answer.map(|receipt| (receipt.id(), receipt.kind().clone())),
    );
}

/// The retry options of a call.
pub fn retry(call: &Call) -> RetryOptions {
    let delay = Duration::from_millis(u64::from(call.backoff));
    let retry = RetryOptions::new().backoff(pushe_tasks::Backoff::Fixed).jitter(0.0).delay(delay);
    call.attempts.map_or(retry, |attempts| retry.max_attempts(attempts))
}

/// Judges the start of a body, and answers what it does.
fn begin(world: &World, task: u8, job: &Job, context: &TaskContext) -> Option<Step> {
    let (token, wall) = (job.token(), world.clock.wall());
    let claim = world.probe.claim_of(context.work_id());
    let after = world.ledger.open().pieces.get(token).and_then(|piece| piece.after);
    let before = after.and_then(|id| world.probe.claim_of(id)).flatten();
    let mut ledger = world.ledger.open();
    if ledger.dead {
        return None;
    }
    let Some(piece) = ledger.pieces.get(token) else {
        ledger.violation(format!("I2: a body was given the token {token}, which nobody scheduled"));
        return None;
    };
    let (call, plan) = (piece.call.clone(), piece.job.plan.clone());
    let (attempt, stopping) = (context.attempt(), context.cancellation_token().is_cancelled());
    let mut wrong = Vec::new();
    if piece.job != *job {
        wrong.push("I2: its payload is not what was scheduled".to_owned());
    }
    if call.task != task {
        wrong.push(format!("I2: it runs as task {task}"));
    }
    let number = judge_claim(piece, claim, &mut wrong);
    judge_history(&ledger, token, attempt, stopping, wall, &mut wrong);
    judge_company(&ledger, token, &call, &mut wrong);
    if call.network && !stopping && !ledger.source.lets_begin(world.clock.mono()) {
        wrong.push("I9: it starts without the network that it needs".to_owned());
    }
    if let Some((_, state)) = before
        && !stopping
        && matches!(state, WorkState::Enqueued | WorkState::Blocked | WorkState::Running)
    {
        wrong.push(format!("I8: the piece before it under its id is {state}"));
    }
    ledger.note(format!("body of {token} began: attempt {attempt}, claim {number}"));
    for what in wrong {
        ledger.violation(format!("{what} (body of piece {token}, claim {number})"));
    }
    ledger.name(token, context.work_id());
    let life = ledger.life();
    ledger.living.insert(token, Living { task, key: call.key });
    let piece = &mut ledger.pieces[token];
    let begun = piece.runs.len();
    piece.runs.push(Run { claim: number, attempt, life, began: wall, ended: None });
    ledger.count("bodies begun");
    Some(plan.get(begun).copied().unwrap_or(Step { wait: 0, obeys: true, end: End::Success }))
}

/// A body is asked to stop for want of the network only after a loss that has lasted.
fn judge_stop(world: &World, token: usize, reason: Option<StopReason>) {
    let now = world.clock.mono();
    let mut ledger = world.ledger.open();
    if ledger.dead || reason != Some(StopReason::ConstraintLost) {
        return;
    }
    ledger.count("stopped for want of the network");
    if !ledger.pieces[token].call.network {
        ledger.violation(format!("I9: piece {token} is stopped for want of a network that it does not need"));
    } else if !ledger.source.lets_stop(now) {
        ledger.violation(format!("I9: piece {token} is stopped, and the network was not gone for 5 s"));
    }
}

#[expect(clippy::option_option, reason = "the store may not be asked, and it may have no record")]
/// The claim is durable before the body begins, and larger than all before it.
fn judge_claim(
    piece: &super::ledger::Piece,
    claim: Option<Option<(u64, WorkState)>>,
    wrong: &mut Vec<String>,
) -> u64 {
    let last = piece.runs.iter().map(|run| run.claim).max().unwrap_or(0);
    match claim {
        // The store cannot be asked now.
        None => 0,
        Some(None) => {
            wrong.push("I6: it runs, and there is no record of it".to_owned());
            0
        }
        Some(Some((claim, state))) => {
            if claim <= last {
                wrong.push(format!("I6: its claim is stored as {claim}, after {last}"));
            }
            if !matches!(state, WorkState::Running | WorkState::Cancelled) {
                wrong.push(format!("I6: it runs while its record says {state}"));
            }
            claim
        }
    }
}

/// What the piece has been through allows another attempt now.
fn judge_history(
    ledger: &Ledger,
    token: usize,
    attempt: u32,
    stopping: bool,
    wall: WallTime,
    wrong: &mut Vec<String>,
) {
    let piece = &ledger.pieces[token];
    if piece.cancelled && !stopping {
        wrong.push("I13: it starts after it was cancelled".to_owned());
    }
    if piece.settled_for_sure(&ledger.lives) {
        wrong.push("I4: it starts again after its end".to_owned());
    }
    if matches!(piece.answer, super::ledger::Answer::Refused | super::ledger::Answer::Kept) {
        wrong.push(format!("I2: it starts, and its caller was told {:?}", piece.answer));
    }
    let retries = piece.retries();
    if attempt as usize > 1 + retries {
        wrong.push(format!("I6: it is attempt {attempt} after {retries} that ended in retry"));
    }
    if piece.call.attempts.is_some_and(|most| attempt > most) {
        wrong.push(format!("I6: it is attempt {attempt} of {:?}", piece.call.attempts));
    }
    match piece.runs.last() {
        _ if piece.clock_set => {}
        None => {
            let due = piece.asked.plus(Duration::from_millis(u64::from(piece.call.delay)));
            if wall < due {
                wrong.push("I10: it starts before its delay has passed".to_owned());
            }
        }
        Some(Run { ended: Some((Ended::By(end), at, _)), life, .. }) if !ledger.lives[*life].dirty => {
            if wall < at.plus(piece.least_wait(*end)) {
                wrong.push(format!("I10: it starts {:?} after it ended in {end:?}", wall.since(*at)));
            }
        }
        Some(_) => {}
    }
}

/// What else lives allows it to start.
fn judge_company(ledger: &Ledger, token: usize, call: &Call, wrong: &mut Vec<String>) {
    if ledger.living.contains_key(&token) {
        wrong.push("I5: another attempt of it is under way".to_owned());
    }
    if call.key.is_some() && ledger.living.values().any(|body| body.key == call.key) {
        wrong.push("I7: another body under its task id lives".to_owned());
    }
    let of_task = ledger.living.values().filter(|body| body.task == call.task).count();
    if of_task >= LIMITS[usize::from(call.task) % 3] || ledger.living.len() >= ledger.max_running {
        wrong.push("I19: there are too many bodies".to_owned());
    }
}

//! The callers: each call of the scheduler is a task of the simulated process, and its answer goes to the ledger.
//!
//! Invariant: an answer counts when it reaches its caller, if the process has not died before.

use std::future::Future as _;
use std::task::{Context, Waker};
use std::time::Duration;

use pushe_tasks::{
    CallError, ExistingWorkPolicy, NetworkType, ReceiptKind, Schedule, ScheduleError, Task, TaskScheduler,
    WorkId, WorkState,
};

use super::job::{Job, Narrow, Plain, Rare, World, retry};
use super::ledger::{Answer, Shared};
use super::script::{Call, Policy};

/// So often a caller repeats a call in doubt.
const REPEATS: usize = 2;

/// Writes down what `schedule` answered for a piece.
pub fn scheduled(ledger: &Shared, token: usize, answer: Result<(WorkId, ReceiptKind), ScheduleError>) {
    let mut ledger = ledger.open();
    if ledger.dead {
        return;
    }
    ledger.note(format!("schedule of {token}: {answer:?}"));
    match answer {
        Ok((id, kind)) => {
            if let ReceiptKind::Kept { .. } = kind {
                ledger.pieces[token].answer = Answer::Kept;
                ledger.count("kept");
                return;
            }
            ledger.name(token, id);
            ledger.pieces[token].answer = Answer::Stored;
            ledger.count("acknowledged");
            match kind {
                ReceiptKind::Replaced(old) => ledger.cancelled(&old, "replace"),
                ReceiptKind::Appended { after } => ledger.pieces[token].after = Some(after),
                _ => {}
            }
        }
        Err(error) => refused(&mut ledger, token, &error),
    }
}

fn refused(ledger: &mut super::ledger::Ledger, token: usize, error: &ScheduleError) {
    ledger.count("refused");
    match error {
        // Nobody knows.
        ScheduleError::Indeterminate { .. } => {
            ledger.pieces[token].answer = Answer::Doubt;
            ledger.count("in doubt");
        }
        ScheduleError::Store(_)
        | ScheduleError::StoreFull
        | ScheduleError::ShuttingDown
        | ScheduleError::IdHeldBy { .. } => {
            // A repetition that is refused says nothing of the call before it.
            if ledger.pieces[token].answer == Answer::Unknown {
                ledger.pieces[token].answer = Answer::Refused;
            }
        }
        other => ledger.violation(format!("schedule of {token} was refused: {other}")),
    }
}

/// A scheduler and what its callers need.
#[derive(Clone, Debug)]
pub struct Callers {
    /// The scheduler.
    pub scheduler: TaskScheduler,
    /// The world.
    pub world: World,
}

impl Callers {
    /// Whether the engine has ended.
    pub fn has_ended(&self) -> bool {
        let ended = std::pin::pin!(self.scheduler.stopped());
        ended.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Begins one call of `schedule`.
    pub fn schedule(&self, token: usize) {
        let call = self.call(token);
        match call.task % 3 {
            0 => self.schedule_as::<Plain>(token),
            1 => self.schedule_as::<Narrow>(token),
            _ => self.schedule_as::<Rare>(token),
        }
    }

    /// Begins one call of `schedule_many`; the calls are of one task.
    pub fn schedule_many(&self, tokens: Vec<usize>) {
        match tokens.first().map(|token| self.call(*token).task % 3) {
            Some(0) => self.many_as::<Plain>(tokens),
            Some(1) => self.many_as::<Narrow>(tokens),
            _ => self.many_as::<Rare>(tokens),
        }
    }

    fn call(&self, token: usize) -> Call {
        self.world.ledger.open().pieces[token].call.clone()
    }

    fn prepare<T: Task<Input = Job>>(&self, token: usize) -> Schedule<T> {
        let (call, job, id) = {
            let ledger = self.world.ledger.open();
            let piece = &ledger.pieces[token];
            (piece.call.clone(), piece.job.clone(), piece.id.filter(|_| piece.call.own_id))
        };
        let mut schedule = Schedule::<T>::new(job).retry(retry(&call)).on(&self.scheduler);
        if let Some(key) = call.key {
            let policy = match call.policy {
                Policy::Keep => ExistingWorkPolicy::Keep,
                Policy::Replace => ExistingWorkPolicy::Replace,
                Policy::Append => ExistingWorkPolicy::Append,
            };
            schedule = schedule.id(key_text(key)).policy(policy);
        }
        if call.network {
            schedule = schedule.network(NetworkType::Connected);
        }
        if call.delay > 0 {
            schedule = schedule.delay(Duration::from_millis(u64::from(call.delay)));
        }
        if let Some(timeout) = call.timeout {
            schedule = schedule.timeout(Duration::from_millis(u64::from(timeout)));
        }
        match id {
            Some(id) => schedule.with_work_id(id),
            None => schedule,
        }
    }

    fn schedule_as<T: Task<Input = Job>>(&self, token: usize) {
        let callers = self.clone();
        let own_id = self.call(token).own_id;
        tokio::spawn(async move {
            for repeat in 0..=REPEATS {
                let answer = callers.prepare::<T>(token).await;
                let in_doubt = matches!(answer, Err(ScheduleError::Indeterminate { .. }));
                let answer = answer.map(|receipt| (receipt.id(), receipt.kind().clone()));
                scheduled(&callers.world.ledger, token, answer);
                if !(in_doubt && own_id) || callers.world.ledger.open().dead {
                    return;
                }
                callers.world.ledger.open().count("repeated calls");
                callers.world.clock.sleep(Duration::from_millis(200 << repeat)).await;
            }
        });
    }

    fn many_as<T: Task<Input = Job>>(&self, tokens: Vec<usize>) {
        let callers = self.clone();
        tokio::spawn(async move {
            let batch = tokens.iter().map(|token| callers.prepare::<T>(*token)).collect::<Vec<_>>();
            match callers.scheduler.schedule_many(batch).await {
                Ok(receipts) => {
                    for (token, receipt) in tokens.into_iter().zip(receipts) {
                        let answer = Ok((receipt.id(), receipt.kind().clone()));
                        scheduled(&callers.world.ledger, token, answer);
                    }
                }
                Err(error) => {
                    let mut ledger = callers.world.ledger.open();
                    if !ledger.dead {
                        ledger.note(format!("schedule_many of {tokens:?}: {error}"));
                        for token in tokens {
                            refused(&mut ledger, token, &error);
                        }
                    }
                }
            }
        });
    }

    /// Begins a `cancel` of one piece, whose stored name is known.
    pub fn cancel(&self, id: WorkId) {
        let callers = self.clone();
        tokio::spawn(async move {
            let answer = callers.scheduler.cancel(id).await;
            callers.cancelled(answer);
        });
    }

    /// Begins a `cancel` of all that bears a task id.
    pub fn cancel_key(&self, key: u8) {
        let callers = self.clone();
        tokio::spawn(async move {
            let answer = callers.scheduler.cancel(key_text(key)).await;
            callers.cancelled(answer);
        });
    }

    fn cancelled(&self, answer: Result<Vec<WorkId>, CallError>) {
        let mut ledger = self.world.ledger.open();
        if ledger.dead {
            return;
        }
        match answer {
            Ok(ids) => {
                ledger.cancelled(&ids, "cancel");
                ledger.count("cancel answered");
            }
            Err(CallError::Stopped | CallError::Store(_)) => ledger.count("cancel refused"),
            Err(other) => ledger.violation(format!("cancel answered {other}")),
        }
    }

    /// Begins to wait for the end of a piece.
    pub fn wait(&self, token: usize, id: WorkId) {
        let callers = self.clone();
        tokio::spawn(async move {
            let answer = callers.scheduler.wait(id).await;
            let durable = callers.world.probe.claim_of(id);
            let mut ledger = callers.world.ledger.open();
            if ledger.dead {
                return;
            }
            ledger.note(format!("wait for {token}: {answer:?}"));
            if let Ok(state) = answer {
                ledger.count("wait answered");
                if let Some(Some((_, stored))) = durable
                    && stored != state
                {
                    ledger.violation(format!(
                        "I17: piece {token} is told to be {state} and stored as {stored}"
                    ));
                }
                if state != WorkState::Quarantined {
                    ledger.pieces[token].told = Some(state);
                }
            }
        });
    }

    /// Looks at a piece, at all of them, and at the scheduler's health.
    pub fn look(&self, token: usize, id: Option<WorkId>, stuck: bool) {
        let callers = self.clone();
        tokio::spawn(async move {
            if let Some(id) = id {
                let info = callers.scheduler.info(id).await;
                let standing = callers.scheduler.explain(id).await;
                let mut ledger = callers.world.ledger.open();
                let info = info.map(|info| info.state);
                ledger.note(format!("look at {token}: {info:?}, {:?}", standing.map(|told| told.state)));
            }
            let listed = callers.scheduler.list(&[], 10).await.map(|page| page.len());
            let health = callers.scheduler.health().await;
            let mut ledger = callers.world.ledger.open();
            ledger
                .note(format!("list: {listed:?}, health: {:?}", health.as_ref().map(|health| &health.store)));
            if let Ok(health) = health {
                ledger.count("health answered");
                if stuck && ledger.failing {
                    ledger.count("health asked while commits fail");
                }
                if stuck && ledger.failing && health.store == pushe_tasks::StoreHealth::Healthy {
                    ledger
                        .violation("I20: nothing can be stored, and the store is told to be healthy".into());
                }
            }
        });
    }
}

/// A task id of a script.
pub fn key_text(key: u8) -> String {
    format!("key/{key}")
}

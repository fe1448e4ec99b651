//! An application with the real engine on a real file, which tells what it does until it is stopped from outside.
//!
//! Invariant: it tells of a call before it makes it, and of an answer only after it has it.

pub(crate) mod job;
pub(crate) mod line;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::{ScheduleError, StoreHealth, TaskScheduler, WorkState};

use job::{Call, PLANNED, Work, id_of, number_of};
use line::{Line, tell};

/// The hidden command that makes a process an application: store, seed, and the number of its first piece, or `drain`.
pub(crate) const COMMAND: &str = "application";

/// Callers that schedule at the same time.
const CALLERS: usize = 8;
/// Bodies that run at once.
const BODIES: usize = 24;
/// After a refusal a caller waits this long.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) fn main(words: impl Iterator<Item = String>) -> ExitCode {
    let words: Vec<String> = words.collect();
    let [store, seed, from] = &words[..] else { return ExitCode::from(2) };
    let (Ok(seed), from) = (seed.parse(), from.parse().ok()) else { return ExitCode::from(2) };
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
        if text != PLANNED {
            tell(&Line::Panic(format!("{text} at {:?}", panic.location())));
        }
    }));
    // A parent that is gone stops the application, however it went.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    match runtime.block_on(run(PathBuf::from(store), seed, from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tell(&Line::Store(format!("refused: {problem}")));
            ExitCode::FAILURE
        }
    }
}

async fn run(store: PathBuf, seed: u64, from: Option<u64>) -> Result<(), String> {
    let builder = TaskScheduler::builder(store).detached().max_running(BODIES);
    // Kills are the parent's doing: nobody is suspected for them.
    let builder = builder.register::<Work>().only::<Work>().charge_within(Duration::ZERO);
    let scheduler = builder.start().await.map_err(|error| with_sources(&error))?;
    tell(&Line::Ready);
    let Some(from) = from else { return drain(&scheduler).await };
    let next = Arc::new(AtomicU64::new(from));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(call_for_ever(scheduler.clone(), seed, Arc::clone(&next))))
        .collect();
    for caller in callers {
        caller.await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn call_for_ever(scheduler: TaskScheduler, seed: u64, next: Arc<AtomicU64>) {
    let clock = SystemClock::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let call = Call::of(seed, number);
        tell(&Line::Invoke(number));
        let receipt = match call.schedule(seed, number).on(&scheduler).await {
            Ok(receipt) => receipt,
            Err(error) => {
                tell(&refusal(number, &error));
                let health = scheduler.health().await.map(|health| health.store);
                match health {
                    Ok(StoreHealth::Healthy) => tell(&Line::Store("healthy".to_owned())),
                    Ok(trouble) => tell(&Line::Store(format!("{trouble:?}"))),
                    Err(error) => tell(&Line::Store(error.to_string())),
                }
                clock.sleep_until(clock.mono().plus(PAUSE)).await;
                continue;
            }
        };
        tell(&Line::Ok(number, number_of(receipt.id()).unwrap_or(u64::MAX)));
        if call.then_cancel {
            if scheduler.cancel(id_of(number)).await.is_ok_and(|moved| moved.contains(&id_of(number))) {
                tell(&Line::Cancelled(number));
            }
        } else if receipt.id() == id_of(number) && number.is_multiple_of(3) {
            tokio::spawn(async move {
                if let Ok(state) = receipt.wait().await {
                    tell(&Line::Done(number, state.to_string()));
                }
            });
        }
    }
}

fn refusal(number: u64, error: &ScheduleError) -> Line {
    match error {
        ScheduleError::StoreFull | ScheduleError::Store(_) => Line::Absent(number),
        ScheduleError::Indeterminate { .. } => Line::Doubt(number),
        other => Line::Panic(format!("a call that nothing was wrong with: {other}")),
    }
}

/// Lets everything end that is stored.
async fn drain(scheduler: &TaskScheduler) -> Result<(), String> {
    let live = [WorkState::Enqueued, WorkState::Blocked, WorkState::Running];
    let left = scheduler.list(&live, usize::MAX).await.map_err(|error| error.to_string())?;
    for work in left {
        scheduler.wait(work.id).await.map_err(|error| error.to_string())?;
    }
    scheduler.shutdown(Duration::from_secs(10)).await;
    tell(&Line::Drained);
    Ok(())
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

//! Runs something beside the caller without durability, as the reference document's `cpuThread` does.
//!
//! Invariant: nothing here is stored; what runs here ends with the process.

use std::future::Future;

use tokio::sync::oneshot;

use crate::error::ScheduleError;
use crate::options::RunOn;
use crate::schedule::Wait;
use crate::scheduler::TaskScheduler;

/// Runs a future on the scheduler's one CPU thread, now.
///
/// It begins at once, whether the answer is awaited or not.
///
/// # Errors
/// [`ScheduleError::NoScheduler`]; the inner [`NoAnswer`] says that the future panicked or its runtime is gone.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scheduler = pushe_tasks::TaskScheduler::in_memory().schedule_only().start().await?;
/// let sum = pushe_tasks::cpu_thread(async { (1..=10).sum::<u32>() })?;
/// assert_eq!(sum.await?, 55);
/// # scheduler.shutdown(std::time::Duration::ZERO).await;
/// # Ok(())
/// # }
/// ```
pub fn cpu_thread<F>(future: F) -> Result<Beside<F::Output>, ScheduleError>
where
    F: Future<Output: Send> + Send + 'static,
{
    beside(RunOn::Cpu, None, future)
}

/// Runs a future on the scheduler's CPU thread after a delay.
///
/// # Errors
/// As [`cpu_thread`]; [`ScheduleError::Duration`] for text that is no duration.
pub fn cpu_thread_after<F>(delay: impl Into<Wait>, future: F) -> Result<Beside<F::Output>, ScheduleError>
where
    F: Future<Output: Send> + Send + 'static,
{
    beside(RunOn::Cpu, Some(delay.into()), future)
}

/// Runs a future on the runtime that the scheduler was started on, now.
///
/// # Errors
/// As [`cpu_thread`].
pub fn io_thread<F>(future: F) -> Result<Beside<F::Output>, ScheduleError>
where
    F: Future<Output: Send> + Send + 'static,
{
    beside(RunOn::Io, None, future)
}

/// Runs a future on the runtime that the scheduler was started on, after a delay.
///
/// # Errors
/// As [`cpu_thread`]; [`ScheduleError::Duration`] for text that is no duration.
pub fn io_thread_after<F>(delay: impl Into<Wait>, future: F) -> Result<Beside<F::Output>, ScheduleError>
where
    F: Future<Output: Send> + Send + 'static,
{
    beside(RunOn::Io, Some(delay.into()), future)
}

/// What ran beside the caller ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what ran beside gave no answer: it panicked, or its runtime is gone")]
pub struct NoAnswer;

/// The answer of what runs beside the caller; dropping it stops nothing.
#[derive(Debug)]
pub struct Beside<T>(oneshot::Receiver<T>);

impl<T> Future for Beside<T> {
    type Output = Result<T, NoAnswer>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        // The sender is dropped without an answer only when the future panicked or its thread is gone.
        std::pin::Pin::new(&mut self.0).poll(context).map_err(|_| NoAnswer)
    }
}

fn beside<F>(on: RunOn, delay: Option<Wait>, future: F) -> Result<Beside<F::Output>, ScheduleError>
where
    F: Future<Output: Send> + Send + 'static,
{
    let scheduler = TaskScheduler::current()?;
    let delay = delay.map(Wait::length).transpose()?;
    let (tell, told) = oneshot::channel();
    let clock = std::sync::Arc::clone(&scheduler.shared().clock);
    let running = async move {
        if let Some(delay) = delay {
            clock.sleep_until(clock.mono().plus(delay)).await;
        }
        let _ = tell.send(future.await);
    };
    scheduler.executor().run(on, Box::pin(running));
    Ok(Beside(told))
}

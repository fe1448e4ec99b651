//! Begins a shutdown when the process is asked to end.

use std::io;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::scheduler::TaskScheduler;

/// Listens for SIGINT and SIGTERM, from now on and until the scheduler has stopped.
pub(crate) fn stop_on_signals(runtime: &Handle, scheduler: &TaskScheduler, grace: Duration) {
    // A weak hold: listening must not keep a scheduler alive that everybody has dropped.
    let scheduler = scheduler.downgrade();
    // Not in the spawned task, which may run long after `start` has returned.
    let within_runtime = runtime.enter();
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return tracing::error!(%error, "signals cannot be listened to"),
    };
    drop(within_runtime);
    runtime.spawn(async move {
        let first = signals.next().await;
        tracing::info!(signal = first, "shutting down");
        let Some(scheduler) = scheduler.upgrade() else { return };
        tokio::select! {
            _ = scheduler.shutdown(grace) => {}
            second = signals.next() => {
                // Who asks twice does not want to wait; the store is as safe as in a crash.
                std::process::exit(128 + second);
            }
        }
    });
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The number of the next signal.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> i32 {
        let _ = tokio::signal::ctrl_c().await;
        2
    }
}

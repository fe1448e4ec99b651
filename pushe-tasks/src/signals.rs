//! Begins a shutdown when the process is asked to end.

use std::io;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::contain::tell;
use crate::scheduler::TaskScheduler;

/// Listens for SIGINT and SIGTERM, from now on: the first begins the shutdown, each later one ends the process.
///
/// Once a program has listened for a signal, the signal does nothing by itself any more; so it is listened to for ever.
pub(crate) fn stop_on_signals(runtime: &Handle, scheduler: &TaskScheduler, grace: Duration) {
    // A weak hold: listening must not keep a scheduler alive that everybody has dropped.
    let scheduler = scheduler.downgrade();
    // Not in the spawned task, which may run long after `start` has returned.
    let within_runtime = runtime.enter();
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return tell!(error, %error, "signals cannot be listened to"),
    };
    drop(within_runtime);
    runtime.spawn(async move {
        let first = signals.next().await;
        tell!(info, signal = first, "shutting down");
        let running = scheduler.upgrade().filter(|scheduler| !scheduler.has_stopped());
        let Some(scheduler) = running else { end_process(first) };
        tokio::select! {
            _ = scheduler.shutdown(grace) => {}
            second = signals.next() => end_process(second),
        }
        drop(scheduler);
        end_process(signals.next().await);
    });
}

/// Who asks twice does not want to wait; the store is as safe as in a crash.
fn end_process(signal: i32) -> ! {
    std::process::exit(128 + signal)
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

//! Whether the dispatcher lives, seen by a thread that does not depend on it (S9.4).
//!
//! The watchdog looks every 2 s while the dispatcher has something to do, once more when that is over, and then not again until
//! there is something to do: an idle engine has no timer for it.
//!
//! Invariant: the dispatcher waits for nothing here; what it tells is a few numbers.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::Duration;

use pushe_tasks_store::Reason;

use super::dispatcher::Dispatcher;
use super::message::{Event, Request};
use super::shared::Shared;
use crate::clock::MonoTime;
use crate::park::block_on;

/// A step that takes so long is no step: something holds the dispatcher up.
pub(crate) const LOOK: Duration = Duration::from_secs(2);

/// What the dispatcher tells of itself.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// When the present step began, in microseconds and one more; 0 between two steps.
    since: AtomicU64,
    /// Whether the watchdog looks.
    armed: AtomicBool,
    /// Whether there is nothing to watch any more.
    ended: AtomicBool,
    /// Whether that came by a panic.
    died: AtomicBool,
    watchdog: OnceLock<Thread>,
}

impl Pulse {
    /// A step begins.
    pub(super) fn begin(&self, now: MonoTime) {
        let micros = u64::try_from(now.since_origin().as_micros()).unwrap_or(u64::MAX - 1);
        self.since.store(micros + 1, SeqCst);
        if !self.armed.swap(true, SeqCst) {
            self.wake();
        }
    }

    /// A step is over.
    pub(super) fn end(&self) {
        self.since.store(0, SeqCst);
    }

    /// No step will follow.
    pub(super) fn stop(&self) {
        self.ended.store(true, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Some(watchdog) = self.watchdog.get() {
            watchdog.unpark();
        }
    }

    /// When the present step began, where one is under way.
    pub(crate) fn in_step_since(&self) -> Option<MonoTime> {
        let micros = self.since.load(SeqCst).checked_sub(1)?;
        Some(MonoTime::from_origin(Duration::from_micros(micros)))
    }

    /// Ends the watch unless a step is under way; the next one begins it again.
    fn disarm(&self) {
        self.armed.store(false, SeqCst);
        // A step that begins at this moment is watched, whichever of the two has seen the other.
        if self.since.load(SeqCst) != 0 {
            self.armed.store(true, SeqCst);
        }
    }
}

/// Starts the thread that watches.
pub(super) fn start(shared: &Arc<Shared>) -> std::io::Result<()> {
    let name = thread::Builder::new().name("pushe-watchdog".to_owned());
    let thread = name.spawn({
        let shared = Arc::clone(shared);
        move || watch(&shared)
    })?;
    let _ = shared.pulse.watchdog.set(thread.thread().clone());
    // What was begun before it could be woken is watched as well.
    thread.thread().unpark();
    Ok(())
}

fn watch(shared: &Shared) {
    let pulse = &shared.pulse;
    let mut told = false;
    while !pulse.ended.load(SeqCst) {
        if !pulse.armed.load(SeqCst) {
            thread::park();
            continue;
        }
        rest(shared);
        let now = shared.clock.mono();
        let since = pulse.in_step_since().filter(|since| now.since(*since) >= LOOK);
        match since {
            Some(since) if !told => {
                told = true;
                let error = format!("it has been in one step for {:?}", now.since(since));
                tracing::error!(
                    error,
                    "the dispatcher does not answer; nothing starts or stops until it does"
                );
            }
            Some(_) => {}
            None => {
                if std::mem::take(&mut told) {
                    tracing::info!("the dispatcher answers again");
                }
                pulse.disarm();
            }
        }
    }
    if pulse.died.load(SeqCst) {
        block_on(finish(shared));
    }
}

/// The dispatcher has panicked: in its place, the end of the writer is waited for. Whoever asks meanwhile learns that there is no
/// answer, since the means to answer are dropped.
async fn finish(shared: &Shared) {
    let mut unanswered = Vec::new();
    loop {
        shared.events.take(&mut unanswered);
        if unanswered.drain(..).any(|event| matches!(event, Event::WriterEnded)) {
            break;
        }
        shared.events.arrival().await;
    }
    shared.events.close();
    shared.end();
}

impl Dispatcher {
    /// It is dropped in a panic: bodies are told to stop, and the writer to store what waits and to close the store.
    fn die(&mut self) {
        tracing::error!(
            "the dispatcher has panicked: the scheduler ends, and what ran begins again at the next start"
        );
        for (_, live) in self.live.iter() {
            live.signal.ask(Reason::Shutdown);
            live.signal.drop_body();
        }
        self.listeners.close();
        self.shared.begin_stop();
        self.shared.requests.close_with(&mut vec![Request::Finish]);
        self.shared.pulse.died.store(true, SeqCst);
        if self.shared.pulse.watchdog.get().is_none() {
            self.shared.events.close();
            self.shared.end();
        }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        if thread::panicking() && !self.shared.has_ended() {
            self.die();
        }
        self.shared.pulse.stop();
    }
}

/// Waits for as long as a step may take, however often it is woken meanwhile; or until there is nothing to watch.
fn rest(shared: &Shared) {
    let begun = shared.clock.mono();
    loop {
        let left = LOOK.saturating_sub(shared.clock.mono().since(begun));
        if left.is_zero() || shared.pulse.ended.load(SeqCst) {
            return;
        }
        thread::park_timeout(left);
    }
}

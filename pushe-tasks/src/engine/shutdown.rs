//! How an engine stops (S7.4): refuse callers, record the stop, ask bodies, wait, give attempts back, close the store.
//!
//! Invariant: the stop is on record before any attempt is given back, and the writer is told to finish only when every claim
//! that it made has arrived and no body holds a permit.

use std::time::Duration;

use pushe_tasks_store::Reason;
use tokio::sync::oneshot;

use super::dispatcher::Dispatcher;
use super::live::Phase;
use super::message::{Request, Write};
use crate::clock::MonoTime;
use crate::event::LifecycleEvent;
use crate::scheduler::ShutdownReport;

/// An engine that is being shut down.
#[derive(Debug, Default)]
pub(super) struct Stopping {
    /// When it began.
    since: MonoTime,
    replies: Vec<oneshot::Sender<ShutdownReport>>,
    /// The stop is on record; every claim that was made before has arrived.
    recorded: bool,
    /// Until then a store that does not work is given time to store how attempts have ended.
    until: MonoTime,
    /// The writer has been told that nothing more will come.
    finished: bool,
}

impl Stopping {
    /// When it began.
    pub(super) fn since(&self) -> MonoTime {
        self.since
    }

    /// Until when the last words of attempts are waited for.
    pub(super) fn until(&self) -> MonoTime {
        self.until
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }
}

impl Dispatcher {
    pub(super) fn shut_down(&mut self, grace: Duration, reply: Option<oneshot::Sender<ShutdownReport>>) {
        if self.stopping.is_none() {
            self.stopping = Some(Stopping { since: self.shared.clock.mono(), ..Stopping::default() });
            self.listeners.tell(|| LifecycleEvent::ShuttingDown);
            // Before any attempt is given back, so that a crash on the way charges nobody.
            self.outbox.push(Request::Write(Write::RecordStop));
        }
        if let Some(stopping) = &mut self.stopping {
            stopping.until = self.shared.clock.mono().plus(grace);
            stopping.replies.extend(reply);
        }
        let attempts: Vec<_> = self.live.iter().map(|(attempt, _)| *attempt).collect();
        for attempt in attempts {
            self.ask_to_stop(attempt, Reason::Shutdown, grace);
        }
    }

    /// Once no body holds a permit any more, the writer has the last word.
    pub(super) fn finish_if_idle(&mut self) {
        // Ends of attempts that a failing store could not take are held by the writer: they get the grace as well.
        let now = self.shared.clock.mono();
        let idle = self.running == 0;
        let works = self.trouble.is_none();
        if let Some(stopping) = &mut self.stopping
            && idle
            && stopping.recorded
            && (works || stopping.until <= now)
            && !stopping.finished
        {
            stopping.finished = true;
            self.outbox.push(Request::Finish);
        }
    }

    /// The store is closed. Bodies still live here only if the writer ended out of turn: what they do can be stored no more.
    pub(super) fn writer_ended(&mut self) {
        for (_, live) in self.live.iter().filter(|(_, live)| live.phase != Phase::Zombie) {
            live.signal.ask(Reason::Shutdown);
            live.signal.drop_body();
        }
        let names = self.live.zombies().map(|(_, live)| self.tasks[live.task].entry.name().to_owned());
        let report = ShutdownReport::new(names.collect());
        for reply in self.stopping.take().map(|stopping| stopping.replies).unwrap_or_default() {
            let _ = reply.send(report.clone());
        }
        self.shared.end();
    }

    /// The record of the stop comes after every claim that was made before it.
    pub(super) fn stop_recorded(&mut self) {
        if let Some(stopping) = &mut self.stopping {
            stopping.recorded = true;
        }
    }
}

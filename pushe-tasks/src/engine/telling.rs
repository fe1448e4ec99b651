//! What the dispatcher tells those who listen.
//!
//! Invariant: what is told has become durable before, and comes in the order of the commits.

use std::sync::Arc;

use pushe_tasks_store::{Attempt, Moved, Reason, Settlement, StoreError, WorkState, WorkView};

use super::dispatcher::Dispatcher;
use super::listeners::is_over;
use super::live::Live;
use super::message::{Event, Read, Reply, Request, Watching};
use super::meter;
use crate::event::{LifecycleEvent, WorkEvent};
use crate::explain::GIVEN_BACK;
use crate::info::{WorkInfo, when};
use crate::telemetry::{self, field};

impl Dispatcher {
    /// Tells of a move, and tells a body whose work was finished by somebody else.
    pub(super) fn moved(&mut self, moved: &Moved) {
        let Moved { attempt, lane, from, to, reason } = *moved;
        if self.listeners.hear_of(attempt.work) {
            let task = self.lanes.get(lane).map_or("", |lane| lane.lane.task.as_str());
            let (task, at) = (Arc::from(task), when(self.shared.clock.wall()));
            self.listeners.moved(WorkEvent {
                work: attempt.work,
                task,
                claim: attempt.claim,
                from,
                to,
                reason,
                at,
            });
        }
        if meter::COUNTS {
            self.count(moved);
        }
        self.listeners.settled(attempt, to);
        if from == Some(WorkState::Running) && to == WorkState::Cancelled {
            self.ask_to_stop(attempt, reason.unwrap_or(Reason::Cancelled), self.graces.stop);
        }
    }

    /// Counts what has become of a piece.
    fn count(&self, moved: &Moved) {
        let Some(lane) = self.lanes.get(moved.lane) else { return };
        let name = lane.task.map_or(lane.lane.task.as_str(), |task| self.tasks[task].entry.name());
        if moved.from.is_none() {
            meter::scheduled(name);
        }
        if is_over(moved.to) {
            meter::finished(name, moved.to);
        }
    }

    /// Tells of the end of an attempt, and says aloud that attempts of its work are given back again and again.
    pub(super) fn tell_of_end(&self, live: &Live, settled: &Settlement) {
        let task = self.tasks[live.task].entry.name();
        let outcome = telemetry::outcome(settled);
        meter::ended(task, outcome, self.shared.clock.mono().since(live.began));
        live.span.record(field::OUTCOME, outcome);
        if let Some(reason) = live.signal.reason() {
            live.span.record(field::STOP, telemetry::stop(reason));
        }
        let returned = live.returned.saturating_add(1);
        if let Settlement::Return { reason } = settled
            && returned.is_multiple_of(GIVEN_BACK)
        {
            tracing::warn!(task, ?reason, returned, "attempts are given back and none ends");
        }
    }

    /// Somebody watches a piece from here on.
    pub(super) fn watched(&mut self, view: WorkView, reply: Reply<Option<Watching>>) {
        let seen = self.listeners.watch(view.record.id, view.record.state);
        reply.send(Ok(Some(Watching { first: Box::new(WorkInfo::from(view)), seen })));
    }

    /// A body has reported progress, which is durable.
    pub(super) fn progressed(&mut self, attempt: Attempt) {
        // What a body says after its end was passed over.
        if self.live.get(attempt).is_some() {
            self.listeners.progressed(attempt.work);
        }
    }

    /// A running body was told to stop.
    pub(super) fn tell_of_stop(&self, attempt: Attempt, task: usize, reason: Reason) {
        let name = self.tasks[task].entry.name();
        self.listeners.tell(|| LifecycleEvent::Stopping {
            work: attempt.work,
            task: Arc::from(name),
            reason: reason.into(),
        });
    }

    pub(super) fn tell_of_failure(&self, error: &StoreError) {
        self.listeners.tell(|| LifecycleEvent::StoreFailed { why: Arc::from(error.to_string()) });
    }

    /// A commit has come through again: what somebody listens for is looked at, since a commit in doubt may have moved it and
    /// nobody was told.
    pub(super) fn store_works(&mut self) {
        if self.trouble.take().is_none() {
            return;
        }
        self.listeners.tell(|| LifecycleEvent::StoreWorks);
        let again = self.listeners.listened_for();
        self.outbox.extend(again.into_iter().map(|work| Request::Read(Read::Again(work))));
    }

    /// What listeners ask for.
    pub(super) fn listen(&mut self, event: Event) {
        match event {
            Event::Wait(work, waiter) => self.listeners.wait(work, waiter),
            Event::WaitForOutput(work, waiter) => self.listeners.wait_for_output(work, waiter),
            Event::Watch(view, reply) => self.watched(*view, reply),
            Event::Listen(reply) => drop(reply.send(self.listeners.listen())),
            Event::Forget(work) => self.listeners.forget(work),
            Event::Progressed(attempt) => self.progressed(attempt),
            Event::Again(view) => self.listeners.stands(*view),
            other => debug_assert!(false, "{other:?} is for nobody who listens"),
        }
    }
}

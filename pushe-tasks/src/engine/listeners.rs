//! Who listens for what becomes of work: waiters for its end or its next output, watchers, and listeners to everything.
//!
//! Invariant: telling never waits. Whoever is slow loses the oldest of what was kept for it; whoever has gone is forgotten.

use std::collections::BTreeMap;

use pushe_tasks_store::{Attempt, Opaque, PeriodEnd, Settlement, WorkId, WorkState, WorkView};
use tokio::sync::{broadcast, oneshot};

use crate::event::{EVENTS, LifecycleEvent, WorkEvent};
use crate::info::WorkInfo;
use crate::watch::{MOVES, Seen};

/// What became of a period of periodic work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeriodOutput {
    /// It succeeded, with this encoded output.
    Done(Opaque),
    /// It failed, with this error.
    Failed(String),
    /// The work itself is over.
    Over,
}

/// All who listen to one engine.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    waiters: BTreeMap<WorkId, Vec<oneshot::Sender<WorkState>>>,
    watched: BTreeMap<WorkId, broadcast::Sender<Seen>>,
    outputs: BTreeMap<WorkId, Vec<oneshot::Sender<PeriodOutput>>>,
    /// Periods that are over and whose end is not durable yet; only of work whose next output somebody waits for.
    over: BTreeMap<Attempt, PeriodOutput>,
    all: Option<broadcast::Sender<LifecycleEvent>>,
}

impl Listeners {
    pub(super) fn wait(&mut self, work: WorkId, waiter: oneshot::Sender<WorkState>) {
        self.waiters.entry(work).or_default().push(waiter);
    }

    pub(super) fn wait_for_output(&mut self, work: WorkId, waiter: oneshot::Sender<PeriodOutput>) {
        self.outputs.entry(work).or_default().push(waiter);
    }

    /// What this piece will be seen to do from now on; nothing, where it has finished.
    pub(super) fn watch(&mut self, work: WorkId, state: WorkState) -> broadcast::Receiver<Seen> {
        let new = || broadcast::Sender::new(MOVES);
        if state.is_finished() {
            new().subscribe()
        } else {
            self.watched.entry(work).or_insert_with(new).subscribe()
        }
    }

    /// What happens from now on.
    pub(super) fn listen(&mut self) -> broadcast::Receiver<LifecycleEvent> {
        self.all.get_or_insert_with(|| broadcast::Sender::new(EVENTS)).subscribe()
    }

    /// Somebody who listened for this piece has gone.
    pub(super) fn forget(&mut self, work: WorkId) {
        if let Some(waiters) = self.waiters.get_mut(&work) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                self.waiters.remove(&work);
            }
        }
        if let Some(waiters) = self.outputs.get_mut(&work) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                self.outputs.remove(&work);
                self.over.retain(|attempt, _| attempt.work != work);
            }
        }
        if self.watched.get(&work).is_some_and(|watched| watched.receiver_count() == 0) {
            self.watched.remove(&work);
        }
    }

    /// Whether anybody wants to hear of this piece.
    pub(super) fn hear_of(&self, work: WorkId) -> bool {
        self.all.as_ref().is_some_and(|all| all.receiver_count() > 0) || self.watched.contains_key(&work)
    }

    /// Whether anybody waits for its next output.
    pub(super) fn want_output(&self, work: WorkId) -> bool {
        self.outputs.contains_key(&work)
    }

    /// An attempt of work whose output is waited for has ended, and this is to be stored of it.
    pub(super) fn note_period(&mut self, attempt: Attempt, output: Option<Opaque>, settlement: &Settlement) {
        let over = match settlement {
            Settlement::Period { how: PeriodEnd::Failed, error, .. } => PeriodOutput::Failed(error.clone()),
            Settlement::Period { how: PeriodEnd::Done, .. } => PeriodOutput::Done(output.unwrap_or_default()),
            _ => return,
        };
        self.over.insert(attempt, over);
    }

    /// Tells everybody of a move that is durable.
    pub(super) fn moved(&mut self, event: WorkEvent) {
        if let Some(watched) = self.watched.get(&event.work) {
            let _ = watched.send(Seen::Moved(event.clone()));
            if event.to.is_finished() {
                self.watched.remove(&event.work);
            }
        }
        self.tell(|| LifecycleEvent::Moved(event));
    }

    /// Tells whoever listens to everything.
    pub(super) fn tell(&self, event: impl FnOnce() -> LifecycleEvent) {
        if let Some(all) = self.all.as_ref().filter(|all| all.receiver_count() > 0) {
            let _ = all.send(event());
        }
    }

    pub(super) fn progressed(&self, work: WorkId) {
        if let Some(watched) = self.watched.get(&work) {
            let _ = watched.send(Seen::Progressed);
        }
    }

    /// An attempt is durably over, and its work stands there now: waiters for an end and for an output are told.
    pub(super) fn settled(&mut self, attempt: Attempt, to: WorkState) {
        let is_over = is_over(to);
        if is_over {
            for waiter in self.waiters.remove(&attempt.work).unwrap_or_default() {
                let _ = waiter.send(to);
            }
        }
        let output = self.over.remove(&attempt);
        if let Some(output) = if is_over { Some(PeriodOutput::Over) } else { output } {
            for waiter in self.outputs.remove(&attempt.work).unwrap_or_default() {
                let _ = waiter.send(output.clone());
            }
        }
    }

    /// The pieces that somebody listens for.
    pub(super) fn listened_for(&self) -> Vec<WorkId> {
        let mut works: Vec<_> =
            self.waiters.keys().chain(self.watched.keys()).chain(self.outputs.keys()).copied().collect();
        works.sort_unstable();
        works.dedup();
        works
    }

    /// A piece as it stands after the store had failed: a move may have become durable of which nobody was told.
    pub(super) fn stands(&mut self, view: WorkView) {
        let (work, state) = (view.record.id, view.record.state);
        let over: Vec<_> = self.over.range(first(work)..=last(work)).map(|(attempt, _)| *attempt).collect();
        for attempt in over {
            if view.record.history.iter().any(|past| past.claim == attempt.claim) {
                self.settled(attempt, state);
            }
        }
        self.settled(Attempt { work, claim: view.record.claim }, state);
        if let Some(watched) = self.watched.get(&work) {
            let _ = watched.send(Seen::Standing(Box::new(WorkInfo::from(view))));
            if state.is_finished() {
                self.watched.remove(&work);
            }
        }
    }

    /// The engine has ended: whoever still listens learns that nothing more comes.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }
}

/// Whether nothing moves the work from there but a person.
pub(super) fn is_over(state: WorkState) -> bool {
    state.is_finished() || state == WorkState::Quarantined
}

const fn first(work: WorkId) -> Attempt {
    Attempt { work, claim: 0 }
}

const fn last(work: WorkId) -> Attempt {
    Attempt { work, claim: u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(number: u8) -> WorkId {
        WorkId::from_bytes([number; 16])
    }

    #[test]
    fn whoever_has_gone_is_forgotten() {
        let mut listeners = Listeners::default();
        let (waiter, end) = oneshot::channel();
        listeners.wait(work(1), waiter);
        let (waiter, other) = oneshot::channel();
        listeners.wait(work(1), waiter);
        let (waiter, output) = oneshot::channel();
        listeners.wait_for_output(work(2), waiter);
        let seen = listeners.watch(work(3), WorkState::Running);
        let attempt = Attempt { work: work(2), claim: 1 };
        listeners.over.insert(attempt, PeriodOutput::Over);
        for piece in 1..=3 {
            listeners.forget(work(piece));
        }
        assert_eq!(listeners.listened_for(), [1, 2, 3].map(work), "nobody has gone yet");
        drop((end, output, seen));
        for piece in 1..=3 {
            listeners.forget(work(piece));
        }
        assert_eq!(listeners.listened_for(), [work(1)], "another one waits for it");
        assert!(listeners.over.is_empty());
        drop(other);
        listeners.forget(work(1));
        assert_eq!(listeners.listened_for(), []);
        assert!(!listeners.hear_of(work(3)));
    }

    #[test]
    fn finished_work_is_watched_by_nobody() {
        let mut listeners = Listeners::default();
        let mut seen = listeners.watch(work(1), WorkState::Failed);
        assert_eq!(listeners.listened_for(), []);
        assert!(matches!(seen.try_recv(), Err(broadcast::error::TryRecvError::Closed)));
    }
}

//! Who waits until bodies have ended.
//!
//! Invariant: a wait is over when no body of its pieces lives but those that nobody can stop.

use std::collections::BTreeMap;

use pushe_tasks_store::WorkId;
use tokio::sync::oneshot;

use super::live::{LiveAttempts, Phase};

/// All who wait; asked again at the end of every step.
#[derive(Debug, Default)]
pub(super) struct Endings(Vec<Wait>);

#[derive(Debug)]
struct Wait {
    works: Vec<WorkId>,
    reply: oneshot::Sender<Vec<WorkId>>,
}

impl Endings {
    pub(super) fn add(&mut self, works: Vec<WorkId>, reply: oneshot::Sender<Vec<WorkId>>) {
        self.0.push(Wait { works, reply });
    }

    /// Tells those whose wait is over which bodies go on.
    pub(super) fn look(&mut self, live: &LiveAttempts) {
        if self.0.is_empty() {
            return;
        }
        let mut stoppable = BTreeMap::<WorkId, bool>::new();
        for (attempt, live) in live.iter() {
            *stoppable.entry(attempt.work).or_default() |= live.phase != Phase::Zombie;
        }
        for wait in std::mem::take(&mut self.0) {
            if wait.works.iter().any(|work| stoppable.get(work) == Some(&true)) {
                if !wait.reply.is_closed() {
                    self.0.push(wait);
                }
            } else {
                let go_on = wait.works.into_iter().filter(|work| stoppable.contains_key(work)).collect();
                let _ = wait.reply.send(go_on);
            }
        }
    }
}

//! The monitors that run, by what they watch and in the order in which they were begun.
//!
//! Invariant: going through them follows their beginnings and no hash, so that a run with the same seed is the same run.

use std::collections::{BTreeMap, HashMap};

use tokio::task::AbortHandle;

use crate::clock::MonoTime;
use crate::constraint::erased::{ErasedReading, SourceKey};

/// The watch of one source and key.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) task: AbortHandle,
    /// The watch before this one, which goes on until this one begins.
    pub(super) before: Option<AbortHandle>,
    /// What counts now: what it said, or what a second look has found since.
    pub(super) last: Option<ErasedReading>,
    /// Since when that is without a state; `None` where it is one, or where nothing was said.
    pub(super) without: Option<MonoTime>,
    /// The number of its beginning or of what it said last, among all that was heard.
    pub(super) heard: u64,
    /// When it was last begun anew because a second look had contradicted it.
    pub(super) doubted: Option<MonoTime>,
    /// Since when nothing has needed it; `None` while something does.
    pub(super) idle_since: Option<MonoTime>,
}

impl Monitor {
    pub(super) fn stop(&self) {
        self.task.abort();
        self.before.iter().for_each(AbortHandle::abort);
    }
}

/// The monitors of one engine.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    /// Only ever looked up.
    numbers: HashMap<SourceKey, u64>,
    by_number: BTreeMap<u64, (SourceKey, Monitor)>,
    begun: u64,
}

impl Monitors {
    pub(super) fn get(&self, key: &SourceKey) -> Option<&Monitor> {
        self.numbers.get(key).and_then(|number| self.by_number.get(number)).map(|(_, monitor)| monitor)
    }

    pub(super) fn get_mut(&mut self, key: &SourceKey) -> Option<&mut Monitor> {
        let number = self.numbers.get(key)?;
        self.by_number.get_mut(number).map(|(_, monitor)| monitor)
    }

    pub(super) fn insert(&mut self, key: SourceKey, monitor: Monitor) {
        self.begun += 1;
        self.numbers.insert(key.clone(), self.begun);
        self.by_number.insert(self.begun, (key, monitor));
    }

    /// Keeps those for which `keep` says so; the others are stopped.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&SourceKey, &mut Monitor) -> bool) {
        let numbers = &mut self.numbers;
        self.by_number.retain(|_, (key, monitor)| {
            let stays = keep(key, monitor);
            if !stays {
                monitor.stop();
                numbers.remove(key);
            }
            stays
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&SourceKey, &Monitor)> {
        self.by_number.values().map(|(key, monitor)| (key, monitor))
    }
}

impl Drop for Monitors {
    fn drop(&mut self) {
        self.iter().for_each(|(_, monitor)| monitor.stop());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constraint::Manual;

    fn key(name: usize) -> SourceKey {
        SourceKey::new::<Manual<u8, usize>>(name)
    }

    #[tokio::test]
    async fn they_are_gone_through_as_they_were_begun_and_a_new_one_is_the_last() {
        let mut monitors = Monitors::default();
        let begin = |monitors: &mut Monitors, name| {
            let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
            let monitor = Monitor {
                task,
                before: None,
                last: None,
                without: None,
                heard: 0,
                doubted: None,
                idle_since: None,
            };
            monitors.insert(key(name), monitor);
        };
        (0..64).for_each(|name| begin(&mut monitors, name));
        let mut asked = Vec::new();
        monitors.retain(|key, _| {
            asked.push(key.clone());
            asked.len() % 2 == 0
        });
        assert_eq!(asked, (0..64).map(key).collect::<Vec<_>>());
        assert!(monitors.get(&key(0)).is_none() && monitors.get(&key(1)).is_some());
        begin(&mut monitors, 0);
        let order: Vec<_> = monitors.iter().map(|(key, _)| key.clone()).collect();
        assert_eq!(order, (0..32).map(|n| key(2 * n + 1)).chain([key(0)]).collect::<Vec<_>>());
    }
}

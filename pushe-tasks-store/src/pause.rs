//! What is paused: the durable switches that keep work from starting (S9.1).
//!
//! Invariant: a switch holds back claims and nothing else. Running bodies go on, and so do delays and expiry.

use std::collections::BTreeMap;

use crate::time::WallTime;

/// What is to be paused or resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PauseScope {
    /// All work; a switch of its own, which leaves those of single tasks as they are.
    All,
    /// Work of tasks with these stored names.
    Tasks(Vec<String>),
}

/// The switches that are on, each with since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paused {
    /// Since when all work is paused.
    pub all: Option<WallTime>,
    /// The stored names of tasks that are paused, each with since when.
    pub tasks: BTreeMap<String, WallTime>,
}

impl Paused {
    /// Whether any switch is on.
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.tasks.is_empty()
    }

    /// Whether work of the task may not start.
    pub fn holds(&self, task: &str) -> bool {
        self.all.is_some() || self.tasks.contains_key(task)
    }

    /// Turns switches on; one that is on keeps its time. Answers whether any was off.
    pub(crate) fn pause(&mut self, scope: &PauseScope, now: WallTime) -> bool {
        match scope {
            PauseScope::All => self.all.replace(self.all.unwrap_or(now)).is_none(),
            PauseScope::Tasks(tasks) => {
                let before = self.tasks.len();
                for task in tasks {
                    self.tasks.entry(task.clone()).or_insert(now);
                }
                self.tasks.len() > before
            }
        }
    }

    /// Turns switches off. Answers whether any was on.
    pub(crate) fn resume(&mut self, scope: &PauseScope) -> bool {
        match scope {
            PauseScope::All => self.all.take().is_some(),
            PauseScope::Tasks(tasks) => {
                let before = self.tasks.len();
                self.tasks.retain(|task, _| !tasks.contains(task));
                self.tasks.len() < before
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_1_switches_are_turned_one_by_one() {
        let [now, later] = [1, 2].map(WallTime::from_millis);
        let task = |name: &str| PauseScope::Tasks(vec![name.to_owned()]);
        let mut paused = Paused::default();
        assert!(paused.is_empty() && !paused.holds("A"));
        assert!(paused.pause(&task("A"), now));
        assert!(!paused.pause(&task("A"), later), "it was on already");
        assert!(paused.holds("A") && !paused.holds("B"));
        assert!(paused.pause(&PauseScope::All, later) && !paused.pause(&PauseScope::All, now));
        assert_eq!((paused.all, paused.tasks["A"]), (Some(later), now));
        assert!(paused.holds("B"));
        assert!(paused.resume(&PauseScope::All) && !paused.resume(&PauseScope::All));
        assert!(paused.holds("A") && !paused.holds("B"), "the switch of one task stays");
        assert!(paused.resume(&task("A")) && !paused.resume(&task("A")));
        assert!(paused.is_empty());
    }
}

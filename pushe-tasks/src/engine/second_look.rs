//! The second look: sources are read once more when work has been claimed, since what a monitor said may be a moment old.
//!
//! A monitor tells what differs from what it told before. So a flap that it slept through is told to nobody, and a second look
//! that fell into it would count for ever: where a look contradicts a monitor, its watch is begun anew and speaks again.
//!
//! Invariant: what a second look has found counts only until the monitor speaks, and the monitor is made to speak.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::conditions::Conditions;
use crate::clock::MonoTime;
use crate::constraint::erased::{ErasedConstraint, ErasedReading, SourceKey};

/// So long a source may take to be read once more.
const LONGEST_READ: Duration = Duration::from_secs(1);

/// A watch is begun anew at most so often: a source whose looks and watch never agree costs little.
const SHORTEST_DOUBT: Duration = Duration::from_secs(1);

/// What a second look at one source has found.
#[derive(Clone, Debug)]
pub(crate) struct SecondLook {
    key: SourceKey,
    /// What had been heard from the monitor when the look began.
    heard: Option<u64>,
    reading: ErasedReading,
}

impl Conditions {
    /// Reads the sources of these once more; `None` where there are none. A source that does not answer soon has said nothing.
    pub(super) fn look_again(
        &self,
        needed: &[usize],
    ) -> Option<impl Future<Output = Vec<SecondLook>> + Send + use<>> {
        let mut looks: Vec<(SourceKey, _, _)> = Vec::new();
        for index in needed {
            let Some(key) = self.list[*index].constraint.source() else { continue };
            let Some(source) = self.kinds.source(key) else { continue };
            if !looks.iter().any(|(other, ..)| other == key) {
                let heard = self.monitors.get(key).map(|monitor| monitor.heard);
                looks.push((key.clone(), heard, source.read(key)));
            }
        }
        let clock = Arc::clone(&self.clock);
        let bounded = async move {
            let enough = clock.mono().plus(LONGEST_READ);
            let mut found = Vec::new();
            for (key, heard, read) in looks {
                tokio::select! {
                    biased;
                    reading = read => found.push(SecondLook { key, heard, reading }),
                    () = clock.sleep_until(enough) => {}
                }
            }
            found
        };
        (!needed.is_empty()).then_some(bounded)
    }

    /// Takes what a second look has found where that is news; answers whether it is known by now.
    ///
    /// Where the monitor has spoken since the look began, nobody can tell which of the two is the newer one.
    pub(super) fn confirm(&mut self, look: SecondLook, now: MonoTime) -> bool {
        let SecondLook { key, heard, reading } = look;
        #[cfg(pushe_planted)]
        if pushe_tasks_store::planted::is(pushe_tasks_store::planted::Bug::NoSecondLook) {
            return true;
        }
        // A source that could not be read says nothing against what its monitor knows.
        let ErasedReading::Known(_) = reading else { return true };
        let Some(monitor) = self.monitors.get(&key) else { return false };
        let (latest, doubted) = (monitor.heard, monitor.doubted);
        let Some(last) = &monitor.last else {
            // Its first reading is still to come, and will be told whatever it is.
            self.take(&key, reading);
            return true;
        };
        if !self.contradicts(&key, last, &reading) {
            return true;
        }
        if heard != Some(latest) {
            return false;
        }
        self.take(&key, reading);
        // One that is to begin anew will speak anyway.
        if doubted.is_none_or(|at| at <= now) {
            self.watch_anew(&key, doubted.map_or(now, |at| at.plus(SHORTEST_DOUBT).max(now)));
        }
        true
    }

    /// Whether some condition judges the two readings of its source differently.
    fn contradicts(&self, key: &SourceKey, one: &ErasedReading, other: &ErasedReading) -> bool {
        let wall = self.clock.wall();
        let mut of_it = self.list.iter().filter(|condition| condition.constraint.source() == Some(key));
        let is_met = |constraint: &dyn ErasedConstraint, reading| constraint.check(reading, wall).is_met();
        of_it.any(|it| is_met(&*it.constraint, one) != is_met(&*it.constraint, other))
    }
}

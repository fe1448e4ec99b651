//! Working off all that is stored.

use std::fmt;
use std::time::Duration;

use pushe_tasks_store::{WorkState, WorkView};

use super::scheduler::TestScheduler;
use crate::clock::Clock;
use crate::explain::{Obstacle, Standing};
use crate::info::WorkInfo;
use crate::scheduler::WorkRef;

/// After so long the rest is left.
const ENOUGH: Duration = Duration::from_secs(30 * 86_400);

/// So many pieces that stand still are asked for their reasons.
const ASKED: usize = 1_000;

const UNFINISHED: [WorkState; 3] = [WorkState::Enqueued, WorkState::Blocked, WorkState::Running];

/// What has happened since the start of the test, or since the last [`drain`](TestScheduler::drain). Its `Display` is a report
/// for people.
#[derive(Debug)]
#[non_exhaustive]
pub struct Drained {
    /// Attempts that ended, in whatever way.
    pub attempts: u64,
    /// Pieces that succeeded.
    pub succeeded: u64,
    /// Pieces that failed.
    pub failed: u64,
    /// Pieces that were cancelled.
    pub cancelled: u64,
    /// Pieces that were set aside.
    pub quarantined: u64,
    /// Pieces that run once and have not ended, with what they wait for: at most 1,000.
    pub waiting: Vec<(WorkInfo, Standing)>,
    /// How long the drain took.
    pub took: Duration,
}

pub(super) async fn drain(test: &TestScheduler) -> Drained {
    let begun = test.clock().mono();
    let mut waiting = standing(test).await;
    while waiting.iter().any(|(_, standing)| time_will_tell(standing)) {
        let took = test.clock().mono().since(begun);
        if took >= ENOUGH || test.advance_to_next().await.is_none() {
            break;
        }
        waiting = standing(test).await;
    }
    let took = test.clock().mono().since(begun);
    let moves = test.memory.moves();
    let moves = &moves[test.reported.replace(moves.len())..];
    let ended = |state| moves.iter().filter(|moved| moved.to == state).count() as u64;
    Drained {
        attempts: moves.iter().filter(|moved| moved.from == Some(WorkState::Running)).count() as u64,
        succeeded: ended(WorkState::Succeeded),
        failed: ended(WorkState::Failed),
        cancelled: ended(WorkState::Cancelled),
        quarantined: ended(WorkState::Quarantined),
        waiting,
        took,
    }
}

/// What runs once and has not ended, with what it waits for.
async fn standing(test: &TestScheduler) -> Vec<(WorkInfo, Standing)> {
    test.settle().await;
    let once = |view: &WorkView| view.record.period.is_none();
    let mut found = Vec::new();
    for view in test.memory.list(&UNFINISHED).into_iter().filter(once).take(ASKED) {
        if let Ok(standing) = test.explain(WorkRef::Work(view.record.id)).await {
            found.push((WorkInfo::from(view), standing));
        }
    }
    found
}

/// Whether the passing of time alone may let the piece go on.
fn time_will_tell(standing: &Standing) -> bool {
    match standing.state {
        WorkState::Running => true,
        // The piece before it tells.
        WorkState::Blocked => {
            standing.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::EarlierBody { .. }))
        }
        _ => standing.obstacles.iter().all(|obstacle| match obstacle {
            Obstacle::Constraint { until, .. } => until.is_some(),
            Obstacle::NoHandler { .. }
            | Obstacle::Paused { .. }
            | Obstacle::Shutdown { .. }
            | Obstacle::Store { .. } => false,
            _ => true,
        }),
    }
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, succeeded, failed, cancelled, quarantined, waiting, took } = self;
        write!(
            f,
            "{attempts} attempts in {took:?}: {succeeded} succeeded, {failed} failed, {cancelled} cancelled, \
             {quarantined} set aside"
        )?;
        for (info, standing) in waiting {
            write!(f, "\n  {} {} {standing}", info.task, info.id)?;
        }
        Ok(())
    }
}

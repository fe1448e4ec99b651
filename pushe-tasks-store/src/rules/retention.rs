//! How long a finished record is kept (S9.5).

use std::time::Duration;

use crate::state::{Reason, WorkState};
use crate::time::WallTime;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// From when a record that reached this state now may be pruned.
pub(crate) fn prune_at(state: WorkState, reason: Option<Reason>, now: WallTime) -> WallTime {
    match (state, reason) {
        (WorkState::Cancelled, Some(Reason::Replaced)) => now.plus(HOUR),
        (WorkState::Succeeded | WorkState::Cancelled, _) => now.plus(DAY),
        (WorkState::Failed, _) => now.plus(WEEK),
        (WorkState::Enqueued | WorkState::Blocked | WorkState::Running | WorkState::Quarantined, _) => {
            WallTime::MAX
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_5_finished_work_is_kept_by_how_it_ended() {
        let check = |state, reason, expected: Option<i64>| {
            let now = WallTime::from_millis(1_000);
            let until =
                expected.map_or(WallTime::MAX, |hours| WallTime::from_millis(1_000 + hours * 3_600_000));
            assert_eq!(prune_at(state, reason, now), until, "{state} {reason:?}");
        };
        check(WorkState::Succeeded, None, Some(24));
        check(WorkState::Cancelled, Some(Reason::Cancelled), Some(24));
        check(WorkState::Cancelled, Some(Reason::Replaced), Some(1));
        check(WorkState::Failed, Some(Reason::Fail), Some(7 * 24));
        check(WorkState::Quarantined, Some(Reason::Payload), None);
        check(WorkState::Running, None, None);
    }
}

//! Follows the work to its end, and says what it waits for.
//!
//! Invariant: it only looks on; what is followed here goes on without it.

use std::collections::BTreeMap;
use std::time::Duration;

use pushe_tasks::{TaskScheduler, WorkId, WorkState};
use tokio::task::JoinSet;

use crate::report::Report;

/// After this time without news the program says what the work waits for.
const SILENCE: Duration = Duration::from_secs(2);

/// Tells what becomes of each piece of work, until all have ended or the scheduler has stopped.
pub(crate) async fn follow(scheduler: &TaskScheduler, work: Vec<(WorkId, String)>, report: &Report) {
    let mut unfinished: BTreeMap<_, _> = work.into_iter().collect();
    let mut ends = JoinSet::new();
    for id in unfinished.keys().copied() {
        let scheduler = scheduler.clone();
        ends.spawn(async move { (id, scheduler.wait(id).await) });
    }
    let mut explained = Vec::new();
    loop {
        tokio::select! {
            end = ends.join_next() => match end {
                None => return,
                Some(Ok((id, Ok(state)))) => {
                    let Some(path) = unfinished.remove(&id) else { continue };
                    if state == WorkState::Succeeded {
                        report.stored(&path);
                    } else {
                        let info = scheduler.info(id).await;
                        let why = info.as_ref().ok().and_then(|info| info.last_error());
                        report.failed(&path, why.unwrap_or(&state.to_string()));
                    }
                }
                // The scheduler has been stopped by a signal; what is left is counted at the end.
                Some(_) => {}
            },
            () = pause(SILENCE) => explain(scheduler, &unfinished, report, &mut explained).await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a person waits before asking what is going on")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Says what the work waits for, unless some of it runs or that has been said.
async fn explain(
    scheduler: &TaskScheduler,
    unfinished: &BTreeMap<WorkId, String>,
    report: &Report,
    explained: &mut Vec<String>,
) {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (id, path) in unfinished {
        match scheduler.explain(*id).await {
            Ok(standing) if standing.running.is_some() => return,
            Ok(standing) => reasons.entry(standing.to_string()).or_default().push(path),
            Err(_) => {}
        }
    }
    for (reason, paths) in &reasons {
        if !explained.contains(reason) {
            report.waiting(paths[0], paths.len() - 1, reason);
        }
    }
    if explained.is_empty() && reasons.keys().any(|reason| reason.contains("network")) {
        report.say(
            "The work is kept. It starts once the network is there; `--network not-required` starts it now.",
        );
    }
    *explained = reasons.into_keys().collect();
}

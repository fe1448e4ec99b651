//! `cancel`: ends unfinished work; a running body is fenced off (S1.14, S1.17).

use std::ops::ControlFlow;

use crate::error::VerbError;
use crate::id::WorkId;
use crate::index::{class, class_range, id_hash, id_range};
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::settlement;
use crate::state::{Reason, WorkState};
use crate::tables::{TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::{Stood, Transaction};
use crate::verbs::policy::bears;
use crate::verbs::query;
use crate::verbs::release::release_id;
use crate::verbs::{CancelledPage, Moved, Query, Target, follow};

pub(super) fn cancel<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    target: &Target,
    now: WallTime,
) -> Result<Vec<Moved>, VerbError> {
    let start = tx.move_count();
    let mut ended = Vec::new();
    match target {
        Target::Work(id) => {
            if let Some(record) = rows::record(tx.tables, *id)? {
                let record = record.map_err(VerbError::Damaged)?;
                ended.extend(one(tx, record, Reason::Cancelled, now)?);
            }
        }
        Target::TaskId(task_id) => {
            for id in bearers(tx, task_id)? {
                if let Some(Ok(record)) = rows::record(tx.tables, id)? {
                    ended.extend(one(tx, record, Reason::Cancelled, now)?);
                }
            }
        }
        Target::Automatic { tasks, except } => {
            for id in automatic(tx, tasks, except)? {
                if let Some(Ok(record)) = rows::record(tx.tables, id)? {
                    ended.extend(one(tx, record, Reason::NoLongerAutomatic, now)?);
                }
            }
        }
    }
    Ok(end_all(tx, &ended, start, now)?)
}

/// Sees to what waited for the work that has been cancelled; answers what moved.
fn end_all<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    ended: &[WorkRecord],
    start: usize,
    now: WallTime,
) -> Result<Vec<Moved>, TableError> {
    // Only now, so that what is itself cancelled says so.
    for record in ended {
        follow::ended(tx, record, now)?;
    }
    let cancelled = tx.moves_since(start).to_vec();
    // Only now, so that no piece of the same cancel is released by the end of the one before it.
    let mut hashes: Vec<_> = ended.iter().filter_map(|record| record.id_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    for hash in hashes {
        release_id(tx, hash, now)?;
    }
    Ok(cancelled)
}

pub(super) fn cancel_page<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    query: &Query,
    now: WallTime,
) -> Result<CancelledPage, VerbError> {
    let mut states = vec![WorkState::Enqueued, WorkState::Blocked, WorkState::Running];
    states.retain(|state| query.states.is_empty() || query.states.contains(state));
    if states.is_empty() {
        return Ok(CancelledPage::default());
    }
    let query = Query { states, newest_first: false, ..query.clone() };
    let found = query::ids(&tx.look(), &query)?;
    let start = tx.move_count();
    let mut ended = Vec::new();
    for id in found.ids {
        if let Some(Ok(record)) = rows::record(tx.tables, id)? {
            ended.extend(one(tx, record, Reason::Cancelled, now)?);
        }
    }
    let moved = end_all(tx, &ended, start, now)?;
    Ok(CancelledPage { moved, next: found.next, newest: tx.volatile.newest() })
}

/// Cancels one piece if it is unfinished, and answers it then; the caller sees to what waits for its success, and releases
/// what stood behind it.
pub(super) fn one<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    mut record: WorkRecord,
    reason: Reason,
    now: WallTime,
) -> Result<Option<WorkRecord>, TableError> {
    if !settlement::is_cancellable(record.state) {
        return Ok(None);
    }
    let stood = Stood::of(&record);
    let dropped = settlement::cancel(&mut record, reason, now);
    tx.keep_error(&record, "", dropped)?;
    tx.shift(&stood, &record)?;
    Ok(Some(record))
}

/// The unfinished pieces of these tasks that the start of a program scheduled.
pub(super) fn automatic<T: TablesMut>(
    tx: &Transaction<'_, T>,
    tasks: &[String],
    except: &[WorkId],
) -> Result<Vec<WorkId>, TableError> {
    let (from, to) = class_range(class::AUTOMATIC);
    let mut found = Vec::new();
    for (_, work) in rows::places(tx.tables, &from, &to, usize::MAX)? {
        if let Some(Ok(record)) = rows::record(tx.tables, work)?
            && tasks.contains(&tx.volatile.lane(record.lane).task)
            && !except.contains(&work)
        {
            found.push(work);
        }
    }
    Ok(found)
}

/// The unfinished pieces that bear the task id.
pub(super) fn bearers<T: TablesMut>(
    tx: &Transaction<'_, T>,
    task_id: &str,
) -> Result<Vec<WorkId>, TableError> {
    let mut found = Vec::new();
    let (from, to) = id_range(id_hash(task_id), false);
    rows::bearers(tx.tables, &from, &to, &mut |id| {
        if bears(tx.tables, id, task_id)? {
            found.push(id);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

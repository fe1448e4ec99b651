//! `requeue` and `discard`: what becomes of work that has failed or was set aside (S1.15, S1.16).
//!
//! Invariant: a piece takes its task id again only where nothing unfinished bears it, or at the end of the queue that was
//! appended to it.

use std::ops::ControlFlow;

use crate::error::VerbError;
use crate::id::{LaneId, WorkId};
use crate::index::{self, OrderKey, id_place, id_range, order_key, work_key};
use crate::record::{Blocked, WorkRecord};
use crate::rows;
use crate::rules::{settlement, start};
use crate::state::{Reason, WorkState};
use crate::tables::{Table, TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::{Stood, Transaction};
use crate::verbs::aside::hash_of;
use crate::verbs::follow;
use crate::verbs::policy::bears;
use crate::verbs::release::release_id;

const ONLY_ENDED: &str = "only work that has failed or was set aside can be requeued";
const ONLY_ASIDE: &str = "only work that was set aside can be discarded";

pub(super) fn requeue<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: WorkId,
    now: WallTime,
) -> Result<bool, VerbError> {
    let Some(record) = rows::record(tx.tables, work)? else { return Ok(false) };
    let mut record = record.map_err(VerbError::Damaged)?;
    let state = record.state;
    if !matches!(state, WorkState::Failed | WorkState::Quarantined) {
        return Err(VerbError::WrongState { state, only: ONLY_ENDED });
    }
    let spec = rows::spec(tx.tables, work)?.map_err(VerbError::Damaged)?;
    let stood = Stood::of(&record);
    let mut blocked = None;
    if let (Some(hash), Some(task_id)) = (record.id_hash, &spec.task_id) {
        if let Some(holder) = holder(tx, &record, hash, task_id)? {
            // What was appended to work that was set aside has gone on without it; everything else has taken its place.
            if state == WorkState::Failed || record.ousted {
                return Err(VerbError::IdBusy { task_id: task_id.clone(), holder });
            }
            record.sequence = tx.volatile.next_sequence();
            blocked = Some(Blocked::Behind);
        } else if tx.volatile.living().has_id(hash) {
            blocked = Some(Blocked::Body);
        }
    }
    start::requeue(&mut record, blocked, now);
    // Whoever requeues what had expired wants it run.
    record.expires_at = record.expires_at.filter(|at| *at > now);
    tx.shift(&stood, &record)?;
    Ok(true)
}

/// Unfinished work that bears the task id of this piece and stands first there, unless that waits for its very success: then
/// the whole queue still stands behind it.
fn holder<T: TablesMut>(
    tx: &Transaction<'_, T>,
    own: &WorkRecord,
    hash: u64,
    task_id: &str,
) -> Result<Option<WorkId>, TableError> {
    let (from, to) = id_range(hash, false);
    let mut found = None;
    rows::bearers(tx.tables, &from, &to, &mut |id| {
        let Some(Ok(record)) = rows::record(tx.tables, id)? else { return Ok(ControlFlow::Continue(())) };
        let live = id != own.id && record.state != WorkState::Quarantined;
        if !live || !bears(tx.tables, id, task_id)? {
            return Ok(ControlFlow::Continue(()));
        }
        found = Some(id).filter(|_| record.after != Some(own.id));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

pub(super) fn discard<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: WorkId,
    now: WallTime,
) -> Result<bool, VerbError> {
    let Some(record) = rows::record(tx.tables, work)? else { return Ok(false) };
    let Ok(mut record) = record else {
        discard_damaged(tx, work, now)?;
        return Ok(true);
    };
    if record.state != WorkState::Quarantined {
        return Err(VerbError::WrongState { state: record.state, only: ONLY_ASIDE });
    }
    let stood = Stood::of(&record);
    settlement::discard(&mut record, now);
    tx.shift(&stood, &record)?;
    follow::ended(tx, &record, now)?;
    if let Some(hash) = record.id_hash {
        release_id(tx, hash, now)?;
    }
    Ok(true)
}

/// Puts a record that reads back, of Failed work, in the place of one that does not.
fn discard_damaged<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: WorkId,
    now: WallTime,
) -> Result<(), TableError> {
    let mut places = Vec::new();
    tx.tables.scan(Table::Order, &[], &[0xff; 22], &mut |key, value| {
        if let (Ok(key), true) = (OrderKey::try_from(key), rows::pointed(value) == Some(work)) {
            places.push(key);
        }
        ControlFlow::Continue(())
    })?;
    let hash = hash_of(tx.tables, work)?;
    let sequence = places.first().map_or_else(|| tx.volatile.next_sequence(), index::sequence_of);
    for key in places {
        tx.drop_stray(key, work)?;
    }
    if let Some(hash) = hash {
        for finished in [false, true] {
            let key = id_place(hash, finished, sequence);
            if tx.tables.get(Table::Ids, &key, |value| rows::pointed(value) == Some(work))? == Some(true) {
                tx.remove(Table::Ids, &key)?;
            }
        }
    }
    let mut tags = Vec::new();
    tx.tables.scan(Table::Tags, &[], &[0xff; 26], &mut |key, value| {
        if let (Ok(key), true) = (index::TagKey::try_from(key), rows::pointed(value) == Some(work)) {
            tags.push(key);
        }
        ControlFlow::Continue(())
    })?;
    for key in &tags {
        tx.remove(Table::Tags, key)?;
    }
    let mut texts = Vec::new();
    let (from, to) = (rows::error_key(work, 0), rows::error_key(work, u64::MAX));
    tx.tables.scan(Table::Errors, &from, &to, &mut |key, _| {
        texts.push(key.to_vec());
        ControlFlow::Continue(())
    })?;
    for key in texts {
        tx.remove(Table::Errors, &key)?;
    }
    tx.remove(Table::Outputs, &work_key(work))?;
    let mut record = WorkRecord::new(work, sequence, LaneId(0), now);
    (record.state, record.reason, record.id_hash) = (WorkState::Quarantined, Some(Reason::Record), hash);
    record.tags = tags.iter().filter_map(index::tag_of).collect();
    record.tags.dedup();
    settlement::discard(&mut record, now);
    debug_assert_eq!(order_key(&record)[0], index::class::FINISHED);
    tx.insert(&record)?;
    match hash {
        Some(hash) => release_id(tx, hash, now),
        None => Ok(()),
    }
}

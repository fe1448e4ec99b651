//! What waits for the success of an earlier piece under its id (S4.7).
//!
//! Invariant: a piece that is waited for is marked, and whoever finishes it asks here before anything is released; so a piece
//! waits for a success exactly as long as that may still come.

use std::ops::ControlFlow;

use crate::id::WorkId;
use crate::index::{id_place, id_range};
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::settlement;
use crate::state::WorkState;
use crate::tables::{TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::{Stood, Transaction};

/// Marks a piece whose success another waits for.
pub(super) fn mark<T: TablesMut>(tx: &mut Transaction<'_, T>, work: WorkId) -> Result<(), TableError> {
    match rows::record(tx.tables, work)? {
        Some(Ok(mut record)) if !record.followed => {
            record.followed = true;
            tx.save(&record)
        }
        _ => Ok(()),
    }
}

/// A piece has finished: the one that waited for its success may go on, or ends as it did, and so does what waited for that.
/// The caller releases the id.
pub(super) fn ended<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    record: &WorkRecord,
    now: WallTime,
) -> Result<(), TableError> {
    let Some(hash) = record.id_hash.filter(|_| record.followed && record.state.is_finished()) else {
        return Ok(());
    };
    let (mut work, mut sequence) = (record.id, record.sequence);
    while let Some(mut next) = follower(tx, hash, work, sequence)? {
        let stood = Stood::of(&next);
        settlement::follow(&mut next, record.state, now);
        tx.shift(&stood, &next)?;
        if record.state == WorkState::Succeeded || !next.followed {
            break;
        }
        (work, sequence) = (next.id, next.sequence);
    }
    Ok(())
}

/// The unfinished piece that waits for the success of this one.
fn follower<T: TablesMut>(
    tx: &Transaction<'_, T>,
    hash: u64,
    work: WorkId,
    sequence: u64,
) -> Result<Option<WorkRecord>, TableError> {
    let from = id_place(hash, false, sequence.saturating_add(1));
    let (_, to) = id_range(hash, false);
    let mut found = None;
    rows::bearers(tx.tables, &from, &to, &mut |id| {
        Ok(match rows::record(tx.tables, id)? {
            Some(Ok(record)) if record.after == Some(work) => {
                found = Some(record);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
    })?;
    Ok(found)
}

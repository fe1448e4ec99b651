//! `expire`: ends work that was not started in time (S1.7).
//!
//! Invariant: what has been claimed once does not expire. Between its moment and this verb no claim takes a piece, so that a
//! caller that does not trust its clock may wait.

use crate::error::VerbError;
use crate::id::WorkId;
use crate::index::{OrderKey, class, expiry_key, until_range};
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::settlement;
use crate::tables::{TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::{Stood, Transaction};
use crate::verbs::follow;
use crate::verbs::release::release_id;

pub(super) fn expire<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    now: WallTime,
    limit: usize,
) -> Result<usize, VerbError> {
    let (from, to) = until_range(class::EXPIRES, now);
    let mut expired = 0;
    for (key, work) in rows::places(tx.tables, &from, &to, limit)? {
        let Some(mut record) = waiting(tx, key, work)? else { continue };
        let stood = Stood::of(&record);
        settlement::expire(&mut record, now);
        tx.shift(&stood, &record)?;
        expired += 1;
        follow::ended(tx, &record, now)?;
        if let Some(hash) = record.id_hash {
            release_id(tx, hash, now)?;
        }
    }
    Ok(expired)
}

/// The piece that expires at this place. One whose record does not read back is left to whoever meets it in its own.
fn waiting<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    key: OrderKey,
    work: WorkId,
) -> Result<Option<WorkRecord>, TableError> {
    match rows::record(tx.tables, work)? {
        Some(Ok(record)) if expiry_key(&record) == Some(key) => return Ok(Some(record)),
        _ => tx.drop_stray(key, work)?,
    }
    Ok(None)
}

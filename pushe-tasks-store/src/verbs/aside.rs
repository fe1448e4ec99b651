//! Setting aside a piece whose record does not read back, so that the rest runs and nothing of it is lost.

use std::ops::ControlFlow;

use crate::id::WorkId;
use crate::index::{IdKey, OrderKey, id_hash};
use crate::rows;
use crate::tables::{Table, TableError, Tables, TablesMut};
use crate::time::WallTime;
use crate::transaction::Transaction;
use crate::verbs::release::release_id;

/// Lists the piece among the Quarantined, bytes untouched; what stood behind it under its task id goes on.
pub(super) fn set_aside<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    key: OrderKey,
    work: WorkId,
    now: WallTime,
) -> Result<(), TableError> {
    tx.list_as_damaged(key, work)?;
    match hash_of(tx.tables, work)? {
        Some(hash) => release_id(tx, hash, now),
        None => Ok(()),
    }
}

/// The hash of the task id of a piece without a readable record: from its spec, else from the id index, whole.
fn hash_of<T: Tables>(tables: &T, work: WorkId) -> Result<Option<u64>, TableError> {
    if let Ok(spec) = rows::spec(tables, work)? {
        return Ok(spec.task_id.as_deref().map(id_hash));
    }
    let mut found = None;
    tables.scan(Table::Ids, &[], &[0xff; 18], &mut |key, value| {
        if rows::pointed(value) != Some(work) {
            return ControlFlow::Continue(());
        }
        found = IdKey::try_from(key).ok().and_then(|key| key.first_chunk::<8>().copied());
        ControlFlow::Break(())
    })?;
    Ok(found.map(u64::from_be_bytes))
}

//! `prune`: removes finished records whose retention has passed (S9.5).

use crate::error::VerbError;
use crate::index::{class, until_range};
use crate::rows;
use crate::tables::TablesMut;
use crate::time::WallTime;
use crate::transaction::Transaction;
use crate::verbs::claim::standing;

pub(super) fn prune<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    now: WallTime,
    limit: usize,
) -> Result<usize, VerbError> {
    let (from, to) = until_range(class::FINISHED, now);
    let mut pruned = 0;
    for (key, work) in rows::places(tx.tables, &from, &to, limit)? {
        if let Some(record) = standing(tx, key, work, now)? {
            tx.forget(&record)?;
            pruned += 1;
        }
    }
    Ok(pruned)
}

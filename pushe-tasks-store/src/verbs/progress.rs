//! `progress`: keeps the last progress of running attempts (S6.3).

use crate::error::VerbError;
use crate::id::Attempt;
use crate::rows;
use crate::state::WorkState;
use crate::tables::TablesMut;
use crate::transaction::Transaction;

pub(super) fn progress<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    batch: &[(Attempt, Vec<u8>)],
) -> Result<(), VerbError> {
    for (attempt, value) in batch {
        let Some(Ok(mut record)) = rows::record(tx.tables, attempt.work)? else { continue };
        if record.state == WorkState::Running && record.claim == attempt.claim {
            record.progress = Some(value.clone().into());
            tx.save(&record)?;
        }
    }
    Ok(())
}

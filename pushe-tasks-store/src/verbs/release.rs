//! `release`: bodies have ended; what waited for that goes on (S1.3, S4.6, S4.11).
//!
//! Invariant: the oldest piece under an id that has not ended is never Blocked, unless a body under that id lives; and it
//! waits for that body alone. Ids whose hashes fall together share one queue, which costs order and nothing else.

use std::ops::ControlFlow;

use crate::error::VerbError;
use crate::id::Attempt;
use crate::index::id_range;
use crate::rows;
use crate::rules::start;
use crate::state::WorkState;
use crate::tables::{TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::{Stood, Transaction};

pub(super) fn release<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    ended: &[Attempt],
    now: WallTime,
) -> Result<(), VerbError> {
    for attempt in ended {
        if let Some(hash) = tx.volatile.body_ended(*attempt) {
            release_id(tx, hash, now)?;
        }
    }
    Ok(())
}

/// Lets the oldest piece under the id that has not ended go on, if it may.
pub(super) fn release_id<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    hash: u64,
    now: WallTime,
) -> Result<(), TableError> {
    let (from, to) = id_range(hash, false);
    let mut oldest = None;
    rows::bearers(tx.tables, &from, &to, &mut |id| {
        Ok(match rows::record(tx.tables, id)? {
            Some(Ok(record)) if record.state != WorkState::Quarantined => {
                oldest = Some(record);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
    })?;
    if let Some(mut record) = oldest {
        let stood = Stood::of(&record);
        if start::unblock(&mut record, tx.volatile.living().has_id(hash), now) {
            tx.shift(&stood, &record)?;
        }
    }
    Ok(())
}

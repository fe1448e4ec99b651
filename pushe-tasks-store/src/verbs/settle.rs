//! `settle`: an attempt has ended; its claim fences what becomes of the work (S1.5 to S1.13, S1.17).

use crate::error::VerbError;
use crate::index::{class, class_range, work_key};
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::settlement;
use crate::state::WorkState;
use crate::tables::{Table, TableError, TablesMut};
use crate::transaction::{Stood, Transaction};
use crate::verbs::release::release_id;
use crate::verbs::{Body, Settle, Settled};
use crate::verbs::{aside, follow, update};

pub(super) fn settle<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    batch: &[Settle],
) -> Result<Vec<Settled>, VerbError> {
    batch.iter().map(|settle| settle_one(tx, settle).map_err(VerbError::from)).collect()
}

fn settle_one<T: TablesMut>(tx: &mut Transaction<'_, T>, settle: &Settle) -> Result<Settled, TableError> {
    let ended = match settle.body {
        Body::Ended | Body::NeverBegan => tx.volatile.body_ended(settle.attempt),
        Body::Living => None,
    };
    let record = match rows::record(tx.tables, settle.attempt.work)? {
        Some(Ok(record)) => Some(record),
        Some(Err(_)) => {
            set_aside(tx, settle)?;
            None
        }
        None => None,
    };
    let stands =
        |record: &WorkRecord| record.state == WorkState::Running && record.claim == settle.attempt.claim;
    #[cfg(pushe_planted)]
    let stands = |record: &WorkRecord| crate::planted::is(crate::planted::Bug::NoFence) || stands(record);
    match record {
        Some(record) if stands(&record) => {
            apply(tx, record, settle)?;
            Ok(Settled::Applied)
        }
        stale => {
            if settle.body == Body::Living {
                note_living(tx, settle, stale.and_then(|record| record.id_hash));
            }
            if let Some(hash) = ended {
                release_id(tx, hash, settle.at)?;
            }
            Ok(Settled::Fenced)
        }
    }
}

fn apply<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    mut record: WorkRecord,
    settle: &Settle,
) -> Result<(), TableError> {
    if settle.body == Body::Living {
        note_living(tx, settle, record.id_hash);
    }
    let stood = Stood::of(&record);
    if settle.body == Body::NeverBegan {
        settlement::never_began(&mut record);
    }
    let period = update::new_period(tx.tables, &record)?;
    let ended = settlement::settle(&mut record, &settle.settlement, period.as_ref(), settle.at);
    tx.keep_error(&record, ended.error, ended.dropped)?;
    if let Some(output) = ended.output {
        tx.put(Table::Outputs, &work_key(record.id), &rows::encode_output(record.id, output))?;
    }
    tx.shift(&stood, &record)?;
    follow::ended(tx, &record, settle.at)?;
    match record.id_hash {
        // Work that comes back stays the oldest under its id, so that nothing is released.
        Some(hash) if record.state != WorkState::Enqueued => release_id(tx, hash, settle.at),
        _ => Ok(()),
    }
}

/// Notes that the body goes on, where the store does not know it: it was claimed before the store was opened anew.
fn note_living<T: TablesMut>(tx: &mut Transaction<'_, T>, settle: &Settle, id_hash: Option<u64>) {
    if !tx.volatile.living().has_work(settle.attempt.work) {
        tx.volatile.body_began(settle.attempt, id_hash);
    }
}

/// The record was damaged while its attempt ran: it leaves the way of the others, and nothing is known to fence.
fn set_aside<T: TablesMut>(tx: &mut Transaction<'_, T>, settle: &Settle) -> Result<(), TableError> {
    let (from, to) = class_range(class::RUNNING);
    let running = rows::places(tx.tables, &from, &to, usize::MAX)?;
    match running.into_iter().find(|(_, work)| *work == settle.attempt.work) {
        Some((key, work)) => aside::set_aside(tx, key, work, settle.at),
        None => Ok(()),
    }
}

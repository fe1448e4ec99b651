//! Update: unfinished work gets a new payload and new options under its own id (S4.3, S4.4, S4.9).
//!
//! Invariant: what is stored is always the newest; a running attempt goes on with what its claim was given, and however it
//! ends, even by a crash, the work is Enqueued again under what is stored then.

use crate::error::VerbError;
use crate::id::WorkId;
use crate::index::{tag_hashes, work_key};
use crate::period::StoredPeriod;
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::update;
use crate::spec::WorkSpec;
use crate::tables::{Table, TableError, Tables, TablesMut};
use crate::time::WallTime;
use crate::transaction::{Stood, Transaction};
use crate::verbs::{How, NewWork};
use crate::wire::Damage;

pub(super) fn update<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: &NewWork,
    task_id: &str,
    holder: WorkId,
    now: WallTime,
) -> Result<How, VerbError> {
    let record = rows::record(tx.tables, holder)?.unwrap_or(Err(Damage::Missing("record")));
    let mut record = record.map_err(VerbError::Damaged)?;
    // Where the old spec does not read back, its rhythm is not known to be the same.
    let old = rows::spec(tx.tables, holder)?.ok().and_then(|spec| spec.options.period);
    let stood = Stood::of(&record);
    record.lane = tx.lane_of(work)?;
    record.boost_millis = work.boost_millis;
    record.automatic = work.options.automatic;
    record.tags = tag_hashes(&work.options.tags);
    update::update(&mut record, work.start, &work.options, old.as_ref(), now);
    let spec = WorkSpec::encode_parts(Some(task_id), &work.options, &work.envelope, holder);
    tx.put(Table::Specs, &work_key(holder), &spec)?;
    tx.shift(&stood, &record)?;
    Ok(How::Updated { state: record.state, generation: record.generation })
}

/// The period that a record was given while it ran.
pub(super) fn new_period<T: Tables>(
    tables: &T,
    record: &WorkRecord,
) -> Result<Option<StoredPeriod>, TableError> {
    if !record.updated || record.period.is_none() {
        return Ok(None);
    }
    Ok(rows::spec(tables, record.id)?.ok().and_then(|spec| spec.options.period))
}

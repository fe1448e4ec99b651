//! `enqueue`: stores new pieces, as their policies say (S1.1, S4).

use crate::error::VerbError;
use crate::id::WorkId;
use crate::index::{id_hash, work_key};
use crate::record::{Blocked, WorkRecord};
use crate::rules::policy::{self, Choice, Reach};
use crate::rules::start;
use crate::spec::WorkSpec;
use crate::state::{Reason, WorkState};
use crate::tables::{Table, TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::Transaction;
use crate::verbs::policy::holders;
use crate::verbs::{Enqueued, How, NewWork, cancel};

pub(super) fn enqueue<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    batch: &[NewWork],
    now: WallTime,
) -> Result<Vec<Enqueued>, VerbError> {
    tx.volatile.saw(now);
    batch.iter().map(|work| enqueue_one(tx, work, now)).collect()
}

fn enqueue_one<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: &NewWork,
    now: WallTime,
) -> Result<Enqueued, VerbError> {
    if tx.tables.get(Table::Records, &work_key(work.id), |_| ())?.is_some() {
        // An enqueue whose commit was in doubt is repeated: the piece stands for this call already.
        return Ok(Enqueued { id: work.id, how: How::New });
    }
    let Some((task_id, policy)) = &work.unique else {
        store(tx, work, None, Place::default(), now)?;
        return Ok(Enqueued { id: work.id, how: How::New });
    };
    let task_id = id_of(tx, work, task_id)?;
    let hash = id_hash(task_id);
    let mut place = Place { hash: Some(hash), ..Place::default() };
    let held = holders(tx, work, task_id, hash, policy::reach(*policy))?;
    #[cfg(pushe_planted)]
    let held = stale(tx, held);
    let how = match policy::decide(*policy, &held) {
        Choice::Keep(kept) => {
            let how = How::Kept { state: kept.state, task: kept.task, options_differ: kept.options_differ };
            return Ok(Enqueued { id: kept.id, how });
        }
        Choice::HeldBy(holder) => {
            let task_id = task_id.to_owned();
            return Err(VerbError::IdHeldBy { task_id, task: holder.task, holder: holder.id });
        }
        Choice::KindDiffers(holder) => {
            let (task_id, periodic) = (task_id.to_owned(), work.options.period.is_none());
            return Err(VerbError::KindDiffers { task_id, periodic, holder: holder.id });
        }
        Choice::New => How::New,
        Choice::Append { after, behind } => {
            place.blocked = behind.then_some(Blocked::Behind);
            How::Appended(after)
        }
        Choice::Replace { cancel: old, interruptions } => {
            place.interruptions = interruptions;
            replace(tx, &old, now)?;
            if old.is_empty() { How::New } else { How::Replaced(old) }
        }
    };
    if place.blocked.is_none() && tx.volatile.living().has_id(hash) {
        place.blocked = Some(Blocked::Body);
    }
    store(tx, work, Some(task_id), place, now)?;
    Ok(Enqueued { id: work.id, how })
}

/// The id that the piece bears. Periodic work whose id is its task's name bears that of an earlier name, as long as
/// unfinished work does (S4.10).
fn id_of<'w, T: TablesMut>(
    tx: &Transaction<'_, T>,
    work: &'w NewWork,
    task_id: &'w str,
) -> Result<&'w str, TableError> {
    if work.options.period.is_none() || task_id != work.lane.task {
        return Ok(task_id);
    }
    for id in std::iter::once(task_id).chain(work.aliases.iter().copied()) {
        let held = holders(tx, work, id, id_hash(id), Reach::Oldest)?;
        if held.iter().any(|holder| holder.state != WorkState::Quarantined) {
            return Ok(id);
        }
    }
    Ok(task_id)
}

/// What a look before the transaction would have shown.
#[cfg(pushe_planted)]
fn stale<T: TablesMut>(tx: &Transaction<'_, T>, mut held: Vec<policy::Holder>) -> Vec<policy::Holder> {
    if crate::planted::is(crate::planted::Bug::UniqueOutside) {
        held.retain(|holder| tx.moves_since(0).iter().all(|moved| moved.attempt.work != holder.id));
    }
    held
}

/// Cancels the pieces that the new one takes the place of.
fn replace<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    old: &[WorkId],
    now: WallTime,
) -> Result<(), VerbError> {
    for id in old {
        if let Some(Ok(record)) = crate::rows::record(tx.tables, *id)? {
            #[cfg(pushe_planted)]
            if crate::planted::is(crate::planted::Bug::ReplaceKeepsIndex) {
                tx.save(&WorkRecord { state: crate::WorkState::Cancelled, ..record })?;
                continue;
            }
            cancel::one(tx, record, Reason::Replaced, now)?;
        }
    }
    Ok(())
}

/// Where a new piece is put.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    hash: Option<u64>,
    blocked: Option<Blocked>,
    interruptions: u32,
}

fn store<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: &NewWork,
    task_id: Option<&str>,
    place: Place,
    now: WallTime,
) -> Result<(), VerbError> {
    let lane = tx.lane_of(work)?;
    let mut record = WorkRecord::new(work.id, tx.volatile.next_sequence(), lane, now);
    record.id_hash = place.hash;
    record.interruptions = place.interruptions;
    record.boost_millis = work.boost_millis;
    start::begin(&mut record, work.start, work.options.period.as_ref(), place.blocked, now);
    tx.put(
        Table::Specs,
        &work_key(work.id),
        &WorkSpec::encode_parts(task_id, &work.options, &work.envelope, work.id),
    )?;
    tx.insert(&record)?;
    Ok(())
}

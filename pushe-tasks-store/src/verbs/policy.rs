//! The pieces that bear a task id, as far as a policy must see them.

use std::ops::ControlFlow;

use crate::id::WorkId;
use crate::index::{IdKey, id_range};
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::policy::{Holder, Reach};
use crate::spec::StoredOptions;
use crate::state::WorkState;
use crate::tables::{Table, TableError, Tables, TablesMut};
use crate::transaction::Transaction;
use crate::verbs::NewWork;

/// The unfinished pieces that bear the task id of `work`, oldest first, within `reach`.
pub(super) fn holders<T: TablesMut>(
    tx: &Transaction<'_, T>,
    work: &NewWork,
    task_id: &str,
    hash: u64,
    reach: Reach,
) -> Result<Vec<Holder>, TableError> {
    let mut found = Vec::new();
    let mut take = |id| -> Result<ControlFlow<()>, TableError> {
        let Some(holder) = holder(tx, work, task_id, id)? else { return Ok(ControlFlow::Continue(())) };
        let live = holder.state != WorkState::Quarantined;
        match reach {
            Reach::All => found.push(holder),
            Reach::Last => {
                found.push(holder);
                return Ok(ControlFlow::Break(()));
            }
            // The first one seen stands for the ended ones until a live one is seen.
            Reach::Oldest | Reach::Newest if live => {
                found = vec![holder];
                return Ok(ControlFlow::Break(()));
            }
            Reach::Oldest | Reach::Newest => {
                if found.is_empty() {
                    found.push(holder);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    };
    let (from, to) = id_range(hash, false);
    match reach {
        Reach::Oldest | Reach::All => rows::bearers(tx.tables, &from, &to, &mut take)?,
        Reach::Newest | Reach::Last => backwards(tx.tables, &from, to, &mut take)?,
    }
    Ok(found)
}

/// Visits the pieces in `from..to` of the id index, newest first.
pub(super) fn backwards<T: Tables>(
    tables: &T,
    from: &IdKey,
    mut to: IdKey,
    visit: &mut dyn FnMut(WorkId) -> Result<ControlFlow<()>, TableError>,
) -> Result<(), TableError> {
    while let Some((key, value)) = tables.last(Table::Ids, from, &to)? {
        let Ok(key) = IdKey::try_from(key) else { return Ok(()) };
        to = key;
        if let Some(work) = rows::pointed(&value)
            && visit(work)?.is_break()
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the piece bears the task id itself and not just its hash; a spec that does not read back gets the benefit of
/// the doubt.
pub(super) fn bears<T: Tables>(tables: &T, id: WorkId, task_id: &str) -> Result<bool, TableError> {
    Ok(rows::spec(tables, id)?.map_or(true, |spec| spec.task_id.as_deref() == Some(task_id)))
}

fn holder<T: TablesMut>(
    tx: &Transaction<'_, T>,
    work: &NewWork,
    task_id: &str,
    id: WorkId,
) -> Result<Option<Holder>, TableError> {
    // A piece whose record does not read back is as good as Quarantined: it counts as ended.
    let Some(Ok(record)) = rows::record(tx.tables, id)? else { return Ok(None) };
    let spec = rows::spec(tx.tables, id)?;
    if spec.as_ref().is_ok_and(|spec| spec.task_id.as_deref() != Some(task_id)) {
        return Ok(None);
    }
    let lane = tx.volatile.lane(record.lane);
    let same_lane = lane.constraints == work.lane.constraints && lane.key == work.lane.key;
    let WorkRecord { state, interruptions, boost_millis, .. } = record;
    Ok(Some(Holder {
        id,
        state,
        ours: lane.task == work.lane.task || work.aliases.contains(&lane.task.as_str()),
        task: lane.task.clone(),
        same_kind: record.period.is_some() == work.options.period.is_some(),
        options_differ: !same_lane
            || boost_millis != work.boost_millis
            || spec.map_or(true, |spec| differ(spec.options, &work.options)),
        interruptions,
    }))
}

/// Whether work would run otherwise under these options; who scheduled it makes no difference.
fn differ(mut stored: StoredOptions, given: &StoredOptions) -> bool {
    stored.automatic = given.automatic;
    stored != *given
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::{
        Envelope, How, Lane, MemoryStore, NewWork, Policy, Start, Store, StoredOptions, Target, WallTime,
        WorkId, WorkState,
    };

    const NOW: WallTime = WallTime::from_millis(1_000_000);

    fn work(n: u8, task_id: &str, policy: Policy) -> NewWork {
        NewWork {
            id: WorkId::from_bytes([n; 16]),
            lane: Arc::new(Lane::of(task_id)),
            aliases: &[],
            unique: Some((task_id.to_owned(), policy)),
            start: Start::After(Duration::ZERO),
            boost_millis: 0,
            options: StoredOptions::default(),
            envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload: vec![n] },
        }
    }

    #[test]
    fn s4_1_ids_whose_hashes_fall_together_stay_apart() {
        let (a, b) = ("same hash/a", "same hash/b");
        let mut store = MemoryStore::default();
        let changes = store.write(&mut |tx| {
            let batch = [
                work(1, a, Policy::Keep),
                work(2, b, Policy::Keep),
                work(3, b, Policy::Append),
                work(4, a, Policy::Replace),
                work(5, b, Policy::Append),
            ];
            let stored: Vec<_> =
                tx.enqueue(&batch, NOW).unwrap().into_iter().map(|stored| stored.how).collect();
            let [first, second, third] = [1, 2, 3].map(|n| batch[n - 1].id);
            let replaced = How::Replaced(vec![first]);
            assert_eq!(stored, [How::New, How::New, How::Appended(second), replaced, How::Appended(third)]);
            let newest = tx.newest_with_task_id(a).unwrap().unwrap();
            assert_eq!(newest.record.id, batch[3].id);
            let cancelled = tx.cancel(&Target::TaskId(a.to_owned()), NOW).unwrap();
            assert_eq!(cancelled.iter().map(|moved| moved.attempt.work).collect::<Vec<_>>(), [batch[3].id]);
            let newest = tx.newest_with_task_id(a).unwrap().unwrap();
            assert_eq!((newest.record.id, newest.record.state), (batch[3].id, WorkState::Cancelled));
        });
        assert!(changes.is_ok());
        store.check().unwrap();
    }
}

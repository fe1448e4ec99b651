//! The pieces that bear a task id, as far as a policy must see them.

use std::ops::ControlFlow;

use crate::id::WorkId;
use crate::index::{IdKey, id_range};
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::policy::{Holder, Reach};
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
        Reach::Newest => backwards(tx.tables, &from, to, &mut take)?,
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
        options_differ: !same_lane
            || boost_millis != work.boost_millis
            || spec.map_or(true, |spec| spec.options != work.options),
        interruptions,
    }))
}

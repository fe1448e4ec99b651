//! Whether every index equals what the records say (I15): for tests, and for a store that is to be verified.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::id::{LaneId, WorkId};
use crate::index::{self, class};
use crate::record::WorkRecord;
use crate::rows;
use crate::state::WorkState;
use crate::tables::{Table, TableError, Tables};
use crate::volatile::Volatile;

/// Compares; answers one line for each thing that does not agree.
pub(crate) fn check<T: Tables>(tables: &T, volatile: &Volatile) -> Result<Vec<String>, TableError> {
    let mut wrong = Vec::new();
    let mut expected = Expected::default();
    rows_of(tables, Table::Records, &mut |key, value| {
        let Some(id) = rows::pointed(key) else { return wrong.push(format!("a record under {key:?}")) };
        match WorkRecord::decode(id, value) {
            Ok(record) => expected.take(&record),
            Err(_) => drop(expected.damaged.insert(id)),
        }
    })?;
    let damaged = expected.damaged.clone();
    let mut listed = BTreeSet::new();
    let indexes = [
        (Table::Order, &mut expected.order),
        (Table::Ids, &mut expected.ids),
        (Table::Tags, &mut expected.tags),
    ];
    for (table, places) in indexes {
        rows_of(tables, table, &mut |key, value| match (places.remove(key), rows::pointed(value)) {
            (Some(id), Some(found)) if id == found => {}
            // A damaged record stands where it was found, or among the Quarantined; what it has in the id index stays.
            (None, Some(found)) if damaged.contains(&found) => {
                let second = key.first().is_some_and(|class| class::is_second(*class));
                if !second && table == Table::Order && !listed.insert(found) {
                    wrong.push(format!("{found} has two places in the order index"));
                }
            }
            (wanted, found) => wrong.push(format!("{table:?} has {found:?} in the place of {wanted:?}")),
        })?;
        wrong.extend(places.values().map(|id| format!("{id} has no place in {table:?}")));
    }
    wrong.extend(damaged.difference(&listed).map(|id| format!("{id} is damaged and listed nowhere")));
    hangers_on(tables, &expected, &mut wrong)?;
    counts(&expected, volatile, &mut wrong);
    bodies(&expected, volatile, &mut wrong);
    Ok(wrong)
}

/// What the records ask for.
#[derive(Debug, Default)]
struct Expected {
    order: BTreeMap<Vec<u8>, WorkId>,
    ids: BTreeMap<Vec<u8>, WorkId>,
    tags: BTreeMap<Vec<u8>, WorkId>,
    ready: BTreeMap<LaneId, u64>,
    /// Ready pieces that run alone.
    suspects: u64,
    damaged: BTreeSet<WorkId>,
    known: BTreeSet<WorkId>,
    succeeded: BTreeSet<WorkId>,
    errors: BTreeSet<Vec<u8>>,
    /// Hash and sequence number of what has not ended, and whether it is Blocked.
    heads: BTreeMap<(u64, u64), (WorkId, bool)>,
}

impl Expected {
    fn take(&mut self, record: &WorkRecord) {
        let key = index::order_key(record);
        self.known.insert(record.id);
        self.order.insert(key.to_vec(), record.id);
        for key in index::second_keys(record).into_iter().flatten() {
            self.order.insert(key.to_vec(), record.id);
        }
        if class::is_ready(key[0]) {
            *self.ready.entry(record.lane).or_default() += 1;
        }
        self.suspects += u64::from(key[0] == class::SUSPECT);
        if let Some(key) = index::id_key(record) {
            self.ids.insert(key.to_vec(), record.id);
        }
        self.tags.extend(index::tag_keys(record).map(|key| (key.to_vec(), record.id)));
        if record.state == WorkState::Succeeded {
            self.succeeded.insert(record.id);
        }
        for attempt in record.history.iter().filter(|attempt| attempt.has_error) {
            self.errors.insert(rows::error_key(record.id, attempt.claim).to_vec());
        }
        if let Some(hash) = record.id_hash
            && !record.state.is_finished()
            && record.state != WorkState::Quarantined
        {
            // What waits for the success of Quarantined work stands first and is Blocked all the same.
            let blocked = record.state == WorkState::Blocked && record.after.is_none();
            self.heads.insert((hash, record.sequence), (record.id, blocked));
        }
    }
}

/// Nothing hangs on a record that is not there, and no error text is missing or too many.
fn hangers_on<T: Tables>(tables: &T, expected: &Expected, wrong: &mut Vec<String>) -> Result<(), TableError> {
    let known = |id| expected.known.contains(&id) || expected.damaged.contains(&id);
    rows_of(tables, Table::Specs, &mut |key, _| {
        if !rows::pointed(key).is_some_and(known) {
            wrong.push(format!("a spec without a record: {key:?}"));
        }
    })?;
    rows_of(tables, Table::Outputs, &mut |key, _| {
        let owner = rows::pointed(key);
        if !owner.is_some_and(|id| expected.succeeded.contains(&id) || expected.damaged.contains(&id)) {
            wrong.push(format!("an output without success: {key:?}"));
        }
    })?;
    let mut errors = expected.errors.clone();
    rows_of(tables, Table::Errors, &mut |key, _| {
        let owner = key.get(..16).and_then(rows::pointed);
        if !errors.remove(key) && !owner.is_some_and(|id| expected.damaged.contains(&id)) {
            wrong.push(format!("an error text that no attempt remembers: {key:?}"));
        }
    })?;
    wrong.extend(errors.iter().map(|key| format!("an error text is missing: {key:?}")));
    Ok(())
}

fn counts(expected: &Expected, volatile: &Volatile, wrong: &mut Vec<String>) {
    let unsure = expected.damaged.len() as u64;
    if !(expected.suspects..=expected.suspects + unsure).contains(&volatile.suspects()) {
        wrong.push(format!("it counts {} suspects and has {}", volatile.suspects(), expected.suspects));
    }
    for (lane, state) in volatile.lanes() {
        let ready = expected.ready.get(lane).copied().unwrap_or(0);
        // A damaged record that is still listed as ready is counted until it is found.
        if state.ready < ready || state.ready > ready + unsure {
            wrong.push(format!("{lane:?} counts {} ready pieces and has {ready}", state.ready));
        }
    }
}

/// What stands first under an id is not Blocked, unless a body under that id lives.
fn bodies(expected: &Expected, volatile: &Volatile, wrong: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for ((hash, _), (id, blocked)) in &expected.heads {
        if seen.insert(*hash) && *blocked && volatile.rescued() && !volatile.living().has_id(*hash) {
            wrong.push(format!("{id} is Blocked, though nothing stands before it"));
        }
    }
}

fn rows_of<T: Tables>(
    tables: &T,
    table: Table,
    visit: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<(), TableError> {
    tables.scan(table, &[], &[0xff; 32], &mut |key, value| {
        visit(key, value);
        ControlFlow::Continue(())
    })
}

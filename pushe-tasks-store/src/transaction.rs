//! One transaction over tables: how a record moves, and what a commit tells.
//!
//! Invariant: `place` and `place_order` alone touch the order, id and tag indexes, so that every record has the places that `index` says. A
//! verb that fails takes back all that it did; a table that fails spoils the whole transaction.

use crate::change::Changes;
use crate::error::VerbError;
use crate::id::{Attempt, LaneId, WorkId};
use crate::index::{self, IdKey, OrderKey, TagKey, class};
use crate::journal::Journal;
use crate::meta;
use crate::record::{AttemptRecord, WorkRecord};
use crate::rows;
use crate::state::{Reason, WorkState};
use crate::tables::{Table, TableError, TablesMut};
use crate::verbs::{Moved, NewWork, Snapshot, Verbs};
use crate::volatile::Volatile;

/// A transaction under way.
#[derive(Debug)]
pub(crate) struct Transaction<'a, T> {
    pub(crate) tables: &'a mut T,
    pub(crate) volatile: &'a mut Volatile,
    journal: Journal,
    moves: Vec<Moved>,
    /// A suspect that the last claim found waiting for the bodies that live to end.
    waiting_suspect: Option<WorkId>,
    wrote: bool,
    failed: Option<String>,
}

/// What a transaction leaves to the store: to commit the tables if it wrote, then to keep or discard the volatile state.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What to publish once it is durable.
    pub(crate) changes: Changes,
    /// Whether there is anything to make durable.
    pub(crate) wrote: bool,
}

/// The places of a record in the indexes.
#[derive(Clone, Debug)]
pub(crate) struct Stood {
    order: OrderKey,
    second: [Option<OrderKey>; 2],
    id: Option<IdKey>,
    state: WorkState,
    tags: Vec<TagKey>,
}

impl Stood {
    /// Where the record stands now: taken before it is changed, given back when it is moved.
    pub(crate) fn of(record: &WorkRecord) -> Self {
        let (order, second) = (index::order_key(record), index::second_keys(record));
        let tags = index::tag_keys(record).collect();
        Self { order, second, id: index::id_key(record), state: record.state, tags }
    }
}

/// Applies `body` to the tables. The store commits what was written, then calls `volatile.keep()`, or `discard()` where
/// the commit failed; an error means that the tables must not be committed. `body` answers whether the transaction holds
/// more to make durable than what its verbs wrote.
pub(crate) fn apply<T: TablesMut>(
    tables: &mut T,
    volatile: &mut Volatile,
    body: &mut dyn FnMut(&mut dyn Verbs) -> bool,
) -> Result<Finished, TableError> {
    // A panic within the transaction before may have left changes that nobody kept.
    volatile.discard();
    let mut transaction = Transaction {
        tables,
        volatile,
        journal: Journal::default(),
        moves: Vec::new(),
        waiting_suspect: None,
        wrote: false,
        failed: None,
    };
    transaction.wrote |= body(&mut transaction);
    transaction.finish()
}

impl<T: TablesMut> Transaction<'_, T> {
    /// Applies one verb, and takes all of it back if it fails.
    pub(crate) fn verb<R>(
        &mut self,
        apply: impl FnOnce(&mut Self) -> Result<R, VerbError>,
    ) -> Result<R, VerbError> {
        if let Some(text) = &self.failed {
            return Err(VerbError::Store(text.clone()));
        }
        let (mark, moves, wrote) = (self.volatile.mark(), self.moves.len(), self.wrote);
        let answer = apply(self);
        let failure = match &answer {
            Ok(_) => {
                self.journal.clear();
                None
            }
            Err(error) => {
                self.volatile.undo_to(mark);
                self.moves.truncate(moves);
                self.wrote = wrote;
                let undone = self.journal.undo(self.tables);
                match (error, undone) {
                    (VerbError::Store(text), _) => Some(text.clone()),
                    (_, Err(error)) => Some(error.0),
                    (_, Ok(())) => None,
                }
            }
        };
        if failure.is_some() {
            self.failed = failure;
        }
        answer
    }

    pub(crate) fn look(&self) -> Snapshot<'_, T> {
        Snapshot { tables: self.tables, volatile: self.volatile }
    }

    pub(crate) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), TableError> {
        let journal = &mut self.journal;
        self.wrote = true;
        self.tables.put(table, key, value, &mut |old| journal.note(table, key, old))
    }

    pub(crate) fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), TableError> {
        let journal = &mut self.journal;
        self.wrote = true;
        self.tables.remove(table, key, &mut |old| journal.note(table, key, old))
    }

    /// Stores a new record and gives it its places.
    pub(crate) fn insert(&mut self, record: &WorkRecord) -> Result<(), TableError> {
        self.place(record.id, None, Some(&Stood::of(record)))?;
        self.save(record)?;
        self.volatile.note_stored(record.id);
        self.moved(record, None);
        Ok(())
    }

    /// Stores new records, each with its spec, and gives them their places. Their ids rise, none is stored, and none bears a
    /// task id: so each table takes them as one run.
    pub(crate) fn insert_run(&mut self, new: &[(WorkRecord, Vec<u8>)]) -> Result<(), TableError> {
        self.wrote = true;
        let journal = &mut self.journal;
        let keys = |record| {
            std::iter::once(index::order_key(record)).chain(index::second_keys(record).into_iter().flatten())
        };
        let mut places: Vec<_> =
            new.iter().flat_map(|(record, _)| keys(record).map(|key| (key, record.id))).collect();
        places.sort_unstable();
        for (record, _) in new {
            journal.note(Table::Records, record.id.as_bytes(), None);
            journal.note(Table::Specs, record.id.as_bytes(), None);
        }
        for (key, _) in &places {
            journal.note(Table::Order, key, None);
            if class::is_ready(key[0]) {
                self.volatile.ready_more(index::lane_of(key), key[0] == class::SUSPECT);
            }
        }
        let values: Vec<_> = new.iter().map(|(record, _)| record.encode()).collect();
        let ids = || new.iter().map(|(record, _)| record.id.as_bytes().as_slice());
        let specs = new.iter().map(|(_, spec)| spec.as_slice());
        self.tables.put_run(Table::Specs, &mut ids().zip(specs))?;
        let mut tags: Vec<_> =
            new.iter().flat_map(|(record, _)| index::tag_keys(record).map(|key| (key, record.id))).collect();
        tags.sort_unstable();
        for (key, _) in &tags {
            journal.note(Table::Tags, key, None);
        }
        if !tags.is_empty() {
            let tags = tags.iter().map(|(key, work)| (key.as_slice(), work.as_bytes().as_slice()));
            self.tables.put_run(Table::Tags, &mut { tags })?;
        }
        let order = places.iter().map(|(key, work)| (key.as_slice(), work.as_bytes().as_slice()));
        self.tables.put_run(Table::Order, &mut { order })?;
        self.tables.put_run(Table::Records, &mut ids().zip(values.iter().map(Vec::as_slice)))?;
        for (record, _) in new {
            self.volatile.note_stored(record.id);
            self.moved(record, None);
        }
        Ok(())
    }

    /// Stores a changed record and moves it to its new places.
    pub(crate) fn shift(&mut self, stood: &Stood, record: &WorkRecord) -> Result<(), TableError> {
        self.place(record.id, Some(stood), Some(&Stood::of(record)))?;
        self.save(record)?;
        if stood.state != record.state {
            self.moved(record, Some(stood.state));
        }
        Ok(())
    }

    /// Stores a changed record that keeps its places.
    pub(crate) fn save(&mut self, record: &WorkRecord) -> Result<(), TableError> {
        self.put(Table::Records, &index::work_key(record.id), &record.encode())
    }

    /// Removes a record with all that hangs on it.
    pub(crate) fn forget(&mut self, record: &WorkRecord) -> Result<(), TableError> {
        self.place(record.id, Some(&Stood::of(record)), None)?;
        let key = index::work_key(record.id);
        for table in [Table::Records, Table::Specs] {
            self.remove(table, &key)?;
        }
        if record.state == WorkState::Succeeded {
            self.remove(Table::Outputs, &key)?;
        }
        for attempt in record.history.iter().filter(|attempt| attempt.has_error) {
            self.remove(Table::Errors, &rows::error_key(record.id, attempt.claim))?;
        }
        Ok(())
    }

    /// Stores the error text of the newest attempt, and removes the one that the history dropped.
    pub(crate) fn keep_error(
        &mut self,
        record: &WorkRecord,
        error: &str,
        dropped: Option<AttemptRecord>,
    ) -> Result<(), TableError> {
        if !error.is_empty() {
            let key = rows::error_key(record.id, record.claim);
            self.put(Table::Errors, &key, &rows::encode_error(&key, error))?;
        }
        match dropped {
            Some(attempt) if attempt.has_error => {
                self.remove(Table::Errors, &rows::error_key(record.id, attempt.claim))
            }
            _ => Ok(()),
        }
    }

    /// Lists a piece whose record does not read back among the Quarantined: its bytes stay, and it leaves the way of the
    /// others. What it had in the id index is not known, and stays.
    pub(crate) fn list_as_damaged(&mut self, key: OrderKey, work: WorkId) -> Result<(), TableError> {
        let from = match key[0] {
            class::READY | class::SUSPECT | class::DELAYED | class::FLEXIBLE => Some(WorkState::Enqueued),
            class::BLOCKED_BEHIND | class::BLOCKED_BODY => Some(WorkState::Blocked),
            class::RUNNING => Some(WorkState::Running),
            _ => None,
        };
        let aside = index::place(class::QUARANTINED, 0, 0, index::sequence_of(&key));
        self.place_order(work, Some(key), Some(aside))?;
        if from.is_some() {
            self.moves.push(Moved {
                attempt: Attempt { work, claim: 0 },
                lane: if class::is_ready(key[0]) { index::lane_of(&key) } else { LaneId(0) },
                from,
                to: WorkState::Quarantined,
                reason: Some(Reason::Record),
            });
        }
        Ok(())
    }

    /// Removes an entry of the order index whose record says that it stands elsewhere, or is not there.
    pub(crate) fn drop_stray(&mut self, key: OrderKey, work: WorkId) -> Result<(), TableError> {
        self.place_order(work, Some(key), None)
    }

    /// The lane of a new piece, made if it is new.
    pub(crate) fn lane_of(&mut self, work: &NewWork) -> Result<LaneId, TableError> {
        if let Some(id) = self.volatile.lane_id(&work.lane) {
            return Ok(id);
        }
        let id = self.volatile.make_lane(&work.lane);
        self.put(Table::Lanes, &rows::lane_key(id), &rows::encode_lane(id, &work.lane))?;
        Ok(id)
    }

    /// Tells with the commit which suspect waits for its turn.
    pub(crate) fn tell_waiting(&mut self, suspect: Option<WorkId>) {
        self.waiting_suspect = suspect;
    }

    /// How many moves there are: to answer those of one verb.
    pub(crate) fn moves_since(&self, start: usize) -> &[Moved] {
        &self.moves[start..]
    }

    pub(crate) fn move_count(&self) -> usize {
        self.moves.len()
    }

    fn moved(&mut self, record: &WorkRecord, from: Option<WorkState>) {
        self.moves.push(Moved {
            attempt: Attempt { work: record.id, claim: record.claim },
            lane: record.lane,
            from,
            to: record.state,
            reason: record.reason,
        });
    }

    /// Takes out the old places and puts in the new ones; places that stay are not touched.
    fn place(&mut self, work: WorkId, old: Option<&Stood>, new: Option<&Stood>) -> Result<(), TableError> {
        self.place_order(work, old.map(|stood| stood.order), new.map(|stood| stood.order))?;
        let second = |stood: Option<&Stood>| stood.map_or([None; 2], |stood| stood.second);
        for (from, to) in second(old).into_iter().zip(second(new)) {
            self.place_order(work, from, to)?;
        }
        let (from, to) = (old.and_then(|stood| stood.id), new.and_then(|stood| stood.id));
        if from != to {
            if let Some(key) = from {
                self.remove(Table::Ids, &key)?;
            }
            if let Some(key) = to {
                self.put(Table::Ids, &key, work.as_bytes())?;
            }
        }
        let (from, to) = (old.map_or(&[][..], |stood| &stood.tags), new.map_or(&[][..], |stood| &stood.tags));
        if from != to {
            for key in from {
                self.remove(Table::Tags, key)?;
            }
            for key in to {
                self.put(Table::Tags, key, work.as_bytes())?;
            }
        }
        Ok(())
    }

    fn place_order(
        &mut self,
        work: WorkId,
        from: Option<OrderKey>,
        to: Option<OrderKey>,
    ) -> Result<(), TableError> {
        if from == to {
            return Ok(());
        }
        if let Some(key) = from {
            self.remove(Table::Order, &key)?;
            if class::is_ready(key[0]) {
                self.volatile.ready_less(index::lane_of(&key), key[0] == class::SUSPECT);
            }
        }
        if let Some(key) = to {
            self.put(Table::Order, &key, work.as_bytes())?;
            if class::is_ready(key[0]) {
                self.volatile.ready_more(index::lane_of(&key), key[0] == class::SUSPECT);
            }
        }
        Ok(())
    }

    /// Stores the counters if anything was written, and gathers what the commit will tell.
    fn finish(mut self) -> Result<Finished, TableError> {
        if let Some(text) = self.failed.take() {
            return Err(TableError(text));
        }
        if self.wrote {
            self.volatile.counters.commit += 1;
            meta::write_counters(self.tables, self.volatile.counters)?;
        }
        let look = self.look();
        let (next_due, next_prune) = (look.first_due()?, look.first_time(class::FINISHED)?);
        let next_expiry = look.first_time(class::EXPIRES)?;
        let changes = Changes {
            commit: self.volatile.counters.commit,
            new_lanes: self.volatile.new_lanes(),
            ready: self.volatile.changed_ready(),
            next_due,
            next_prune,
            next_expiry,
            suspects: self.volatile.suspects(),
            waiting_suspect: self.waiting_suspect,
            paused: self.volatile.changed_paused(),
            moves: self.moves,
        };
        Ok(Finished { changes, wrote: self.wrote })
    }
}

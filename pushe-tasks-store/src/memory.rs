//! The store in memory: the reference implementation, for tests and for work that need not outlive the process.
//!
//! Invariant: a transaction that is not committed leaves nothing, in the tables as in the volatile state.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};

use crate::change::Changes;
use crate::error::StoreError;
use crate::meta::{self, Opened};
use crate::tables::{Entry, Table, TableError, Tables, TablesMut, Visit};
use crate::transaction;
use crate::verbs::{Look, Snapshot, Store, StoreFacts, Verbs};
use crate::volatile::{Living, Volatile};

/// A store whose tables live in memory.
///
/// It keeps every promise of a store except that its contents end with it. [`MemoryStore::reopen`] and
/// [`MemoryStore::fail_next`] play a restart and a failing disk.
#[derive(Debug)]
pub struct MemoryStore {
    tables: MemoryTables,
    volatile: Volatile,
    facts: StoreFacts,
    failing: Option<StoreError>,
}

impl MemoryStore {
    /// An empty store; `uuid` names it.
    pub fn new(uuid: [u8; 16]) -> Self {
        Self::open(MemoryTables::default(), uuid, None)
    }

    /// The store as a new process finds it: what is committed is there, no body lives.
    #[must_use]
    pub fn reopen(self) -> Self {
        Self::open(self.tables, self.facts.uuid, None)
    }

    /// The store as this process finds it when it opens it anew: bodies that lived go on.
    #[must_use]
    pub fn reopen_alive(self) -> Self {
        Self::open(self.tables, self.facts.uuid, Some(self.volatile.into_living()))
    }

    /// Lets the next transaction that writes end in this error instead of its commit.
    pub fn fail_next(&mut self, error: StoreError) {
        self.failing = Some(error);
    }

    /// Compares the indexes with the records; says what does not agree.
    #[cfg(any(test, feature = "conformance"))]
    pub fn check(&self) -> Result<(), String> {
        match crate::check::check(&self.tables, &self.volatile) {
            Ok(wrong) if wrong.is_empty() => Ok(()),
            Ok(wrong) => Err(wrong.join("; ")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Bends what is stored, behind the back of the verbs.
    #[cfg(test)]
    pub(crate) fn bend(&mut self, table: Table, key: &[u8]) {
        let row = self.tables.rows[table as usize].get_mut(key);
        row.expect("the row is there")[0] ^= 1;
    }

    fn open(mut tables: MemoryTables, uuid: [u8; 16], living: Option<Living>) -> Self {
        let opened = match meta::open(&mut tables, uuid, living) {
            Ok(opened) => opened,
            // Tables in memory never fail, and nobody but this build has written to them.
            Err(fault) => unreachable!("tables in memory do not open: {fault:?}"),
        };
        tables.undo.clear();
        let Opened { volatile, uuid, epoch } = opened;
        let facts = StoreFacts::new("memory", "this process".to_owned(), uuid, epoch);
        Self { tables, volatile, facts, failing: None }
    }

    fn undo(&mut self) {
        self.tables.undo();
        self.volatile.discard();
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new([0; 16])
    }
}

impl Store for MemoryStore {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        // What a panic within the transaction before has left.
        self.undo();
        let finished = match transaction::apply(&mut self.tables, &mut self.volatile, &mut |verbs| {
            body(verbs);
            false
        }) {
            Ok(finished) => finished,
            Err(error) => {
                self.undo();
                return Err(StoreError::Undone(error.0));
            }
        };
        if finished.wrote
            && let Some(error) = self.failing.take()
        {
            self.undo();
            return Err(error);
        }
        self.tables.undo.clear();
        self.volatile.keep();
        Ok(finished.changes)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.undo();
        body(&Snapshot { tables: &self.tables, volatile: &self.volatile });
        Ok(())
    }

    fn facts(&self) -> &StoreFacts {
        &self.facts
    }
}

type Rows = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// Sorted maps, and what the transaction under way has overwritten.
#[derive(Default)]
pub(crate) struct MemoryTables {
    rows: [Rows; Table::ALL.len()],
    undo: Vec<Overwritten>,
    /// How many writes succeed before all fail; `None` for no end.
    #[cfg(test)]
    writes_left: Option<usize>,
}

/// Table, key and old value of a write.
type Overwritten = (Table, Box<[u8]>, Option<Box<[u8]>>);

impl std::fmt::Debug for MemoryTables {
    /// Rows hold payloads, which may be secrets: only their number is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows: Vec<_> = self.rows.iter().map(Rows::len).collect();
        f.debug_struct("MemoryTables").field("rows", &rows).finish_non_exhaustive()
    }
}

impl MemoryTables {
    /// Fails once the writes that a test allows are used up.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "memory never fails")
    )]
    fn count_write(&mut self) -> Result<(), TableError> {
        #[cfg(test)]
        if let Some(left) = &mut self.writes_left {
            *left = left.checked_sub(1).ok_or_else(|| TableError("a page is gone".to_owned()))?;
        }
        Ok(())
    }

    fn undo(&mut self) {
        while let Some((table, key, old)) = self.undo.pop() {
            let rows = &mut self.rows[table as usize];
            match old {
                Some(value) => drop(rows.insert(key, value)),
                None => drop(rows.remove(&key)),
            }
        }
    }
}

impl Tables for MemoryTables {
    fn get<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        Ok(self.rows[table as usize].get(key).map(|value| read(value)))
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), TableError> {
        if from < to {
            for (key, value) in self.rows[table as usize].range::<[u8], _>((Included(from), Excluded(to))) {
                if visit(key, value).is_break() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), TableError> {
        if from < to {
            let rows = self.rows[table as usize].range::<[u8], _>((Included(from), Excluded(to)));
            for (key, value) in rows.rev() {
                if visit(key, value).is_break() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Entry>, TableError> {
        if from >= to {
            return Ok(None);
        }
        let last = self.rows[table as usize].range::<[u8], _>((Included(from), Excluded(to))).next_back();
        Ok(last.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }
}

impl TablesMut for MemoryTables {
    fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
        old: &mut dyn FnMut(Option<&[u8]>),
    ) -> Result<(), TableError> {
        self.count_write()?;
        let before = self.rows[table as usize].insert(key.into(), value.into());
        old(before.as_deref());
        self.undo.push((table, key.into(), before));
        Ok(())
    }

    fn remove(
        &mut self,
        table: Table,
        key: &[u8],
        old: &mut dyn FnMut(Option<&[u8]>),
    ) -> Result<(), TableError> {
        self.count_write()?;
        let before = self.rows[table as usize].remove(key);
        old(before.as_deref());
        if before.is_some() {
            self.undo.push((table, key.into(), before));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::{
        Attempt, Body, ClaimRequest, Enqueued, Envelope, Filter, Grant, Lane, LaneId, NewWork, RescueRequest,
        Settle, Settled, Settlement, Start, StoredOptions, WallTime, WorkId, WorkState,
    };

    const NOW: WallTime = WallTime::from_millis(1_000_000);

    fn work(n: u64) -> NewWork {
        NewWork {
            id: WorkId::from_parts(n, [0; 10]),
            lane: Arc::new(Lane::of("Upload")),
            aliases: &[],
            unique: None,
            start: Start::After(Duration::ZERO),
            boost_millis: 0,
            options: StoredOptions::default(),
            envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload: vec![7; 100] },
        }
    }

    fn enqueue(store: &mut MemoryStore, batch: &[NewWork]) -> Result<Vec<Enqueued>, StoreError> {
        let mut answer = Vec::new();
        store.write(&mut |tx| answer = tx.enqueue(batch, NOW).unwrap())?;
        Ok(answer)
    }

    fn claim(store: &mut MemoryStore, limit: usize) -> Vec<Attempt> {
        let grants = vec![Grant { permits: limit, lanes: vec![LaneId(1)] }];
        let request = ClaimRequest { now: NOW, limit, grants, ..ClaimRequest::default() };
        let mut answer = Vec::new();
        store.write(&mut |tx| answer = tx.claim(&request).unwrap()).unwrap();
        answer.iter().map(crate::Claimed::attempt).collect()
    }

    fn count(store: &mut MemoryStore, state: WorkState) -> usize {
        let filter = Filter { states: vec![state], tasks: Vec::new(), after: None, limit: usize::MAX };
        let mut found = 0;
        store.read(&mut |look| found = look.list(&filter).unwrap().len()).unwrap();
        found
    }

    #[test]
    fn a_commit_that_fails_leaves_nothing_in_tables_and_memory() {
        let mut store = MemoryStore::default();
        store.fail_next(StoreError::Full);
        assert!(matches!(enqueue(&mut store, &[work(1)]), Err(StoreError::Full)));
        assert_eq!(count(&mut store, WorkState::Enqueued), 0);
        store.read(&mut |look| assert_eq!(look.lanes(), Ok(Vec::new()))).unwrap();
        enqueue(&mut store, &[work(1)]).unwrap();

        store.fail_next(StoreError::InDoubt("test".to_owned()));
        let grants = vec![Grant { permits: 1, lanes: vec![LaneId(1)] }];
        let request = ClaimRequest { now: NOW, limit: 1, grants, ..ClaimRequest::default() };
        assert!(store.write(&mut |tx| assert_eq!(tx.claim(&request).unwrap().len(), 1)).is_err());
        store.read(&mut |look| assert_eq!(look.lanes().unwrap()[0].ready, 1)).unwrap();
        assert_eq!(claim(&mut store, 1).len(), 1, "the body of the claim that failed does not live");
    }

    #[test]
    fn a_table_that_fails_spoils_its_transaction_alone() {
        let mut spoilt = 0;
        for writes in 0.. {
            let mut store = MemoryStore::default();
            enqueue(&mut store, &[work(1)]).unwrap();
            store.tables.writes_left = Some(writes);
            let mut answers = Vec::new();
            let grants = vec![Grant { permits: 1, lanes: vec![LaneId(1)] }];
            let request = ClaimRequest { now: NOW, limit: 1, grants, ..ClaimRequest::default() };
            let written = store.write(&mut |tx| {
                answers.push(tx.enqueue(&[work(2)], NOW).map(drop));
                answers.push(tx.claim(&request).map(drop));
            });
            store.tables.writes_left = None;
            store.check().unwrap();
            if written.is_ok() {
                assert_eq!(answers, [Ok(()), Ok(())]);
                break;
            }
            spoilt += 1;
            assert!(matches!(written, Err(StoreError::Undone(_))));
            if answers[0].is_err() {
                assert_eq!(answers[0], answers[1], "no verb is applied behind one that the tables failed");
            }
            assert_eq!(count(&mut store, WorkState::Enqueued), 1);
            assert_eq!(claim(&mut store, 9).len(), 1);
        }
        assert!(spoilt > 4, "{spoilt}");
    }

    #[test]
    fn a_panic_in_a_transaction_leaves_nothing() {
        let mut store = MemoryStore::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = store.write(&mut |tx| {
                tx.enqueue(&[work(1)], NOW).unwrap();
                panic!("within the transaction");
            });
        }));
        assert!(panicked.is_err());
        assert_eq!(count(&mut store, WorkState::Enqueued), 0);
        enqueue(&mut store, &[work(2)]).unwrap();
        assert_eq!(claim(&mut store, 9).len(), 1);
    }

    #[test]
    fn s7_1_opened_anew_in_a_living_process_running_work_keeps_its_bodies() {
        let mut store = MemoryStore::default();
        enqueue(&mut store, &[work(1), work(2)]).unwrap();
        let attempts = claim(&mut store, 2);
        let request = RescueRequest::new(NOW, None);
        let settle = |attempt| Settle {
            attempt,
            at: NOW,
            settlement: Settlement::Succeeded { output: None },
            body: Body::Ended,
        };
        let held = [settle(attempts[0]), settle(attempts[1])];
        store.fail_next(StoreError::InDoubt("test".to_owned()));
        assert!(store.write(&mut |tx| drop(tx.settle(&held))).is_err());
        let mut store = store.reopen_alive();
        let mut rescued = None;
        store.write(&mut |tx| rescued = tx.rescue(&request).ok()).unwrap();
        assert_eq!(rescued.unwrap().orphans, [], "their settles are held, and apply");
        let mut answer = Vec::new();
        store.write(&mut |tx| answer = tx.settle(&held).unwrap()).unwrap();
        assert_eq!(answer, [Settled::Applied; 2]);
        assert_eq!(store.reopen().facts().epoch, 3);
    }

    #[test]
    fn s7_1_an_orphan_of_a_living_process_is_not_charged() {
        let mut store = MemoryStore::default();
        enqueue(&mut store, &[work(1)]).unwrap();
        let attempt = claim(&mut store, 1)[0];
        // Its body has ended, but the commit that says so failed, and then the store was opened anew.
        let settlement = Settlement::Return { reason: crate::Reason::Shutdown };
        store.write(&mut |tx| tx.release(&[attempt], NOW).unwrap()).unwrap();
        let mut store = store.reopen_alive();
        let mut rescued = None;
        store.write(&mut |tx| rescued = tx.rescue(&RescueRequest::new(NOW, None)).ok()).unwrap();
        let rescued = rescued.unwrap();
        assert_eq!((rescued.orphans.len(), rescued.charged), (1, 0));
        let late = Settle { attempt, at: NOW, settlement, body: Body::Ended };
        store
            .write(&mut |tx| assert_eq!(tx.settle(std::slice::from_ref(&late)), Ok(vec![Settled::Fenced])))
            .unwrap();
    }

    #[test]
    fn a_hundred_thousand_pieces_pass_through() {
        const PIECES: usize = 100_000;
        let mut store = MemoryStore::default();
        for batch in 0..PIECES as u64 / 100 {
            let pieces: Vec<_> = (0..100).map(|n| work(batch * 100 + n)).collect();
            enqueue(&mut store, &pieces).unwrap();
        }
        for _ in 0..PIECES / 100 {
            let settles = claim(&mut store, 100).into_iter().map(|attempt| Settle {
                attempt,
                at: NOW,
                settlement: Settlement::Succeeded { output: None },
                body: Body::Ended,
            });
            let settles: Vec<_> = settles.collect();
            store.write(&mut |tx| assert_eq!(tx.settle(&settles).unwrap().len(), 100)).unwrap();
        }
        assert_eq!(count(&mut store, WorkState::Succeeded), PIECES);
    }
}

//! The seam's tables over redb.
//!
//! Invariant: a table is opened once per transaction, when it is first asked for, and stays open until the transaction
//! ends. An operation that failed marks the transaction as broken, and a broken transaction is never committed.

use std::cell::{OnceCell, RefCell};
use std::ops::Bound;
use std::rc::Rc;

use redb::{
    CursorError, ReadOnlyTable, ReadTransaction, ReadableTable, StorageError, Table as RedbTable,
    TableDefinition, TableError as RedbTableError, WriteTransaction,
};

use super::contain::{Mishap, contain, put_away};
use crate::tables::{Entry, Rows, Table, TableError, Tables, TablesMut, Visit};

type Bytes = &'static [u8];

const fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(name_of(table))
}

/// What a table is called in the file.
pub(super) const fn name_of(table: Table) -> &'static str {
    match table {
        Table::Meta => "meta",
        Table::Lanes => "lanes",
        Table::Records => "records",
        Table::Specs => "specs",
        Table::Order => "order",
        Table::Ids => "ids",
        Table::Errors => "errors",
        Table::Outputs => "outputs",
        Table::Tags => "tags",
    }
}

/// The first thing that went wrong in a transaction.
type Trouble = Rc<RefCell<Option<Mishap>>>;

/// One cell for each table, in the order of `Table::ALL`.
type Cells<T> = [OnceCell<T>; Table::ALL.len()];

/// The tables as one write transaction sees them.
pub(super) struct WriteTables<'txn> {
    transaction: &'txn WriteTransaction,
    open: Cells<RedbTable<'txn, Bytes, Bytes>>,
    trouble: Trouble,
}

impl<'txn> WriteTables<'txn> {
    pub(super) fn new(transaction: &'txn WriteTransaction) -> Self {
        Self { transaction, open: Cells::default(), trouble: Trouble::default() }
    }

    /// Closes the tables; answers what went wrong with any of them.
    pub(super) fn finish(self) -> Result<(), Mishap> {
        self.trouble.borrow().clone().map_or(Ok(()), Err)
    }

    fn table(&self, table: Table) -> Result<&RedbTable<'txn, Bytes, Bytes>, StorageError> {
        let cell = &self.open[table as usize];
        if let Some(table) = cell.get() {
            return Ok(table);
        }
        let opened = self.transaction.open_table(definition(table)).map_err(storage_error)?;
        Ok(cell.get_or_init(|| opened))
    }

    fn table_mut(&mut self, table: Table) -> Result<&mut RedbTable<'txn, Bytes, Bytes>, StorageError> {
        self.table(table)?;
        self.open[table as usize]
            .get_mut()
            .ok_or_else(|| StorageError::Corrupted("a table was not kept open".to_owned()))
    }
}

impl Drop for WriteTables<'_> {
    /// A table writes its root as it closes. Each is closed by itself, so that one that panics cannot meet another that
    /// does while the stack unwinds.
    fn drop(&mut self) {
        let trouble = self.trouble.borrow();
        for cell in &mut self.open {
            if let Some(table) = cell.take() {
                put_away(table, trouble.as_ref());
            }
        }
    }
}

impl Tables for WriteTables<'_> {
    fn get<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        attempt(&self.trouble, || get_in(self.table(table)?, key, read))
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), TableError> {
        attempt(&self.trouble, || scan_in(self.table(table)?, from, to, visit))
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), TableError> {
        attempt(&self.trouble, || scan_back_in(self.table(table)?, from, to, visit))
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Entry>, TableError> {
        attempt(&self.trouble, || last_in(self.table(table)?, from, to))
    }
}

impl TablesMut for WriteTables<'_> {
    fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
        old: &mut dyn FnMut(Option<&[u8]>),
    ) -> Result<(), TableError> {
        let trouble = Rc::clone(&self.trouble);
        attempt(&trouble, || {
            let before = self.table_mut(table)?.insert(key, value)?;
            old(before.as_ref().map(redb::AccessGuard::value));
            Ok(())
        })
    }

    fn put_run(&mut self, table: Table, rows: &mut Rows<'_>) -> Result<(), TableError> {
        let trouble = Rc::clone(&self.trouble);
        attempt(&trouble, || insert_run(self.table_mut(table)?, rows))
    }

    fn remove(
        &mut self,
        table: Table,
        key: &[u8],
        old: &mut dyn FnMut(Option<&[u8]>),
    ) -> Result<(), TableError> {
        let trouble = Rc::clone(&self.trouble);
        attempt(&trouble, || {
            let before = self.table_mut(table)?.remove(key)?;
            old(before.as_ref().map(redb::AccessGuard::value));
            Ok(())
        })
    }
}

/// The tables as one read transaction sees them: what was durable when it began.
pub(super) struct ReadTables {
    transaction: ReadTransaction,
    open: Cells<Option<ReadOnlyTable<Bytes, Bytes>>>,
    trouble: Trouble,
}

impl ReadTables {
    pub(super) fn new(transaction: ReadTransaction) -> Self {
        Self { transaction, open: Cells::default(), trouble: Trouble::default() }
    }

    /// Ends the transaction; answers what went wrong in it.
    pub(super) fn finish(self) -> Result<(), Mishap> {
        self.trouble.borrow().clone().map_or(Ok(()), Err)
    }

    /// The table; `None` where nothing has ever been written to it.
    fn table(&self, table: Table) -> Result<Option<&ReadOnlyTable<Bytes, Bytes>>, StorageError> {
        let cell = &self.open[table as usize];
        if let Some(table) = cell.get() {
            return Ok(table.as_ref());
        }
        let opened = match self.transaction.open_table(definition(table)) {
            Ok(table) => Some(table),
            Err(RedbTableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(storage_error(error)),
        };
        Ok(cell.get_or_init(|| opened).as_ref())
    }
}

impl Tables for ReadTables {
    fn get<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError> {
        attempt(&self.trouble, || self.table(table)?.map_or(Ok(None), |table| get_in(table, key, read)))
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), TableError> {
        attempt(&self.trouble, || self.table(table)?.map_or(Ok(()), |table| scan_in(table, from, to, visit)))
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), TableError> {
        attempt(&self.trouble, || {
            self.table(table)?.map_or(Ok(()), |table| scan_back_in(table, from, to, visit))
        })
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Entry>, TableError> {
        attempt(&self.trouble, || self.table(table)?.map_or(Ok(None), |table| last_in(table, from, to)))
    }
}

/// Inserts rows whose keys rise: a cursor fills one gap after the other, and rows that share a gap are written together.
fn insert_run(table: &mut RedbTable<'_, Bytes, Bytes>, rows: &mut Rows<'_>) -> Result<(), StorageError> {
    while let Some((key, value)) = rows.next() {
        let mut cursor = table.lower_bound_mut(Bound::Included(key))?;
        let (mut key, mut value) = (key, value);
        let beyond = loop {
            match cursor.insert_before(key, value) {
                Ok(()) => match rows.next() {
                    Some(next) => (key, value) = next,
                    None => break None,
                },
                // Something stands between this row and the last, or under this very key.
                Err(CursorError::UnorderedKey) => break Some((key, value)),
                Err(CursorError::Storage(error)) => return Err(error),
                Err(other) => return Err(StorageError::Corrupted(other.to_string())),
            }
        };
        cursor.close()?;
        if let Some((key, value)) = beyond {
            table.insert(key, value)?;
        }
    }
    Ok(())
}

fn get_in<R>(
    table: &impl ReadableTable<Bytes, Bytes>,
    key: &[u8],
    read: impl FnOnce(&[u8]) -> R,
) -> Result<Option<R>, StorageError> {
    Ok(table.get(key)?.map(|value| read(value.value())))
}

fn scan_in(
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), StorageError> {
    if from >= to {
        return Ok(());
    }
    for entry in table.range::<&[u8]>(from..to)? {
        let (key, value) = entry?;
        if visit(key.value(), value.value()).is_break() {
            break;
        }
    }
    Ok(())
}

fn scan_back_in(
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), StorageError> {
    if from >= to {
        return Ok(());
    }
    for entry in table.range::<&[u8]>(from..to)?.rev() {
        let (key, value) = entry?;
        if visit(key.value(), value.value()).is_break() {
            break;
        }
    }
    Ok(())
}

fn last_in(
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
) -> Result<Option<Entry>, StorageError> {
    if from >= to {
        return Ok(None);
    }
    let last = table.range::<&[u8]>(from..to)?.next_back().transpose()?;
    Ok(last.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
}

/// Runs one operation; what goes wrong becomes the seam's error, and the first of it is noted.
fn attempt<R>(trouble: &Trouble, work: impl FnOnce() -> Result<R, StorageError>) -> Result<R, TableError> {
    contain(work).map_err(|mishap| {
        let error = TableError(mishap.text.clone());
        trouble.borrow_mut().get_or_insert(mishap);
        error
    })
}

fn storage_error(error: RedbTableError) -> StorageError {
    match error {
        RedbTableError::Storage(error) => error,
        other => StorageError::Corrupted(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase};

    fn database() -> Database {
        Database::builder().create_with_backend(InMemoryBackend::new()).unwrap()
    }

    fn keys(tables: &impl Tables, from: &[u8], to: &[u8]) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let mut visit = |key: &[u8], _: &[u8]| {
            keys.push(key.to_vec());
            ControlFlow::Continue(())
        };
        tables.scan(Table::Order, from, to, &mut visit).unwrap();
        keys
    }

    #[test]
    fn a_writer_sees_what_it_wrote_and_a_reader_what_was_committed() {
        let database = database();
        let transaction = database.begin_write().unwrap();
        let mut tables = WriteTables::new(&transaction);
        for key in [b"b", b"a", b"d", b"c"] {
            tables.put(Table::Order, key, b"1", &mut |old| assert_eq!(old, None)).unwrap();
        }
        tables.put(Table::Order, b"c", b"2", &mut |old| assert_eq!(old, Some(&b"1"[..]))).unwrap();
        tables.remove(Table::Order, b"a", &mut |old| assert_eq!(old, Some(&b"1"[..]))).unwrap();
        tables.remove(Table::Order, b"a", &mut |old| assert_eq!(old, None)).unwrap();
        assert_eq!(tables.get(Table::Order, b"c", <[u8]>::to_vec), Ok(Some(b"2".to_vec())));
        assert_eq!(keys(&tables, b"b", b"d"), [b"b", b"c"]);

        let before = ReadTables::new(database.begin_read().unwrap());
        assert_eq!(before.get(Table::Order, b"c", <[u8]>::len), Ok(None), "not durable yet");
        tables.finish().unwrap();
        transaction.commit().unwrap();

        let after = ReadTables::new(database.begin_read().unwrap());
        assert_eq!(keys(&after, b"", b"\xff"), [b"b", b"c", b"d"]);
        assert_eq!(after.last(Table::Order, b"", b"d"), Ok(Some((b"c".to_vec(), b"2".to_vec()))));
        assert_eq!(before.get(Table::Order, b"c", <[u8]>::len), Ok(None), "a reader's view stands still");
    }

    #[test]
    fn a_scan_ends_where_it_is_told_to_and_an_empty_range_is_empty() {
        let database = database();
        let transaction = database.begin_write().unwrap();
        let mut tables = WriteTables::new(&transaction);
        for key in 0..10_u8 {
            tables.put(Table::Order, &[key], b"", &mut |_| ()).unwrap();
        }
        let mut seen = 0;
        let mut visit = |_: &[u8], _: &[u8]| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        tables.scan(Table::Order, &[0], &[9], &mut visit).unwrap();
        assert_eq!(seen, 3);
        for (from, to) in [([5], [5]), ([9], [1])] {
            assert!(keys(&tables, &from, &to).is_empty());
            assert_eq!(tables.last(Table::Order, &from, &to), Ok(None));
        }
    }

    #[test]
    fn a_run_fills_every_gap_and_replaces_what_it_meets() {
        let database = database();
        let transaction = database.begin_write().unwrap();
        let mut tables = WriteTables::new(&transaction);
        let row = |key: &'static [u8]| (key, &b"new"[..]);
        tables.put_run(Table::Order, &mut std::iter::empty()).unwrap();
        for key in [b"b", b"d"] {
            tables.put(Table::Order, key, b"old", &mut |_| ()).unwrap();
        }
        let run = [row(b"a"), row(b"a1"), row(b"c"), row(b"c1"), row(b"d"), row(b"e"), row(b"f")];
        tables.put_run(Table::Order, &mut run.into_iter()).unwrap();
        assert_eq!(
            keys(&tables, b"", b"\xff"),
            [&b"a"[..], b"a1", b"b", b"c", b"c1", b"d", b"e", b"f"].map(<[u8]>::to_vec)
        );
        assert_eq!(tables.get(Table::Order, b"b", <[u8]>::to_vec), Ok(Some(b"old".to_vec())));
        assert_eq!(tables.get(Table::Order, b"d", <[u8]>::to_vec), Ok(Some(b"new".to_vec())));
        tables.finish().unwrap();
        transaction.commit().unwrap();
    }

    #[test]
    fn tables_that_nobody_wrote_are_empty_to_a_reader() {
        let tables = ReadTables::new(database().begin_read().unwrap());
        for table in Table::ALL {
            assert_eq!(tables.get(table, b"x", <[u8]>::len), Ok(None));
            assert_eq!(tables.last(table, b"", b"\xff"), Ok(None));
        }
    }

    #[test]
    fn trouble_breaks_the_transaction() {
        let database = database();
        let transaction = database.begin_write().unwrap();
        let mut tables = WriteTables::new(&transaction);
        let result = tables.put(Table::Meta, b"a", b"1", &mut |_| panic!("a damaged page"));
        assert_eq!(result, Err(TableError("redb panicked: a damaged page".into())));
        tables.put(Table::Meta, b"b", b"1", &mut |_| ()).unwrap();
        let mishap = Mishap { text: "redb panicked: a damaged page".into(), panicked: true };
        assert_eq!(tables.finish(), Err(mishap));
    }
}

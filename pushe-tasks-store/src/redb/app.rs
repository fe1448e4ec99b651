//! Tables of the application, within the transaction that schedules its work.
//!
//! Invariant: an application reaches no table of the store: each of its names stands behind a prefix of its own, and no
//! other handle to the database is given out. A transaction in which a panic ran through an open table, or one was leaked,
//! is undone: redb's writer lock stays with a leaked table, so that its database has to be given up with it.

use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};

use redb::{
    Key, MultimapTable, MultimapTableDefinition, Table, TableDefinition, TableError, TableHandle as _, Value,
    WriteTransaction,
};

use super::contain::put_away;

/// What stands before the name of every table of the application. The store's own names have no `/` in them.
pub(super) const PREFIX: &str = "app/";

/// The tables of the application in one transaction.
pub struct AppTables<'txn> {
    transaction: &'txn WriteTransaction,
    wrote: Cell<bool>,
    panicked: Cell<bool>,
    open: Cell<usize>,
}

impl<'txn> AppTables<'txn> {
    pub(super) const fn new(transaction: &'txn WriteTransaction) -> Self {
        Self { transaction, wrote: Cell::new(false), panicked: Cell::new(false), open: Cell::new(0) }
    }

    /// Whether any of them was written to.
    pub(super) fn wrote(&self) -> bool {
        self.wrote.get()
    }

    /// Whether a panic ran through one of them.
    pub(super) fn panicked(&self) -> bool {
        self.panicked.get()
    }

    /// Whether one of them was opened and never dropped.
    pub(super) fn leaked(&self) -> bool {
        self.open.get() > 0
    }

    fn hand_out<T>(&self, table: T) -> AppTable<'_, T> {
        self.open.set(self.open.get() + 1);
        AppTable { table: Some(table), of: self }
    }

    /// Opens a table of the application, or makes it. In the file its name begins with `app/`.
    ///
    /// # Errors
    /// As redb's `open_table`: the table is open already, or was made with other types.
    pub fn open_table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<AppTable<'_, Table<'txn, K, V>>, TableError> {
        let name = format!("{PREFIX}{}", definition.name());
        let table = self.transaction.open_table(TableDefinition::<K, V>::new(&name))?;
        Ok(self.hand_out(table))
    }

    /// Opens a multimap table of the application, or makes it.
    ///
    /// # Errors
    /// As redb's `open_multimap_table`.
    pub fn open_multimap_table<K: Key + 'static, V: Key + 'static>(
        &self,
        definition: MultimapTableDefinition<'_, K, V>,
    ) -> Result<AppTable<'_, MultimapTable<'txn, K, V>>, TableError> {
        use redb::MultimapTableHandle as _;
        let name = format!("{PREFIX}{}", definition.name());
        let table = self.transaction.open_multimap_table(MultimapTableDefinition::<K, V>::new(&name))?;
        Ok(self.hand_out(table))
    }

    /// Deletes a table of the application with all that is in it; answers whether there was one.
    ///
    /// # Errors
    /// As redb's `delete_table`: the table is open.
    pub fn delete_table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<bool, TableError> {
        let name = format!("{PREFIX}{}", definition.name());
        self.wrote.set(true);
        self.transaction.delete_table(TableDefinition::<K, V>::new(&name))
    }
}

impl fmt::Debug for AppTables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppTables").field("wrote", &self.wrote).finish_non_exhaustive()
    }
}

/// An open table of the application: redb's own, which it derefs to. One that is leaked fails its transaction; so must no
/// iterator over it be leaked.
pub struct AppTable<'a, T> {
    /// There until the drop.
    table: Option<T>,
    of: &'a dyn Marks,
}

/// Where a table leaves its marks.
trait Marks {
    fn mark_written(&self);
    fn mark_closed(&self, panicking: bool);
}

impl Marks for AppTables<'_> {
    fn mark_written(&self) {
        self.wrote.set(true);
    }

    fn mark_closed(&self, panicking: bool) {
        self.open.set(self.open.get() - 1);
        self.panicked.set(self.panicked.get() || panicking);
    }
}

impl<T> Deref for AppTable<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.table {
            Some(table) => table,
            None => unreachable!("a table is there until it is dropped"),
        }
    }
}

impl<T> DerefMut for AppTable<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.of.mark_written();
        match &mut self.table {
            Some(table) => table,
            None => unreachable!("a table is there until it is dropped"),
        }
    }
}

impl<T> Drop for AppTable<'_, T> {
    fn drop(&mut self) {
        self.of.mark_closed(std::thread::panicking());
        // Whether redb panics or the application cannot be told apart here, and a panic that leaves a drop while the stack
        // unwinds would end the process.
        put_away(self.table.take(), None);
    }
}

impl<T> fmt::Debug for AppTable<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppTable").finish_non_exhaustive()
    }
}

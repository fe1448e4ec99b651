//! The new store, while it is written.
//!
//! Invariant: it opens as a store only once the facts of one are written, which comes last.

use std::sync::Arc;

use redb::{Builder, Database};

use super::super::backend::{Counted, Ledger};
use super::super::contain::{Mishap, contain, put_away};
use super::super::file;
use super::super::medium::Medium;
use super::super::open::begin;
use super::super::options::Durability;
use super::super::tables::WriteTables;
use crate::error::OpenError;
use crate::index;
use crate::meta;
use crate::record::WorkRecord;
use crate::tables::{Table, TableError, TablesMut as _};
use crate::volatile::Counters;

/// So many rows go into one commit, and so many bytes.
const ROWS: usize = 10_000;
const BYTES: usize = 8 << 20;

/// A store that is being filled.
pub(super) struct Target<'m> {
    medium: &'m dyn Medium,
    ledger: Arc<Ledger>,
    database: Option<Database>,
    rows: Vec<(Table, Vec<u8>, Vec<u8>)>,
    bytes: usize,
}

impl<'m> Target<'m> {
    /// An empty database.
    pub(super) fn create(medium: &'m dyn Medium) -> Result<Self, OpenError> {
        let ledger = Arc::<Ledger>::default();
        let handle = medium.handle().map_err(|error| file::failed(medium.place().as_ref(), error))?;
        let backend = Counted::new(handle.into(), Arc::clone(&ledger));
        let made = contain(|| Builder::new().set_cache_size(24 << 20).create_with_backend(backend));
        let mut target = Self { medium, ledger, database: None, rows: Vec::new(), bytes: 0 };
        target.database = Some(made.map_err(|mishap| target.failed(&mishap))?);
        Ok(target)
    }

    /// Stores a row.
    pub(super) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), OpenError> {
        self.bytes += key.len() + value.len();
        self.rows.push((table, key.to_vec(), value.to_vec()));
        if self.rows.len() >= ROWS || self.bytes >= BYTES { self.commit(None) } else { Ok(()) }
    }

    /// Stores a record and gives it its places.
    pub(super) fn record(&mut self, record: &WorkRecord) -> Result<(), OpenError> {
        let work = record.id.as_bytes();
        self.put(Table::Records, work, &record.encode())?;
        self.put(Table::Order, &index::order_key(record), work)?;
        index::id_key(record).map_or(Ok(()), |key| self.put(Table::Ids, &key, work))
    }

    /// Makes a store of it.
    pub(super) fn found(&mut self, uuid: [u8; 16], counters: Counters) -> Result<(), OpenError> {
        self.commit(Some((uuid, counters)))
    }

    /// Closes it.
    pub(super) fn end(mut self) -> Result<(), OpenError> {
        put_away(self.database.take(), None);
        match self.ledger.take_error() {
            Some(error) => {
                Err(file::failed(self.medium.place().as_ref(), std::io::Error::new(error.kind, error.text)))
            }
            None => Ok(()),
        }
    }

    fn commit(&mut self, facts: Option<([u8; 16], Counters)>) -> Result<(), OpenError> {
        let Some(database) = &self.database else { return Ok(()) };
        let transaction = begin(database, Durability::Standard).map_err(|mishap| self.failed(&mishap))?;
        let mut tables = WriteTables::new(&transaction);
        let written = write(&mut tables, &self.rows, facts);
        let trouble = tables.finish().err();
        if let Some(mishap) = trouble.or_else(|| written.err().map(|error| Mishap::answered(error.0))) {
            put_away(transaction, Some(&mishap));
            return Err(self.failed(&mishap));
        }
        contain(|| transaction.commit()).map_err(|mishap| self.failed(&mishap))?;
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }

    /// What the disk said, or else what redb did.
    fn failed(&self, mishap: &Mishap) -> OpenError {
        let source = match self.ledger.take_error() {
            Some(error) => std::io::Error::new(error.kind, format!("{} failed: {}", error.call, error.text)),
            None => std::io::Error::other(mishap.text.clone()),
        };
        file::failed(self.medium.place().as_ref(), source)
    }
}

fn write(
    tables: &mut WriteTables<'_>,
    rows: &[(Table, Vec<u8>, Vec<u8>)],
    facts: Option<([u8; 16], Counters)>,
) -> Result<(), TableError> {
    for (table, key, value) in rows {
        tables.put(*table, key, value, &mut |_| ())?;
    }
    facts.map_or(Ok(()), |(uuid, counters)| meta::found(tables, uuid, counters))
}

//! The undo log of one verb: what it overwrote, so that a verb that fails in the middle is taken back alone.
//!
//! Invariant: undone from the end, the log leaves every table as it was when the log was last cleared.

use std::ops::Range;

use crate::tables::{Table, TableError, TablesMut};

/// What one verb overwrote; all bytes stand in one buffer that is kept from verb to verb.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    table: Table,
    key: Range<usize>,
    old: Option<Range<usize>>,
}

impl Journal {
    /// Notes what stood under a key before it is overwritten or removed.
    pub(crate) fn note(&mut self, table: Table, key: &[u8], old: Option<&[u8]>) {
        let key = self.keep(key);
        let old = old.map(|value| self.keep(value));
        self.entries.push(Entry { table, key, old });
    }

    /// Takes back all that was noted.
    pub(crate) fn undo<T: TablesMut>(&mut self, tables: &mut T) -> Result<(), TableError> {
        for entry in self.entries.drain(..).rev() {
            let key = &self.bytes[entry.key];
            match entry.old {
                Some(old) => tables.put(entry.table, key, &self.bytes[old], &mut |_| ())?,
                None => tables.remove(entry.table, key, &mut |_| ())?,
            }
        }
        self.bytes.clear();
        Ok(())
    }

    /// Forgets what was noted: the verb stands.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

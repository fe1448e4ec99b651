//! The seam under the verbs: sorted tables of bytes within one transaction.
//!
//! Invariant: verbs are written once, over this trait; a store of this kind brings tables and durability, no rules.
//! Stores of another kind (SQL) implement `Store` themselves and are held to it by the conformance suite.

use std::ops::ControlFlow;

/// The tables, each with fixed keys and sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    /// Name of a fact → the fact: format, uuid, epoch, boot, counters.
    Meta,
    /// Lane id → what its pieces share.
    Lanes,
    /// Work id → `WorkRecord`.
    Records,
    /// Work id → `WorkSpec`.
    Specs,
    /// Order key (see `index`) → work id.
    Order,
    /// Id key (see `index`) → work id.
    Ids,
    /// Work id and claim → error text.
    Errors,
    /// Work id → encoded output.
    Outputs,
    /// Tag key (see `index`) → work id. Stores of earlier builds lack it, and have no tags.
    Tags,
}

impl Table {
    /// All of them, in the order in which they are created.
    pub(crate) const ALL: [Self; 9] = [
        Self::Meta,
        Self::Lanes,
        Self::Records,
        Self::Specs,
        Self::Order,
        Self::Ids,
        Self::Errors,
        Self::Outputs,
        Self::Tags,
    ];
}

/// A table could not be read or written: nothing of the transaction can be trusted to commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TableError(pub(crate) String);

/// What a scan hands its entries to, key and value, until it breaks.
pub(crate) type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// One entry, key and value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// Rows, key and value.
pub(crate) type Rows<'r> = dyn Iterator<Item = (&'r [u8], &'r [u8])> + 'r;

/// What a reader sees.
pub(crate) trait Tables {
    /// Hands the value under `key` to `read`, where there is one.
    fn get<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, TableError>;

    /// Visits keys in `from..to` in order (`from` included, `to` not), until `visit` breaks.
    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), TableError>;

    /// Visits keys in `from..to` from the last to the first, until `visit` breaks.
    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), TableError>;

    /// The last entry in `from..to`, key and value.
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Entry>, TableError>;
}

/// What a writer does; what it wrote, it sees.
pub(crate) trait TablesMut: Tables {
    /// Stores a value; hands the one that it takes the place of to `old`.
    fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
        old: &mut dyn FnMut(Option<&[u8]>),
    ) -> Result<(), TableError>;

    /// Stores rows whose keys rise and of which none is there, as one run where the table can.
    fn put_run(&mut self, table: Table, rows: &mut Rows<'_>) -> Result<(), TableError> {
        for (key, value) in rows {
            self.put(table, key, value, &mut |_| ())?;
        }
        Ok(())
    }

    /// Removes a value; hands it to `old`.
    fn remove(
        &mut self,
        table: Table,
        key: &[u8],
        old: &mut dyn FnMut(Option<&[u8]>),
    ) -> Result<(), TableError>;
}

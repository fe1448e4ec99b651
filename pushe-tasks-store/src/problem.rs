//! What verifying or salvaging a store finds.

use std::fmt;

use crate::id::WorkId;

/// Something in a store that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The table, or the part of the file.
    pub place: String,
    /// The piece of work, where it is known.
    pub work: Option<WorkId>,
    /// What is wrong.
    pub text: String,
}

impl Problem {
    pub(crate) fn new(place: &str, work: Option<WorkId>, text: impl Into<String>) -> Self {
        Self { place: place.to_owned(), work, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.work {
            Some(work) => write!(f, "{}, work {work}: {}", self.place, self.text),
            None => write!(f, "{}: {}", self.place, self.text),
        }
    }
}

/// What verifying a store has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The store's uuid, where that reads back.
    pub uuid: Option<[u8; 16]>,
    /// How often it has been opened.
    pub epoch: Option<u64>,
    /// Pieces of work whose records read back.
    pub records: u64,
    /// Tables of the application, which are part of the check of pages alone.
    pub app_tables: Vec<String>,
    /// What is wrong; nothing, where all is well.
    pub problems: Vec<Problem>,
}

impl Verified {
    /// Whether nothing was found wrong.
    pub const fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What has been got out of a store into a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Pieces of work that are in the new store.
    pub records: u64,
    /// Those of them whose record was lost and whose payload was not: they stand among the Quarantined, their task unknown.
    pub without_record: Vec<WorkId>,
    /// Tables of the application that have entries, none of which is in the new store: their types are the application's.
    pub app_tables: Vec<String>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Salvaged {
    /// Whether everything that stood in the old store is in the new one.
    pub const fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.without_record.is_empty() && self.app_tables.is_empty()
    }
}

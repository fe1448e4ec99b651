//! Reads all of a store and says what is not as it was written.
//!
//! Invariant: the file is not changed: redb recovers and checks it with an overlay in memory, and no panic of redb's leaves.

use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database};

use super::contain::{Mishap, contain, put_away};
use super::file::StoreFile;
use super::medium::Medium;
use super::overlay::Overlay;
use super::survey::{Source, Survey};
use super::tables::{WriteTables, name_of};
use crate::error::OpenError;
use crate::id::{LaneId, WorkId};
use crate::meta::{self, OpenFault, STORE_FORMAT};
use crate::problem::{Problem, Verified};
use crate::record::WorkRecord;
use crate::rows;
use crate::spec::WorkSpec;
use crate::tables::Table;
use crate::wire::Reader;

/// Reads everything in the store at `path`: all pages, the checksum of every row, and the indexes against the records. The
/// file is not changed, and may stand where it cannot be written; nobody may have it open.
///
/// It takes memory for the keys of all rows, and as much time as reading the file takes a few times over.
///
/// # Errors
/// Where the file cannot be looked at: `InUse`, `Io`, `Path` for a file that is none of a store's, `Newer`. What is wrong in
/// it is no error: it is among the problems.
pub fn verify(path: impl AsRef<Path>) -> Result<Verified, OpenError> {
    verify_on(&StoreFile::look(path.as_ref())?)
}

/// As `verify`, on a medium.
pub(super) fn verify_on(medium: &dyn Medium) -> Result<Verified, OpenError> {
    let source = Source::take(medium)?;
    let failed = |error| super::file::failed(medium.place().as_ref(), error);
    let mut found = Verified::default();
    let survey = Survey::of(&*source.handle, &mut found.problems).map_err(failed)?;
    found.app_tables = survey.app_tables();
    let mut newest = None;
    for table in Table::ALL {
        let mut bad = Vec::new();
        survey.rows(table, &mut found.problems, &mut |key, value| match judge(table, key, value) {
            Ok(()) => {
                found.records += u64::from(table == Table::Records);
                if table == Table::Meta {
                    newest = newest.or(meta::counters_in(key, value).map(|counters| counters.commit));
                }
            }
            Err(problem) => bad.push(problem),
        });
        found.problems.append(&mut bad);
    }
    let overlay = Overlay::new(Arc::clone(&source.handle)).map_err(failed)?;
    match check(overlay) {
        Ok(Checked { facts, wrong }) => {
            (found.uuid, found.epoch) = (Some(facts.uuid), Some(facts.epoch));
            found.problems.extend(wrong);
            // What belongs to it beside the tables, redb alone can read.
            if newest.is_some_and(|newest| newest > facts.commit) {
                let text = "the last commit is not whole: opening the store takes it back";
                found.problems.push(Problem::new("file", None, text));
            }
        }
        Err(Unchecked::Newer(format)) => {
            return Err(OpenError::Newer { path: medium.place().into(), found: format, known: STORE_FORMAT });
        }
        Err(Unchecked::Failed(problem)) => found.problems.push(problem),
    }
    Ok(found)
}

/// Whether a row reads back.
pub(super) fn judge(table: Table, key: &[u8], value: &[u8]) -> Result<(), Problem> {
    let work = key.first_chunk::<16>().map(|id| WorkId::from_bytes(*id));
    let exact = || rows::pointed(key).ok_or("its key is no work id".to_owned());
    let text = |damage: crate::wire::Damage| damage.to_string();
    let lane = || {
        key.try_into().map(|id| LaneId(u32::from_be_bytes(id))).map_err(|_| "its key is no lane".to_owned())
    };
    let read = match table {
        Table::Meta => Reader::open(key, value, 1..=1).map(drop).map_err(text),
        Table::Lanes => lane().and_then(|id| rows::decode_lane(id, value).map(drop).map_err(text)),
        Table::Records => exact().and_then(|id| WorkRecord::decode(id, value).map(drop).map_err(text)),
        Table::Specs => exact().and_then(|id| WorkSpec::decode(id, value).map(drop).map_err(text)),
        Table::Outputs => exact().and_then(|id| rows::decode_output(id, value).map(drop).map_err(text)),
        Table::Errors => rows::decode_error(key, value).map(drop).map_err(text),
        Table::Order | Table::Ids | Table::Tags => {
            rows::pointed(value).map(drop).ok_or("it points at nothing".to_owned())
        }
    };
    let work = match table {
        Table::Records | Table::Specs | Table::Outputs | Table::Errors => work,
        Table::Order | Table::Ids | Table::Tags => rows::pointed(value),
        Table::Meta | Table::Lanes => None,
    };
    read.map_err(|text| Problem::new(name_of(table), work, format!("a row does not read back: {text}")))
}

struct Checked {
    facts: Facts,
    wrong: Vec<Problem>,
}

/// What the store says of itself once it is recovered.
struct Facts {
    uuid: [u8; 16],
    epoch: u64,
    commit: u64,
}

enum Unchecked {
    Newer(u64),
    Failed(Problem),
}

impl From<Mishap> for Unchecked {
    fn from(mishap: Mishap) -> Self {
        Self::Failed(Problem::new("file", None, format!("it cannot be opened as it is: {}", mishap.text)))
    }
}

/// Lets redb recover and check the file, and compares indexes with records.
fn check(overlay: Overlay) -> Result<Checked, Unchecked> {
    let mut database = contain(|| Builder::new().set_cache_size(8 << 20).create_with_backend(overlay))?;
    let mut wrong = Vec::new();
    let checked = contain(|| database.check_integrity()).and_then(|whole| {
        if !whole {
            wrong.push(Problem::new("file", None, "redb's check of all pages has found damage"));
        }
        compare(&database, &mut wrong)
    });
    put_away(database, checked.as_ref().err());
    let facts = checked?.map_err(|fault| match fault {
        OpenFault::Newer { found } => Unchecked::Newer(found),
        OpenFault::Damaged(text) => Unchecked::Failed(Problem::new("meta", None, text)),
        OpenFault::Tables(error) => Unchecked::Failed(Problem::new("file", None, error.0)),
    })?;
    Ok(Checked { facts, wrong })
}

fn compare(database: &Database, wrong: &mut Vec<Problem>) -> Result<Result<Facts, OpenFault>, Mishap> {
    let transaction = contain(|| database.begin_write())?;
    let mut tables = WriteTables::new(&transaction);
    let opened = meta::open(&mut tables, [0; 16], None);
    let facts = match opened {
        Ok(opened) => match crate::check::check(&tables, &opened.volatile) {
            Ok(lines) => {
                wrong.extend(lines.into_iter().map(|line| Problem::new("indexes", None, line)));
                Ok(Facts {
                    uuid: opened.uuid,
                    epoch: opened.epoch.saturating_sub(1),
                    commit: opened.volatile.counters.commit,
                })
            }
            Err(error) => Err(OpenFault::Tables(error)),
        },
        Err(fault) => Err(fault),
    };
    let trouble = tables.finish().err();
    put_away(transaction, trouble.as_ref());
    match trouble {
        Some(mishap) => Err(mishap),
        None => Ok(facts),
    }
}

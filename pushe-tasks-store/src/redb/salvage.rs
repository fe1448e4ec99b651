//! Gets what can be read of a store into a new one.
//!
//! Invariant: the source is never written; the new store is at its place whole, or not at all; what is not in it is told.
//!
//! Pages that nothing points to any more are not searched: they hold earlier states of work too, and nothing tells an
//! earlier state from the last.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use redb::{Builder, Database};

use super::contain::{contain, put_away};
use super::file::{self, StoreFile};
use super::medium::Medium;
use super::options::Opening;
use super::os;
use super::survey::{Source, Survey};
use super::tables::{WriteTables, name_of};
use super::verify::judge;
use crate::error::OpenError;
use crate::id::{LaneId, WorkId};
use crate::index;
use crate::meta;
use crate::problem::{Problem, Salvaged};
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::start;
use crate::spec::WorkSpec;
use crate::state::{Reason, WorkState};
use crate::tables::{Table, TablesMut};
use crate::time::WallTime;
use crate::volatile::Counters;
use crate::wire::Reader;

/// So many rows go into one commit.
const BATCH: usize = 10_000;

/// Copies every piece of work that can be read in the store at `from` into a new store at `to`: its id, state, payload,
/// output and errors. `from` is never written, and nobody may have it open; nothing may stand at `to`.
///
/// It goes on beside whatever is damaged, even where the store cannot be opened. Work that was running is enqueued again
/// when the new store is opened. A piece whose payload is lost is kept, and quarantined when it is claimed; one whose record
/// is lost is kept among the Quarantined with its payload. What cannot be read is told, and so are the application's own
/// tables, which are not copied: their types are not known here. What hangs on a damaged branch of a tree, with nothing in
/// the last two commits that leads to it, is not found.
///
/// # Errors
/// Where there is nothing to read from or no place to write to; nothing is left at `to` then.
pub fn salvage(from: impl AsRef<Path>, to: impl AsRef<Path>, opening: &Opening) -> Result<Salvaged, OpenError> {
    let source = StoreFile::look(from.as_ref())?;
    let to = &std::path::absolute(to.as_ref()).map_err(|error| file::failed(to.as_ref(), error))?;
    let failed = |error| file::failed(to, error);
    // The name is taken first, so that the rename replaces nothing but what was made for it.
    drop(os::create_new(to).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            OpenError::Path { path: to.clone(), problem: "something is there already; name a new file".to_owned() }
        }
        _ => failed(error),
    })?);
    let mut building = to.clone().into_os_string();
    building.push(".salvage");
    let building = Path::new(&building);
    let copied = os::create_new(building).map_err(failed).and_then(|file| {
        drop(file);
        let target = StoreFile::existing(building)?;
        let salvaged = salvage_into(&source, &target, opening)?;
        target.sync().map_err(failed)?;
        fs::rename(building, to).map_err(failed)?;
        file::sync_directory(to).map_err(failed)?;
        Ok(salvaged)
    });
    if copied.is_err() {
        // Both are this call's own; what cannot be removed is empty or named for what it is.
        let _ = (fs::remove_file(building), fs::remove_file(to));
    }
    copied
}

/// As `salvage`, between two media.
pub(super) fn salvage_into(
    source: &dyn Medium,
    target: &dyn Medium,
    opening: &Opening,
) -> Result<Salvaged, OpenError> {
    let from = Source::take(source)?;
    let mut found = Salvaged::default();
    let failed = |error| file::failed(source.place().as_ref(), error);
    let survey = Survey::of(&*from.handle, &mut found.problems).map_err(failed)?;
    found.app_tables = survey.app_tables();

    let lost = |text: String| OpenError::Damaged { path: target.place().into(), detail: text };
    let backend = super::backend::Counted::new(
        target.handle().map_err(|error| file::failed(target.place().as_ref(), error))?.into(),
        std::sync::Arc::default(),
    );
    let database = contain(|| Builder::new().set_cache_size(24 << 20).create_with_backend(backend))
        .map_err(|mishap| lost(mishap.text))?;
    let mut copy = Copy { survey, into: Rows::of(&database), found, now: opening.now };
    let done = copy.all(opening.new_uuid);
    let Copy { found, .. } = copy;
    put_away(database, None);
    done.map(|()| found).map_err(lost)
}

/// A copy under way.
struct Copy<'a> {
    survey: Survey<'a>,
    into: Rows<'a>,
    found: Salvaged,
    now: WallTime,
}

/// What stands first under an id hash: its sequence number and id.
type Heads = BTreeMap<u64, (u64, WorkId)>;

impl Copy<'_> {
    fn all(&mut self, uuid: [u8; 16]) -> Result<(), String> {
        let mut counters = self.counters();
        self.into.begin(uuid)?;
        let specs = self.specs()?;
        let errors = self.errors()?;
        let (mut records, mut heads, mut sequence) = (BTreeSet::new(), Heads::new(), counters.sequence);
        let mut rows = Vec::new();
        self.read(Table::Records, &mut |key, value| {
            if let Some(Ok(record)) = rows::pointed(key).map(|id| WorkRecord::decode(id, value)) {
                rows.push(record);
            }
        });
        for mut record in rows {
            for attempt in &mut record.history {
                attempt.has_error &= errors.contains(&rows::error_key(record.id, attempt.claim));
            }
            sequence = sequence.max(record.sequence);
            records.insert(record.id);
            note_head(&record, &mut heads);
            if !specs.contains_key(&record.id) {
                let text = "its payload is lost; it is quarantined when it is claimed";
                self.found.problems.push(Problem::new(name_of(Table::Specs), Some(record.id), text));
            }
            self.into.record(&record)?;
        }
        for (work, hash) in &specs {
            if !records.contains(work) {
                sequence += 1;
                self.orphan(*work, *hash, sequence)?;
                records.insert(*work);
            }
        }
        self.hangers_on(&records, &errors)?;
        counters.sequence = sequence;
        counters.lane = counters.lane.max(self.lanes()?);
        self.release(&heads)?;
        self.found.records = records.len() as u64;
        self.into.end(counters)
    }

    /// Visits a table's rows that read back; the others are told.
    fn read(&mut self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) {
        let mut bad = Vec::new();
        self.survey.rows(table, &mut self.found.problems, &mut |key, value| match judge(table, key, value) {
            Ok(()) => visit(key, value),
            Err(problem) => bad.push(problem),
        });
        self.found.problems.append(&mut bad);
    }

    fn counters(&mut self) -> Counters {
        let mut counters = Counters::default();
        self.read(Table::Meta, &mut |key, value| {
            if key == meta::COUNTERS {
                let read = Reader::open(key, value, 1..=1).and_then(|mut from| Counters::decode(&mut from));
                counters = read.unwrap_or_default();
            }
        });
        counters
    }

    /// Copies specs; answers which there are, with the hashes of their ids.
    fn specs(&mut self) -> Result<BTreeMap<WorkId, Option<u64>>, String> {
        let (mut known, mut done, mut into) = (BTreeMap::new(), Ok(()), self.into.clone());
        self.read(Table::Specs, &mut |key, value| {
            let Some(Ok(spec)) = rows::pointed(key).map(|id| WorkSpec::decode(id, value).map(|spec| (id, spec))) else {
                return;
            };
            known.insert(spec.0, spec.1.task_id.as_deref().map(index::id_hash));
            if done.is_ok() {
                done = into.put(Table::Specs, key, value);
            }
        });
        done.map(|()| known)
    }

    /// The keys of the error texts that read back.
    fn errors(&mut self) -> Result<BTreeSet<[u8; 24]>, String> {
        let mut known = BTreeSet::new();
        self.read(Table::Errors, &mut |key, _| known.extend(<[u8; 24]>::try_from(key)));
        Ok(known)
    }

    /// Keeps a payload whose record is lost.
    fn orphan(&mut self, work: WorkId, hash: Option<u64>, sequence: u64) -> Result<(), String> {
        let mut record = WorkRecord::new(work, sequence, LaneId(0), self.now);
        (record.state, record.reason, record.id_hash) = (WorkState::Quarantined, Some(Reason::Record), hash);
        self.found.without_record.push(work);
        self.into.record(&record)
    }

    /// Copies outputs and error texts of what is there.
    fn hangers_on(&mut self, records: &BTreeSet<WorkId>, errors: &BTreeSet<[u8; 24]>) -> Result<(), String> {
        let lost: BTreeSet<_> = self.found.without_record.iter().copied().collect();
        for table in [Table::Errors, Table::Outputs] {
            let (mut done, mut into, mut strays) = (Ok(()), self.into.clone(), Vec::new());
            let text = "it belongs to no record that is left";
            self.survey.rows(table, &mut Vec::new(), &mut |key, value| {
                let owner = key.get(..16).and_then(rows::pointed);
                let known = owner.is_some_and(|id| records.contains(&id) && !lost.contains(&id));
                let reads = judge(table, key, value).is_ok()
                    && (table != Table::Errors || errors.iter().any(|error| error.as_slice() == key));
                match (known, reads) {
                    (true, true) if done.is_ok() => done = into.put(table, key, value),
                    (false, true) => strays.push(Problem::new(name_of(table), owner, text)),
                    _ => {}
                }
            });
            done?;
            self.found.problems.append(&mut strays);
        }
        Ok(())
    }

    /// Copies lanes; answers the highest.
    fn lanes(&mut self) -> Result<u32, String> {
        let (mut highest, mut done, mut into) = (0, Ok(()), self.into.clone());
        self.read(Table::Lanes, &mut |key, value| {
            highest = highest.max(key.try_into().map_or(0, u32::from_be_bytes));
            if done.is_ok() {
                done = into.put(Table::Lanes, key, value);
            }
        });
        done.map(|()| highest)
    }

    /// What was blocked behind work that is lost goes on.
    fn release(&mut self, heads: &Heads) -> Result<(), String> {
        for (_, work) in heads.values() {
            self.into.release(*work, self.now)?;
        }
        Ok(())
    }
}

fn note_head(record: &WorkRecord, heads: &mut Heads) {
    let waits = !record.state.is_finished() && record.state != WorkState::Quarantined;
    if let (true, Some(hash)) = (waits, record.id_hash) {
        let head = heads.entry(hash).or_insert((record.sequence, record.id));
        *head = (*head).min((record.sequence, record.id));
    }
}

//! What goes from one store into the other, and what is told of the rest.
//!
//! Invariant: the new store agrees with itself: indexes, counters and lanes are made anew from the records that are in it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::medium::Medium;
use super::super::options::Opening;
use super::super::survey::Survey;
use super::super::tables::name_of;
use super::super::verify::judge;
use super::target::Target;
use crate::error::OpenError;
use crate::id::{LaneId, WorkId};
use crate::index;
use crate::meta::{self, STORE_FORMAT};
use crate::problem::{Problem, Salvaged};
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::start;
use crate::spec::WorkSpec;
use crate::state::{Reason, WorkState};
use crate::tables::Table;
use crate::time::WallTime;
use crate::volatile::Counters;

/// A copy under way.
pub(super) struct Copy<'a> {
    survey: Survey<'a>,
    source: &'a dyn Medium,
    found: &'a mut Salvaged,
    now: WallTime,
    uuid: [u8; 16],
    records: BTreeMap<WorkId, WorkRecord>,
    counters: Counters,
}

impl<'a> Copy<'a> {
    pub(super) fn new(
        survey: Survey<'a>,
        source: &'a dyn Medium,
        found: &'a mut Salvaged,
        opening: &Opening,
    ) -> Self {
        let (now, uuid) = (opening.now, opening.new_uuid);
        let (records, counters) = (BTreeMap::new(), Counters::default());
        Self { survey, source, found, now, uuid, records, counters }
    }

    pub(super) fn all(mut self, into: &mut Target<'_>) -> Result<(), OpenError> {
        self.facts()?;
        self.records();
        self.errors(into)?;
        self.outputs(into)?;
        self.specs(into)?;
        self.lanes(into)?;
        self.named_by_indexes();
        self.release();
        for record in self.records.values() {
            into.record(record)?;
        }
        self.found.records = self.records.len() as u64;
        into.found(self.uuid, self.counters)
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

    fn tell(&mut self, table: Table, work: Option<WorkId>, text: impl Into<String>) {
        self.found.problems.push(Problem::new(name_of(table), work, text));
    }

    fn facts(&mut self) -> Result<(), OpenError> {
        let (mut format, mut counters) = (None, None);
        self.read(Table::Meta, &mut |key, value| {
            format = format.or(meta::format_in(key, value));
            counters = counters.or(meta::counters_in(key, value));
        });
        if let Some(found) = format.filter(|format| *format > STORE_FORMAT) {
            let path = self.source.place().into();
            return Err(OpenError::Newer { path, found, known: STORE_FORMAT });
        }
        if counters.is_none() {
            self.tell(Table::Meta, None, "the counters are lost; they are made anew from the records");
        }
        self.counters = counters.unwrap_or_default();
        Ok(())
    }

    fn records(&mut self) {
        let (mut records, mut twice) = (BTreeMap::<WorkId, WorkRecord>::new(), Vec::new());
        self.read(Table::Records, &mut |key, value| {
            let Some(Ok(record)) = rows::pointed(key).map(|id| WorkRecord::decode(id, value)) else { return };
            match records.get(&record.id) {
                // A page that was written to a second place: the row that has come further is the newer one.
                Some(other) if progress(other) >= progress(&record) => twice.push(record.id),
                Some(_) => {
                    twice.push(record.id);
                    records.insert(record.id, record);
                }
                None => drop(records.insert(record.id, record)),
            }
        });
        for work in twice {
            self.tell(
                Table::Records,
                Some(work),
                "its record is there twice; the one that has come further is taken",
            );
        }
        let sequences = records.values().map(|record| record.sequence);
        self.counters.sequence = sequences.fold(self.counters.sequence, u64::max);
        let lanes = records.values().map(|record| record.lane.0);
        self.counters.lane = lanes.fold(self.counters.lane, u32::max);
        self.records = records;
    }

    /// Copies the error texts that some attempt remembers.
    fn errors(&mut self, into: &mut Target<'_>) -> Result<(), OpenError> {
        let remembered = |record: &WorkRecord| {
            let with = record.history.iter().filter(|attempt| attempt.has_error);
            with.map(|attempt| rows::error_key(record.id, attempt.claim)).collect::<Vec<_>>()
        };
        let mut wanted: BTreeSet<_> = self.records.values().flat_map(remembered).collect();
        let (mut strays, mut done) = (Vec::new(), Ok(()));
        self.read(Table::Errors, &mut |key, value| {
            if <[u8; 24]>::try_from(key).is_ok_and(|key| wanted.remove(&key)) {
                if done.is_ok() {
                    done = into.put(Table::Errors, key, value);
                }
            } else {
                strays.push(key.get(..16).and_then(rows::pointed));
            }
        });
        done?;
        for work in strays {
            self.tell(Table::Errors, work, "an error text that no attempt remembers is left out");
        }
        for key in wanted {
            let work = key.get(..16).and_then(rows::pointed);
            let Some(record) = work.and_then(|work| self.records.get_mut(&work)) else { continue };
            for attempt in &mut record.history {
                attempt.has_error &= rows::error_key(record.id, attempt.claim) != key;
            }
            self.tell(Table::Errors, work, "the error text of an attempt is lost");
        }
        Ok(())
    }

    /// Copies the outputs of work that has succeeded.
    fn outputs(&mut self, into: &mut Target<'_>) -> Result<(), OpenError> {
        let (mut strays, mut done) = (Vec::new(), Ok(()));
        let records = std::mem::take(&mut self.records);
        self.read(Table::Outputs, &mut |key, value| {
            let record = rows::pointed(key).and_then(|work| records.get(&work));
            if record.is_some_and(|record| record.state == WorkState::Succeeded) {
                if done.is_ok() {
                    done = into.put(Table::Outputs, key, value);
                }
            } else {
                strays.push(rows::pointed(key));
            }
        });
        self.records = records;
        done?;
        for work in strays {
            self.tell(
                Table::Outputs,
                work,
                "an output is left out: no record says that its work has succeeded",
            );
        }
        Ok(())
    }

    /// Copies what is asked of each piece. What has no record any more is kept among the Quarantined.
    fn specs(&mut self, into: &mut Target<'_>) -> Result<(), OpenError> {
        let mut without: BTreeSet<_> = self.records.keys().copied().collect();
        let (mut orphans, mut done) = (BTreeMap::new(), Ok(()));
        self.read(Table::Specs, &mut |key, value| {
            let Some(Ok((work, spec))) =
                rows::pointed(key).map(|work| WorkSpec::decode(work, value).map(|spec| (work, spec)))
            else {
                return;
            };
            if !without.remove(&work) {
                orphans.insert(work, spec.task_id.as_deref().map(index::id_hash));
            }
            if done.is_ok() {
                done = into.put(Table::Specs, key, value);
            }
        });
        done?;
        for work in without {
            let text = match self.records.get(&work).map(|record| record.state) {
                Some(state) if state.is_finished() => "its payload is lost",
                _ => "its payload is lost; it is quarantined when it is claimed",
            };
            self.tell(Table::Specs, Some(work), text);
        }
        for (work, id_hash) in orphans {
            // Met twice, or its record is lost.
            if self.records.contains_key(&work) {
                continue;
            }
            self.counters.sequence += 1;
            let mut record = WorkRecord::new(work, self.counters.sequence, LaneId(0), self.now);
            (record.state, record.reason) = (WorkState::Quarantined, Some(Reason::Record));
            record.id_hash = id_hash;
            self.records.insert(work, record);
            self.found.without_record.push(work);
            self.tell(
                Table::Records,
                Some(work),
                "its record is lost; its payload is kept among the Quarantined",
            );
        }
        Ok(())
    }

    /// Copies lanes; tells what was in those that are lost.
    fn lanes(&mut self, into: &mut Target<'_>) -> Result<(), OpenError> {
        let mut pieces = BTreeMap::<LaneId, u64>::new();
        for record in self.records.values().filter(|record| record.lane != LaneId(0)) {
            *pieces.entry(record.lane).or_default() += 1;
        }
        let (mut highest, mut done) = (0, Ok(()));
        self.read(Table::Lanes, &mut |key, value| {
            let id = key.try_into().map_or(0, u32::from_be_bytes);
            highest = highest.max(id);
            pieces.remove(&LaneId(id));
            if done.is_ok() {
                done = into.put(Table::Lanes, key, value);
            }
        });
        done?;
        self.counters.lane = self.counters.lane.max(highest);
        for (lane, count) in pieces {
            let text = format!(
                "task and constraints of lane {} are lost; its {count} pieces are kept and not run",
                lane.0
            );
            self.tell(Table::Lanes, None, text);
        }
        Ok(())
    }

    /// Tells of the pieces of which nothing but their names is left.
    fn named_by_indexes(&mut self) {
        let mut named = BTreeSet::new();
        for table in [Table::Order, Table::Ids] {
            self.read(table, &mut |_, value| named.extend(rows::pointed(value)));
        }
        for work in named {
            if !self.records.contains_key(&work) {
                self.tell(
                    Table::Records,
                    Some(work),
                    "an index names it, and neither its record nor its payload is left",
                );
            }
        }
    }

    /// What was blocked behind work that is lost goes on.
    fn release(&mut self) {
        let mut heads = BTreeMap::<u64, (u64, WorkId)>::new();
        for record in self.records.values() {
            let waits = !record.state.is_finished() && record.state != WorkState::Quarantined;
            if let (true, Some(hash)) = (waits, record.id_hash) {
                let head = heads.entry(hash).or_insert((record.sequence, record.id));
                *head = (*head).min((record.sequence, record.id));
            }
        }
        for (_, work) in heads.into_values() {
            if let Some(record) = self.records.get_mut(&work) {
                start::unblock(record, false, self.now);
            }
        }
    }
}

/// How far a record has come.
const fn progress(record: &WorkRecord) -> (u32, u64, bool) {
    (record.generation, record.claim, record.state.is_finished())
}

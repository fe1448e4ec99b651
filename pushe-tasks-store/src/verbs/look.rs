//! Looking: what the tables and the volatile state show, within a transaction or outside of one.
//!
//! Invariant: a piece whose record does not read back is shown as Quarantined, and never left out.

use std::ops::ControlFlow;

use crate::error::VerbError;
use crate::id::{LaneId, WorkId};
use crate::index::{class, due_of, id_hash, id_range, work_key};
use crate::pause::Paused;
use crate::record::WorkRecord;
use crate::rows;
use crate::state::{Reason, WorkState};
use crate::tables::{Table, TableError, Tables};
use crate::time::WallTime;
use crate::verbs::policy::{backwards, bears};
use crate::verbs::{Filter, LaneView, Look, WorkView};
use crate::volatile::Volatile;
use crate::wire::Damage;

/// Tables and the volatile state that belongs to them.
#[derive(Debug)]
pub(crate) struct Snapshot<'a, T> {
    pub(crate) tables: &'a T,
    pub(crate) volatile: &'a Volatile,
}

impl<T: Tables> Snapshot<'_, T> {
    /// The time of the first entry of a class, where that is not never.
    pub(crate) fn first_time(&self, class: u8) -> Result<Option<WallTime>, TableError> {
        let (from, to) = crate::index::class_range(class);
        let first = rows::places(self.tables, &from, &to, 1)?;
        Ok(first.first().map(|(key, _)| due_of(key)).filter(|time| *time != WallTime::MAX))
    }

    /// When the first piece falls due that waits for its time.
    pub(crate) fn first_due(&self) -> Result<Option<WallTime>, TableError> {
        let times = [self.first_time(class::DELAYED)?, self.first_time(class::FLEXIBLE)?];
        Ok(times.into_iter().flatten().min())
    }

    fn view(&self, id: WorkId, record: Result<WorkRecord, Damage>) -> Result<WorkView, TableError> {
        let record = record.unwrap_or_else(|_| damaged(id));
        let mut errors = Vec::new();
        for attempt in record.history.iter().filter(|attempt| attempt.has_error) {
            let key = rows::error_key(id, attempt.claim);
            let text = self.tables.get(Table::Errors, &key, |bytes| rows::decode_error(&key, bytes))?;
            let text = match text {
                Some(Ok(text)) => text,
                Some(Err(damage)) => format!("(the text of this error does not read back: {damage})"),
                None => "(the text of this error is missing)".to_owned(),
            };
            errors.push((attempt.claim, text));
        }
        let lane = self.volatile.lane(record.lane);
        Ok(WorkView::new(record, lane, rows::spec(self.tables, id)?, errors))
    }

    /// The newest in one half of the id index.
    fn newest(&self, task_id: &str, finished: bool) -> Result<Option<WorkView>, TableError> {
        let (from, to) = id_range(id_hash(task_id), finished);
        let mut newest = None;
        backwards(self.tables, &from, to, &mut |id| {
            if !bears(self.tables, id, task_id)? {
                return Ok(ControlFlow::Continue(()));
            }
            newest = Some(id);
            Ok(ControlFlow::Break(()))
        })?;
        let Some(id) = newest else { return Ok(None) };
        let record = rows::record(self.tables, id)?;
        record.map(|record| self.view(id, record)).transpose()
    }
}

impl<T: Tables> Look for Snapshot<'_, T> {
    fn get(&self, id: WorkId) -> Result<Option<WorkView>, VerbError> {
        let record = rows::record(self.tables, id)?;
        Ok(record.map(|record| self.view(id, record)).transpose()?)
    }

    fn newest_with_task_id(&self, task_id: &str) -> Result<Option<WorkView>, VerbError> {
        let views = [self.newest(task_id, false)?, self.newest(task_id, true)?];
        Ok(views.into_iter().flatten().max_by_key(|view| view.record.sequence))
    }

    fn output(&self, id: WorkId) -> Result<Option<Vec<u8>>, VerbError> {
        let output =
            self.tables.get(Table::Outputs, &work_key(id), |bytes| rows::decode_output(id, bytes))?;
        output.transpose().map_err(VerbError::Damaged)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<WorkView>, VerbError> {
        let mut found = Vec::new();
        if filter.limit == 0 {
            return Ok(Vec::new());
        }
        // A key that is longer than an id stands right behind it.
        let after = filter.after.map(|id| [id.as_bytes().as_slice(), &[0]].concat()).unwrap_or_default();
        self.tables.scan(Table::Records, &after, &[0xff; 17], &mut |key, bytes| {
            let Some(id) = rows::pointed(key) else { return ControlFlow::Continue(()) };
            let record = WorkRecord::decode(id, bytes).unwrap_or_else(|_| damaged(id));
            let shown = (filter.states.is_empty() || filter.states.contains(&record.state))
                && (filter.tasks.is_empty() || filter.tasks.contains(&self.volatile.lane(record.lane).task));
            if shown {
                found.push(record);
            }
            if found.len() < filter.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let views = found.into_iter().map(|record: WorkRecord| self.view(record.id, Ok(record)));
        Ok(views.collect::<Result<_, _>>()?)
    }

    fn lanes(&self) -> Result<Vec<LaneView>, VerbError> {
        let lanes = self.volatile.lanes().iter();
        Ok(lanes
            .map(|(id, state)| LaneView { id: *id, lane: state.lane.clone(), ready: state.ready })
            .collect())
    }

    fn paused(&self) -> Result<Paused, VerbError> {
        Ok(self.volatile.paused().clone())
    }

    fn next_due(&self) -> Result<Option<WallTime>, VerbError> {
        Ok(self.first_due()?)
    }
}

/// What stands for a record that does not read back: nothing of it is known but its id.
fn damaged(id: WorkId) -> WorkRecord {
    let mut record = WorkRecord::new(id, 0, LaneId(0), WallTime::default());
    record.state = WorkState::Quarantined;
    record.reason = Some(Reason::Record);
    record
}

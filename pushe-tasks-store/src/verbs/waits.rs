//! `override_next` and `clamp`: other times for what waits (S5.6, S8.1).

use crate::error::VerbError;
use crate::id::WorkId;
use crate::index::{OrderKey, class, class_range, place};
use crate::period::Rhythm;
use crate::record::WorkRecord;
use crate::rows;
use crate::rules::start;
use crate::state::WorkState;
use crate::tables::{TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::{Stood, Transaction};
use crate::verbs::Target;
use crate::verbs::cancel::{automatic, bearers};
use crate::verbs::claim::standing;
use crate::verbs::merge::after;

pub(super) fn override_next<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    target: &Target,
    at: Option<WallTime>,
    now: WallTime,
) -> Result<Vec<WorkId>, VerbError> {
    let works = match target {
        Target::Work(id) => vec![*id],
        Target::TaskId(task_id) => bearers(tx, task_id)?,
        Target::Automatic { tasks, except } => automatic(tx, tasks, except)?,
    };
    let mut moved = Vec::new();
    for id in works {
        let record = match rows::record(tx.tables, id)? {
            Some(Ok(record)) => record,
            Some(Err(damage)) if matches!(target, Target::Work(_)) => return Err(VerbError::Damaged(damage)),
            _ => continue,
        };
        if set_next(tx, record, at, now)? {
            moved.push(id);
        }
    }
    Ok(moved)
}

/// Ends delays and back-offs (S9.1).
pub(super) fn retry_now<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    target: &Target,
    now: WallTime,
) -> Result<Vec<WorkId>, VerbError> {
    let (works, alone) = match target {
        Target::Work(id) => (vec![*id], true),
        Target::TaskId(task_id) => (bearers(tx, task_id)?, false),
        Target::Automatic { tasks, except } => (automatic(tx, tasks, except)?, false),
    };
    let mut moved = Vec::new();
    for id in works {
        let mut record = match rows::record(tx.tables, id)? {
            Some(Ok(record)) => record,
            Some(Err(damage)) if alone => return Err(VerbError::Damaged(damage)),
            _ => continue,
        };
        match record.state {
            WorkState::Enqueued | WorkState::Blocked => {}
            state if alone => return Err(VerbError::WrongState { state, only: ONLY_WAITING }),
            _ => continue,
        }
        let stood = Stood::of(&record);
        start::at_once(&mut record, now);
        tx.shift(&stood, &record)?;
        moved.push(id);
    }
    Ok(moved)
}

const ONLY_WAITING: &str = "only work that waits can be tried at once, and what has failed is requeued";

fn set_next<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    mut record: WorkRecord,
    at: Option<WallTime>,
    now: WallTime,
) -> Result<bool, TableError> {
    let unfinished = matches!(record.state, WorkState::Enqueued | WorkState::Blocked | WorkState::Running);
    if record.period.is_none() || !unfinished {
        return Ok(false);
    }
    let stood = Stood::of(&record);
    start::override_next(&mut record, at, now);
    tx.shift(&stood, &record)?;
    Ok(true)
}

/// Makes every wait by duration as long as it was to be, where the clock was set back (S8.1).
pub(super) fn clamp<T: TablesMut>(tx: &mut Transaction<'_, T>, now: WallTime) -> Result<usize, VerbError> {
    let mut moved = 0;
    for class in [class::DELAYED, class::FLEXIBLE] {
        let (_, to) = class_range(class);
        let mut from = place(class, 0, now.as_millis(), 0);
        loop {
            let page = rows::places(tx.tables, &from, &to, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            // What is moved stands nearer to now than the page, so that none is met twice.
            from = after(*last);
            for (key, work) in page {
                moved += usize::from(clamp_one(tx, key, work, now)?);
            }
        }
    }
    tx.volatile.counters.clock = now;
    Ok(moved)
}

/// So many waits are read at a time.
const PAGE: usize = 1_000;

fn clamp_one<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    key: OrderKey,
    work: WorkId,
    now: WallTime,
) -> Result<bool, TableError> {
    let Some(mut record) = standing(tx, key, work, now)? else { return Ok(false) };
    let every = match rows::spec(tx.tables, work)?.ok().and_then(|spec| spec.options.period) {
        Some(period) => match period.rhythm {
            Rhythm::Every(every) => Some(every),
            Rhythm::Cron { .. } => None,
        },
        None => None,
    };
    let stood = Stood::of(&record);
    let moves = start::clamp(&mut record, every, now);
    if moves {
        tx.shift(&stood, &record)?;
    }
    Ok(moves)
}

//! `enqueue`: stores new pieces, as their policies say (S1.1, S4).

use crate::error::VerbError;
use crate::id::WorkId;
use crate::index::{id_hash, tag_hashes, work_key};
use crate::record::{Blocked, WorkRecord};
use crate::rules::policy::{self, Choice, Reach};
use crate::rules::start;
use crate::spec::WorkSpec;
use crate::state::{Reason, WorkState};
use crate::tables::{Table, TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::Transaction;
use crate::verbs::at_once::AtOnce;
use crate::verbs::policy::holders;
use crate::verbs::{Answers, Enqueued, How, NewWork, cancel, follow, update};

pub(super) fn enqueue<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    batch: &[NewWork],
    now: WallTime,
) -> Result<Vec<Enqueued>, VerbError> {
    let mut run = Run::default();
    let at_once = &mut AtOnce::default();
    let enqueued = gather(tx, &mut run, at_once, batch, now)?;
    run.store(tx, at_once)?;
    Ok(enqueued)
}

/// Enqueues one call; what nothing can stand against waits in `run` to be stored.
fn gather<'w, T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    run: &mut Run<'w>,
    at_once: &mut AtOnce<'_>,
    batch: &'w [NewWork],
    now: WallTime,
) -> Result<Vec<Enqueued>, VerbError> {
    tx.volatile.saw(now);
    let mut enqueued = Vec::with_capacity(batch.len());
    for work in batch {
        if run.takes(tx, work) {
            enqueued.push(run.add(tx, work, now)?);
        } else {
            run.store(tx, at_once)?;
            enqueued.push(enqueue_one(tx, work, now)?);
        }
    }
    Ok(enqueued)
}

/// Calls that nothing stored can stand against share one verb, since none of them can be refused alone.
pub(super) fn enqueue_each<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    calls: &[&[NewWork]],
    now: WallTime,
    at_once: &mut AtOnce<'_>,
) -> Answers {
    let mut answers = Vec::with_capacity(calls.len());
    let mut rest = calls;
    while !rest.is_empty() {
        let plain = rest.iter().take_while(|batch| batch.iter().all(|work| work.unique.is_none())).count();
        let (together, behind) = rest.split_at(plain.max(1));
        rest = behind;
        let started = at_once.count();
        let answer = tx.verb(|tx| {
            let mut run = Run::default();
            let calls = together.iter().map(|batch| gather(tx, &mut run, at_once, batch, now));
            let enqueued = calls.collect::<Result<Vec<_>, _>>()?;
            run.store(tx, at_once)?;
            Ok(enqueued)
        });
        match answer {
            Ok(enqueued) => answers.extend(enqueued.into_iter().map(Ok)),
            Err(error) => {
                at_once.truncate(started);
                answers.extend(together.iter().map(|_| Err(error.clone())));
            }
        }
    }
    answers
}

/// Pieces that nothing stored can stand against, gathered until each table takes them as one run.
#[derive(Default)]
struct Run<'w> {
    new: Vec<(WorkRecord, Vec<u8>)>,
    works: Vec<&'w NewWork>,
}

impl<'w> Run<'w> {
    fn takes<T: TablesMut>(&self, tx: &Transaction<'_, T>, work: &NewWork) -> bool {
        let rises = self.new.last().is_none_or(|(last, _)| last.id < work.id);
        work.unique.is_none() && rises && !tx.volatile.may_be_stored(work.id)
    }

    fn add<T: TablesMut>(
        &mut self,
        tx: &mut Transaction<'_, T>,
        work: &'w NewWork,
        now: WallTime,
    ) -> Result<Enqueued, VerbError> {
        self.works.push(work);
        self.new.push(make(tx, work, None, Place::default(), now)?);
        Ok(Enqueued { id: work.id, how: How::New })
    }

    fn store<T: TablesMut>(
        &mut self,
        tx: &mut Transaction<'_, T>,
        at_once: &mut AtOnce<'_>,
    ) -> Result<(), VerbError> {
        at_once.start(tx, &mut self.new, &self.works)?;
        self.works.clear();
        match self.new.as_slice() {
            [] => {}
            // A cursor costs more than it saves here.
            [(record, spec)] => put(tx, record, spec)?,
            new => tx.insert_run(new)?,
        }
        self.new.clear();
        Ok(())
    }
}

fn enqueue_one<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: &NewWork,
    now: WallTime,
) -> Result<Enqueued, VerbError> {
    if tx.volatile.may_be_stored(work.id)
        && tx.tables.get(Table::Records, &work_key(work.id), |_| ())?.is_some()
    {
        // An enqueue whose commit was in doubt is repeated: the piece stands for this call already.
        return Ok(Enqueued { id: work.id, how: How::New });
    }
    let Some((task_id, policy)) = &work.unique else {
        store(tx, work, None, Place::default(), now)?;
        return Ok(Enqueued { id: work.id, how: How::New });
    };
    let task_id = id_of(tx, work, task_id)?;
    let hash = id_hash(task_id);
    let mut place = Place { hash: Some(hash), ..Place::default() };
    let held = holders(tx, work, task_id, hash, policy::reach(*policy))?;
    #[cfg(pushe_planted)]
    let held = stale(tx, held);
    let how = match policy::decide(*policy, &held) {
        Choice::Keep(kept) => {
            let how = How::Kept { state: kept.state, task: kept.task, options_differ: kept.options_differ };
            return Ok(Enqueued { id: kept.id, how });
        }
        Choice::HeldBy(holder) => {
            let task_id = task_id.to_owned();
            return Err(VerbError::IdHeldBy { task_id, task: holder.task, holder: holder.id });
        }
        Choice::KindDiffers(holder) => {
            let (task_id, periodic) = (task_id.to_owned(), work.options.period.is_none());
            return Err(VerbError::KindDiffers { task_id, periodic, holder: holder.id });
        }
        Choice::New => How::New,
        Choice::Append { after, behind } => {
            place.blocked = behind.then_some(Blocked::Behind);
            How::Appended(after)
        }
        Choice::Update(holder) => {
            let how = update::update(tx, work, task_id, holder.id, now)?;
            return Ok(Enqueued { id: holder.id, how });
        }
        Choice::Follow { after } => {
            (place.blocked, place.after) = (Some(Blocked::Behind), Some(after));
            follow::mark(tx, after)?;
            How::Appended(after)
        }
        Choice::Replace { cancel: old, interruptions } => {
            place.interruptions = interruptions;
            replace(tx, &old, now)?;
            oust(tx, &held)?;
            if old.is_empty() { How::New } else { How::Replaced(old) }
        }
    };
    if place.blocked.is_none() && tx.volatile.living().has_id(hash) {
        place.blocked = Some(Blocked::Body);
    }
    store(tx, work, Some(task_id), place, now)?;
    Ok(Enqueued { id: work.id, how })
}

/// The id that the piece bears. Periodic work whose id is its task's name bears that of an earlier name, as long as
/// unfinished work does (S4.10).
fn id_of<'w, T: TablesMut>(
    tx: &Transaction<'_, T>,
    work: &'w NewWork,
    task_id: &'w str,
) -> Result<&'w str, TableError> {
    if work.options.period.is_none() || task_id != work.lane.task {
        return Ok(task_id);
    }
    for id in std::iter::once(task_id).chain(work.aliases.iter().copied()) {
        let held = holders(tx, work, id, id_hash(id), Reach::Oldest)?;
        if held.iter().any(|holder| holder.state != WorkState::Quarantined) {
            return Ok(id);
        }
    }
    Ok(task_id)
}

/// What a look before the transaction would have shown.
#[cfg(pushe_planted)]
fn stale<T: TablesMut>(tx: &Transaction<'_, T>, mut held: Vec<policy::Holder>) -> Vec<policy::Holder> {
    if crate::planted::is(crate::planted::Bug::UniqueOutside) {
        held.retain(|holder| tx.moves_since(0).iter().all(|moved| moved.attempt.work != holder.id));
    }
    held
}

/// Cancels the pieces that the new one takes the place of.
fn replace<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    old: &[WorkId],
    now: WallTime,
) -> Result<(), VerbError> {
    for id in old {
        if let Some(Ok(record)) = crate::rows::record(tx.tables, *id)? {
            #[cfg(pushe_planted)]
            if crate::planted::is(crate::planted::Bug::ReplaceKeepsIndex) {
                tx.save(&WorkRecord { state: crate::WorkState::Cancelled, ..record })?;
                continue;
            }
            cancel::one(tx, record, Reason::Replaced, now)?;
        }
    }
    Ok(())
}

/// Notes that set aside work has lost its id: it will not take it again while other work bears it.
fn oust<T: TablesMut>(tx: &mut Transaction<'_, T>, held: &[policy::Holder]) -> Result<(), TableError> {
    for holder in held.iter().filter(|holder| holder.state == WorkState::Quarantined) {
        if let Some(Ok(record)) = crate::rows::record(tx.tables, holder.id)? {
            tx.save(&WorkRecord { ousted: true, ..record })?;
        }
    }
    Ok(())
}

/// Where a new piece is put.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    hash: Option<u64>,
    blocked: Option<Blocked>,
    after: Option<WorkId>,
    interruptions: u32,
}

fn store<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: &NewWork,
    task_id: Option<&str>,
    place: Place,
    now: WallTime,
) -> Result<(), VerbError> {
    let (record, spec) = make(tx, work, task_id, place, now)?;
    put(tx, &record, &spec)
}

/// A new piece: its record, and its spec as it is stored.
fn make<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    work: &NewWork,
    task_id: Option<&str>,
    place: Place,
    now: WallTime,
) -> Result<(WorkRecord, Vec<u8>), VerbError> {
    let lane = tx.lane_of(work)?;
    let mut record = WorkRecord::new(work.id, tx.volatile.next_sequence(), lane, now);
    record.id_hash = place.hash;
    record.interruptions = place.interruptions;
    record.after = place.after;
    record.boost_millis = work.boost_millis;
    record.tags = tag_hashes(&work.options.tags);
    record.automatic = work.options.automatic;
    record.expires_at = start::expiry(&work.options, now);
    start::begin(&mut record, work.start, work.options.period.as_ref(), place.blocked, now);
    let spec = WorkSpec::encode_parts(task_id, &work.options, &work.envelope, work.id);
    Ok((record, spec))
}

fn put<T: TablesMut>(tx: &mut Transaction<'_, T>, record: &WorkRecord, spec: &[u8]) -> Result<(), VerbError> {
    tx.put(Table::Specs, &work_key(record.id), spec)?;
    tx.insert(record)?;
    Ok(())
}

//! `claim`: starts attempts of what may start (S1.4, S1.21, S4.11); suspects in `suspect.rs`.
//!
//! Invariant: the claim number grows with every claim and is stored before anybody sees the payload; no piece starts
//! whose id or whose own body still lives in this process.

use crate::error::VerbError;
use crate::id::{Attempt, WorkId};
use crate::index::{OrderKey, class, class_range, order_key, until_range};
use crate::record::{Filed, WorkRecord};
use crate::rows;
use crate::rules::settlement;
use crate::state::Reason;
use crate::tables::{TableError, TablesMut};
use crate::time::WallTime;
use crate::transaction::{Stood, Transaction};
use crate::verbs::aside::set_aside;
use crate::verbs::merge::Merge;
use crate::verbs::release::release_id;
use crate::verbs::suspect::{self, Turn};
use crate::verbs::{ClaimRequest, Claimed};

/// The most pieces that one claim files as ready; what is left shows as a `next_due` that has passed.
const PROMOTE: usize = 1_000;

/// So many pieces that may start early are looked at by one claim.
const EARLY: usize = 64;

pub(super) fn claim<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    request: &ClaimRequest,
) -> Result<Vec<Claimed>, VerbError> {
    tx.volatile.saw(request.now);
    promote(tx, request.now)?;
    promote_early(tx, request.now)?;
    let suspect = match suspect::turn(tx, request)? {
        Turn::Alone(suspect) => return Ok(vec![*suspect]),
        Turn::NobodyElse => return Ok(Vec::new()),
        Turn::Others => tx.volatile.living().alone(),
    };
    let mut claimed = Vec::new();
    if request.limit == 0 {
        return Ok(claimed);
    }
    let mut merge = Merge::new(tx.tables, tx.volatile, &request.grants, request.limit)?;
    while claimed.len() < request.limit {
        let Some(head) = merge.next(tx.tables, request.limit - claimed.len())? else { break };
        if let Some(started) = start(tx, head.key, head.work, false, request.now)? {
            merge.take(head.grant);
            claimed.push(started);
        }
    }
    if let Some(suspect) = suspect
        && !claimed.is_empty()
    {
        suspect::no_longer_alone(tx, suspect)?;
    }
    Ok(claimed)
}

/// Files delayed pieces that have fallen due as ready.
fn promote<T: TablesMut>(tx: &mut Transaction<'_, T>, now: WallTime) -> Result<(), TableError> {
    let (from, to) = until_range(class::DELAYED, now);
    for (key, work) in rows::places(tx.tables, &from, &to, PROMOTE)? {
        if let Some(mut record) = standing(tx, key, work, now)? {
            let stood = Stood::of(&record);
            record.filed = Filed::Ready;
            tx.shift(&stood, &record)?;
        }
    }
    Ok(())
}

/// Files pieces as ready whose window is open, now that there is other work to do, or has closed (S5.1). Of the many that
/// may wait, those whose window closes first are looked at: what is not seen here is seen by the next claim, at the latest
/// when its window closes.
fn promote_early<T: TablesMut>(tx: &mut Transaction<'_, T>, now: WallTime) -> Result<(), TableError> {
    let (from, to) = class_range(class::FLEXIBLE);
    for (key, work) in rows::places(tx.tables, &from, &to, EARLY)? {
        let Some(mut record) = standing(tx, key, work, now)? else { continue };
        if record.period.as_ref().is_some_and(|period| period.early <= now) {
            let stood = Stood::of(&record);
            record.filed = Filed::Ready;
            tx.shift(&stood, &record)?;
        }
    }
    Ok(())
}

/// Starts the piece, unless something of it does not read back or a body that stands against it lives.
pub(super) fn start<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    key: OrderKey,
    work: WorkId,
    alone: bool,
    now: WallTime,
) -> Result<Option<Claimed>, TableError> {
    let Some(mut record) = standing(tx, key, work, now)? else { return Ok(None) };
    // It is not the claim that ends what has expired: the clock may have jumped.
    if record.has_lapsed(now) {
        return Ok(None);
    }
    let living = tx.volatile.living();
    if living.has_work(record.id) || record.id_hash.is_some_and(|hash| living.has_id(hash)) {
        return Ok(None);
    }
    let stood = Stood::of(&record);
    let Ok(spec) = rows::spec(tx.tables, record.id)? else {
        settlement::set_aside(&mut record, Reason::Payload);
        tx.shift(&stood, &record)?;
        if let Some(hash) = record.id_hash {
            release_id(tx, hash, now)?;
        }
        return Ok(None);
    };
    settlement::claim(&mut record, alone, now);
    tx.shift(&stood, &record)?;
    tx.volatile.body_began(Attempt { work: record.id, claim: record.claim }, record.id_hash);
    Ok(Some(Claimed { record, spec }))
}

/// The record that an entry of the order index points at, if it reads back and does stand there.
pub(super) fn standing<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    key: OrderKey,
    work: WorkId,
    now: WallTime,
) -> Result<Option<WorkRecord>, TableError> {
    match rows::record(tx.tables, work)? {
        Some(Ok(record)) if order_key(&record) == key => return Ok(Some(record)),
        Some(Err(_)) => set_aside(tx, key, work, now)?,
        _ => tx.drop_stray(key, work)?,
    }
    Ok(None)
}

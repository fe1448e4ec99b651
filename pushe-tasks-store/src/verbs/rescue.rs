//! `rescue`: takes over what an earlier process left Running (S1.12, S7.1 to S7.3).
//!
//! Invariant: an attempt whose body lives in this process is never taken from it; run again, rescue finds nothing.

use crate::error::VerbError;
use crate::id::Attempt;
use crate::index::{class, class_range};
use crate::meta;
use crate::rows;
use crate::rules::settlement::{self, Crash};
use crate::state::WorkState;
use crate::tables::{Table, TableError, TablesMut};
use crate::transaction::{Stood, Transaction};
use crate::verbs::claim::standing;
use crate::verbs::release::release_id;
use crate::verbs::{RescueRequest, Rescued, update, waits};

pub(super) fn rescue<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    request: &RescueRequest,
) -> Result<Rescued, VerbError> {
    let stored_boot = meta::boot(tx.tables)?;
    let stopped = meta::stopped(tx.tables)?;
    let crash = Crash {
        unannounced: !stopped,
        // Where no boot is known at all, it is taken to be the same: poison is then found sooner rather than never.
        same_boot: stored_boot == request.boot,
        same_process: tx.volatile.rescued(),
        charge_within: request.charge_within,
    };
    let set_back = request.now < tx.volatile.counters.clock;
    let rescued = orphans(tx, request, &crash)?;
    if set_back {
        waits::clamp(tx, request.now)?;
    }
    unblock(tx, request)?;
    if let Some(boot) = request.boot
        && stored_boot != Some(boot)
    {
        let (key, value) = meta::boot_row(boot);
        tx.put(Table::Meta, key, &value)?;
    }
    if stopped {
        tx.remove(Table::Meta, meta::stop_row().0)?;
    }
    tx.volatile.set_rescued();
    Ok(rescued)
}

pub(super) fn record_stop<T: TablesMut>(tx: &mut Transaction<'_, T>) -> Result<(), VerbError> {
    let (key, value) = meta::stop_row();
    Ok(tx.put(Table::Meta, key, &value)?)
}

fn orphans<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    request: &RescueRequest,
    crash: &Crash,
) -> Result<Rescued, TableError> {
    let mut rescued = Rescued::default();
    let (from, to) = class_range(class::RUNNING);
    for (key, work) in rows::places(tx.tables, &from, &to, usize::MAX)? {
        let Some(mut record) = standing(tx, key, work, request.now)? else {
            rescued.damaged += 1;
            continue;
        };
        if tx.volatile.living().has(Attempt { work, claim: record.claim }) {
            continue;
        }
        let stood = Stood::of(&record);
        let charged = settlement::is_charged(crash, record.claimed_at, request.now);
        let (period, limit) = (update::new_period(tx.tables, &record)?, request.max_interruptions);
        let dropped = settlement::rescue(&mut record, charged, limit, period.as_ref(), request.now);
        tx.keep_error(&record, "", dropped)?;
        tx.shift(&stood, &record)?;
        rescued.charged += usize::from(charged);
        if record.state != WorkState::Quarantined {
            rescued.orphans.push(work);
            continue;
        }
        rescued.quarantined.push(work);
        if let Some(hash) = record.id_hash {
            release_id(tx, hash, request.now)?;
        }
    }
    Ok(rescued)
}

/// Releases what waited for a body: those of an earlier process are gone.
fn unblock<T: TablesMut>(tx: &mut Transaction<'_, T>, request: &RescueRequest) -> Result<(), TableError> {
    let (from, to) = class_range(class::BLOCKED_BODY);
    for (key, work) in rows::places(tx.tables, &from, &to, usize::MAX)? {
        if let Some(hash) = standing(tx, key, work, request.now)?.and_then(|record| record.id_hash) {
            release_id(tx, hash, request.now)?;
        }
    }
    Ok(())
}

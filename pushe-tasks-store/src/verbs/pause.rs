//! `pause` and `resume`: switches that keep work from starting (S9.1).
//!
//! Invariant: the switches in memory are those in the table, in every transaction.

use std::borrow::Cow;

use crate::error::VerbError;
use crate::meta;
use crate::pause::{PauseScope, Paused};
use crate::tables::{Table, TablesMut};
use crate::time::WallTime;
use crate::transaction::Transaction;
use crate::verbs::ClaimRequest;
use crate::volatile::Volatile;

pub(super) fn pause<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    scope: &PauseScope,
    now: WallTime,
) -> Result<(), VerbError> {
    let mut paused = tx.volatile.paused().clone();
    if paused.pause(scope, now) { store(tx, paused) } else { Ok(()) }
}

pub(super) fn resume<T: TablesMut>(tx: &mut Transaction<'_, T>, scope: &PauseScope) -> Result<(), VerbError> {
    let mut paused = tx.volatile.paused().clone();
    if paused.resume(scope) { store(tx, paused) } else { Ok(()) }
}

/// Stores what differs from the switches as they were.
fn store<T: TablesMut>(tx: &mut Transaction<'_, T>, paused: Paused) -> Result<(), VerbError> {
    let old = meta::pause_rows(tx.volatile.paused());
    let new = meta::pause_rows(&paused);
    for (key, _) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        tx.remove(Table::Meta, key)?;
    }
    for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        tx.put(Table::Meta, key, value)?;
    }
    tx.volatile.set_paused(paused);
    Ok(())
}

/// The request without lanes whose work may not start.
pub(super) fn without_paused<'r>(volatile: &Volatile, request: &'r ClaimRequest) -> Cow<'r, ClaimRequest> {
    let paused = volatile.paused();
    if paused.is_empty() {
        return Cow::Borrowed(request);
    }
    let mut request = request.clone();
    for grant in &mut request.grants {
        grant.lanes.retain(|lane| !volatile.is_paused(*lane));
    }
    Cow::Owned(request)
}

//! Suspects: work that crashes have found running twice or more, which runs alone so that the next crash has one culprit
//! (S7.3).
//!
//! Invariant: a record is marked as alone exactly while no other body has lived since its claim; the mark is durable
//! with the claim, and it is taken off in the transaction that starts anything beside it.

use crate::error::VerbError;
use crate::id::{Attempt, WorkId};
use crate::index::{OrderKey, class, lane_range, rank_of};
use crate::rows;
use crate::state::WorkState;
use crate::tables::{TableError, Tables, TablesMut};
use crate::transaction::Transaction;
use crate::verbs::claim::{standing, start};
use crate::verbs::{ClaimRequest, Claimed, Grant};
use crate::volatile::Volatile;

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Turn {
    /// A suspect's, which has been started.
    Alone(Box<Claimed>),
    /// Nobody's: a suspect lives alone, or waits for the bodies that live to end.
    NobodyElse,
    /// That of everything else.
    Others,
}

/// Starts the first suspect if nothing lives, and says whether others may start.
pub(super) fn turn<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    request: &ClaimRequest,
) -> Result<Turn, VerbError> {
    let mut waiting = None;
    let mut turn = Turn::Others;
    while tx.volatile.suspects() > 0 {
        let Some(first) = first(tx.tables, tx.volatile, &request.grants)? else { break };
        // One that does not read back is set aside here and holds nobody up.
        let Some(record) = standing(tx, first.key, first.work, request.now)? else { continue };
        if record.has_lapsed(request.now) {
            break;
        }
        let is_short = request.limit == 0 || request.grants[first.grant].permits == 0;
        if is_short || !tx.volatile.living().is_empty() {
            waiting = Some(first.work);
        } else if let Some(claimed) = start(tx, first.key, first.work, true, request.now)? {
            tx.volatile.set_alone(Some(claimed.attempt()));
            turn = Turn::Alone(Box::new(claimed));
        } else {
            continue;
        }
        break;
    }
    if matches!(turn, Turn::Others) {
        let alone = tx.volatile.living().alone();
        let held = match alone {
            Some(suspect) => request.beside != Some(suspect),
            None => false,
        };
        if held || (waiting.is_some() && !request.passes_suspects) {
            turn = Turn::NobodyElse;
        }
    }
    tx.tell_waiting(waiting);
    Ok(turn)
}

/// Takes the mark off a suspect beside which something has been started.
pub(super) fn no_longer_alone<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    suspect: Attempt,
) -> Result<(), TableError> {
    tx.volatile.set_alone(None);
    match rows::record(tx.tables, suspect.work)? {
        Some(Ok(mut record)) if record.state == WorkState::Running && record.claim == suspect.claim => {
            record.alone = false;
            tx.save(&record)
        }
        // It was settled or cancelled, and only its body goes on: no crash is charged to it any more.
        _ => Ok(()),
    }
}

/// A ready suspect.
struct First {
    key: OrderKey,
    work: WorkId,
    grant: usize,
}

/// The ready suspect that stands first in the lanes that are granted, whether or not there is a permit for it.
fn first<T: Tables>(tables: &T, volatile: &Volatile, grants: &[Grant]) -> Result<Option<First>, TableError> {
    let mut first = None::<First>;
    for (grant, lane) in
        grants.iter().enumerate().flat_map(|(at, grant)| grant.lanes.iter().map(move |lane| (at, lane)))
    {
        if volatile.lanes().get(lane).is_none_or(|state| state.ready == 0) {
            continue;
        }
        let (from, to) = lane_range(class::SUSPECT, *lane);
        for (key, work) in rows::places(tables, &from, &to, 1)? {
            if first.as_ref().is_none_or(|first| rank_of(&key) < rank_of(&first.key)) {
                first = Some(First { key, work, grant });
            }
        }
    }
    Ok(first)
}

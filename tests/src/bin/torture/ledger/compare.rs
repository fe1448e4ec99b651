//! The ledger against the store that is found after a stop.
//!
//! Invariant: the store is opened as any program opens it, and nothing in it is changed.

use std::collections::BTreeMap;
use std::path::Path;

use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::{OpenError, WorkState};
use pushe_tasks_store::redb::{Opening, RedbStore, StoreOptions};
use pushe_tasks_store::{Filter, Finding, Store as _, StoreHealth, WorkView};

use super::{Ledger, Piece};
use crate::application::job::{Call, number_of};
use crate::figures::{Figures, Wrong};

/// Where stops met pieces, counted in stops and in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shares {
    pub(crate) stops: u64,
    /// Stored and acknowledged, and not claimed.
    pub(crate) before_claim: (u64, u64),
    /// Claimed, and no body has told that it began.
    pub(crate) before_body: (u64, u64),
    /// Claimed, and its body lived.
    pub(crate) within_body: (u64, u64),
    /// Its body had ended, and that was not stored.
    pub(crate) before_settle: (u64, u64),
}

impl Shares {
    fn add(&mut self, found: [u64; 4]) {
        self.stops += 1;
        let all =
            [&mut self.before_claim, &mut self.before_body, &mut self.within_body, &mut self.before_settle];
        for (share, pieces) in all.into_iter().zip(found) {
            share.0 += u64::from(pieces > 0);
            share.1 += pieces;
        }
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let line = |what: &str, share: (u64, u64)| {
            let percent = share.0 * 100 / self.stops.max(1);
            format!("{percent} % of {} stops met {} pieces {what}", self.stops, share.1)
        };
        vec![
            line("between their acknowledgement and their claim", self.before_claim),
            line("between their claim and the start of their body", self.before_body),
            line("within their body", self.within_body),
            line("between the end of their body and its settle", self.before_settle),
        ]
    }

    /// Whether stops met both a piece between acknowledgement and start, and one between claim and settle, in one of ten
    /// cycles at least.
    pub(crate) fn is_wide(&self) -> bool {
        let before_start = self.before_claim.0.max(self.before_body.0);
        let before_settle = self.before_body.0.max(self.within_body.0).max(self.before_settle.0);
        before_start * 10 >= self.stops && before_settle * 10 >= self.stops
    }
}

/// Opens a store as a program does.
fn open(path: &Path) -> Result<RedbStore, OpenError> {
    let now = SystemClock::new().wall();
    let opening = Opening { now, new_uuid: [7; 16], program: "torture".to_owned() };
    RedbStore::open(path, StoreOptions::default(), opening)
}

impl Ledger {
    /// Opens the store and holds it against what was told.
    pub(crate) fn compare(&mut self, path: &Path, figures: &mut Figures, shares: &mut Shares) {
        match open(path) {
            Ok(mut store) => self.compare_with(&mut store, figures, shares),
            Err(error) => {
                figures.wrong(Wrong::Lost, format_args!("the store does not open: {error}: {error:?}"));
            }
        }
    }

    fn compare_with(&mut self, store: &mut RedbStore, figures: &mut Figures, shares: &mut Shares) {
        let facts = store.facts();
        let usual = |finding: &&Finding| {
            matches!(finding, Finding::Recovered | Finding::CreatedAnew | Finding::Created)
        };
        for finding in facts.findings.iter().filter(|finding| !usual(finding)) {
            figures.wrong(Wrong::Unexpected, finding);
        }
        if facts.health != StoreHealth::Healthy {
            figures.wrong(Wrong::Unexpected, format_args!("{:?}", facts.health));
        }
        if let Err(problem) = store.check() {
            figures.wrong(Wrong::Unexpected, format_args!("an index lies: {problem}"));
        }
        let filter = Filter { states: Vec::new(), tasks: Vec::new(), after: None, limit: usize::MAX };
        let mut listed = Ok(Vec::new());
        if let Err(error) = store.read(&mut |look| listed = look.list(&filter)) {
            return figures.wrong(Wrong::Lost, error);
        }
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return figures.wrong(Wrong::Lost, error),
        };
        let mut found = BTreeMap::new();
        for view in listed {
            match number_of(view.record.id) {
                Some(number) => drop(found.insert(number, view)),
                None => figures.wrong(Wrong::Unexpected, format_args!("nobody made {}", view.record.id)),
            }
        }
        self.ids(&found, figures);
        let mut met = [0; 4];
        for (number, piece) in &mut self.pieces {
            match found.remove(number) {
                Some(view) => piece.compare(*number, &view, figures, &mut met),
                None if piece.acknowledged => {
                    figures.wrong(Wrong::Lost, format_args!("piece {number} was acknowledged"));
                }
                None => {}
            }
        }
        for number in found.keys() {
            figures
                .wrong(Wrong::Unexpected, format_args!("piece {number} is stored and was never scheduled"));
        }
        shares.add(met);
    }

    /// What task ids promise: one live piece under Keep and Replace (I7), order under Append (I8).
    fn ids(&self, found: &BTreeMap<u64, WorkView>, figures: &mut Figures) {
        let mut live = BTreeMap::<String, u64>::new();
        for (number, view) in found {
            if let Some((id, _)) = Call::of(self.seed, *number).unique
                && !view.record.state.is_finished()
                && !id.starts_with("append")
            {
                *live.entry(id).or_default() += 1;
            }
        }
        for (id, count) in live.iter().filter(|(_, count)| **count > 1) {
            figures.wrong(Wrong::Unexpected, format_args!("{count} live pieces bear the id {id}"));
        }
        let mut last = BTreeMap::<String, (u64, u64)>::new();
        for number in &self.began {
            let (Some((id, _)), Some(view)) = (Call::of(self.seed, *number).unique, found.get(number)) else {
                continue;
            };
            let sequence = view.record.sequence;
            if id.starts_with("append")
                && let Some((earlier, by)) = last.insert(id.clone(), (sequence, *number))
                && earlier > sequence
            {
                figures.wrong(Wrong::Unexpected, format_args!("piece {number} of {id} began after {by}"));
            }
        }
    }

    /// Everything that was acknowledged has finished, and as it was to.
    pub(crate) fn all_finished(&self, figures: &mut Figures) {
        for (number, piece) in &self.pieces {
            if piece.acknowledged && piece.finished.is_none() {
                figures.wrong(Wrong::Lost, format_args!("piece {number} never came to its end"));
            }
        }
    }
}

impl Piece {
    fn compare(&mut self, number: u64, view: &WorkView, figures: &mut Figures, met: &mut [u64; 4]) {
        let record = &view.record;
        let state = record.state;
        let mut wrong =
            |what: String| figures.wrong(Wrong::Unexpected, format_args!("piece {number} {what}"));
        if let Err(damage) = &view.spec {
            wrong(format!("does not read back: {damage:?}"));
        }
        if self.absent {
            wrong("was said not to be stored, and is".to_owned());
        }
        if self.kept_other {
            wrong("was said to be another one, and is stored itself".to_owned());
        }
        if record.claim < self.starts {
            wrong(format!("began {} times and was claimed {} times", self.starts, record.claim));
        }
        if self.cancelled && state != WorkState::Cancelled {
            wrong(format!("was cancelled and is {state}"));
        }
        if let Some(told) = &self.told
            && *told != state.to_string()
        {
            wrong(format!("was told to be {told} and is {state}"));
        }
        if state == WorkState::Succeeded && self.successes == 0 {
            wrong("is Succeeded, and no body of it did".to_owned());
        }
        if state == WorkState::Quarantined {
            wrong(format!("is quarantined: {:?} {:?}", record.reason, view.errors));
        }
        if let Some(finished) = self.finished
            && finished != state
        {
            wrong(format!("was found {finished} and is {state}"));
        }
        if self.ended && matches!(state, WorkState::Enqueued | WorkState::Blocked) {
            wrong(format!("had ended and is {state}"));
        }
        match state {
            WorkState::Enqueued if record.claim == 0 && self.acknowledged => met[0] += 1,
            WorkState::Running if self.living => met[2] += 1,
            WorkState::Running if self.started && self.starts == record.claim => met[3] += 1,
            WorkState::Running => met[1] += 1,
            _ => {}
        }
        self.finished = state.is_finished().then_some(state);
    }
}

//! What follows an error: give the handle up, open the store anew, say what became of the transaction.
//!
//! Invariant: a transaction whose commit failed is called undone only when a recovery that read the disk did not find it,
//! and durable only when such a recovery did; between them it is in doubt. redb answers every call after an error of the
//! disk with another one, so that the store must be opened anew before anything works again.

use std::io;

use super::RedbStore;
use super::backend::DiskError;
use super::contain::{Mishap, put_away};
use super::medium::Guarded;
use super::open::Plan;
use crate::change::Changes;
use crate::error::{OpenError, StoreError};
use crate::finding::{Finding, StoreHealth};

/// Why the handle was given up.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    text: String,
    full: bool,
    /// Not the disk but its contents: redb panicked, or met a page that it cannot read.
    contents: bool,
}

impl Trouble {
    fn of(error: Option<DiskError>, mishap: &Mishap) -> Self {
        match error {
            Some(error) => {
                let full = error.is_full();
                Self { text: format!("{} failed: {}", error.call, error.text), full, contents: false }
            }
            None => Self { text: mishap.text.clone(), full: false, contents: true },
        }
    }

    fn undone(&self) -> StoreError {
        if self.full { StoreError::Full } else { StoreError::Undone(self.text.clone()) }
    }
}

/// What a reopened store shows of the newest commit.
struct Shown {
    commit: u64,
    /// Whether nobody else had the store meanwhile, and recovery is known to have read the disk.
    certain: bool,
}

impl RedbStore {
    /// A commit has gone well.
    pub(super) fn committed(&mut self, commit: u64) {
        self.acknowledged = commit;
        if self.short_of_room {
            self.keep_reserve();
        }
        if self.facts.health != StoreHealth::Healthy && !self.short_of_room {
            self.facts.health = StoreHealth::Healthy;
        }
    }

    /// Sets the reserve aside, if there is room; the store works without one, and tries again after each commit.
    pub(super) fn keep_reserve(&mut self) {
        let kept = self.medium.keep_reserve(self.options.reserve_bytes);
        self.short_of_room = match &kept {
            Ok(kept) => !kept,
            Err(error) => is_no_room(error),
        };
        if self.short_of_room {
            self.facts.health = StoreHealth::Degraded("there is little room left on its disk".to_owned());
        }
    }

    /// Where room was short: looks whether the reserve can be set aside again, before anything takes the room.
    pub(super) fn look_for_room(&mut self) {
        if self.short_of_room {
            self.keep_reserve();
            if !self.short_of_room {
                self.facts.health = StoreHealth::Healthy;
            }
        }
    }

    /// The transaction did not get as far as its commit: it is undone.
    pub(super) fn undone(&mut self, mishap: &Mishap) -> StoreError {
        let trouble = self.give_up(mishap);
        self.volatile.discard();
        trouble.undone()
    }

    /// The commit failed: opens the store anew to see what became of it.
    pub(super) fn resolve(&mut self, mishap: &Mishap, changes: Changes) -> Result<Changes, StoreError> {
        let trouble = self.give_up(mishap);
        match self.reopen(Some(changes.commit)) {
            Ok(shown) if shown.certain && shown.commit == changes.commit => Ok(changes),
            Ok(shown) if shown.commit < changes.commit => Err(trouble.undone()),
            Ok(_) => Err(StoreError::InDoubt(trouble.text)),
            Err(error) => {
                self.volatile.discard();
                Err(StoreError::InDoubt(format!("{}; {error}", trouble.text)))
            }
        }
    }

    /// Opens the store anew, if an error has made that necessary.
    pub(super) fn revive(&mut self) -> Result<(), StoreError> {
        if self.database.is_some() {
            return Ok(());
        }
        match self.reopen(None) {
            Ok(_) => Ok(()),
            Err(error) if is_full(&error) => {
                self.free_room();
                Err(StoreError::Full)
            }
            Err(error) => Err(StoreError::Failed(with_source(&error))),
        }
    }

    fn give_up(&mut self, mishap: &Mishap) -> Trouble {
        let trouble = Trouble::of(self.ledger.take_error(), mishap);
        if let Some((database, handle)) = self.database.take() {
            put_away(database, Some(mishap));
            if mishap.panicked {
                // The database is leaked, and its locks must not be.
                let _ = handle.close();
            }
        }
        // What closing has met follows from the first error.
        self.ledger.take_error();
        if trouble.full {
            self.free_room();
        }
        self.facts.health = StoreHealth::Degraded(trouble.text.clone());
        self.trouble = Some(trouble.clone());
        trouble
    }

    fn free_room(&mut self) {
        // Where there is no reserve, or it cannot be removed, there is no more room than there was.
        let _ = self.medium.release_reserve();
        self.short_of_room = true;
    }

    /// Opens the store anew. `attempted` is the commit that failed, whose changes the volatile state still holds.
    fn reopen(&mut self, attempted: Option<u64>) -> Result<Shown, OpenError> {
        let trouble = self.trouble.clone();
        let plan = Plan {
            medium: &*self.medium,
            ledger: &self.ledger,
            options: &self.options,
            note: &self.note,
            after_error: true,
            check_pages: trouble.as_ref().is_some_and(|trouble| trouble.contents),
        };
        let tried = plan.open().and_then(|opened| match plan.adopt(&opened) {
            Ok(adopted) if adopted.uuid == self.facts.uuid => Ok((opened, adopted)),
            Ok(_) => {
                opened.give_up();
                let detail = "it holds another store than the one that was open".to_owned();
                Err(OpenError::Damaged { path: self.medium.place().into(), detail })
            }
            Err(error) => {
                opened.give_up();
                Err(error)
            }
        });
        let (opened, mut adopted) = match tried {
            Ok(tried) => tried,
            Err(error) => {
                // What closing has met follows from the first error.
                self.ledger.take_error();
                self.facts.health = health_of(&error);
                return Err(error);
            }
        };
        let commit = adopted.volatile.counters.commit;
        let alone = adopted.epoch == self.facts.epoch.saturating_add(1);
        let certain = alone && opened.guarded == Some(Guarded::FromDisk);
        if attempted == Some(commit) && certain {
            self.volatile.keep();
        }
        // Bodies live on, whatever became of the file; what is not kept is taken back on the way.
        adopted.volatile.inherit(std::mem::take(&mut self.volatile));
        let facts = &mut self.facts;
        if let Some(trouble) = trouble {
            facts.notice(Finding::Reopened { after: trouble.text });
        }
        if !alone {
            facts.notice(Finding::OpenedElsewhere);
        }
        if commit < self.acknowledged {
            facts.notice(Finding::Lost { acknowledged: self.acknowledged, found: commit });
        }
        self.volatile = adopted.volatile;
        self.acknowledged = commit;
        self.facts.epoch = adopted.epoch;
        self.note.epoch = adopted.epoch;
        self.database = Some((opened.database, opened.handle));
        self.trouble = None;
        self.leave_note();
        if !self.short_of_room {
            self.facts.health = StoreHealth::Healthy;
        }
        Ok(Shown { commit, certain })
    }
}

fn health_of(error: &OpenError) -> StoreHealth {
    match error {
        OpenError::Io { .. } | OpenError::InUse { .. } => StoreHealth::Degraded(with_source(error)),
        _ => StoreHealth::Failed(with_source(error)),
    }
}

fn is_full(error: &OpenError) -> bool {
    matches!(error, OpenError::Io { source, .. } if is_no_room(source))
}

fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn with_source(error: &OpenError) -> String {
    match error {
        OpenError::Io { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

//! The embedded store: one redb file, one writer.
//!
//! Invariant: an `Ok` is told after the sync that covers it. Whatever goes wrong, the handle to the database is given up,
//! and the next call opens it anew from what the disk holds; what had been acknowledged is compared with what is there.

mod app;
mod backend;
mod contain;
mod file;
mod holder;
mod inspect;
mod medium;
mod network;
mod open;
mod options;
mod os;
mod overlay;
mod owner;
mod pages;
mod salvage;
mod search;
#[cfg(any(test, feature = "sim"))]
mod sim_disk;
mod supervise;
mod survey;
mod tables;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, StorageBackend};

use self::backend::Ledger;
use self::contain::{Mishap, contain, put_away};
use self::open::Plan;
use self::supervise::Trouble;
use self::tables::{ReadTables, WriteTables};
use crate::change::Changes;
use crate::error::{OpenError, StoreError};
use crate::finding::{Finding, StoreHealth};
use crate::transaction;
use crate::verbs::{Look, Snapshot, Store, StoreFacts, Transact, Verbs, Verdict};
use crate::volatile::Volatile;

/// The crate under the store: the types of an application's own tables.
pub use ::redb;

pub use app::{AppTable, AppTables};
pub use backend::DiskCounts;
pub use file::StoreFile;
pub use medium::{Guarded, Medium};
pub use options::{Directory, Durability, Exclusion, Integrity, OnDamage, Opening, StoreOptions};
pub use owner::Owner;
pub use salvage::salvage;
#[cfg(any(test, feature = "sim"))]
pub use sim_disk::{Call, Effect, Fault, Lasts, Locks, SimDisk};
pub use verify::verify;

/// The embedded store.
pub struct RedbStore {
    medium: Box<dyn Medium>,
    ledger: Arc<Ledger>,
    options: StoreOptions,
    /// The note that is left beside the store.
    note: Owner,
    /// `None` from an error until the store has been opened anew.
    database: Option<(Database, Arc<dyn StorageBackend>)>,
    /// Why there is no database.
    trouble: Option<Trouble>,
    volatile: Volatile,
    facts: StoreFacts,
    /// The newest commit that has been acknowledged, or was there when the store was opened.
    acknowledged: u64,
    /// Whether the place of the store did not name it when it was last asked.
    misplaced: bool,
    /// Whether room is short: the reserve has been given back, and is kept anew once a commit has gone well.
    short_of_room: bool,
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl RedbStore {
    /// Opens the store in this file; creates it where there is none.
    ///
    /// # Errors
    /// `InUse` names who has it open. `Path` says what is wrong with the place and what to do. `Damaged` and `Newer` leave
    /// the file as it is, unless `OnDamage::MoveAside` says otherwise of a damaged one.
    pub fn open(path: impl AsRef<Path>, options: StoreOptions, opening: Opening) -> Result<Self, OpenError> {
        let file = StoreFile::open(path.as_ref(), &options)?;
        let again = file.try_clone().map_err(|source| file::failed(file.path(), source))?;
        let result = Self::open_file(file, options.clone(), opening.clone());
        let (OnDamage::MoveAside, Err(OpenError::Damaged { detail, .. })) = (options.on_damage, &result)
        else {
            return result;
        };
        let moved = again.move_aside(&options).map_err(|source| file::failed(again.path(), source))?;
        let mut store = Self::open_file(StoreFile::open(again.path(), &options)?, options, opening)?;
        if let Some(to) = moved {
            // It is no news that the store is gone: this finding says where it is.
            store.facts.findings.retain(|finding| !matches!(finding, Finding::Vanished { .. }));
            let (to, detail) = (to.display().to_string(), detail.clone());
            store.facts.notice(Finding::MovedAside { to, detail });
        }
        Ok(store)
    }

    fn open_file(file: StoreFile, options: StoreOptions, opening: Opening) -> Result<Self, OpenError> {
        let path = file.path().to_owned();
        let store = Self::open_on(Box::new(file), options, opening)?;
        if store.created() {
            file::sync_directory(&path).map_err(|source| file::failed(&path, source))?;
        }
        Ok(store)
    }

    /// Opens the store on a medium of the caller's: a disk that is simulated.
    pub fn open_on(
        medium: Box<dyn Medium>,
        options: StoreOptions,
        opening: Opening,
    ) -> Result<Self, OpenError> {
        let ledger = Arc::default();
        let mut note = Owner {
            uuid: opening.new_uuid,
            epoch: 0,
            pid: std::process::id(),
            program: opening.program,
            since: opening.now,
        };
        let before = medium.owner();
        let plan = Plan {
            medium: &*medium,
            ledger: &ledger,
            options: &options,
            note: &note,
            after_error: false,
            check_pages: false,
        };
        let opened = plan.open()?;
        let adopted = plan.adopt(&opened.database)?;
        let mut facts = StoreFacts::new("redb", medium.place(), adopted.uuid, adopted.epoch);
        let compared = compare(before, adopted.uuid, adopted.epoch);
        opened.findings.into_iter().chain(compared).for_each(|finding| facts.notice(finding));
        (note.uuid, note.epoch) = (adopted.uuid, adopted.epoch);
        let mut store = Self {
            acknowledged: adopted.volatile.counters.commit,
            volatile: adopted.volatile,
            database: Some((opened.database, opened.handle)),
            trouble: None,
            misplaced: false,
            short_of_room: false,
            medium,
            ledger,
            options,
            note,
            facts,
        };
        store.leave_note();
        store.keep_reserve();
        Ok(store)
    }

    /// What has been asked of the disk since the store was opened.
    pub fn disk_counts(&self) -> DiskCounts {
        self.ledger.counts()
    }

    /// Compares what cannot be seen through the verbs, the indexes, with the records; says what does not agree.
    #[cfg(any(test, feature = "conformance"))]
    pub fn check(&mut self) -> Result<(), String> {
        let Some((database, _)) = &self.database else {
            return Err("it is not open".to_owned());
        };
        self.volatile.discard();
        let tables = ReadTables::new(database.begin_read().map_err(|error| error.to_string())?);
        match crate::check::check(&tables, &self.volatile) {
            Ok(wrong) if wrong.is_empty() => Ok(()),
            Ok(wrong) => Err(wrong.join("; ")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn created(&self) -> bool {
        let made = |finding: &Finding| matches!(finding, Finding::Created | Finding::CreatedAnew);
        self.facts.findings.iter().any(made)
    }

    fn leave_note(&mut self) {
        if let Err(error) = self.medium.set_owner(&self.note) {
            self.facts.notice(Finding::NoNote(error.to_string()));
        }
    }

    /// Refuses to go on where the place of the store no longer names it: what is written there would be lost.
    fn check_place(&mut self) -> Result<(), StoreError> {
        match self.medium.check_place() {
            Ok(()) => {
                if std::mem::take(&mut self.misplaced) {
                    self.facts.health = StoreHealth::Healthy;
                }
                Ok(())
            }
            Err(problem) => {
                self.misplaced = true;
                self.facts.health = StoreHealth::Failed(problem.clone());
                Err(StoreError::Failed(problem))
            }
        }
    }
}

impl RedbStore {
    /// One transaction of whatever kind; `None` where its body did not want it.
    fn run(&mut self, body: &mut Transact<'_>) -> Result<Option<Changes>, StoreError> {
        self.check_place()?;
        self.revive()?;
        self.look_for_room();
        let Some((database, _)) = &self.database else {
            return Err(StoreError::Failed("it is not open".to_owned()));
        };
        let transaction = match open::begin(database, self.options.durability) {
            Ok(transaction) => transaction,
            Err(mishap) => return Err(self.undone(&mishap)),
        };
        let mut tables = WriteTables::new(&transaction);
        let beside = AppTables::new(&transaction);
        let mut verdict = Verdict::Abort;
        let applied = catch_unwind(AssertUnwindSafe(|| {
            transaction::apply(&mut tables, &mut self.volatile, &mut |verbs| {
                verdict = body(verbs, &beside);
                beside.wrote()
            })
        }));
        let leaked = || Mishap { text: "a table of the application was leaked".to_owned(), panicked: true };
        let trouble = tables.finish().and_then(|()| if beside.leaked() { Err(leaked()) } else { Ok(()) });
        let shaken = beside.panicked();
        let finished = match (applied, trouble) {
            // Panics of redb end within the tables: this one is the caller's, and goes back to it.
            (Err(panic), trouble) => {
                put_away(transaction, trouble.as_ref().err());
                self.volatile.discard();
                match trouble {
                    Err(mishap) => drop(self.undone(&mishap)),
                    Ok(()) => self.steady(shaken),
                }
                resume_unwind(panic)
            }
            (Ok(Ok(_)), Ok(())) if shaken || verdict == Verdict::Abort => {
                put_away(transaction, None);
                self.volatile.discard();
                self.steady(shaken);
                return Ok(None);
            }
            (Ok(Ok(finished)), Ok(())) => finished,
            (Ok(result), trouble) => {
                let refused = || Mishap::answered(result.err().map_or_else(String::new, |error| error.0));
                let mishap = trouble.err().unwrap_or_else(refused);
                put_away(transaction, Some(&mishap));
                return Err(self.undone(&mishap));
            }
        };
        if !finished.wrote {
            put_away(transaction, None);
            self.volatile.keep();
            return Ok(Some(finished.changes));
        }
        match contain(|| transaction.commit()) {
            Ok(()) => {
                self.volatile.keep();
                self.committed(finished.changes.commit);
                Ok(Some(finished.changes))
            }
            Err(mishap) => self.resolve(&mishap, finished.changes).map(Some),
        }
    }

    /// After a panic that ran through an open table: sees whether the database still works, so that no later caller
    /// meets it where it does not.
    fn steady(&mut self, shaken: bool) {
        if let (true, Some((database, _))) = (shaken, &self.database)
            && let Err(mishap) = open::begin(database, self.options.durability)
                .and_then(|transaction| contain(|| transaction.abort()))
        {
            self.undone(&mishap);
        }
    }
}

impl Store for RedbStore {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let ran = self.run(&mut |verbs, _| {
            body(verbs);
            Verdict::Commit
        });
        ran?.ok_or_else(|| StoreError::Undone("the transaction was given up".to_owned()))
    }

    fn transact(&mut self, body: &mut Transact<'_>) -> Result<Option<Changes>, StoreError> {
        self.run(body)
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.revive()?;
        let Some((database, _)) = &self.database else {
            return Err(StoreError::Failed("it is not open".to_owned()));
        };
        // What a panic within a transaction before has left.
        self.volatile.discard();
        let tables = match contain(|| database.begin_read()) {
            Ok(transaction) => ReadTables::new(transaction),
            Err(mishap) => return Err(self.undone(&mishap)),
        };
        body(&Snapshot { tables: &tables, volatile: &self.volatile });
        tables.finish().map_err(|mishap| self.undone(&mishap))
    }

    fn facts(&self) -> &StoreFacts {
        &self.facts
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        put_away(self.database.take(), None);
    }
}

/// Compares the store with what the note beside it says.
fn compare(note: Option<Owner>, uuid: [u8; 16], epoch: u64) -> Option<Finding> {
    let note = note.filter(|note| note.epoch > 0)?;
    if note.uuid != uuid {
        let uuid = note.uuid;
        return Some(if epoch == 1 { Finding::Vanished { uuid } } else { Finding::OtherStore { uuid } });
    }
    // Opening has counted one; a note that could not be written leaves a smaller number, which is no regression.
    let found = epoch.saturating_sub(1);
    (note.epoch > found).then_some(Finding::OlderCopy { noted: note.epoch, found })
}

//! Opens the database: look, guard, let redb open it, take it over as a store.
//!
//! Invariant: a file that was not closed in order is read by recovery from the disk and not from the system's cache; so is
//! one that is opened anew after an error.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError, WriteTransaction};

use super::backend::{Counted, Ledger};
use super::contain::{Mishap, contain, put_away};
use super::deferred::Deferred;
use super::inspect::{Found, Locked, Refusal};
use super::medium::{Guarded, Medium};
use super::options::{Durability, Exclusion, StoreOptions};
use super::owner::Owner;
use super::tables::WriteTables;
use crate::error::OpenError;
use crate::finding::Finding;
use crate::meta::{self, OpenFault, Opened, STORE_FORMAT};

/// What is opened, and how.
pub(super) struct Plan<'a> {
    pub(super) medium: &'a dyn Medium,
    pub(super) ledger: &'a Arc<Ledger>,
    pub(super) options: &'a StoreOptions,
    /// The note to leave; uuid and epoch are filled in.
    pub(super) note: &'a Owner,
    /// Whether an error came before: the cache is not to be trusted.
    pub(super) after_error: bool,
    /// Whether every page is checked whatever the options say.
    pub(super) check_pages: bool,
}

/// A database that redb has opened.
pub(super) struct OpenDatabase {
    pub(super) database: Database,
    /// What the database reaches its bytes through.
    pub(super) handle: Arc<dyn StorageBackend>,
    /// Holds back what is written, until the database has been taken over.
    deferred: Option<Arc<Deferred>>,
    /// Whether recovery is known to have read the disk; `None` where there was nothing to recover.
    pub(super) guarded: Option<Guarded>,
    pub(super) findings: Vec<Finding>,
}

impl OpenDatabase {
    /// Closes it, without having taken it over.
    pub(super) fn give_up(self) {
        put_away(self.database, None);
        // A transaction that redb has panicked in is leaked, and keeps the database: its lock must not stay.
        let _ = self.handle.close();
    }
}

impl Plan<'_> {
    fn path(&self) -> PathBuf {
        self.medium.place().into()
    }

    fn io(&self, source: io::Error) -> OpenError {
        super::file::failed(&self.path(), source)
    }

    fn refuse(&self, problem: impl Into<String>) -> OpenError {
        OpenError::Path { path: self.path(), problem: problem.into() }
    }

    fn damaged(&self, detail: impl Into<String>) -> OpenError {
        OpenError::Damaged { path: self.path(), detail: detail.into() }
    }

    fn in_use(&self) -> OpenError {
        OpenError::InUse { path: self.path(), holder: self.medium.holder() }
    }

    /// Lets redb open the file.
    pub(super) fn open(&self) -> Result<OpenDatabase, OpenError> {
        let mut findings = Vec::new();
        let (guarded, bytes) = self.prepare(&mut findings)?;
        let handle: Arc<dyn StorageBackend> = self.medium.handle().map_err(|error| self.io(error))?.into();
        // Recovery and the flags of an open file are written once it is known to be a store, so that one that is refused is
        // as it was found. After an error that question does not come up: the store is this process's own.
        let deferred = if bytes > 0 && !self.after_error {
            Some(Arc::new(Deferred::new(Arc::clone(&handle)).map_err(|error| self.io(error))?))
        } else {
            None
        };
        let through = deferred.clone().map_or_else(|| Arc::clone(&handle), |deferred| deferred as _);
        let backend = Counted::new(through, Arc::clone(self.ledger));
        let check = self.check_pages || self.options.integrity.checks(bytes);
        let opened = contain(|| {
            let mut builder = Builder::new();
            builder.set_cache_size(self.options.cache_bytes).set_check_integrity_on_open(check && bytes > 0);
            Ok::<_, String>(builder.create_with_backend(backend))
        });
        let database =
            opened.map_err(|mishap| self.damaged(mishap.text))?.map_err(|error| self.explain(error))?;
        Ok(OpenDatabase { database, handle, deferred, guarded, findings })
    }

    /// Judges the file, wipes what was half-created, and guards what is to be recovered. Answers its length too.
    fn prepare(&self, findings: &mut Vec<Finding>) -> Result<(Option<Guarded>, u64), OpenError> {
        if let (Exclusion::ByLock, Some(kind)) = (self.options.exclusion, self.medium.network()) {
            return Err(self.refuse(format!(
                "it is on a network file system ({kind}), where neither locks nor syncs can be relied on; put the store on a \
                 local disk, or open with `Exclusion::Promised` if one process alone ever opens it"
            )));
        }
        let locked = Locked::take(self.medium, self.options.exclusion).map_err(|refusal| match refusal {
            Refusal::InUse => self.in_use(),
            Refusal::NoLocks(what) => self.refuse(format!(
                "{what}; put the store on a local disk, or open with `Exclusion::Promised` if one process alone ever opens it"
            )),
            Refusal::Io(error) => self.io(error),
        })?;
        // A note of epoch 0 was left by a creation that did not come to its end.
        let complete = self.medium.owner().is_some_and(|note| note.epoch > 0);
        let look = || locked.inspect(complete).map_err(|error| self.io(error));
        let guard = || self.medium.guard().map(Some).map_err(|error| self.io(error));
        #[cfg(pushe_planted)]
        let guard = || match crate::planted::is(crate::planted::Bug::ReopenWithoutGuard) {
            true => Ok(Some(Guarded::FromDisk)),
            false => guard(),
        };
        let mut guarded = if self.after_error { guard()? } else { None };
        let mut found = look()?;
        if found == Found::Unclosed && guarded.is_none() {
            // What was seen may have stood in the cache alone.
            guarded = guard()?;
            found = look()?;
        }
        match found {
            Found::Empty | Found::HalfCreated if self.after_error => {
                Err(self.damaged("it has been emptied while the store was open"))
            }
            Found::Empty | Found::HalfCreated => {
                let anew = found == Found::HalfCreated;
                findings.push(if anew { Finding::CreatedAnew } else { Finding::Created });
                if let Err(error) = self.medium.set_owner(&Owner { epoch: 0, ..self.note.clone() }) {
                    findings.push(Finding::NoNote(error.to_string()));
                }
                if anew {
                    locked.wipe().map_err(|error| self.io(error))?;
                }
                Ok((None, 0))
            }
            Found::Closed | Found::Unclosed => {
                let bytes = locked.len().map_err(|error| self.io(error))?;
                if let (Some(doubt), false) =
                    (locked.doubt().map_err(|error| self.io(error))?, self.after_error)
                {
                    findings.push(Finding::HeaderDamaged { detail: doubt.text().to_owned() });
                }
                if found == Found::Unclosed && !self.after_error {
                    findings.push(Finding::Recovered);
                }
                Ok((guarded, bytes))
            }
            Found::Zeros => Err(self.damaged("it begins with zeros where the mark of a store stands")),
            Found::Foreign if complete => Err(self.damaged("the mark of a store, which it was, is gone")),
            Found::Foreign => Err(self.refuse("it is a file of another kind; name another file")),
        }
    }

    /// Takes the database over as a store: counts the epoch and loads what is kept in memory.
    pub(super) fn adopt(&self, opened: &OpenDatabase) -> Result<Opened, OpenError> {
        let transaction =
            begin(&opened.database, self.options.durability).map_err(|mishap| self.failed(mishap.text))?;
        let mut tables = WriteTables::new(&transaction);
        let adopted = meta::open(&mut tables, self.note.uuid, None);
        let adopted = match (adopted, tables.finish()) {
            (Ok(adopted), Ok(())) => adopted,
            (_, Err(mishap)) => {
                put_away(transaction, Some(&mishap));
                return Err(self.failed(mishap.text));
            }
            (Err(fault), Ok(())) => {
                put_away(transaction, None);
                return Err(match fault {
                    OpenFault::Newer { found } => {
                        OpenError::Newer { path: self.path(), found, known: STORE_FORMAT }
                    }
                    OpenFault::Damaged(detail) => self.damaged(detail),
                    OpenFault::Tables(error) => self.failed(error.0),
                });
            }
        };
        contain(|| transaction.commit()).map_err(|mishap| self.failed(mishap.text))?;
        // Only now, since the commit may meet damage that nothing before it has looked at.
        if let Some(Err(error)) = opened.deferred.as_ref().map(|deferred| deferred.release()) {
            return Err(self.io(error));
        }
        Ok(adopted)
    }

    /// A failed transaction: what the disk said, or else damage.
    fn failed(&self, text: String) -> OpenError {
        match self.ledger.take_error() {
            Some(error) => {
                self.io(io::Error::new(error.kind, format!("{} failed: {}", error.call, error.text)))
            }
            None => self.damaged(text),
        }
    }

    fn explain(&self, error: DatabaseError) -> OpenError {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => self.in_use(),
            DatabaseError::UpgradeRequired(format) => self.refuse(format!(
                "it is a redb file of the older format {format}, and no store of this project; name another file"
            )),
            DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => self.damaged(error.to_string()),
                _ => self.io(error),
            },
            other => self.damaged(other.to_string()),
        }
    }
}

/// Begins a write transaction.
pub(super) fn begin(database: &Database, durability: Durability) -> Result<WriteTransaction, Mishap> {
    contain(|| {
        let mut transaction = database.begin_write()?;
        transaction.set_two_phase_commit(durability == Durability::Paranoid);
        Ok::<_, redb::TransactionError>(transaction)
    })
}

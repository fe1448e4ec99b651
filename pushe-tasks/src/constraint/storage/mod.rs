//! Storage: whether a file system has room.
//!
//! Invariant: what counts is what a program without privileges may still write (`f_bavail`), and once the store itself
//! was refused room, no figure says otherwise for a while.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::{Constraint, ConstraintDecodeError, Damping, Reading, Source, Verdict, publish};
use crate::clock::{Clock, MonoTime, WallTime};

mod room;

use room::Room;

/// How often the room is looked at.
const EVERY: Duration = Duration::from_secs(30);
/// How often it is looked at while it is near its threshold.
const NEAR: Duration = Duration::from_secs(5);
/// So long a refusal of the store counts, whatever the file system says.
const REFUSED: Duration = Duration::from_secs(30);

/// Which file system is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoragePlace {
    /// The one that holds the store.
    Store,
    /// The one that holds this directory.
    Directory(PathBuf),
}

/// What a file system has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StorageState {
    /// What may still be written, in MiB.
    pub available_mib: u64,
    /// What it holds in all, in MiB.
    pub total_mib: u64,
    /// Whether it is low: below a tenth of it or 500 MiB, whichever is less, and from then on below one and a half
    /// times that; without a free inode; or after the store was refused room.
    pub low: bool,
    /// Whether it counts as low because the store was refused room.
    pub refused: bool,
}

impl StorageState {
    /// A file system with plenty of room.
    pub const fn roomy() -> Self {
        Self { available_mib: 1 << 20, total_mib: 2 << 20, low: false, refused: false }
    }

    /// A file system that is full.
    pub const fn full() -> Self {
        Self { available_mib: 0, total_mib: 2 << 20, low: true, refused: false }
    }
}

/// The file systems of this machine: that of the store, and those that constraints name.
///
/// There is no event for a disk that fills, so it is looked at every 30 s, and every 5 s while less than twice its
/// threshold is left; it is read again before each claim. A store that finds no room says so at once.
#[derive(Clone, Debug)]
pub struct StorageSource {
    clock: Arc<dyn Clock>,
    /// The directory of the store; `None` where it has none.
    store: Option<PathBuf>,
    /// Which places were low when they were read last: written by every read, for the hysteresis.
    low: Arc<Mutex<HashMap<StoragePlace, bool>>>,
    /// When the store was last refused room: written by the engine.
    refused: Arc<watch::Sender<Option<MonoTime>>>,
}

/// Tells a [`StorageSource`] that the store was refused room.
#[derive(Clone, Debug)]
pub(crate) struct Refusals(Arc<watch::Sender<Option<MonoTime>>>);

impl Refusals {
    pub(crate) fn tell(&self, now: MonoTime) {
        self.0.send_replace(Some(now));
    }
}

impl StorageSource {
    /// The file systems of this machine, with the store in that directory, if it has one.
    pub fn new(clock: Arc<dyn Clock>, store: Option<PathBuf>) -> Self {
        Self { clock, store, low: Arc::default(), refused: Arc::new(watch::Sender::new(None)) }
    }

    pub(crate) fn refusals(&self) -> Refusals {
        Refusals(Arc::clone(&self.refused))
    }

    /// Reads the room of a place now.
    pub fn snapshot(&self, place: &StoragePlace) -> Reading<StorageState> {
        self.look(place).0
    }

    /// The room of a place, and when to look again.
    fn look(&self, place: &StoragePlace) -> (Reading<StorageState>, MonoTime) {
        let now = self.clock.mono();
        let usual = super::safety::next_look(&*self.clock, EVERY);
        let path = match place {
            StoragePlace::Directory(path) => path,
            StoragePlace::Store => match &self.store {
                Some(path) => path,
                None => return (Reading::unknown("the store is on no file system"), usual),
            },
        };
        let room = match Room::of(path) {
            Ok(room) => room,
            Err(error) => {
                let why = format!("{} cannot be looked at: {error}", path.display());
                return (Reading::unknown(why), usual);
            }
        };
        let refused_until = (*self.refused.borrow()).filter(|_| *place == StoragePlace::Store);
        let refused_until = refused_until.map(|at| at.plus(REFUSED)).filter(|until| *until > now);
        let refused = refused_until.is_some();
        let mut memory = self.low.lock().unwrap_or_else(PoisonError::into_inner);
        let was_low = memory.get(place).copied().unwrap_or(false);
        let low = refused || room.is_low(was_low);
        memory.insert(place.clone(), low);
        drop(memory);
        let state =
            StorageState { available_mib: room.available >> 20, total_mib: room.total >> 20, low, refused };
        let next = match refused_until {
            Some(until) => until,
            None if !low && room.is_near() => now.plus(NEAR),
            None => usual,
        };
        (Reading::Known(state), next)
    }
}

impl Source for StorageSource {
    type Key = StoragePlace;
    type State = StorageState;

    async fn read(&self, place: &StoragePlace) -> Reading<StorageState> {
        self.snapshot(place)
    }

    async fn watch(&self, place: StoragePlace, out: watch::Sender<Reading<StorageState>>) {
        let mut refused = self.refused.subscribe();
        loop {
            refused.mark_unchanged();
            let (reading, next) = self.look(&place);
            publish(&out, reading);
            tokio::select! {
                _ = refused.changed() => {}
                () = self.clock.sleep_until(next) => {}
            }
        }
    }
}

/// Work that does not run while the file system of the store is low on room.
///
/// Low is less than a tenth of it or 500 MiB, whichever is less, until one and a half times that is free again. It acts at
/// once in both directions, and so does a store that is refused room. A store in memory is never low.
///
/// # Examples
/// ```
/// use pushe_tasks::clock::WallTime;
/// use pushe_tasks::constraint::{Constraint, StorageNotLow, StorageState};
///
/// let now = WallTime::from_millis(0);
/// assert!(StorageNotLow.check(&StorageState::roomy(), now).is_met());
/// assert!(!StorageNotLow::at("/var/cache").check(&StorageState::full(), now).is_met());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StorageNotLow;

impl StorageNotLow {
    /// The same for the file system that holds this directory: an absolute path of text.
    pub fn at(directory: impl Into<PathBuf>) -> DirectoryNotLow {
        DirectoryNotLow { directory: directory.into() }
    }
}

/// Work that does not run while the file system of a directory is low on room; made by [`StorageNotLow::at`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DirectoryNotLow {
    directory: PathBuf,
}

const FORMAT: u8 = 1;

fn check(state: &StorageState) -> Verdict {
    if !state.low {
        return Verdict::met();
    }
    let StorageState { available_mib, total_mib, refused, .. } = state;
    if *refused {
        return Verdict::hold(format!("the store was refused room, with {available_mib} MiB free"));
    }
    Verdict::hold(format!("low on room: {available_mib} of {total_mib} MiB are free"))
}

fn newer(format: u8) -> ConstraintDecodeError {
    ConstraintDecodeError::new(format!("format {format} is newer than this program"))
}

impl Constraint for StorageNotLow {
    const KIND: &'static str = "storage-not-low";
    type Source = StorageSource;

    fn encode(&self) -> Vec<u8> {
        vec![FORMAT]
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        match *bytes {
            [FORMAT] => Ok(Self),
            [format, ..] if format > FORMAT => Err(newer(format)),
            _ => Err(ConstraintDecodeError::new("the bytes are no such constraint")),
        }
    }

    fn key(&self) -> StoragePlace {
        StoragePlace::Store
    }

    fn check(&self, state: &StorageState, _: WallTime) -> Verdict {
        check(state)
    }

    fn unknown(&self, _: &str) -> Verdict {
        Verdict::met()
    }

    fn damping(&self) -> Damping {
        Damping::NONE
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Borrowed("storage not low")
    }
}

impl Constraint for DirectoryNotLow {
    const KIND: &'static str = "directory-not-low";
    type Source = StorageSource;

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        // A path that is no text does not get here: `verify` refuses it.
        bytes.extend(self.directory.to_string_lossy().as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        match bytes {
            [FORMAT, path @ ..] if !path.is_empty() => std::str::from_utf8(path)
                .map(StorageNotLow::at)
                .map_err(|_| ConstraintDecodeError::new("its path is no text")),
            [format, ..] if *format > FORMAT => Err(newer(*format)),
            _ => Err(ConstraintDecodeError::new("the bytes are no such constraint")),
        }
    }

    fn verify(&self) -> Result<(), String> {
        let shown = self.directory.display();
        if self.directory.to_str().is_none() {
            return Err(format!("the path {shown} is no text; name a directory whose path is"));
        }
        if !self.directory.is_absolute() {
            let why = "is not absolute, and would mean another directory after a restart elsewhere";
            return Err(format!("the path {shown} {why}; write it from the root on"));
        }
        Ok(())
    }

    fn key(&self) -> StoragePlace {
        StoragePlace::Directory(self.directory.clone())
    }

    fn check(&self, state: &StorageState, _: WallTime) -> Verdict {
        check(state)
    }

    fn unknown(&self, _: &str) -> Verdict {
        Verdict::met()
    }

    fn damping(&self) -> Damping {
        Damping::NONE
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Owned(format!("storage not low: {}", self.directory.display()))
    }
}

#[cfg(test)]
mod tests;

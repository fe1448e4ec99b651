//! Facts of the store itself, and how a store of tables is opened.
//!
//! Invariant: a store that is newer than this build, or whose own facts do not read back, is refused before anything is
//! written to it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::id::{LaneId, WorkId};
use crate::index::{class, class_range, lane_of};
use crate::pause::Paused;
use crate::rows;
use crate::tables::{Table, TableError, Tables, TablesMut};
use crate::time::WallTime;
use crate::volatile::{Counters, Living, Volatile};
use crate::wire::{Damage, Reader, Writer};

/// The newest layout of the tables that this build knows.
pub(crate) const STORE_FORMAT: u64 = 1;

/// The format of each fact.
const FORMAT: u8 = 1;

/// The rows of the table.
const STORE: &[u8] = b"format";
const UUID: &[u8] = b"uuid";
const EPOCH: &[u8] = b"epoch";
const COUNTERS: &[u8] = b"counters";
const BOOT: &[u8] = b"boot";
const STOP: &[u8] = b"stop";
const PAUSED: &[u8] = b"paused";
/// Before the name of a task.
const PAUSED_TASK: &[u8] = b"paused/";

/// A store of tables that has been opened, within its opening transaction.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) volatile: Volatile,
    pub(crate) uuid: [u8; 16],
    pub(crate) epoch: u64,
}

/// Why tables cannot be opened as a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpenFault {
    /// Their layout is newer than this build.
    Newer { found: u64 },
    /// A fact of the store does not read back.
    Damaged(String),
    /// They could not be read or written.
    Tables(TableError),
}

impl From<TableError> for OpenFault {
    fn from(error: TableError) -> Self {
        Self::Tables(error)
    }
}

/// Opens the tables as a store: makes the facts of a new one, counts the epoch, loads lanes and counts of ready pieces.
///
/// `uuid` names a store that is made now. `living` is what `Volatile::into_living` gave when the same store was closed
/// in this process; `None` says that no body of it can live here. The caller commits.
pub(crate) fn open<T: TablesMut>(
    tables: &mut T,
    uuid: [u8; 16],
    living: Option<Living>,
) -> Result<Opened, OpenFault> {
    let format = read(tables, STORE, |from| from.varint("format"))?;
    match format {
        Some(found) if found > STORE_FORMAT => return Err(OpenFault::Newer { found }),
        Some(_) => {}
        None => create(tables, uuid)?,
    }
    let missing = |name| OpenFault::Damaged(format!("the fact `{name}` is missing"));
    let uuid = read(tables, UUID, |from| from.fixed("uuid"))?.ok_or_else(|| missing("uuid"))?;
    let epoch = read(tables, EPOCH, |from| from.varint("epoch"))?.ok_or_else(|| missing("epoch"))?;
    let counters = read(tables, COUNTERS, Counters::decode)?.ok_or_else(|| missing("counters"))?;

    let epoch = epoch.saturating_add(1);
    write(tables, EPOCH, |out| out.varint(epoch))?;
    let mut volatile = Volatile::new(counters, living);
    load(tables, &mut volatile)?;
    Ok(Opened { volatile, uuid, epoch })
}

fn create<T: TablesMut>(tables: &mut T, uuid: [u8; 16]) -> Result<(), OpenFault> {
    if tables.last(Table::Records, &[], &[0xff; 17])?.is_some() {
        return Err(OpenFault::Damaged(
            "there are records, but the format of the store is missing".to_owned(),
        ));
    }
    found(tables, uuid, Counters::default())?;
    Ok(())
}

/// Makes a store of tables: its facts, from these counters on.
pub(crate) fn found<T: TablesMut>(
    tables: &mut T,
    uuid: [u8; 16],
    counters: Counters,
) -> Result<(), TableError> {
    write(tables, STORE, |out| out.varint(STORE_FORMAT))?;
    write(tables, UUID, |out| out.fixed(&uuid))?;
    write(tables, EPOCH, |out| out.varint(0))?;
    write_counters(tables, counters)
}

/// The layout of the tables, if this row tells it.
#[cfg(feature = "redb")]
pub(crate) fn format_in(key: &[u8], value: &[u8]) -> Option<u64> {
    if key != STORE {
        return None;
    }
    Reader::open(key, value, FORMAT..=FORMAT).and_then(|mut from| from.varint("format")).ok()
}

/// The counters, if this row tells them.
#[cfg(feature = "redb")]
pub(crate) fn counters_in(key: &[u8], value: &[u8]) -> Option<Counters> {
    if key != COUNTERS {
        return None;
    }
    Reader::open(key, value, FORMAT..=FORMAT).and_then(|mut from| Counters::decode(&mut from)).ok()
}

/// Loads lanes, and counts ready pieces from the index alone.
fn load<T: Tables>(tables: &T, volatile: &mut Volatile) -> Result<(), TableError> {
    tables.scan(Table::Lanes, &[], &[0xff; 5], &mut |key, value| {
        if let Ok(key) = key.try_into() {
            let id = LaneId(u32::from_be_bytes(key));
            match rows::decode_lane(id, value) {
                Ok(lane) => volatile.load_lane(id, Arc::new(lane)),
                Err(_) => volatile.load_lost_lane(id),
            }
        }
        ControlFlow::Continue(())
    })?;
    volatile.load_paused(paused(tables)?);
    if let Some((key, _)) = tables.last(Table::Records, &[], &[0xff; 17])?
        && let Ok(key) = key.try_into()
    {
        volatile.note_stored(WorkId::from_bytes(key));
    }
    for ready in [class::READY, class::SUSPECT] {
        let (from, to) = class_range(ready);
        tables.scan(Table::Order, &from, &to, &mut |key, _| {
            if let Ok(key) = key.try_into() {
                volatile.load_ready(lane_of(key), ready == class::SUSPECT);
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

impl Counters {
    fn decode(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let commit = from.varint("commit")?;
        let sequence = from.varint("sequence")?;
        let lane = from.small("lane")?;
        // A store that an earlier build has written last says nothing of the clock.
        let clock = if from.is_at_end() { 0 } else { from.signed("clock")? };
        Ok(Self { commit, sequence, lane, clock: WallTime::from_millis(clock) })
    }
}

/// Stores the counters: once per transaction that wrote.
pub(crate) fn write_counters<T: TablesMut>(tables: &mut T, counters: Counters) -> Result<(), TableError> {
    write(tables, COUNTERS, |out| {
        out.varint(counters.commit);
        out.varint(counters.sequence);
        out.varint(u64::from(counters.lane));
        out.signed(counters.clock.as_millis());
    })
}

/// The machine's boot in which orphans were last rescued; damage is as good as not knowing it.
pub(crate) fn boot<T: Tables>(tables: &T) -> Result<Option<[u8; 16]>, TableError> {
    let stored = tables.get(Table::Meta, BOOT, |bytes| {
        Reader::open(BOOT, bytes, FORMAT..=FORMAT).and_then(|mut from| from.fixed("boot")).ok()
    })?;
    Ok(stored.flatten())
}

/// Whether the process before this one stopped in order.
pub(crate) fn stopped<T: Tables>(tables: &T) -> Result<bool, TableError> {
    Ok(tables.get(Table::Meta, STOP, |_| ())?.is_some())
}

/// The key and value that record a stop.
pub(crate) fn stop_row() -> (&'static [u8], Vec<u8>) {
    (STOP, Writer::new(FORMAT).seal(STOP))
}

/// The key and value that record the machine's boot.
pub(crate) fn boot_row(boot: [u8; 16]) -> (&'static [u8], Vec<u8>) {
    let mut out = Writer::new(FORMAT);
    out.fixed(&boot);
    (BOOT, out.seal(BOOT))
}

/// The switches that are on. One whose row does not read back is on since the beginning of time: whoever turned it on did
/// not want that work to start.
pub(crate) fn paused<T: Tables>(tables: &T) -> Result<Paused, TableError> {
    let mut paused = Paused::default();
    tables.scan(Table::Meta, PAUSED, b"paused0", &mut |key, value| {
        take_pause(&mut paused, key, value);
        ControlFlow::Continue(())
    })?;
    Ok(paused)
}

/// Takes in one row of the table, where it is that of a switch.
fn take_pause(paused: &mut Paused, key: &[u8], value: &[u8]) {
    let read = Reader::open(key, value, FORMAT..=FORMAT).and_then(|mut from| from.signed("since"));
    let since = WallTime::from_millis(read.unwrap_or(i64::MIN));
    if key == PAUSED {
        paused.all = Some(since);
    } else if let Some(task) = key.strip_prefix(PAUSED_TASK) {
        paused.tasks.insert(String::from_utf8_lossy(task).into_owned(), since);
    }
}

/// The rows of the switches that are on.
pub(crate) fn pause_rows(paused: &Paused) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let all = paused.all.iter().map(|since| (PAUSED.to_vec(), *since));
    let tasks = paused.tasks.iter().map(|(task, since)| ([PAUSED_TASK, task.as_bytes()].concat(), *since));
    let row = |(key, since): (Vec<u8>, WallTime)| {
        let mut out = Writer::new(FORMAT);
        out.signed(since.as_millis());
        let value = out.seal(&key);
        (key, value)
    };
    all.chain(tasks).map(row).collect()
}

fn read<T: Tables, R>(
    tables: &T,
    key: &[u8],
    field: impl FnOnce(&mut Reader<'_>) -> Result<R, Damage>,
) -> Result<Option<R>, OpenFault> {
    let found = tables.get(Table::Meta, key, |bytes| {
        let mut from = Reader::open(key, bytes, FORMAT..=FORMAT)?;
        let value = field(&mut from)?;
        from.end().map(|()| value)
    })?;
    found.transpose().map_err(|damage| {
        OpenFault::Damaged(format!("the fact `{}` does not read back: {damage}", key.escape_ascii()))
    })
}

fn write<T: TablesMut>(
    tables: &mut T,
    key: &[u8],
    fields: impl FnOnce(&mut Writer),
) -> Result<(), TableError> {
    let mut out = Writer::new(FORMAT);
    fields(&mut out);
    tables.put(Table::Meta, key, &out.seal(key), &mut |_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryTables;

    fn opened(tables: &mut MemoryTables) -> Result<(u64, [u8; 16]), OpenFault> {
        open(tables, [1; 16], None).map(|opened| (opened.epoch, opened.uuid))
    }

    #[test]
    fn a_store_is_made_once_and_counts_how_often_it_is_opened() {
        let mut tables = MemoryTables::default();
        assert_eq!(opened(&mut tables), Ok((1, [1; 16])));
        assert_eq!(open(&mut tables, [2; 16], None).unwrap().uuid, [1; 16], "its name stays");
        assert_eq!(opened(&mut tables), Ok((3, [1; 16])));
    }

    #[test]
    fn a_newer_store_is_refused() {
        let mut tables = MemoryTables::default();
        opened(&mut tables).unwrap();
        write(&mut tables, STORE, |out| out.varint(STORE_FORMAT + 1)).unwrap();
        assert_eq!(opened(&mut tables), Err(OpenFault::Newer { found: STORE_FORMAT + 1 }));
    }

    #[test]
    fn counters_of_a_build_that_kept_no_clock_read_back() {
        let mut tables = MemoryTables::default();
        opened(&mut tables).unwrap();
        write(&mut tables, COUNTERS, |out| [7, 8, 9].into_iter().for_each(|count| out.varint(count)))
            .unwrap();
        let counters = open(&mut tables, [1; 16], None).unwrap().volatile.counters;
        assert_eq!(counters, Counters { commit: 7, sequence: 8, lane: 9, clock: WallTime::default() });
    }

    #[test]
    fn s9_1_a_switch_whose_row_is_damaged_stays_on() {
        let mut tables = MemoryTables::default();
        opened(&mut tables).unwrap();
        for key in [PAUSED, b"paused/Upload"] {
            tables.put(Table::Meta, key, b"no checksum here", &mut |_| ()).unwrap();
        }
        let paused = paused(&tables).unwrap();
        assert!(paused.all.is_some() && paused.tasks.contains_key("Upload") && paused.tasks.len() == 1);
    }

    #[test]
    fn facts_that_are_damaged_or_missing_are_refused() {
        for key in [STORE, UUID, EPOCH, COUNTERS] {
            let mut tables = MemoryTables::default();
            opened(&mut tables).unwrap();
            tables.put(Table::Meta, key, b"no checksum here", &mut |_| ()).unwrap();
            assert!(matches!(opened(&mut tables), Err(OpenFault::Damaged(_))), "{}", key.escape_ascii());
            tables.put(Table::Records, &[1; 16], b"", &mut |_| ()).unwrap();
            tables.remove(Table::Meta, key, &mut |_| ()).unwrap();
            assert!(matches!(opened(&mut tables), Err(OpenFault::Damaged(_))), "{}", key.escape_ascii());
        }
    }
}

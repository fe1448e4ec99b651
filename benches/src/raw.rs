//! Bare redb on the same tables: the limit that the engine is held against.
//!
//! Invariant: keys and values have the lengths that ours have, the cache is as large, and each commit is as durable; what
//! is left out is all that makes them a task framework.

use std::path::Path;

use pushe_tasks::store::redb::StoreOptions;
use pushe_tasks_bench_protocol::{Answer, Asked, Latencies, Phase, now};
use redb::{Database, Durability, ReadableDatabase, ReadableTableMetadata, Table, TableDefinition};

use crate::ours::Failure;
use crate::rate;

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

const META: Rows = TableDefinition::new("meta");
const RECORDS: Rows = TableDefinition::new("records");
const SPECS: Rows = TableDefinition::new("specs");
const ORDER: Rows = TableDefinition::new("order");

/// Lengths of the values that the engine stores for the measured task.
const RECORD: usize = 31;
const SPEC: usize = 141;
const COUNTERS: usize = 24;

/// So many pieces share a commit in phase b.
const GROUP: u64 = 64;
const BATCH: u64 = 1_000;

/// Does one phase; only those that bare redb knows.
pub(crate) fn run(asked: &Asked) -> Result<Answer, Failure> {
    let database = open(&asked.dir.join("raw.redb"))?;
    let mut answer = Answer::new(format!(
        "redb, Durability::{:?}: one fdatasync a commit, checksummed commits",
        Durability::Immediate
    ));
    let cpu = pushe_tasks_bench_protocol::cpu_seconds();
    let (begun, mut sent, mut commits) = (now(), 0, Latencies::default());
    let (group, most) = match asked.phase {
        Phase::A | Phase::E => (1, u64::MAX),
        Phase::B | Phase::G => (GROUP, u64::MAX),
        Phase::C => (BATCH, asked.count as u64),
        other => return Err(format!("bare redb has no phase {}", other.letter()).into()),
    };
    while sent < most && (asked.phase == Phase::C || begun.elapsed() < asked.length) {
        let from = now();
        store(&database, sent, group)?;
        commits.add(from.elapsed());
        sent += group;
    }
    answer.figure("per_second", rate(sent, begun.elapsed()));
    answer.figure("cpu_us", (pushe_tasks_bench_protocol::cpu_seconds() - cpu) * 1e6 / sent.max(1) as f64);
    answer.figure("sent", sent as f64);
    commits.tell(&mut answer, "");
    let found = database.begin_read()?.open_table(RECORDS)?.len()?;
    answer.verify(sent.saturating_sub(found), found.saturating_sub(sent), "every row is stored once");
    Ok(answer)
}

fn open(file: &Path) -> Result<Database, Failure> {
    let mut builder = Database::builder();
    builder.set_cache_size(StoreOptions::default().cache_bytes);
    let database = builder.create(file)?;
    let transaction = database.begin_write()?;
    for table in [META, RECORDS, SPECS, ORDER] {
        transaction.open_table(table)?;
    }
    transaction.commit()?;
    Ok(database)
}

/// One commit of so many pieces.
fn store(database: &Database, from: u64, pieces: u64) -> Result<(), Failure> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut records = transaction.open_table(RECORDS)?;
        let mut specs = transaction.open_table(SPECS)?;
        let mut order = transaction.open_table(ORDER)?;
        for number in from..from + pieces {
            insert(&mut specs, number, 16, SPEC)?;
            insert(&mut order, number, 21, 16)?;
            insert(&mut records, number, 16, RECORD)?;
        }
        insert(&mut transaction.open_table(META)?, 0, 8, COUNTERS)?;
    }
    transaction.commit()?;
    Ok(())
}

/// A row whose key grows with the number, and whose value is not the same twice.
fn insert(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    number: u64,
    key: usize,
    value: usize,
) -> Result<(), Failure> {
    let mut bytes = [7; 160];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    let mut place = [0; 21];
    place[key - 8..key].copy_from_slice(&number.to_be_bytes());
    table.insert(&place[..key], &bytes[..value])?;
    Ok(())
}

//! apalis-sqlite on its file, as its documents set it up: `SqliteStorage::setup` on the pool, storage that is told of new
//! rows by SQLite's update hook, and polling beside it for what waited before.
//!
//! Settings: batches of 100, up to 100 at once; its defaults (10 and 1) are slower in every phase. `setup` turns
//! `synchronous` off on the one connection that it happens to use; the others keep FULL.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::*;
use apalis_sqlite::{Config, SqliteStorage};
use pushe_tasks_bench_protocol::{
    Answer, Asked, Latencies, Phase, Piece, Tally, cpu_seconds, now, pause_until,
};
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;

type Failure = Box<dyn Error + Send + Sync>;

const PRODUCERS: u64 = 64;
const BATCH: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);
const QUEUE: &str = "measured";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Input {
    number: u64,
    sent_nanos: u64,
    text: String,
}

impl Input {
    fn new(number: u64) -> Self {
        let piece = Piece::new(number);
        Self { number: piece.number, sent_nanos: piece.sent_nanos, text: piece.text }
    }
}

fn main() -> Result<(), Failure> {
    let asked = Asked::from_args(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(&asked))?.say()?;
    Ok(())
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let url = format!("sqlite://{}?mode=rwc", asked.dir.join("apalis.db").display());
    let (pool, listener) = SqliteStorage::connect_with_callback(&url)?;
    SqliteStorage::setup(&pool).await?;
    let mut answer = Answer::new(durability(&pool).await?);
    let storage =
        SqliteStorage::<Input>::new(&pool).with_config(Config::default().queue(QUEUE).batch_size(100));
    if let Phase::A | Phase::B | Phase::C = asked.phase {
        produce(asked, &storage, &pool, &mut answer).await?;
        return Ok(answer);
    }
    let tally = Arc::new(Tally::new(1_000_000));
    let mut waiting = 0;
    if asked.phase == Phase::D {
        while waiting < asked.count as u64 {
            waiting += batch(&storage, waiting).await?;
        }
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (begun, cpu) = (now(), cpu_seconds());
    let strategy = Strategy::new().stream(listener).interval(Duration::from_millis(50));
    let worker = WorkerBuilder::new("measured")
        .backend(storage.clone().poll_with_strategy(strategy))
        .concurrency(100)
        .data(Arc::clone(&tally))
        .build(measured);
    let working = tokio::spawn(worker.run_until(async move {
        let _ = stopped.await;
        Ok::<(), std::io::Error>(())
    }));
    let sent = match asked.phase {
        Phase::D => waiting,
        Phase::E => idle(asked, &storage, &tally, &mut answer).await?,
        Phase::G => produce_all(asked, &storage, PRODUCERS).await?.0,
        other => return Err(format!("no phase {}", other.letter()).into()),
    };
    let left = settled(&pool, &tally, sent).await?;
    if asked.phase != Phase::E {
        answer.figure("per_second", tally.count() as f64 / begun.elapsed().as_secs_f64());
        answer.figure("cpu_us", (cpu_seconds() - cpu) * 1e6 / tally.count().max(1) as f64);
    }
    if asked.phase == Phase::G {
        tally.latencies().tell(&mut answer, "");
    }
    answer.figure("sent", sent as f64);
    answer.verify(
        sent.saturating_sub(tally.count()) + left,
        tally.twice(),
        "every task ran once and is done",
    );
    let _ = stop.send(());
    let _ = working.await?;
    Ok(answer)
}

/// What is in force on each connection of the pool.
async fn durability(pool: &SqlitePool) -> Result<String, Failure> {
    let mode: (String,) = sqlx::query_as("PRAGMA journal_mode").fetch_one(pool).await?;
    let (mut held, mut off, mut full) = (Vec::new(), 0, 0);
    for _ in 0..4 {
        let mut connection = pool.acquire().await?;
        let (level,): (i64,) = sqlx::query_as("PRAGMA synchronous").fetch_one(&mut *connection).await?;
        if level == 0 {
            off += 1
        } else {
            full += 1
        }
        held.push(connection);
    }
    Ok(format!(
        "SQLite, journal_mode {}, synchronous OFF on {off} connections of four, on {full} not",
        mode.0
    ))
}

async fn measured(input: Input, tally: Data<Arc<Tally>>) -> Result<(), BoxDynError> {
    tally.ran(input.number, input.sent_nanos);
    Ok(())
}

async fn push(storage: &mut SqliteStorage<Input>, number: u64) -> Result<(), Failure> {
    storage.push(Input::new(number)).await.map_err(|error| error.to_string().into())
}

async fn batch(storage: &SqliteStorage<Input>, from: u64) -> Result<u64, Failure> {
    let inputs = (from..from + BATCH).map(Input::new).collect();
    storage.clone().push_bulk(inputs).await.map_err(|error| error.to_string())?;
    Ok(BATCH)
}

async fn produce_all(
    asked: &Asked,
    storage: &SqliteStorage<Input>,
    producers: u64,
) -> Result<(u64, Latencies), Failure> {
    let mut all = tokio::task::JoinSet::new();
    for first in 0..producers {
        let (mut storage, length) = (storage.clone(), asked.length);
        all.spawn(async move {
            let (begun, mut sent, mut waits) = (now(), 0, Latencies::default());
            while begun.elapsed() < length {
                let from = now();
                push(&mut storage, first + sent * producers).await?;
                waits.add(from.elapsed());
                sent += 1;
            }
            Ok::<_, Failure>((sent, waits))
        });
    }
    let (mut sent, mut waits) = (0, Latencies::default());
    while let Some(produced) = all.join_next().await {
        let (more, theirs) = produced??;
        sent += more;
        waits.extend(theirs);
    }
    Ok((sent, waits))
}

async fn produce(
    asked: &Asked,
    storage: &SqliteStorage<Input>,
    pool: &SqlitePool,
    answer: &mut Answer,
) -> Result<(), Failure> {
    let begun = now();
    let mut sent = 0;
    if asked.phase == Phase::C {
        while sent < asked.count as u64 {
            sent += batch(storage, sent).await?;
        }
        answer.figure("per_second", sent as f64 / begun.elapsed().as_secs_f64());
    } else {
        let producers = if asked.phase == Phase::A { 1 } else { PRODUCERS };
        let (count, mut waits) = produce_all(asked, storage, producers).await?;
        sent = count;
        answer.figure("per_second", sent as f64 / begun.elapsed().as_secs_f64());
        waits.tell(answer, "");
    }
    answer.figure("sent", sent as f64);
    let found = count(pool, "SELECT count(*) FROM Jobs").await?;
    answer.verify(
        sent.saturating_sub(found),
        found.saturating_sub(sent),
        "every acknowledged task is stored once",
    );
    Ok(())
}

async fn count(pool: &SqlitePool, query: &'static str) -> Result<u64, Failure> {
    let (count,): (i64,) = sqlx::query_as(query).fetch_one(pool).await?;
    Ok(u64::try_from(count)?)
}

/// Waits until so many ran and are done; answers how many are not.
async fn settled(pool: &SqlitePool, tally: &Tally, sent: u64) -> Result<u64, Failure> {
    let begun = now();
    while tally.count() < sent && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    loop {
        let left = count(pool, "SELECT count(*) FROM Jobs WHERE status != 'Done'").await?;
        if left == 0 || begun.elapsed() >= PATIENCE {
            return Ok(left);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn idle(
    asked: &Asked,
    storage: &SqliteStorage<Input>,
    tally: &Tally,
    answer: &mut Answer,
) -> Result<u64, Failure> {
    let mut storage = storage.clone();
    let (begun, mut sent) = (now(), 0);
    while begun.elapsed() < asked.length {
        push(&mut storage, sent).await?;
        sent += 1;
        while tally.count() < sent && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Its end is written by now or soon; the next one meets an idle worker.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tally.latencies().tell(answer, "");
    let (length, base, runtime) = (asked.length, sent, tokio::runtime::Handle::current());
    // It cannot keep up with 2,000 a second: so many as a tenth of that are asked of it.
    let every = Duration::from_millis(5);
    let (sent, calls) = tokio::task::spawn_blocking(move || {
        let (begun, mut sent, mut calls) = (now(), 0_u32, Vec::new());
        while begun.elapsed() < length {
            let (mut storage, number) = (storage.clone(), base + u64::from(sent));
            calls.push(runtime.spawn(async move { push(&mut storage, number).await }));
            sent += 1;
            pause_until(begun + every * sent);
        }
        (base + u64::from(sent), calls)
    })
    .await?;
    for call in calls {
        call.await??;
    }
    Ok(sent)
}

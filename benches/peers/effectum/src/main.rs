//! effectum on its file: as it comes (rollback journal, since its `PRAGMA journal` names no setting of SQLite), and, with
//! `--variant wal`, with the file put in WAL by hand before.
//!
//! Settings: one worker with the concurrency found best for the phase, automatic heartbeats off (its default).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use effectum::{Job, JobRunner, Queue, RunningJob, Worker};
use pushe_tasks_bench_protocol::{
    Answer, Asked, Latencies, Phase, Piece, Tally, cpu_seconds, now, pause_until,
};

type Failure = Box<dyn Error + Send + Sync>;

const PRODUCERS: u64 = 64;
const BATCH: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    let asked = Asked::from_args(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(&asked))?.say()?;
    Ok(())
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let file = asked.dir.join("effectum.db");
    if asked.variant == "wal" {
        rusqlite::Connection::open(&file)?.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    }
    let queue = Arc::new(Queue::new(&file).await?);
    let mut answer = Answer::new(durability(&file)?);
    match asked.phase {
        Phase::A | Phase::B => producers(asked, &queue, &file, &mut answer).await?,
        Phase::C => batches(asked, &queue, &file, &mut answer).await?,
        Phase::D => drain(asked, &queue, &file, &mut answer).await?,
        Phase::E => idle(asked, &queue, &file, &mut answer).await?,
        Phase::G => flow(asked, &queue, &file, &mut answer).await?,
        other => return Err(format!("no phase {}", other.letter()).into()),
    }
    queue.close(PATIENCE).await?;
    Ok(answer)
}

/// What is in force: the journal mode is the file's; `synchronous` is the connection's, which effectum sets to NORMAL.
fn durability(file: &Path) -> Result<String, Failure> {
    let connection = rusqlite::Connection::open(file)?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let power = if mode == "wal" { "not power-safe" } else { "a power cut may meet a window" };
    Ok(format!("SQLite, journal_mode {mode}, synchronous NORMAL on its writer: {power}"))
}

fn job(number: u64) -> Job {
    let piece = Piece::new(number);
    let payload = format!("{} {} {}", piece.number, piece.sent_nanos, piece.text);
    Job::builder("measured").payload(payload.into_bytes()).build()
}

async fn measured(job: RunningJob, tally: Arc<Tally>) -> Result<(), Failure> {
    let text = std::str::from_utf8(&job.payload)?;
    let mut fields = text.split(' ').map(str::parse::<u64>);
    let (Some(Ok(number)), Some(Ok(sent))) = (fields.next(), fields.next()) else {
        return Err("a payload that nobody sent".into());
    };
    tally.ran(number, sent);
    Ok(())
}

async fn worker(asked: &Asked, queue: &Queue, tally: &Arc<Tally>) -> Result<Worker, Failure> {
    // What was found best in each phase, of 1 to 512 and 10 to 1,024: far from these its readers and its writer meet in
    // SQLite's busy handler, which sleeps.
    let (least, most) = match asked.phase {
        Phase::D => (512, 1_024),
        Phase::E => (1, 10),
        _ => (128, 256),
    };
    let runner = JobRunner::builder("measured", measured).build();
    let worker = Worker::builder(queue, Arc::clone(tally)).jobs([runner]);
    Ok(worker.min_concurrency(least).max_concurrency(most).build().await?)
}

async fn produce(
    asked: Asked,
    queue: Arc<Queue>,
    first: u64,
    step: u64,
) -> Result<(u64, Latencies), Failure> {
    let (begun, mut sent, mut waits) = (now(), 0, Latencies::default());
    while begun.elapsed() < asked.length {
        let from = now();
        queue.add_job(job(first + sent * step)).await?;
        waits.add(from.elapsed());
        sent += 1;
    }
    Ok((sent, waits))
}

async fn produce_all(asked: &Asked, queue: &Arc<Queue>, producers: u64) -> Result<(u64, Latencies), Failure> {
    let mut all = tokio::task::JoinSet::new();
    for first in 0..producers {
        all.spawn(produce(asked.clone(), Arc::clone(queue), first, producers));
    }
    let (mut sent, mut waits) = (0, Latencies::default());
    while let Some(produced) = all.join_next().await {
        let (more, theirs) = produced??;
        sent += more;
        waits.extend(theirs);
    }
    Ok((sent, waits))
}

fn count(file: &Path, table: &str) -> Result<u64, Failure> {
    let connection = rusqlite::Connection::open(file)?;
    Ok(connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?)
}

async fn producers(
    asked: &Asked,
    queue: &Arc<Queue>,
    file: &PathBuf,
    answer: &mut Answer,
) -> Result<(), Failure> {
    let begun = now();
    let producers = if asked.phase == Phase::A { 1 } else { PRODUCERS };
    let (sent, mut waits) = produce_all(asked, queue, producers).await?;
    answer.figure("per_second", sent as f64 / begun.elapsed().as_secs_f64());
    waits.tell(answer, "");
    stored(sent, file, answer)
}

fn stored(sent: u64, file: &Path, answer: &mut Answer) -> Result<(), Failure> {
    answer.figure("sent", sent as f64);
    let found = count(file, "jobs")?;
    answer.verify(
        sent.saturating_sub(found),
        found.saturating_sub(sent),
        "every acknowledged job is stored once",
    );
    Ok(())
}

async fn batch(queue: &Queue, from: u64) -> Result<u64, Failure> {
    Ok(queue.add_jobs((from..from + BATCH).map(job).collect()).await?.len() as u64)
}

async fn batches(asked: &Asked, queue: &Arc<Queue>, file: &Path, answer: &mut Answer) -> Result<(), Failure> {
    let (begun, mut sent) = (now(), 0);
    while sent < asked.count as u64 {
        sent += batch(queue, sent).await?;
    }
    answer.figure("per_second", sent as f64 / begun.elapsed().as_secs_f64());
    stored(sent, file, answer)
}

/// Waits until so many ran and the worker has finished with them; answers what its file still holds as active.
async fn settled(worker: &Worker, tally: &Tally, sent: u64, file: &Path) -> Result<u64, Failure> {
    let begun = now();
    // The worker is asked and not the file: a reader would stand in its writer's way.
    while (tally.count() < sent || worker.counts().finished < sent) && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    count(file, "active_jobs")
}

async fn drain(asked: &Asked, queue: &Arc<Queue>, file: &Path, answer: &mut Answer) -> Result<(), Failure> {
    let mut sent = 0;
    while sent < asked.count as u64 {
        sent += batch(queue, sent).await?;
    }
    let tally = Arc::new(Tally::new(usize::try_from(sent)?));
    let (begun, cpu) = (now(), cpu_seconds());
    let worker = worker(asked, queue, &tally).await?;
    let left = settled(&worker, &tally, sent, file).await?;
    answer.figure("per_second", sent as f64 / begun.elapsed().as_secs_f64());
    answer.figure("cpu_us", (cpu_seconds() - cpu) * 1e6 / sent as f64);
    answer.figure("sent", sent as f64);
    worker.unregister(Some(PATIENCE)).await?;
    answer.verify(tally.lost(sent) + left, tally.twice(), "every job ran once and is settled");
    Ok(())
}

async fn idle(asked: &Asked, queue: &Arc<Queue>, file: &Path, answer: &mut Answer) -> Result<(), Failure> {
    let tally = Arc::new(Tally::new(1_000_000));
    let worker = worker(asked, queue, &tally).await?;
    let (begun, mut sent) = (now(), 0);
    while begun.elapsed() < asked.length {
        queue.add_job(job(sent)).await?;
        sent += 1;
        while tally.count() < sent && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Its end is written by now or soon; the next one meets an idle queue.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tally.latencies().tell(answer, "");
    let base = sent;
    let paced = Arc::clone(queue);
    let (length, runtime) = (asked.length, tokio::runtime::Handle::current());
    let (sent, calls) = tokio::task::spawn_blocking(move || {
        let (begun, mut sent, mut calls) = (now(), 0_u32, Vec::new());
        while begun.elapsed() < length {
            let (queue, number) = (Arc::clone(&paced), base + u64::from(sent));
            calls.push(runtime.spawn(async move { queue.add_job(job(number)).await.map(drop) }));
            sent += 1;
            pause_until(begun + Duration::from_micros(500) * sent);
        }
        (base + u64::from(sent), calls)
    })
    .await?;
    for call in calls {
        call.await??;
    }
    let left = settled(&worker, &tally, sent, file).await?;
    answer.figure("sent", sent as f64);
    worker.unregister(Some(PATIENCE)).await?;
    answer.verify(tally.lost(sent) + left, tally.twice(), "every job ran once and is settled");
    Ok(())
}

async fn flow(asked: &Asked, queue: &Arc<Queue>, file: &Path, answer: &mut Answer) -> Result<(), Failure> {
    let tally = Arc::new(Tally::new(4_000_000));
    let worker = worker(asked, queue, &tally).await?;
    let (begun, cpu) = (now(), cpu_seconds());
    let (sent, _) = produce_all(asked, queue, PRODUCERS).await?;
    let left = settled(&worker, &tally, sent, file).await?;
    answer.figure("per_second", tally.count() as f64 / begun.elapsed().as_secs_f64());
    answer.figure("cpu_us", (cpu_seconds() - cpu) * 1e6 / tally.count().max(1) as f64);
    answer.figure("sent", sent as f64);
    tally.latencies().tell(answer, "");
    worker.unregister(Some(PATIENCE)).await?;
    answer.verify(
        sent.saturating_sub(tally.count()) + left,
        tally.twice(),
        "every job ran once and is settled",
    );
    Ok(())
}

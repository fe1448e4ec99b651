//! How long it takes to look at work, and to cancel it, in a store of many records.
//!
//! `cargo run --release -p pushe-tasks-tests --bin looking` fills a store with 1,000,000 finished and 1,000,000 waiting records,
//! calls a scheduler on it 1,000 times for each kind of look, and prints the median and the worst of each; it fails where a
//! median is above 5 ms. The time of fsync is told apart. `--records N` and `--calls N` make it smaller, `--dir D` names the
//! disk.

mod fill;
mod timed;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::store::redb::{RedbStore, StoreFile, StoreOptions};
use pushe_tasks::{
    Outcome, SchedulerBuilder, Task, TaskContext, TaskError, TaskOptions, TaskScheduler, WorkQuery, WorkState,
};

use fill::{fill, finished, opening, waiting};
use timed::{Syncs, Timed};

type Failed = Box<dyn std::error::Error>;

/// No median may be above this.
const LIMIT: Duration = Duration::from_millis(5);

/// The task whose work waits, so that `explain` has everything to say.
struct Wait;

impl Task for Wait {
    const NAME: &'static str = fill::TASK;
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    async fn perform((): (), _: TaskContext) -> Result<Outcome<()>, TaskError> {
        Ok(Outcome::Success(()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match measure(&words).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("looking: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(words: &[String]) -> Result<bool, Failed> {
    let option = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let number = |name, default| option(name).map_or(Ok(default), |text| text.parse::<u64>());
    let (records, calls) = (number("--records", 1_000_000)?, number("--calls", 1_000)?);
    let place = option("--dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::Builder::new().prefix("pushe-looking").tempdir_in(place)?;
    let path = directory.path().join("tasks.redb");
    fill(&path, records)?;
    say(&format!(
        "looking: {records} finished and {records} waiting records, {} MiB; {calls} calls each",
        std::fs::metadata(&path)?.len() >> 20
    ));

    let (options, syncs) = (StoreOptions::default(), Arc::new(Syncs::default()));
    let medium = Timed::new(StoreFile::open(&path, &options)?, Arc::clone(&syncs));
    let store = RedbStore::open_on(Box::new(medium), options, opening())?;
    let scheduler = SchedulerBuilder::on_store(Box::new(store))
        .detached()
        .register::<Wait>()
        .only::<Wait>()
        .start()
        .await?;
    let mut bench =
        Bench { scheduler, syncs, records, calls, random: fastrand::Rng::with_seed(7), good: true };
    bench.run().await?;
    bench.scheduler.shutdown(Duration::from_secs(10)).await;
    Ok(bench.good)
}

struct Bench {
    scheduler: TaskScheduler,
    syncs: Arc<Syncs>,
    records: u64,
    calls: u64,
    random: fastrand::Rng,
    /// Whether every median was within the limit.
    good: bool,
}

impl Bench {
    async fn run(&mut self) -> Result<(), Failed> {
        let scheduler = self.scheduler.clone();
        for (name, tag, state, expected) in [
            ("query, a tag that 3 bear, Enqueued", "few", WorkState::Enqueued, 3),
            ("query, a tag that all bear, Enqueued", "all", WorkState::Enqueued, 100),
            ("query, a tag that all bear, Succeeded", "all", WorkState::Succeeded, 100),
            ("query, a tag that all bear, Failed (none)", "all", WorkState::Failed, 0),
        ] {
            let query = WorkQuery::new().tag(tag).state(state).limit(100);
            self.time(name, async |_| {
                let found = scheduler.query(&query).await?.works.len();
                if found == expected { Ok(()) } else { Err(format!("a page of {found}").into()) }
            })
            .await?;
        }
        let records = self.records;
        self.time("explain, of waiting work", async |random| {
            let standing = scheduler.explain(waiting(random.u64(..records))).await?;
            if standing.obstacles.is_empty() { Err("nothing keeps it".into()) } else { Ok(()) }
        })
        .await?;
        self.time("info, of waiting work", async |random| {
            scheduler.info(waiting(random.u64(..records))).await?;
            Ok(())
        })
        .await?;
        self.time("info, of finished work", async |random| {
            scheduler.info(finished(random.u64(..records))).await?;
            Ok(())
        })
        .await?;
        // Each task id once, all over the store.
        let (step, mut next) = ((records / self.calls).max(1), 0);
        self.time("cancel, of a task id with one piece", async |_| {
            let cancelled = scheduler.cancel(fill::task_id(next)).await?;
            next += step;
            if cancelled.len() == 1 { Ok(()) } else { Err("it was not there".into()) }
        })
        .await
    }

    /// Calls again and again, and tells the median with and without fsync.
    async fn time(
        &mut self,
        name: &str,
        mut call: impl AsyncFnMut(&mut fastrand::Rng) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let clock = SystemClock::new();
        let (mut whole, mut apart, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.calls {
            let (begun, synced) = (clock.mono(), self.syncs.total());
            call(&mut self.random).await?;
            let (took, sync) = (clock.mono().since(begun), self.syncs.total().saturating_sub(synced));
            whole.push(took);
            apart.push(took.saturating_sub(sync));
            syncs.push(sync);
        }
        let (median, worst) = of(&mut apart);
        let good = median <= LIMIT;
        self.good &= good;
        let synced = of(&mut syncs).0;
        let with = of(&mut whole).0;
        let fsync = if synced.is_zero() {
            String::new()
        } else {
            format!("; fsync {:.3} ms, together {:.3} ms", millis(synced), millis(with))
        };
        let verdict = if good { "" } else { "  ABOVE THE LIMIT" };
        say(&format!(
            "{name:<44} median {:.3} ms, worst {:.3} ms{fsync}{verdict}",
            millis(median),
            millis(worst)
        ));
        Ok(())
    }
}

/// Median and worst.
fn of(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort();
    (times.get(times.len() / 2).copied().unwrap_or_default(), times.last().copied().unwrap_or_default())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Whoever listens may be gone; there is nobody else to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

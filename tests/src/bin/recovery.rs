//! How long a store of many records takes to open after its process was killed.
//!
//! `cargo run --release -p pushe-tasks-tests --bin recovery` fills a store with 1,000,000 records of 100-byte payloads in a
//! child, kills that with SIGKILL, and opens what it left, again and again; it prints the figures and fails where a limit is
//! not kept. `--records N` and `--rounds N` make it smaller, `--dir D` names the disk.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::clock::{Clock, SystemClock};
use pushe_tasks_store::redb::redb::StorageBackend;
use pushe_tasks_store::redb::{Guarded, Medium, Opening, Owner, RedbStore, StoreFile, StoreOptions};
use pushe_tasks_store::{
    ClaimRequest, Envelope, Grant, Lane, LaneId, NewWork, RescueRequest, Rescued, Start, Store as _,
    StoredOptions, WallTime, WorkId,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Recovery alone may take this long, whatever the disk.
const RECOVERY: Duration = Duration::from_secs(2);
/// Rescue may add this much.
const RESCUE: Duration = Duration::from_millis(100);
/// So many pieces run when the child is killed.
const ORPHANS: usize = 1000;
/// The child's batches.
const BATCH: u64 = 10_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.first().map(String::as_str) {
        Some("child") => child(Path::new(&words[1]), words[2].parse().unwrap_or(0)).map(|()| true),
        _ => measure(&words),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("recovery: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(words: &[String]) -> Outcome<bool> {
    let option = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let number = |name, default| option(name).map_or(Ok(default), |text| text.parse::<u64>());
    let (records, rounds) = (number("--records", 1_000_000)?, number("--rounds", 5)?);
    let place = option("--dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::Builder::new().prefix("pushe-recovery").tempdir_in(place)?;
    let path = directory.path().join("tasks.redb");

    let (mut alone, mut shipped, mut rescue) = (Vec::new(), Vec::new(), Vec::new());
    let mut left = records;
    for _ in 0..rounds {
        for guarded in [false, true] {
            kill_child(&path, std::mem::take(&mut left))?;
            let (open, rescued) = open_and_rescue(&path, guarded)?;
            if guarded { &mut shipped } else { &mut alone }.push(open);
            rescue.push(rescued);
        }
    }
    let bytes = std::fs::metadata(&path)?.len();
    let read = read_time(&path)?;
    let (alone, shipped, rescue) = (median(alone), median(shipped), median(rescue));
    let limit = RECOVERY + read;
    say(&format!(
        "recovery: {records} records, {} MiB, read cold in {} ms; median of {rounds}: recovery alone {} ms (limit {}), \
         as shipped {} ms (limit {}), rescue of {ORPHANS} orphans {} ms (limit {})",
        bytes >> 20,
        read.as_millis(),
        alone.as_millis(),
        RECOVERY.as_millis(),
        shipped.as_millis(),
        limit.as_millis(),
        rescue.as_millis(),
        RESCUE.as_millis(),
    ));
    Ok(alone <= RECOVERY && shipped <= limit && rescue <= RESCUE)
}

/// Runs a child until `records` more are stored and 1,000 pieces run, and kills it.
fn kill_child(path: &Path, records: u64) -> Outcome<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["child".as_ref(), path.as_os_str(), records.to_string().as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let ready = wait_until_ready(&mut child);
    child.kill()?;
    child.wait()?;
    ready
}

fn wait_until_ready(child: &mut Child) -> Outcome<()> {
    let out = child.stdout.take().ok_or("a child without output")?;
    for line in BufReader::new(out).lines() {
        let line = line?;
        if line == "ready" {
            return Ok(());
        }
        say(&line);
    }
    Err("the child ended before it was killed".into())
}

/// The child: fills the store, starts pieces, and waits for its end.
fn child(path: &Path, records: u64) -> Outcome<()> {
    let mut store = RedbStore::open(path, StoreOptions::default(), opening())?;
    let lane = Arc::new(Lane::of("Upload"));
    let mut next = 0;
    while next < records {
        let upto = records.min(next + BATCH);
        let batch: Vec<NewWork> = (next..upto).map(|n| work(n, &lane)).collect();
        let mut stored = Ok(Vec::new());
        store.write(&mut |tx| stored = tx.enqueue(&batch, now()))?;
        stored?;
        next = upto;
    }
    let grants = vec![Grant { permits: ORPHANS, lanes: vec![LaneId(1)] }];
    let request = ClaimRequest { now: now(), limit: ORPHANS, grants, beside: None, passes_suspects: false };
    let mut claimed = Ok(Vec::new());
    store.write(&mut |tx| claimed = tx.claim(&request))?;
    if claimed?.len() != ORPHANS {
        return Err("too few pieces could be started".into());
    }
    say("ready");
    let _ = io::stdin().read(&mut [0]);
    Ok(())
}

/// Opens what a killed child left, and enqueues its orphans again; answers how long each took.
fn open_and_rescue(path: &Path, guarded: bool) -> Outcome<(Duration, Duration)> {
    let clock = SystemClock::new();
    let options = StoreOptions::default();
    let begun = clock.mono();
    let mut store = if guarded {
        RedbStore::open(path, options, opening())?
    } else {
        let file = Unguarded(StoreFile::open(path, &options)?);
        RedbStore::open_on(Box::new(file), options, opening())?
    };
    let opened = clock.mono();
    let mut rescued = Ok(Rescued::default());
    store.write(&mut |tx| rescued = tx.rescue(&RescueRequest::new(now(), None)))?;
    let ended = clock.mono();
    if rescued?.orphans.len() != ORPHANS {
        return Err("not every orphan was found".into());
    }
    Ok((opened.since(begun), ended.since(opened)))
}

/// How long the whole file takes to read, with nothing of it in the system's cache: the guard drops it there and reads on.
fn read_time(path: &Path) -> Outcome<Duration> {
    let file = StoreFile::open(path, &StoreOptions::default())?;
    let clock = SystemClock::new();
    let begun = clock.mono();
    file.guard()?;
    Ok(clock.mono().since(begun))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn work(n: u64, lane: &Arc<Lane>) -> NewWork {
    NewWork {
        id: WorkId::from_parts(n, [0; 10]),
        lane: Arc::clone(lane),
        aliases: &[],
        unique: None,
        start: Start::After(Duration::ZERO),
        boost_millis: 0,
        options: StoredOptions::default(),
        envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload: vec![7; 100] },
    }
}

fn now() -> WallTime {
    SystemClock::new().wall()
}

fn opening() -> Opening {
    Opening { now: now(), new_uuid: [7; 16], program: "recovery".to_owned() }
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Whoever listens may be gone; there is nobody else to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A store's file whose cache is trusted, so that recovery can be timed without the disk.
#[derive(Debug)]
struct Unguarded(StoreFile);

impl Medium for Unguarded {
    fn place(&self) -> String {
        self.0.place()
    }
    fn handle(&self) -> io::Result<Box<dyn StorageBackend>> {
        self.0.handle()
    }
    fn rival(&self) -> io::Result<Option<Box<dyn StorageBackend>>> {
        self.0.rival()
    }
    fn guard(&self) -> io::Result<Guarded> {
        Ok(Guarded::FromDisk)
    }
    fn check_place(&self) -> Result<(), String> {
        self.0.check_place()
    }
    fn owner(&self) -> Option<Owner> {
        self.0.owner()
    }
    fn set_owner(&self, owner: &Owner) -> io::Result<()> {
        self.0.set_owner(owner)
    }
    fn holder(&self) -> String {
        self.0.holder()
    }
    fn keep_reserve(&self, bytes: u64) -> io::Result<bool> {
        self.0.keep_reserve(bytes)
    }
    fn release_reserve(&self) -> io::Result<bool> {
        self.0.release_reserve()
    }
}

//! No acknowledgement precedes the sync of its commit, as the kernel saw it: a child writes down each commit before it is made
//! durable and each call that was answered, and the system calls between them are compared.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::store::{Changes, Filter, Look, MemoryStore, Store, StoreError, StoreFacts, Verbs, WorkId};
use pushe_tasks::{
    Outcome, Schedule, SchedulerBuilder, Task, TaskContext, TaskError, TaskOptions, TaskScheduler,
};
use pushe_tasks_store::redb::{Durability, Opening, RedbStore, StoreOptions};
use pushe_tasks_tests::child;

const CALLERS: usize = 8;
const CALLS: usize = 40;

/// Tells the child which store it uses.
const STORE: &str = "PUSHE_ACK_STORE";

/// Does nothing; it is only scheduled.
struct Nothing;

impl Task for Nothing {
    const NAME: &'static str = "Nothing";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = String;
    type Output = ();

    async fn perform(_: String, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

/// What the child has written down, one system call a line, and the sequence number of each piece.
#[derive(Clone)]
struct Marks(Arc<Mutex<(File, BTreeMap<WorkId, u64>)>>);

impl Marks {
    fn new(path: &Path) -> Self {
        Self(Arc::new(Mutex::new((File::create(path).unwrap(), BTreeMap::new()))))
    }

    /// These pieces are about to be committed.
    fn commit(&self, pieces: &[(WorkId, u64)]) {
        let Some((first, last)) =
            pieces.iter().map(|piece| piece.1).min().zip(pieces.iter().map(|piece| piece.1).max())
        else {
            return;
        };
        let mut marks = self.0.lock().unwrap();
        marks.1.extend(pieces.iter().copied());
        let line = format!("commit {first}..{last}\n");
        marks.0.write_all(line.as_bytes()).unwrap();
    }

    /// The call that stored this piece has been answered.
    fn ok(&self, piece: WorkId) {
        let mut marks = self.0.lock().unwrap();
        let sequence = marks.1[&piece];
        marks.0.write_all(format!("ok {sequence}\n").as_bytes()).unwrap();
    }
}

/// A store that writes down what each transaction has scheduled, when all of it is applied and nothing is committed.
struct Marking<S>(S, Marks, u64);

impl<S: Store> Store for Marking<S> {
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError> {
        let Self(store, marks, newest) = self;
        store.write(&mut |verbs| {
            body(verbs);
            // By the store's sequence: ids are made by callers, and reach it in any order.
            let all = Filter { states: Vec::new(), tasks: Vec::new(), after: None, limit: 10_000 };
            let all = verbs.list(&all).unwrap();
            let mut new: Vec<_> = all.iter().map(|view| (view.record.id, view.record.sequence)).collect();
            new.retain(|piece| piece.1 > *newest);
            *newest = new.iter().map(|piece| piece.1).max().unwrap_or(*newest);
            marks.commit(&new);
        })
    }

    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError> {
        self.0.read(body)
    }

    fn facts(&self) -> &StoreFacts {
        self.0.facts()
    }
}

fn marked(directory: &Path, marks: &Marks, store: &str) -> SchedulerBuilder {
    let opening =
        Opening { now: SystemClock::new().wall(), new_uuid: [1; 16], program: "acknowledgements".to_owned() };
    let mut options = StoreOptions::default();
    if store == "paranoid" {
        options.durability = Durability::Paranoid;
    }
    let marks = marks.clone();
    SchedulerBuilder::on_store(if store == "memory" {
        Box::new(Marking(MemoryStore::default(), marks, 0))
    } else {
        let store = RedbStore::open(directory.join("tasks.redb"), options, opening).unwrap();
        Box::new(Marking(store, marks, 0))
    })
}

/// The child: callers side by side, and one alone.
async fn schedule_and_tell(directory: &Path) {
    let marks = Marks::new(&directory.join("marks"));
    let store = std::env::var(STORE).unwrap();
    let scheduler = marked(directory, &marks, &store).detached().schedule_only().start().await.unwrap();
    let call = async |scheduler: &TaskScheduler, marks: &Marks, text: String| {
        let receipt = Schedule::<Nothing>::new(text).on(scheduler).await.unwrap();
        marks.ok(receipt.id());
    };
    for number in 0..CALLS {
        call(&scheduler, &marks, format!("alone {number}")).await;
    }
    let callers = (0..CALLERS).map(|caller| {
        let (scheduler, marks) = (scheduler.clone(), marks.clone());
        tokio::spawn(async move {
            for number in 0..CALLS {
                call(&scheduler, &marks, format!("{caller} {number}")).await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    scheduler.shutdown(Duration::from_secs(10)).await;
}

/// One thing of a log, in the order in which the kernel saw it begin or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Commit(u64, u64),
    SyncBegan(u32),
    /// A sync has ended well.
    SyncEnded(u32),
    Ok(u64),
}

/// Reads the lines of `strace -f -y`; syncs count where they are of the store's file.
fn read(log: &str) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut syncs: BTreeMap<u32, bool> = BTreeMap::new();
    for line in log.lines() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let (Ok(process), call) = (process.parse::<u32>(), call.trim_start()) else { continue };
        if let Some(text) = call.strip_prefix("write(").and_then(|call| call.split('"').nth(1)) {
            // What a write says is taken at its beginning.
            let text = text.trim_end_matches("\\n");
            if let Some((first, last)) = text.strip_prefix("commit ").and_then(|range| range.split_once(".."))
            {
                seen.push(Seen::Commit(first.parse().unwrap(), last.parse().unwrap()));
            } else if let Some(sequence) = text.strip_prefix("ok ") {
                seen.push(Seen::Ok(sequence.parse().unwrap()));
            }
        } else if call.starts_with("fdatasync(") || call.starts_with("fsync(") {
            if call.contains("/tasks.redb>") {
                seen.push(Seen::SyncBegan(process));
                syncs.insert(process, true);
                if call.ends_with("= 0") {
                    seen.push(Seen::SyncEnded(process));
                }
            }
        } else if (call.starts_with("<... fdatasync resumed>") || call.starts_with("<... fsync resumed>"))
            && syncs.remove(&process).is_some()
            && call.ends_with("= 0")
        {
            seen.push(Seen::SyncEnded(process));
        }
    }
    seen
}

/// The acknowledgements that no sync stands before: one that began after their commit was written down, and has ended.
fn too_early(log: &[Seen]) -> Vec<u64> {
    let mut early = Vec::new();
    for (at, seen) in log.iter().enumerate() {
        let Seen::Ok(sequence) = *seen else { continue };
        let commit = log[..at].iter().position(
            |seen| matches!(seen, Seen::Commit(first, last) if (*first..=*last).contains(&sequence)),
        );
        let synced = commit.is_some_and(|commit| {
            let between = &log[commit..at];
            between.iter().enumerate().any(|(began, seen)| match seen {
                Seen::SyncBegan(process) => between[began..].contains(&Seen::SyncEnded(*process)),
                _ => false,
            })
        });
        if !synced {
            early.push(sequence);
        }
    }
    early
}

fn oks(log: &[Seen]) -> usize {
    log.iter().filter(|seen| matches!(seen, Seen::Ok(_))).count()
}

/// What the kernel saw of a child on this store; `None` where it cannot be asked, which has been said aloud.
fn traced(name: &str, store: &str) -> Option<Vec<Seen>> {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "64", "-e", "trace=write,fdatasync,fsync", "-o"]).arg(&log);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture", "--test-threads=1"]);
    let output = command.env(child::PATH, place.path()).env(STORE, store).output();
    let why = match output {
        Ok(output) if output.status.success() => {
            return Some(read(&std::fs::read_to_string(log).unwrap()));
        }
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("ptrace") => {
            panic!("the child failed: {}", String::from_utf8_lossy(&output.stderr))
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let line = format!("SKIPPED {name}: needs `strace`: {why}");
    assert!(std::env::var_os("PUSHE_REQUIRE_ALL").is_none(), "{line}");
    writeln!(std::io::stderr().lock(), "{line}").unwrap();
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledgement_precedes_the_sync_of_its_commit() {
    if let Some(path) = child::path() {
        return schedule_and_tell(&path).await;
    }
    for store in ["standard", "paranoid"] {
        let Some(log) = traced("no_acknowledgement_precedes_the_sync_of_its_commit", store) else { return };
        assert_eq!(oks(&log), CALLS * (CALLERS + 1), "every call was answered");
        assert_eq!(too_early(&log), Vec::<u64>::new(), "{store}: acknowledged before the sync");
        let commits = log.iter().filter(|seen| matches!(seen, Seen::Commit(..))).count();
        let line = format!("MEASURED {store}: {} acknowledgements after {commits} commits", oks(&log));
        writeln!(std::io::stderr().lock(), "{line}").unwrap();
        // The same log with its syncs a little later, as of a store that answers first.
        let mut late = log.clone();
        late.retain(|seen| !matches!(seen, Seen::SyncBegan(_) | Seen::SyncEnded(_)));
        assert_eq!(too_early(&late).len(), oks(&log), "without the syncs all of them are too early");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_of_a_store_that_never_syncs_are_seen_to_be_too_early() {
    if let Some(path) = child::path() {
        return schedule_and_tell(&path).await;
    }
    let name = "acknowledgements_of_a_store_that_never_syncs_are_seen_to_be_too_early";
    let Some(log) = traced(name, "memory") else { return };
    assert_eq!(oks(&log), CALLS * (CALLERS + 1), "every call was answered");
    assert_eq!(too_early(&log).len(), oks(&log), "not one of them was durable");
}

#[test]
fn a_log_is_judged_by_what_began_and_ended_when() {
    let check = |lines: &[&str], expected: &[u64]| {
        let seen = read(&lines.join("\n"));
        assert_eq!(too_early(&seen), expected, "{lines:#?}\n{seen:?}");
    };
    let commit = "7 write(9</t/marks>, \"commit 1..3\\n\", 12) = 12";
    let ok = "8 write(9</t/marks>, \"ok 2\\n\", 5) = 5";
    let sync = "7 fdatasync(10</t/tasks.redb>) = 0";
    let began = "7 fdatasync(10</t/tasks.redb> <unfinished ...>";
    let ended = "7 <... fdatasync resumed>)        = 0";
    check(&[commit, sync, ok], &[]);
    check(&[commit, began, ended, ok], &[]);
    check(&[commit, ok, sync], &[2]);
    check(&[sync, commit, ok], &[2]);
    check(&[began, commit, ended, ok], &[2]);
    check(&[commit, began, ok, ended], &[2]);
    check(&[commit, "7 fdatasync(10</t/tasks.redb>) = -1 EIO (Input/output error)", ok], &[2]);
    check(&[commit, began, "7 <... fdatasync resumed>) = -1 EIO (Input/output error)", ok], &[2]);
    check(&[commit, "7 fdatasync(11</t/another>) = 0", ok], &[2]);
    check(&["7 write(9</t/marks>, \"commit 4..9\\n\", 12) = 12", sync, ok], &[2]);
    check(&[sync, ok], &[2]);
    check(&[commit, sync, ok, "8 write(9</t/marks>, \"ok 4\\n\", 5) = 5"], &[4]);
}

//! One cycle: a file is damaged, looked at, opened by the engine, and salvaged; what comes of it is judged.
//!
//! Invariant: a piece that is missing is held against the store unless something that a user sees has told of damage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::store::Finding;
use pushe_tasks::store::redb::{Integrity, OnDamage, StoreOptions};
use pushe_tasks::{
    CallError, OpenError, Salvaged, StartError, StoreHealth, TaskScheduler, WorkInfo, WorkState,
};

use super::damage::damage;
use super::said::{count, wrong};
use super::stock::{Seen, Stock, Stood, builder};
use crate::application::job::{id_of, number_of};
use crate::figures::Wrong;

/// So long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long a store that does not work any more may keep a shutdown waiting.
const GRACE: Duration = Duration::from_millis(200);
/// After so long without a body the engine is asked what it does; that it does nothing is believed after so many times. A
/// second of that is enough, also where it has something to do and damage keeps it from seeing what.
const SLICE: Duration = Duration::from_millis(20);
const SLICES: u32 = 50;
/// That it has nothing to do is believed sooner.
const IDLE_SLICES: u32 = 3;

/// What the engine made of a file.
#[derive(Debug, Default)]
struct Opened {
    /// Why it did not start.
    refused: Option<String>,
    damaged: bool,
    /// What else a user sees of damage.
    tells: Option<String>,
    health: String,
    /// Whether the store does not work any more.
    is_failing: bool,
    /// Where nothing runs, how many pieces are ready to.
    quiet_with: Option<u64>,
    list: BTreeMap<u64, WorkInfo>,
    /// Ids in the list that no piece has.
    foreign: Vec<WorkInfo>,
}

pub(super) async fn run(stock: &Stock, seed: u64, cycle: u64) -> Result<(), String> {
    let mut random = Rng::with_seed(seed.rotate_left(40) ^ cycle ^ 0x636f_7272);
    let is_closed = random.bool();
    let mut image = if is_closed { stock.closed.clone() } else { stock.unclosed.clone() };
    let kind = damage(&mut image, &mut random);
    let mut options = StoreOptions::default();
    let checked = random.bool();
    if !checked {
        options.integrity = Integrity::AfterCrash;
    }
    let path = stock.path(cycle)?;
    put(stock, &path, &image)?;
    let what = format!(
        "{kind}, {}closed{}",
        if is_closed { "" } else { "not " },
        if checked { ", checked" } else { "" }
    );
    count(format!("stores with {kind}"), 1);

    let problems = match pushe_tasks::verify(&path) {
        Ok(found) => found.problems.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    unchanged(&path, &image, "verify", &what)?;
    let to = path.with_file_name("salvaged.redb");
    let salvaged = pushe_tasks::salvage(&path, &to);
    unchanged(&path, &image, "salvage", &what)?;

    let seen = Seen::new(stock.seed);
    let opened = open(stock, &path, options.clone(), &seen).await;
    if opened.damaged {
        move_aside(stock, &path, &image, options, &what).await?;
    }
    // A file that was closed is checked before anything runs: there nothing may be missing that opening did not tell of. In
    // one that was not, recovery may take back what it cannot tell from a commit that was cut off.
    let by_verify = if checked && is_closed { None } else { problems.first() };
    let told = opened.refused.as_ref().or(opened.tells.as_ref()).or(by_verify);
    judge(stock, &opened, &seen, &format!("{what}: opened"), |_| told.is_some());

    match salvaged {
        Ok(found) => salvaged_store(stock, &to, &found, &what).await?,
        Err(error) => {
            count("stores that nothing could be salvaged of", 1);
            if to.exists() {
                wrong(Wrong::Unexpected, format!("{what}: salvage has failed and left a file: {error}"));
            }
        }
    }
    std::fs::remove_dir_all(path.parent().unwrap_or(&path)).map_err(|error| error.to_string())
}

fn put(stock: &Stock, path: &Path, image: &[u8]) -> Result<(), String> {
    let mut note = path.to_owned().into_os_string();
    note.push(".owner");
    std::fs::write(path, image)
        .and_then(|()| std::fs::write(note, &stock.owner))
        .map_err(|error| error.to_string())
}

fn unchanged(path: &Path, image: &[u8], who: &str, what: &str) -> Result<(), String> {
    let now = std::fs::read(path).map_err(|error| error.to_string())?;
    if now != image {
        let first = now.iter().zip(image).position(|(now, before)| now != before);
        let lengths = format!("{} bytes were {}, from {first:?} on", now.len(), image.len());
        wrong(Wrong::Unexpected, format!("{what}: {who} has changed the file: {lengths}"));
    }
    Ok(())
}

/// Opens the store with the engine, and lets run what runs.
async fn open(stock: &Stock, path: &Path, options: StoreOptions, seen: &Seen) -> Opened {
    let mut opened = Opened::default();
    let scheduler = match within(PATIENCE, builder(path, options, seen).start()).await {
        Some(Ok(scheduler)) => scheduler,
        Some(Err(error)) => {
            count("stores that were refused", 1);
            if let StartError::Thread(source) = &error {
                wrong(Wrong::Panic, format!("the writer ended while it opened: {source}"));
            }
            opened.damaged = matches!(&error, StartError::Open(OpenError::Damaged { .. }));
            opened.refused = Some(error.to_string());
            return opened;
        }
        None => {
            wrong(Wrong::Unexpected, "the start does not end");
            opened.refused = Some("it does not start".to_owned());
            return opened;
        }
    };
    count("stores that were opened", 1);
    let live = |number: &u64| stock.pieces[number] == Stood::Live;
    let clock = SystemClock::new();
    let until = clock.mono().plus(PATIENCE);
    let (mut quiet, mut idle) = (0, 0);
    loop {
        let ran = |number: &u64| seen.state().ran.contains(number);
        if stock.pieces.keys().filter(|number| live(number)).all(ran) || clock.mono() >= until {
            break;
        }
        if within(SLICE, seen.more.notified()).await.is_some() {
            (quiet, idle) = (0, 0);
            continue;
        }
        list(&scheduler, &mut opened).await;
        health(&scheduler, &mut opened).await;
        quiet = if opened.quiet_with.is_some() { quiet + 1 } else { 0 };
        idle = if opened.quiet_with == Some(0) { idle + 1 } else { 0 };
        if opened.is_failing || quiet >= SLICES || idle >= IDLE_SLICES {
            break;
        }
        let may_run = |number: &u64| {
            let work = opened.list.get(number);
            work.is_some_and(|work| !work.state.is_finished() && work.state != WorkState::Quarantined)
                && !ran(number)
        };
        if !stock.pieces.keys().filter(|number| live(number)).any(may_run) {
            break;
        }
    }
    if clock.mono() >= until || quiet >= SLICES {
        count("stores whose work did not come to an end", 1);
    }
    list(&scheduler, &mut opened).await;
    health(&scheduler, &mut opened).await;
    if within(PATIENCE, scheduler.shutdown(GRACE)).await.is_none() {
        wrong(Wrong::Unexpected, "the shutdown does not end");
    }
    opened
}

/// Looks at all that is stored.
async fn list(scheduler: &TaskScheduler, opened: &mut Opened) {
    match within(PATIENCE, scheduler.list(&[], usize::MAX)).await {
        Some(Ok(list)) => {
            (opened.list, opened.foreign) = Default::default();
            for work in list {
                match number_of(work.id) {
                    Some(number) => drop(opened.list.insert(number, work)),
                    None => opened.foreign.push(work),
                }
            }
        }
        Some(Err(error)) => tells(opened, &error),
        None => wrong(Wrong::Unexpected, "the list does not come"),
    }
}

async fn health(scheduler: &TaskScheduler, opened: &mut Opened) {
    match within(PATIENCE, scheduler.health()).await {
        Some(Ok(health)) => {
            opened.health = format!("{health:?}");
            let is_quiet = health.running == 0 && health.held_settles == 0;
            opened.quiet_with = is_quiet.then_some(health.ready);
            let news = health.facts.findings.iter().find(|finding| !finding.is_ordinary());
            if health.store != StoreHealth::Healthy {
                opened.is_failing = true;
                opened.tells = Some(format!("{:?}", health.store));
            } else if let Some(news) = news {
                opened.tells = Some(news.to_string());
            }
        }
        Some(Err(error)) => tells(opened, &error),
        None => wrong(Wrong::Unexpected, "health does not come"),
    }
}

fn tells(opened: &mut Opened, error: &CallError) {
    if matches!(error, CallError::Stopped) {
        wrong(Wrong::Panic, "a thread of the engine has ended");
    }
    opened.is_failing = true;
    opened.tells = Some(error.to_string());
}

/// Opens a refused file once more, and asks for it to be moved aside.
async fn move_aside(
    stock: &Stock,
    path: &Path,
    image: &[u8],
    mut options: StoreOptions,
    what: &str,
) -> Result<(), String> {
    unchanged(path, image, "a start that was refused", what)?;
    options.on_damage = OnDamage::MoveAside;
    let seen = Seen::new(stock.seed);
    let scheduler = match within(PATIENCE, builder(path, options, &seen).start()).await {
        Some(Ok(scheduler)) => scheduler,
        other => {
            let why = other.and_then(Result::err);
            wrong(Wrong::Unexpected, format!("{what}: the file could not be moved aside: {why:?}"));
            return Ok(());
        }
    };
    let findings = within(PATIENCE, scheduler.health()).await.and_then(Result::ok);
    let findings = findings.map(|health| health.facts.findings).unwrap_or_default();
    let to = findings.iter().find_map(|finding| match finding {
        Finding::MovedAside { to, .. } => Some(PathBuf::from(to)),
        _ => None,
    });
    match to {
        Some(to) => unchanged(&to, image, "moving it aside", what)?,
        None => wrong(Wrong::Lost, format!("{what}: an empty store, and not a word of the damaged one")),
    }
    scheduler.shutdown(GRACE).await;
    count("files that were moved aside", 1);
    Ok(())
}

/// Looks at a salvaged store and lets it run.
async fn salvaged_store(stock: &Stock, to: &Path, found: &Salvaged, what: &str) -> Result<(), String> {
    count("stores that were salvaged", 1);
    count("pieces that were salvaged", found.records);
    let sound = pushe_tasks::verify(to).map_err(|error| error.to_string())?;
    if !sound.is_sound() {
        wrong(Wrong::Unexpected, format!("{what}: the salvaged store is not sound: {:?}", sound.problems));
    }
    let seen = Seen::new(stock.seed);
    let opened = open(stock, to, StoreOptions::default(), &seen).await;
    if let Some(refused) = &opened.refused {
        wrong(Wrong::Unexpected, format!("{what}: the salvaged store is refused: {refused}"));
    }
    // What is lost is told by its id, or else with all that was to be found in the same place.
    let regions = [
        "that commit is lost",
        "are lost; its",
        "cannot be reached",
        "cannot be found",
        "is damaged",
        "is not whole",
        "nothing leads to",
        "commit before",
    ];
    let by_region = found
        .problems
        .iter()
        .any(|problem| problem.work.is_none() && regions.iter().any(|region| problem.text.contains(region)));
    let by_name = |number: u64| found.problems.iter().any(|problem| problem.work == Some(id_of(number)));
    let told: Vec<_> =
        found.problems.iter().map(|problem| format!("{}: {}", problem.place, problem.text)).collect();
    let what = format!("{what}: salvaged, told {told:?}");
    judge(stock, &opened, &seen, &what, |number| by_region || by_name(number));
    Ok(())
}

/// Holds what was found against what is known.
fn judge(stock: &Stock, opened: &Opened, seen: &Seen, what: &str, told: impl Fn(u64) -> bool) {
    let state = seen.state();
    for text in &state.wrong {
        wrong(Wrong::Unexpected, format!("{what}: {text}"));
    }
    let (mut missing, mut quarantined, mut ran_right) = (0, 0, 0);
    for (number, stood) in &stock.pieces {
        let listed = opened.list.get(number);
        let ran = state.ran.contains(number);
        ran_right += u64::from(ran);
        if listed.is_some_and(|work| work.state == WorkState::Quarantined) {
            quarantined += 1;
            continue;
        }
        if *stood == Stood::Live && ran {
            continue;
        }
        if ran && !told(*number) {
            wrong(Wrong::Duplicated, format!("{what}: {number} has run, which had {stood:?}"));
        }
        let finished = listed.is_some_and(|work| work.state.is_finished());
        let as_it_stood = match stood {
            Stood::Finished => finished,
            Stood::Waits => listed.is_some() && !finished,
            Stood::Live => false,
        };
        if !as_it_stood {
            missing += 1;
            if !told(*number) {
                let stands = listed.map(|work| work.state);
                wrong(
                    Wrong::Lost,
                    format!("{what}: {number}, {stood:?}, is {stands:?}, and nothing tells of it"),
                );
            }
        }
    }
    let whole = |work: &&WorkInfo| work.state != WorkState::Quarantined;
    for work in opened.foreign.iter().filter(whole) {
        wrong(Wrong::Unexpected, format!("{what}: {} is there, which nobody scheduled", work.id));
    }
    drop(state);
    count("bodies that compared their input", ran_right);
    count("pieces that were missing, and told", missing);
    count("pieces that were quarantined", quarantined);
}

/// Waits for a future, at most this long.
async fn within<F: Future>(length: Duration, future: F) -> Option<F::Output> {
    let clock = SystemClock::new();
    tokio::select! {
        biased;
        output = future => Some(output),
        () = clock.sleep_until(clock.mono().plus(length)) => None,
    }
}

//! Wrong uses at run time: each is a typed error whose text says what to do, and none panics.

use std::future::Future;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pushe_tasks::store::redb::StoreOptions;
use pushe_tasks::{
    CodecError, ExistingWorkPolicy, FromTaskContext as _, MissingState, OpenError, Outcome, RegistryError,
    RetryOptions, RunOn, Schedule, ScheduleError, SchedulerBuilder, StartError, State, StateMap, Task,
    TaskContext, TaskError, TaskOptions, TaskScheduler,
};
use pushe_tasks_tests::child;
use pushe_tasks_tests::deadline::soon;
use pushe_tasks_tests::netns::in_netns;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// The process default is one for all tests of this program.
static DEFAULT: Mutex<()> = Mutex::const_new(());

/// Takes text and does nothing.
struct Note;

impl Task for Note {
    const NAME: &'static str = "Note";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = String;
    type Output = ();

    async fn perform(_: String, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

fn builder() -> SchedulerBuilder {
    TaskScheduler::in_memory().detached().register::<Note>().only::<Note>()
}

async fn start() -> TaskScheduler {
    soon("the start", builder().start()).await.unwrap()
}

async fn end(scheduler: &TaskScheduler) {
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
}

fn note(text: &str) -> Schedule<Note> {
    Schedule::new(text.to_owned())
}

#[track_caller]
fn says(error: &dyn std::error::Error, parts: &[&str]) {
    says_text(&error.to_string(), parts);
}

#[track_caller]
fn says_text(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{text}` does not say `{part}`");
    }
}

#[tokio::test]
async fn no_scheduler() {
    let _alone = DEFAULT.lock().await;
    let error = note("a").await.unwrap_err();
    assert!(matches!(error, ScheduleError::NoScheduler), "{error:?}");
    says(
        &error,
        &["start one with `TaskScheduler::builder(\"tasks.redb\").start().await`", "`.on(&scheduler)`"],
    );
    let from_a_thread = std::thread::spawn(|| note("a").blocking().unwrap_err());
    assert!(matches!(from_a_thread.join().unwrap(), ScheduleError::NoScheduler));
    assert!(matches!(TaskScheduler::current(), Err(ScheduleError::NoScheduler)));
}

#[tokio::test]
async fn s9_6_a_second_default_is_refused_until_the_first_one_has_ended() {
    let _alone = DEFAULT.lock().await;
    let start = || TaskScheduler::in_memory().register::<Note>().only::<Note>().start();
    let first = soon("the first start", start()).await.unwrap();
    let error = soon("the second start", start()).await.unwrap_err();
    assert!(matches!(error, StartError::DefaultTaken), "{error:?}");
    says(&error, &["shut it down first", "`.detached()`", "`.on(&scheduler)`"]);
    let beside = self::start().await;
    soon("work on the default", note("a").await.unwrap().output()).await.unwrap();
    end(&first).await;
    let second = soon("a start after the shutdown", start()).await.unwrap();
    soon("work on the new default", note("b").await.unwrap().output()).await.unwrap();
    end(&second).await;
    assert!(matches!(note("c").await.unwrap_err(), ScheduleError::NoScheduler));
    end(&beside).await;
}

#[test]
fn a_second_process_on_the_file() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(path) = child::path() {
        let scheduler = runtime.block_on(TaskScheduler::builder(path).detached().start()).unwrap();
        child::say("holds");
        child::wait_for_parent();
        runtime.block_on(end(&scheduler));
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let holder = child::Process::start("a_second_process_on_the_file", &path);
    assert_eq!(holder.hear(), "holds");
    let start = || runtime.block_on(TaskScheduler::builder(&path).detached().start());
    let error = start().unwrap_err();
    assert!(matches!(error, StartError::Open(OpenError::InUse { .. })), "{error:?}");
    says(&error, &[&holder.id().to_string(), "stop that one, or give each its own file"]);
    holder.finish();
    runtime.block_on(end(&start().unwrap()));
}

#[tokio::test]
async fn a_second_scheduler_of_this_process_on_the_file() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let start = || TaskScheduler::builder(&path).detached().start();
    let first = soon("the first start", start()).await.unwrap();
    let error = soon("the second start", start()).await.unwrap_err();
    assert!(matches!(error, StartError::Open(OpenError::InUse { .. })), "{error:?}");
    says(&error, &[&std::process::id().to_string(), "stop that one, or give each its own file"]);
    end(&first).await;
    end(&soon("a start after the shutdown", start()).await.unwrap()).await;
}

#[tokio::test]
async fn a_path_that_is_a_directory() {
    let place = tempfile::tempdir().unwrap();
    let error = TaskScheduler::builder(place.path()).detached().start().await.unwrap_err();
    assert!(matches!(error, StartError::Open(OpenError::Path { .. })), "{error:?}");
    says(&error, &["it is a directory; name a file in it, such as `tasks.redb`"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_path_that_is_a_symbolic_link() {
    let place = tempfile::tempdir().unwrap();
    let (file, link) = (place.path().join("tasks.redb"), place.path().join("link.redb"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for there in [false, true] {
        if there {
            end(&TaskScheduler::builder(&file).detached().start().await.unwrap()).await;
        }
        let error = TaskScheduler::builder(&link).detached().start().await.unwrap_err();
        assert!(matches!(error, StartError::Open(OpenError::Path { .. })), "{error:?}");
        says(&error, &["it is a symbolic link; name the file that it leads to"]);
    }
}

#[tokio::test]
async fn other_places_that_cannot_hold_a_store() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    std::fs::write(at("letter.txt"), "a letter, and no store; ".repeat(400)).unwrap();
    std::fs::write(at("short.txt"), "a letter").unwrap();
    for (path, part) in [
        ("".into(), "it is empty or holds a zero byte; name a file"),
        (at("a\0b"), "it is empty or holds a zero byte; name a file"),
        (at("letter.txt"), "it is a file of another kind; name another file"),
        (at("short.txt"), "it is a file of another kind; name another file"),
        (at("nowhere/tasks.redb"), "create it, or name another file"),
        (at("letter.txt/tasks.redb"), "is not a directory; name another file"),
        ("/dev/null".into(), "name a file"),
    ] {
        let error = soon("a refusal", TaskScheduler::builder(&path).detached().start()).await.unwrap_err();
        assert!(matches!(error, StartError::Open(OpenError::Path { .. })), "{path:?}: {error:?}");
        says(&error, &[path.to_str().unwrap(), part]);
    }
    assert!(std::fs::read_to_string(at("short.txt")).unwrap() == "a letter", "it is left as it is");
}

fn run(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_is_read_only() {
    in_netns("a_file_system_that_is_read_only", || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let place = tempfile::tempdir().unwrap();
        let mount = place.path().to_str().unwrap();
        run("mount", &["-t", "tmpfs", "-o", "mode=700", "tmpfs", mount]);
        let (old, new) = (place.path().join("old.redb"), place.path().join("new.redb"));
        let start = |path| runtime.block_on(TaskScheduler::builder(path).detached().start());
        runtime.block_on(end(&start(&old).unwrap()));
        run("mount", &["-o", "remount,ro", mount]);
        for path in [&old, &new] {
            let error = start(path).unwrap_err();
            assert!(matches!(error, StartError::Open(OpenError::ReadOnly { .. })), "{error:?}");
            says(&error, &[path.to_str().unwrap(), "cannot be written; put the store on one that can"]);
        }
        run("mount", &["-o", "remount,rw", mount]);
        runtime.block_on(end(&start(&old).unwrap()));
        run("umount", &[mount]);
    });
}

#[tokio::test]
async fn a_payload_that_is_too_large() {
    let scheduler = soon("the start", builder().max_payload(1_000).start()).await.unwrap();
    // A text is its length, in 3 bytes here, and its bytes.
    let of = |bytes: usize| note(&"x".repeat(bytes - 3)).on(&scheduler);
    soon("a payload at the limit", of(1_000).await.unwrap().output()).await.unwrap();
    let error = of(1_001).await.unwrap_err();
    assert!(matches!(error, ScheduleError::PayloadTooLarge { bytes: 1_001, limit: 1_000 }), "{error:?}");
    says(&error, &["1001 bytes", "1000 are the most", "store a path or a key instead", "`max_payload`"]);
    let error = scheduler.schedule_many([of(10), of(1_001)]).await.unwrap_err();
    assert!(matches!(error, ScheduleError::PayloadTooLarge { .. }), "{error:?}");
    assert_eq!(scheduler.list(&[], 10).await.unwrap().len(), 1, "a refused batch stores nothing");
    end(&scheduler).await;
}

#[tokio::test]
async fn an_id_that_is_empty_or_too_long() {
    let scheduler = start().await;
    let long = ["512 bytes", "shorten it"];
    for (id, parts) in [
        (String::new(), ["write 1 to 512 bytes", "leave `id` out"]),
        ("i".repeat(513), long),
        ("ü".repeat(257), long),
    ] {
        let error = note("a").id(id).on(&scheduler).await.unwrap_err();
        assert!(matches!(error, ScheduleError::Option(_)), "{error:?}");
        says(&error, &parts);
    }
    for id in ["i".repeat(512), "ü".repeat(256), "i".to_owned()] {
        let work = note("a").id(id.clone()).on(&scheduler).await.unwrap();
        soon("work with a long id", work.output()).await.unwrap();
        assert_eq!(scheduler.info(id.clone()).await.unwrap().task_id, Some(id));
    }
    end(&scheduler).await;
}

#[tokio::test]
async fn scheduling_after_the_shutdown() {
    let scheduler = start().await;
    end(&scheduler).await;
    let check = |error: ScheduleError| {
        assert!(matches!(error, ScheduleError::ShuttingDown), "{error:?}");
        says(&error, &["schedule before that, or start a new one"]);
    };
    check(soon("a refusal", note("a").on(&scheduler).into_future()).await.unwrap_err());
    check(note("a").on(&scheduler).blocking().unwrap_err());
    check(soon("a refusal", scheduler.schedule_many([note("a")])).await.unwrap_err());
    let stopped = soon("a refusal", scheduler.health()).await.unwrap_err();
    says(&stopped, &["start a new one on the same store"]);
    says(&soon("a refusal", scheduler.info("a")).await.unwrap_err(), &["start a new one"]);
    says(&soon("a refusal", scheduler.wait("a")).await.unwrap_err(), &["start a new one"]);
    says(&soon("a refusal", scheduler.cancel("a")).await.unwrap_err(), &["start a new one"]);
    end(&scheduler).await;
}

#[tokio::test]
async fn an_override_that_breaks_a_rule() {
    let scheduler = start().await;
    let refuse = |schedule: Schedule<Note>, parts: &'static [&'static str]| {
        let scheduler = scheduler.clone();
        async move {
            let error = schedule.on(&scheduler).await.unwrap_err();
            assert!(matches!(error, ScheduleError::Option(_) | ScheduleError::Duration { .. }), "{error:?}");
            says(&error, parts);
        }
    };
    let (second, retry) = (Duration::from_secs(1), RetryOptions::new());
    refuse(note("a").timeout(Duration::ZERO), &["`timeout`"]).await;
    refuse(note("a").retry(retry.delay(2 * second).max_delay(second)), &["`delay`", "`max_delay`"]).await;
    refuse(note("a").retry(retry.delay(Duration::ZERO)), &["`delay`"]).await;
    refuse(note("a").retry(retry.jitter(2.0)), &["`jitter`", "0", "1"]).await;
    refuse(note("a").retry(retry.jitter(f64::NAN)), &["`jitter`"]).await;
    refuse(note("a").retry(retry.max_attempts(0)), &["`max_attempts`"]).await;
    refuse(note("a").policy(ExistingWorkPolicy::Keep), &["`policy`", "`id`"]).await;
    refuse(note("a").delay("5 parsecs"), &["`5 parsecs` is no duration"]).await;
    refuse(note("a").timeout("soon"), &["`soon` is no duration"]).await;
    assert!(scheduler.list(&[], 10).await.unwrap().is_empty(), "nothing is stored");
    end(&scheduler).await;
}

#[tokio::test]
async fn the_longest_times_break_nothing() {
    let scheduler = start().await;
    let century = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let retry = RetryOptions::new().max_delay(century).delay(century).jitter(1.0);
    let work = note("a").timeout(century).retry(retry).on(&scheduler).await.unwrap();
    soon("work with all the time", work.output()).await.unwrap();
    let early = std::time::SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1 << 40)).unwrap();
    let work = note("a").at(early).on(&scheduler).await.unwrap();
    soon("work of long ago", work.output()).await.unwrap();
    let late = std::time::SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1 << 60)).unwrap();
    let endless = RetryOptions::new().max_delay(Duration::MAX);
    says(&note("a").retry(endless).on(&scheduler).await.unwrap_err(), &["longer than 100 years"]);
    for schedule in [note("a").at(late), note("a").delay(Duration::MAX), note("a").timeout(Duration::MAX)] {
        says(&schedule.on(&scheduler).await.unwrap_err(), &["longer than 100 years; write a shorter one"]);
    }
    for schedule in [note("a").delay(century), note("a").delay("100d")] {
        let work = schedule.on(&scheduler).await.unwrap();
        says_text(&scheduler.explain(work.id()).await.unwrap().to_string(), &["waits for its time, in "]);
    }
    end(&scheduler).await;
}

#[tokio::test]
async fn a_batch_of_too_many() {
    let scheduler = soon("the start", builder().schedule_only().start()).await.unwrap();
    let many = |count: usize| (0..count).map(|_| note("a"));
    let other = soon("the start", builder().schedule_only().start()).await.unwrap();
    let error = scheduler.schedule_many(many(2).map(|piece| piece.on(&other))).await.unwrap_err();
    says(&error, &["names another scheduler; call `schedule_many` of that one"]);
    end(&other).await;
    let error = scheduler.schedule_many(many(10_001)).await.unwrap_err();
    assert!(matches!(error, ScheduleError::TooMany { pieces: 10_001, .. }), "{error:?}");
    says(&error, &["10,000 pieces and 64 MiB", "this one brings 10001 pieces; split it"]);
    let large = (0..65).map(|_| note(&"x".repeat(1 << 20 >> 1)).on(&scheduler));
    assert!(soon("a batch below 64 MiB", scheduler.schedule_many(large)).await.is_ok());
    let scheduler_of_large = soon("the start", builder().max_payload(64 << 20).start()).await.unwrap();
    let large = (0..2).map(|_| note(&"x".repeat(33 << 20)));
    let error = soon("a refusal", scheduler_of_large.schedule_many(large)).await.unwrap_err();
    says(&error, &["this one brings 2 pieces and 69206", " bytes; split it"]);
    end(&scheduler_of_large).await;
    assert_eq!(soon("10,000", scheduler.schedule_many(many(10_000))).await.unwrap().len(), 10_000);
    assert!(soon("nothing", scheduler.schedule_many(many(0))).await.unwrap().is_empty());
    end(&scheduler).await;
}

#[derive(Serialize, Deserialize)]
struct Inner {
    number: u32,
}

#[derive(Serialize, Deserialize)]
struct Flattened {
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
}

macro_rules! task_of {
    ($visible:vis $task:ident, $input:ty) => {
        $visible struct $task;

        impl Task for $task {
            const NAME: &'static str = stringify!($task);
            const OPTIONS: TaskOptions<Self> = TaskOptions::new();
            type Input = $input;
            type Output = ();

            async fn perform(_: $input, _: TaskContext) -> Result<Outcome, TaskError> {
                Ok(Outcome::SUCCESS)
            }
        }
    };
}

task_of!(TakesFlattened, Flattened);
task_of!(TakesUntagged, Untagged);

#[tokio::test]
async fn an_input_that_the_codec_cannot_carry() {
    let scheduler = start().await;
    let flattened = Flattened { inner: Inner { number: 1 } };
    let error = Schedule::<TakesFlattened>::new(flattened).on(&scheduler).await.unwrap_err();
    assert!(matches!(error, ScheduleError::Codec(CodecError::Encode { .. })), "{error:?}");
    says(&error, &["Flattened", "`flatten`", "write them as plain fields"]);
    for untagged in [Untagged::Number(1), Untagged::Text("a".to_owned())] {
        let error = Schedule::<TakesUntagged>::new(untagged).on(&scheduler).await.unwrap_err();
        assert!(matches!(error, ScheduleError::Codec(CodecError::RoundTrip { .. })), "{error:?}");
        says(&error, &["Untagged", "`untagged`", "write plain fields"]);
    }
    assert!(scheduler.list(&[], 10).await.unwrap().is_empty(), "nothing is stored");
    end(&scheduler).await;
}

#[derive(Clone)]
struct Api;

/// Takes a state.
struct Sync;

impl Task for Sync {
    const NAME: &'static str = "Sync";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = ();

    fn require(states: &StateMap) -> Result<(), MissingState> {
        State::<Api>::require(states)
    }

    async fn perform((): (), cx: TaskContext) -> Result<Outcome, TaskError> {
        let State(Api) = State::from_task_context(&cx)?;
        Ok(Outcome::SUCCESS)
    }
}

#[tokio::test]
async fn a_state_that_is_missing() {
    let line = line!() + 1;
    let builder = || builder().register::<Sync>().only::<Sync>();
    let error = builder().start().await.unwrap_err();
    let named = matches!(error, StartError::Registry(RegistryError::MissingState { task: "Sync", .. }));
    assert!(named, "{error:?}");
    let place = format!("wrong_uses.rs:{line}");
    says(&error, &["`Sync`", &place, "wrong_uses::Api", "give one to the builder with `.state(..)`"]);
    end(&soon("a start with the state", builder().state(Api).start()).await.unwrap()).await;
}

mod other {
    use super::*;

    task_of!(pub(super) Note, u32);
}

#[tokio::test]
async fn two_tasks_with_one_stored_name() {
    let line = line!() + 1;
    let both = TaskScheduler::in_memory().detached().register::<Note>().register::<other::Note>();
    let error = both.start().await.unwrap_err();
    assert!(matches!(error, StartError::Registry(RegistryError::DuplicateName { .. })), "{error:?}");
    says(&error, &["`Note`", "give one of them another with `name = \"..\"`"]);
    let text = error.to_string();
    assert_eq!(text.matches(&format!("wrong_uses.rs:{line}:")).count(), 2, "both places: {text}");
    let twice = TaskScheduler::in_memory().detached().register::<Note>().register::<Note>();
    end(&soon("a start with one task given twice", twice.start()).await.unwrap()).await;
}

#[test]
fn a_start_outside_of_a_runtime() {
    let start = pin!(builder().start());
    let Poll::Ready(answer) = start.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it is refused at once");
    };
    let error = answer.unwrap_err();
    assert!(matches!(error, StartError::NoRuntime), "{error:?}");
    says(&error, &["call `start` within one, as under `#[tokio::main]`"]);
}

#[tokio::test]
async fn a_builder_that_breaks_a_rule() {
    let refuse = |builder: SchedulerBuilder, part: &'static str| async move {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(error, StartError::Builder(_)), "{error:?}");
        says(&error, &[part]);
    };
    refuse(builder().max_running(0), "give at least 1").await;
    refuse(builder().max_payload((64 << 20) + 1), "67108864 bytes (64 MiB) are the most").await;
    refuse(builder().max_output((64 << 20) + 1), "67108864 bytes (64 MiB) are the most").await;
    refuse(builder().store_options(StoreOptions::default()), "those of a store on a file").await;
}

/// Schedules from within its body, and blocks its thread for it.
struct Parent;

impl Task for Parent {
    const NAME: &'static str = "Parent";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new().run_on(RunOn::Blocking);
    type Input = ();
    type Output = ();

    async fn perform((): (), _: TaskContext) -> Result<Outcome, TaskError> {
        // No scheduler is named: it is the one whose body is running.
        note("child").id("child").blocking().map_err(TaskError::from)?;
        Ok(Outcome::SUCCESS)
    }
}

#[tokio::test]
async fn scheduling_from_a_thread_that_blocks() {
    let scheduler = soon("the start", builder().register::<Parent>().only::<Parent>().start()).await.unwrap();
    let on_thread = scheduler.clone();
    let plain = std::thread::spawn(move || on_thread.schedule_blocking(Note::OPTIONS, "a".to_owned()));
    let work = plain.join().unwrap().unwrap();
    soon("work from a plain thread", work.output()).await.unwrap();
    // The only thread of this runtime stands still meanwhile.
    let work = scheduler.schedule_blocking(Note::OPTIONS, "b".to_owned()).unwrap();
    soon("work from a thread of the runtime", work.output()).await.unwrap();
    let parent = Schedule::<Parent>::new(()).on(&scheduler).await.unwrap();
    soon("work that schedules", parent.output()).await.unwrap();
    soon("work from within a body", scheduler.wait("child")).await.unwrap();
    end(&scheduler).await;
}

//! Inputs, outputs and ids at their limits and out of the ordinary (faults 34, 39, 42, 65).

use std::time::Duration;

use pushe_tasks::{
    AttemptEnd, Outcome, OutputError, Reason, Schedule, Task, TaskContext, TaskError, TaskOptions,
    TaskScheduler, WorkInfo, WorkState,
};
use pushe_tasks_tests::deadline::soon;

/// Answers a text of so many bytes.
struct Speak;

impl Task for Speak {
    const NAME: &'static str = "Speak";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = usize;
    type Output = String;

    async fn perform(bytes: usize, _: TaskContext) -> Result<Outcome<String>, TaskError> {
        Ok(Outcome::Success("x".repeat(bytes)))
    }
}

/// Fails with a text of so many bytes.
struct Complain;

impl Task for Complain {
    const NAME: &'static str = "Complain";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = usize;
    type Output = ();

    async fn perform(bytes: usize, _: TaskContext) -> Result<Outcome, TaskError> {
        Err(pushe_tasks::Fail::because("ü".repeat(bytes / 2)).into())
    }
}

async fn end(scheduler: &TaskScheduler) {
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
}

#[tokio::test]
async fn fault_34_an_output_over_its_limit_fails_at_once_and_one_at_it_does_not() {
    for limit in [1_000, 100_000] {
        let builder = TaskScheduler::in_memory().detached().register::<Speak>().only::<Speak>();
        let scheduler = soon("the start", builder.max_output(limit).start()).await.unwrap();
        // A text is its length and its bytes: 3 bytes of length up to 65,535, 5 beyond.
        let length = if limit > 65_535 { 5 } else { 3 };
        let fits = Schedule::<Speak>::new(limit - length).on(&scheduler).await.unwrap();
        assert_eq!(soon("an output", fits.output()).await.unwrap().len(), limit - length);
        let over = Schedule::<Speak>::new(limit - length + 1).on(&scheduler).await.unwrap();
        assert_eq!(soon("the end", over.wait()).await.unwrap(), WorkState::Failed);
        let info = scheduler.info(over.id()).await.unwrap();
        let [past] = &info.history[..] else { panic!("it was not tried again: {info:?}") };
        assert_eq!((past.attempt, past.end), (1, AttemptEnd::Failed));
        assert_eq!(info.reason, Some(Reason::Output), "{info:?}");
        let text = info.last_error().unwrap();
        assert!(text.contains(&(limit + 1).to_string()) && text.contains(&limit.to_string()), "{text}");
        assert!(matches!(over.output().await, Err(OutputError::Failed { .. })));
        end(&scheduler).await;
    }
}

#[tokio::test]
async fn fault_34_a_long_error_text_is_cut_between_two_characters_and_says_so() {
    let builder = TaskScheduler::in_memory().detached().register::<Complain>().only::<Complain>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    for (bytes, cut) in [(16 << 10, false), ((16 << 10) + 2, true), (1 << 20, true)] {
        let work = Schedule::<Complain>::new(bytes).on(&scheduler).await.unwrap();
        assert_eq!(soon("the end", work.wait()).await.unwrap(), WorkState::Failed);
        let info = scheduler.info(work.id()).await.unwrap();
        let text = info.last_error().unwrap();
        assert!(text.len() <= (16 << 10) + 100, "{}", text.len());
        let whole = text.chars().all(|one| one == 'ü');
        assert_eq!(whole, !cut, "a text that was cut says so: ..{}", &text[text.len() - 60..]);
    }
    end(&scheduler).await;
}

/// One program's task `Turn` takes a text, another's a number.
struct TextTurn;
struct NumberTurn;

impl Task for TextTurn {
    const NAME: &'static str = "Turn";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = String;
    type Output = ();

    async fn perform(_: String, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

impl Task for NumberTurn {
    const NAME: &'static str = "Turn";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = (u8, bool);
    type Output = ();

    async fn perform(input: (u8, bool), _: TaskContext) -> Result<Outcome, TaskError> {
        panic!("it ran with {input:?}");
    }
}

/// What becomes of texts where the program that runs them takes a number and a truth value.
async fn misread(texts: &[&str]) -> Vec<WorkInfo> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let before = soon("the start", TaskScheduler::builder(&path).detached().schedule_only().start());
    let before = before.await.unwrap();
    let mut ids = Vec::new();
    for text in texts {
        ids.push(Schedule::<TextTurn>::new((*text).to_owned()).on(&before).await.unwrap().id());
    }
    end(&before).await;
    let after = TaskScheduler::builder(&path).detached().register::<NumberTurn>().only::<NumberTurn>();
    let after = soon("the start", after.start()).await.unwrap();
    let mut infos = Vec::new();
    for id in &ids {
        soon("the end", after.wait(*id)).await.unwrap();
        infos.push(after.info(*id).await.unwrap());
    }
    end(&after).await;
    infos
}

#[tokio::test]
async fn fault_39_bytes_that_are_no_input_are_quarantined_with_their_reason() {
    for info in misread(&["", "x", "xyz"]).await {
        assert_eq!((info.state, info.reason), (WorkState::Quarantined, Some(Reason::Payload)), "{info:?}");
        let text = info.last_error().unwrap();
        assert!(text.contains("the stored bytes are no value of type"), "{text}");
        assert_eq!(info.attempt, 1, "{info:?}");
    }
}

#[tokio::test]
async fn fault_42_bytes_beyond_an_input_are_a_mismatch_and_are_quarantined() {
    for info in misread(&["\u{1}b", "\0\0", "\u{1} and more"]).await {
        assert_eq!((info.state, info.reason), (WorkState::Quarantined, Some(Reason::Payload)), "{info:?}");
        let text = info.last_error().unwrap();
        assert!(text.contains("bytes are left over"), "{text}");
    }
}

/// Ids that other stores, shells, paths and terminals trip over.
const ODD: &[&str] = &[
    "a\0b",
    "\0",
    "../../etc/passwd",
    "/",
    "line\nfeed\r\n",
    "\t tab",
    " ",
    "Ünïcödé/雪/🦀",
    "e\u{301}",
    "é",
    "\u{202e}txt.exe",
    "\u{feff}bom",
    "\x1b[31mred\x1b[0m",
    "'; DROP TABLE work; --",
    "\"quoted\" \\ `back`",
    "{album}",
    "%s%n",
    "<script>alert(1)</script>",
    "\u{10ffff}",
];

#[tokio::test]
async fn fault_65_odd_ids_and_inputs_come_back_as_they_were_over_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let before = soon("the start", TaskScheduler::builder(&path).detached().schedule_only().start());
    let before = before.await.unwrap();
    for id in ODD {
        let work = Schedule::<TextTurn>::new((*id).to_owned()).id(*id).on(&before).await.unwrap();
        let other = Schedule::<TextTurn>::new((*id).to_owned()).id(format!("{id}.")).on(&before);
        assert_ne!(other.await.unwrap().id(), work.id(), "{id:?}: a longer id is another one");
    }
    end(&before).await;
    let after = TaskScheduler::builder(&path).detached().register::<TextTurn>().only::<TextTurn>();
    let after = soon("the start", after.start()).await.unwrap();
    for id in ODD {
        assert_eq!(soon("the end", after.wait(*id)).await.unwrap(), WorkState::Succeeded, "{id:?}");
        let info = after.info(*id).await.unwrap();
        assert_eq!(info.task_id.as_deref(), Some(*id));
        assert_eq!(after.cancel(*id).await.unwrap(), [], "{id:?}: it has finished");
    }
    let files: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| name.to_string_lossy().starts_with("tasks.redb")), "{files:?}");
    end(&after).await;
}

#[tokio::test]
async fn fault_65_what_is_shown_of_an_odd_id_is_one_line_without_control_characters() {
    let builder = TaskScheduler::in_memory().detached().register::<TextTurn>().only::<TextTurn>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    for id in ODD {
        let clean = |what: &str, text: String| {
            assert!(!text.chars().any(char::is_control), "{what} of {id:?} is not escaped: {text:?}");
        };
        let schedule = Schedule::<TextTurn>::new("a".to_owned()).id(*id).on(&scheduler);
        clean("the call", format!("{schedule:?}"));
        let work = schedule.delay("1h").await.unwrap();
        clean("the receipt", format!("{work:?}"));
        clean("the info", format!("{:?}", scheduler.info(*id).await.unwrap()));
        let standing = scheduler.explain(*id).await.unwrap();
        clean("the standing", format!("{standing:?} {standing}"));
        let taken = Schedule::<Speak>::new(1).id(*id).policy(pushe_tasks::ExistingWorkPolicy::Keep);
        let error = taken.on(&scheduler).await.unwrap_err();
        clean("the refusal", format!("{error:?} {error}"));
        let unknown = scheduler.wait(format!("{id} that nobody bears")).await.unwrap_err();
        clean("the unknown id", format!("{unknown:?} {unknown}"));
    }
    end(&scheduler).await;
}

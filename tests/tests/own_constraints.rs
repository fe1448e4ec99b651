//! Constraints of the application's own and those of the device, from outside (CONSTRAINTS 2 to 4, SEMANTICS 1.10, 9.3).
#![allow(clippy::unused_async, reason = "a task is an `async fn`, whether it waits for anything or not")]

use std::time::Duration;

use pushe_tasks::clock::WallTime;
use pushe_tasks::constraint::{
    Answer, BatteryNotLow, Charging, Constraint, ConstraintDecodeError, Damping, HostSource, HostState,
    Manual, NetworkOverride, NetworkState, PowerSource, PowerState, Reach, Reading, StorageNotLow,
    StorageSource, StorageState, TimeWindow, Verdict, WhereUnknown,
};
use pushe_tasks::{
    NetworkType, Obstacle, OnLost, Schedule, ScheduleError, SchedulerBuilder, StartError, TaskScheduler,
    WorkState, prelude::*,
};
use pushe_tasks_tests::deadline::soon;
use tokio::sync::mpsc;

/// How many seats are free: the state of a source of the application's own.
type Seats = Manual<u32, String>;

/// Needs so many free seats in a room.
#[derive(Debug)]
struct FreeSeats {
    room: String,
    least: u32,
}

impl Constraint for FreeSeats {
    const KIND: &'static str = "app/free-seats";
    type Source = Seats;

    fn encode(&self) -> Vec<u8> {
        [&[1][..], &self.least.to_le_bytes(), self.room.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        let &[1, a, b, c, d, ref room @ ..] = bytes else {
            return Err(ConstraintDecodeError::new("no seats"));
        };
        let room = String::from_utf8_lossy(room).into_owned();
        Ok(Self { room, least: u32::from_le_bytes([a, b, c, d]) })
    }

    fn verify(&self) -> Result<(), String> {
        if self.room.is_empty() { Err("a room has a name; write it".to_owned()) } else { Ok(()) }
    }

    fn key(&self) -> String {
        self.room.clone()
    }

    fn check(&self, free: &u32, _: WallTime) -> Verdict {
        if *free >= self.least {
            Verdict::met()
        } else {
            Verdict::hold(format!("{free} of {} seats", self.least))
        }
    }

    fn damping(&self) -> Damping {
        Damping::NONE
    }
}

fn seats(room: &str, least: u32) -> FreeSeats {
    FreeSeats { room: room.to_owned(), least }
}

/// Needs two seats in the hall, and that the device is charging.
#[pushe_task(requires(seats("hall", 2), Charging))]
async fn perform_play() -> Outcome<u32> {
    Outcome::Success(1)
}

/// Where a rehearsal says that it has begun.
type Began = mpsc::UnboundedSender<()>;

/// Needs nothing by itself.
#[pushe_task]
async fn rehearse(_: String, State(began): State<Began>, cx: TaskContext) -> Result<u32, TaskError> {
    let _ = began.send(());
    cx.cancellation_token().cancelled().await;
    Err(TaskError::new("stopped"))
}

/// Ends at once.
#[pushe_task]
async fn sweep() -> Outcome<u32> {
    Outcome::Success(2)
}

#[pushe_task(requires(TimeWindow::daily("25:00", "06:00")))]
async fn at_a_bad_time() {}

fn builder() -> SchedulerBuilder {
    let builder = TaskScheduler::in_memory().detached().state::<Began>(mpsc::unbounded_channel().0);
    builder.only::<PerformPlay>().only::<Rehearse>().only::<Sweep>().damping::<Charging>(Damping::NONE)
}

/// Asks where a piece stands until that is as wanted: a standing has no event of its own.
async fn stands(scheduler: &TaskScheduler, id: pushe_tasks::WorkId, wanted: impl Fn(&str) -> bool) -> String {
    soon("a standing", async {
        loop {
            let text = scheduler.explain(id).await.unwrap().to_string();
            if wanted(&text) {
                return text;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

async fn end(scheduler: TaskScheduler) {
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
}

#[tokio::test]
async fn a_constraint_of_ones_own_stands_beside_those_of_the_device() {
    let (hall, power) = (Seats::new(1), Manual::new(PowerState::on_battery(50)));
    let builder = builder().source(hall.clone()).source_for::<PowerSource>(power.clone());
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let play = PerformPlay::schedule().on(&scheduler).await.unwrap();
    let text =
        stands(&scheduler, play.id(), |text| text.contains("1 of 2 seats") && text.contains("50 %")).await;
    assert!(text.contains("app/free-seats (1 of 2 seats, for "), "{text}");
    assert!(text.contains("; for charging (on battery, at 50 %, for "), "{text}");
    hall.set(2);
    let text = stands(&scheduler, play.id(), |text| !text.contains("seats")).await;
    assert!(text.starts_with("waits for charging ("), "{text}");
    let standing = scheduler.explain(play.id()).await.unwrap();
    let reading = standing.obstacles.iter().find_map(|obstacle| match obstacle {
        Obstacle::Constraint { kind, reading, .. } if kind == "charging" => reading.clone(),
        _ => None,
    });
    let reading = reading.unwrap();
    assert!(reading.contains("charging: false, battery: Some(50)"), "{reading}");
    power.set(PowerState::charging(50));
    assert_eq!(soon("the play", play.output()).await.unwrap(), 1);
    end(scheduler).await;
}

#[tokio::test]
async fn each_room_is_watched_by_itself_and_only_while_somebody_waits_for_it() {
    let hall = Seats::new(0);
    let builder = builder().source(hall.clone()).register_constraint::<FreeSeats>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    assert_eq!(hall.watches(), 0);
    let mut work = Vec::new();
    for (room, least) in [("hall", 1), ("hall", 2), ("attic", 1)] {
        work.push(Sweep::schedule().requires(seats(room, least)).on(&scheduler).await.unwrap());
    }
    for receipt in &work {
        stands(&scheduler, receipt.id(), |text| text.contains("seats")).await;
    }
    assert_eq!(hall.watches(), 2, "two rooms, three constraints");
    hall.set(9);
    for receipt in work {
        assert_eq!(soon("a sweep", receipt.output()).await.unwrap(), 2);
    }
    end(scheduler).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_constraint_is_said_before_anything_is_stored() {
    // At the start: the attribute's own.
    let builder_with_mistake = TaskScheduler::in_memory().detached().only::<AtABadTime>();
    let error = builder_with_mistake.start().await.unwrap_err().to_string();
    assert!(error.contains("the task `AtABadTime` at "), "{error}");
    assert!(
        error.ends_with("`25:00` is no time of the day; write it as `HH:MM`, such as `09:30`"),
        "{error}"
    );
    // At the start: a source that nobody gives.
    let error = builder().start().await.unwrap_err();
    assert!(matches!(error, StartError::Registry(_)));
    let text = error.to_string();
    assert!(
        text.starts_with("constraints of the kind `app/free-seats` look at a source that is not given"),
        "{text}"
    );
    // At the call.
    let scheduler = builder().skip::<PerformPlay>().start().await.unwrap();
    let call = |place: &str| Sweep::schedule().requires(Reach::new(place)).on(&scheduler);
    let error = call("db.local").await.unwrap_err();
    assert!(matches!(error, ScheduleError::Constraint { .. }));
    assert!(error.to_string().contains("`db.local` is no host and port"), "{error}");
    let error = Sweep::schedule().requires(seats("hall", 1)).on(&scheduler).await.unwrap_err().to_string();
    assert!(error.contains(".register_constraint::<own_constraints::FreeSeats>()"), "{error}");
    let error = Sweep::schedule().on_lost(OnLost::Finish).on(&scheduler).await.unwrap_err().to_string();
    assert!(error.contains("`on_lost` has no effect without a constraint"), "{error}");
    assert!(scheduler.list(&[], 10).await.unwrap().is_empty(), "nothing was stored");
    end(scheduler).await;
}

#[tokio::test]
async fn work_of_an_unknown_kind_is_kept_and_waits_with_that_reason() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    // A program that only schedules need not know the kind.
    let elsewhere = TaskScheduler::builder(&path).detached().schedule_only().start().await.unwrap();
    let work = Sweep::schedule().requires(seats("hall", 1)).on(&elsewhere).await.unwrap().id();
    end(elsewhere).await;
    let older = TaskScheduler::builder(&path).detached().only::<Sweep>().start().await.unwrap();
    let text = stands(&older, work, |text| text.contains("not registered")).await;
    assert!(
        text.contains("app/free-seats (constraint kind `app/free-seats` is not registered, for "),
        "{text}"
    );
    end(older).await;
    let newer = TaskScheduler::builder(&path).detached().only::<Sweep>();
    let newer = newer.source(Seats::new(3)).register_constraint::<FreeSeats>().start().await.unwrap();
    assert_eq!(soon("the sweep", newer.wait(work)).await.unwrap(), WorkState::Succeeded);
    end(newer).await;
}

#[tokio::test]
async fn a_call_can_leave_the_task_s_constraints_out_and_ask_for_others() {
    let builder =
        builder().source(Seats::new(0)).source_for::<PowerSource>(Manual::new(PowerState::on_battery(9)));
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let free = PerformPlay::schedule().requires_nothing().on(&scheduler).await.unwrap();
    assert_eq!(soon("the play", free.output()).await.unwrap(), 1);
    let low =
        PerformPlay::schedule().requires_nothing().requires(BatteryNotLow).on(&scheduler).await.unwrap();
    let text = stands(&scheduler, low.id(), |text| text.contains('%')).await;
    assert!(
        text.starts_with("waits for battery not low (the battery is at 9 %; it must reach 20 %"),
        "{text}"
    );
    end(scheduler).await;
}

#[tokio::test]
async fn on_lost_is_stored_with_the_work() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let elsewhere = TaskScheduler::builder(&path).detached().schedule_only().start().await.unwrap();
    let schedule = |id: &str, on_lost| {
        Schedule::<Rehearse>::new(id.to_owned()).id(id).requires(Charging).on_lost(on_lost).on(&elsewhere)
    };
    schedule("stop", OnLost::Stop).await.unwrap();
    schedule("finish", OnLost::Finish).await.unwrap();
    end(elsewhere).await;
    let power = Manual::new(PowerState::mains());
    let (say, mut began) = mpsc::unbounded_channel();
    let scheduler = TaskScheduler::builder(&path).detached().only::<Rehearse>().state::<Began>(say);
    let scheduler = scheduler.source_for::<PowerSource>(power.clone()).damping::<Charging>(Damping::NONE);
    let scheduler = soon("the start", scheduler.start()).await.unwrap();
    let state = async |id: &str| scheduler.explain(id).await.unwrap().state;
    for _ in 0..2 {
        soon("an attempt", began.recv()).await.unwrap();
    }
    power.set(PowerState::on_battery(80));
    soon("the stop", async { while state("stop").await != WorkState::Enqueued {} }).await;
    assert_eq!(state("finish").await, WorkState::Running);
    end(scheduler).await;
}

#[tokio::test]
async fn the_application_speaks_over_the_network() {
    let (network, word) = (Manual::new(NetworkState::offline()), NetworkOverride::new());
    let metered = NetworkState::routed().metered(pushe_tasks::constraint::Metered::Yes);
    let builder =
        builder().skip::<PerformPlay>().network_source(network.clone()).network_override(word.clone());
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let work = Sweep::schedule().network(NetworkType::TemporarilyUnmetered).on(&scheduler).await.unwrap();
    network.set(metered);
    stands(&scheduler, work.id(), |text| text.contains("the network is metered")).await;
    word.unmetered_until(WallTime::from_millis(i64::from(u32::MAX) * 1_000).into());
    assert_eq!(soon("the sweep", work.output()).await.unwrap(), 2);
    word.go_offline();
    let work = Sweep::schedule().network(NetworkType::TemporarilyUnmetered).on(&scheduler).await.unwrap();
    stands(&scheduler, work.id(), |text| text.contains("no network link is up")).await;
    word.go_online();
    assert_eq!(soon("the sweep", work.output()).await.unwrap(), 2);
    end(scheduler).await;
}

#[tokio::test]
async fn each_answer_where_nothing_is_known_is_an_option_of_the_scheduler() {
    let all = |answer| {
        let answers = WhereUnknown::new().network(answer).charging(answer).battery(answer).storage(answer);
        let power = Manual::<PowerState>::with(Reading::unknown("no sensor"));
        let network = Manual::<NetworkState>::with(Reading::unknown("no netlink"));
        builder()
            .skip::<PerformPlay>()
            .where_unknown(answers)
            .source_for::<PowerSource>(power)
            .network_source(network)
    };
    for answer in [Answer::Met, Answer::Hold] {
        let scheduler = soon("the start", all(answer).start()).await.unwrap();
        let sweep = || Sweep::schedule().on(&scheduler);
        let mut work = Vec::new();
        work.push(sweep().network(NetworkType::Connected).await.unwrap());
        work.push(sweep().requires(Charging).await.unwrap());
        work.push(sweep().requires(BatteryNotLow).await.unwrap());
        // A store in memory is on no file system, and nobody can say how full it is.
        work.push(sweep().requires(StorageNotLow).await.unwrap());
        for receipt in work {
            if answer == Answer::Met {
                assert_eq!(soon("a sweep", receipt.output()).await.unwrap(), 2);
            } else {
                stands(&scheduler, receipt.id(), |text| {
                    text.starts_with("waits for ") && text.contains("no ") && !text.contains("no reading")
                })
                .await;
            }
        }
        end(scheduler).await;
    }
}

#[tokio::test]
async fn storage_and_hosts_hold_work_in_their_own_words() {
    let storage = Manual::<StorageState, _>::new(StorageState::full());
    let host = Manual::<HostState, String>::new(HostState::Unreachable("connection refused".to_owned()));
    let builder = builder().skip::<PerformPlay>().source_for::<StorageSource>(storage.clone());
    let builder = builder.source_for::<HostSource>(host.clone());
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let sweep = Sweep::schedule().requires(StorageNotLow).requires(StorageNotLow::at("/var/cache"));
    let work = sweep.requires(Reach::new("db.local:5432")).on(&scheduler).await.unwrap();
    let all = |text: &str| text.matches("MiB").count() == 2 && text.contains("refused");
    let text = stands(&scheduler, work.id(), all).await;
    assert!(text.contains("storage not low: /var/cache (low on room: 0 of "), "{text}");
    assert!(text.contains("reach: db.local:5432 (connection refused, for "), "{text}");
    storage.set(StorageState::roomy());
    host.set(HostState::Reached);
    assert_eq!(soon("the sweep", work.output()).await.unwrap(), 2);
    end(scheduler).await;
}

#[tokio::test]
async fn a_real_host_that_begins_to_listen_lets_work_go() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let builder = builder().skip::<PerformPlay>();
    let scheduler = soon("the start", builder.start()).await.unwrap();
    let work = Sweep::schedule().requires(Reach::new(place)).on(&scheduler).await.unwrap();
    assert_eq!(soon("the sweep", work.output()).await.unwrap(), 2);
    drop(listener);
    end(scheduler).await;
}

#[tokio::test]
async fn a_closed_window_holds_work_until_it_opens() {
    let scheduler = soon("the start", builder().skip::<PerformPlay>().start()).await.unwrap();
    let open = TimeWindow::daily("00:00", "00:00").zone("UTC");
    let work = Sweep::schedule().requires(open).on(&scheduler).await.unwrap();
    assert_eq!(soon("the sweep", work.output()).await.unwrap(), 2);
    // One of the two is closed at any time.
    let morning = Sweep::schedule().requires(TimeWindow::daily("00:00", "12:00").zone("UTC"));
    let work =
        morning.requires(TimeWindow::quiet("00:00", "12:00").zone("UTC")).on(&scheduler).await.unwrap();
    let text = stands(&scheduler, work.id(), |text| text.contains("closed until")).await;
    assert!(
        text.starts_with("waits for ") && text.contains("between 00:00 and 12:00, UTC (closed"),
        "{text}"
    );
    end(scheduler).await;
}

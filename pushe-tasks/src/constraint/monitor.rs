//! The monitor: keeps the watch of one source alive and tells its readings apart.
//!
//! Invariant: a source that ends, panics or loses its reading ends nothing else. Its last reading counts for 30 s,
//! then work is held until it is back, and a new watch is begun after 1 s, doubling up to 60 s. One that floods is slowed.

use std::any::Any;
use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;

use super::erased::ErasedReading;
use super::{Reading, Source};
use crate::clock::{Clock, MonoTime};

/// So long a source may take for its first reading before it counts as unknown.
const FIRST_READING: Duration = Duration::from_secs(1);
/// So long the last reading of a dead source counts.
const LAST_READING: Duration = Duration::from_secs(30);
const SHORTEST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// A source that says more within a second waits for the next one: one that floods must not hold the others up.
const MOST_A_SECOND: u32 = 2_000;
const SECOND: Duration = Duration::from_secs(1);

const NOT_YET: Cow<'static, str> = Cow::Borrowed("no reading yet");

/// Watches `key` of `source` and reports every distinct reading, until dropped; it never returns.
pub(super) async fn monitor<S: Source>(
    source: &S,
    key: &S::Key,
    clock: &dyn Clock,
    report: impl Fn(ErasedReading) + Send + Sync,
) {
    let mut record = Record::new(clock.mono());
    let mut back_off = SHORTEST_BACK_OFF;
    let tell = |reading: Option<ErasedReading>| {
        if let Some(reading) = reading {
            if let ErasedReading::Unknown(why) | ErasedReading::Lost(why) = &reading {
                tracing::warn!(source = std::any::type_name::<S>(), ?key, %why, "a constraint source has no reading");
            }
            report(reading);
        }
    };
    loop {
        let begun = clock.mono();
        let why = watch_once(source, key, clock, &mut record, &tell).await;
        let died = clock.mono();
        tracing::debug!(source = std::any::type_name::<S>(), ?key, %why, "a watch has ended");
        tell(record.hear(Reading::Unknown(why), died));
        if died.since(begun) >= LONGEST_BACK_OFF {
            back_off = SHORTEST_BACK_OFF;
        }
        let resume = died.plus(back_off);
        while clock.mono() < resume {
            clock.sleep_until(record.deadline().map_or(resume, |at| at.min(resume))).await;
            tell(record.pass(clock.mono()));
        }
        back_off = back_off.saturating_mul(2).min(LONGEST_BACK_OFF);
    }
}

/// One watch from its beginning to its end; answers why it ended.
async fn watch_once<S: Source>(
    source: &S,
    key: &S::Key,
    clock: &dyn Clock,
    record: &mut Record<S::State>,
    tell: &(impl Fn(Option<ErasedReading>) + Sync),
) -> Cow<'static, str> {
    let (out, mut seen) = watch::channel(Reading::Unknown(NOT_YET));
    let mut watching = pin!(unwinding(async { source.watch(key.clone(), out).await }));
    let mut pace = Pace { since: clock.mono(), heard: 0 };
    loop {
        tokio::select! {
            biased;
            changed = seen.changed() => {
                if changed.is_err() {
                    return Cow::Borrowed("the watch has dropped its channel");
                }
                if let Some(rest) = pace.rest(clock.mono()) {
                    // Its watch is not polled meanwhile; what it says then is what counts.
                    tracing::warn!(source = std::any::type_name::<S>(), ?key, "a constraint source says too much");
                    clock.sleep_until(rest).await;
                }
                let reading = seen.borrow_and_update().clone();
                tell(record.hear(reading, clock.mono()));
            }
            end = &mut watching => {
                let last = seen.borrow_and_update();
                let last = last.has_changed().then(|| last.clone());
                if let Some(reading) = last {
                    tell(record.hear(reading, clock.mono()));
                }
                return end.err().unwrap_or(Cow::Borrowed("the watch has ended"));
            }
            () = reached(clock, record.deadline()) => tell(record.pass(clock.mono())),
        }
    }
}

/// How much a source says.
struct Pace {
    /// The beginning of the present second.
    since: MonoTime,
    heard: u32,
}

impl Pace {
    /// Counts a reading; where there are too many, how long the source must wait.
    fn rest(&mut self, now: MonoTime) -> Option<MonoTime> {
        if now.since(self.since) >= SECOND {
            (self.since, self.heard) = (now, 0);
        }
        self.heard += 1;
        (self.heard > MOST_A_SECOND).then(|| self.since.plus(SECOND))
    }
}

/// Ends at the moment; never without one.
async fn reached(clock: &dyn Clock, moment: Option<MonoTime>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The future, with a panic turned into the reason "it panicked: ...".
pub(super) async fn unwinding<T>(future: impl Future<Output = T>) -> Result<T, Cow<'static, str>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panic) => Poll::Ready(Err(format!("it panicked: {}", panic_text(&*panic)).into())),
    })
    .await
}

/// What a panic says.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// What was heard from a source and what of it still counts.
struct Record<S> {
    counts: Counts<S>,
    /// When silence becomes an unknown reading; `None` once anything was heard.
    first_due: Option<MonoTime>,
    /// When the known state no longer counts, and why; `None` while the source is well.
    stale: Option<(MonoTime, Cow<'static, str>)>,
}

/// The reading that was told last.
enum Counts<S> {
    Nothing,
    Known(S),
    Unknown(Cow<'static, str>),
    Lost,
}

impl<S: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static> Record<S> {
    fn new(now: MonoTime) -> Self {
        Self { counts: Counts::Nothing, first_due: Some(now.plus(FIRST_READING)), stale: None }
    }

    /// Takes a reading; answers what is new to tell.
    fn hear(&mut self, reading: Reading<S>, now: MonoTime) -> Option<ErasedReading> {
        self.first_due = None;
        match (reading, &self.counts) {
            (Reading::Known(state), counts) => {
                self.stale = None;
                if matches!(counts, Counts::Known(told) if *told == state) {
                    return None;
                }
                self.counts = Counts::Known(state.clone());
                Some(Reading::Known(state).into())
            }
            (Reading::Unknown(why), Counts::Known(_)) => {
                self.stale.get_or_insert_with(|| (now.plus(LAST_READING), why));
                None
            }
            (Reading::Unknown(_), Counts::Lost) => None,
            (Reading::Unknown(why), Counts::Unknown(told)) if *told == why => None,
            (Reading::Unknown(why), _) => {
                self.counts = Counts::Unknown(why.clone());
                Some(ErasedReading::Unknown(why))
            }
        }
    }

    /// Lets time pass; answers what is new to tell.
    fn pass(&mut self, now: MonoTime) -> Option<ErasedReading> {
        if self.first_due.is_some_and(|at| at <= now) {
            return self.hear(Reading::Unknown(NOT_YET), now);
        }
        let (_, why) = self.stale.take_if(|(at, _)| *at <= now)?;
        self.counts = Counts::Lost;
        Some(ErasedReading::Lost(why))
    }

    /// When [`Record::pass`] has something to tell.
    fn deadline(&self) -> Option<MonoTime> {
        self.first_due.or(self.stale.as_ref().map(|(at, _)| *at))
    }
}

#[cfg(test)]
mod tests;

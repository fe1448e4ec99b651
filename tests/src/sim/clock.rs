//! A clock that stands still until it is told to move: wall and monotonic time apart.
//!
//! Invariant: what waits is woken in the order of its moment, and of its coming where moments are equal.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, Sleep, WallTime};

/// So many looks at a clock that stands still are taken for an engine that spins.
const MOST_LOOKS: u64 = 2_000_000;

/// The clock. Clones are the same clock.
#[derive(Clone)]
pub struct SimClock(Arc<Mutex<State>>);

struct State {
    mono: Duration,
    wall: i64,
    boot: u64,
    waits: BTreeMap<u64, Wait>,
    next: u64,
    looks: u64,
}

struct Wait {
    until: Until,
    waker: Waker,
}

#[derive(Clone, Copy)]
enum Until {
    Mono(Duration),
    Wall(i64),
}

impl State {
    /// How long until the wait is over; zero where it is.
    fn left(&self, until: Until) -> Duration {
        match until {
            Until::Mono(moment) => moment.saturating_sub(self.mono),
            Until::Wall(moment) => WallTime::from_millis(moment).since(WallTime::from_millis(self.wall)),
        }
    }

    fn wake(&mut self) -> Vec<Waker> {
        self.looks = 0;
        let due = |wait: &Wait| self.left(wait.until).is_zero();
        let numbers: Vec<_> = self.waits.iter().filter(|(_, wait)| due(wait)).map(|(n, _)| *n).collect();
        numbers.iter().filter_map(|number| self.waits.remove(number)).map(|wait| wait.waker).collect()
    }
}

impl SimClock {
    /// A clock whose wall shows this moment.
    pub fn new(wall: WallTime) -> Self {
        let (wall, waits) = (wall.as_millis(), BTreeMap::new());
        Self(Arc::new(Mutex::new(State { mono: Duration::ZERO, wall, boot: 1, waits, next: 0, looks: 0 })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.looks += 1;
        assert!(state.looks < MOST_LOOKS, "the engine spins while time stands still");
        state
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let woken = state.wake();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// How long until the first wait is over.
    pub fn next(&self) -> Option<Duration> {
        let state = self.state();
        state.waits.values().map(|wait| state.left(wait.until)).min()
    }

    /// Lets time pass on both clocks.
    pub fn pass(&self, length: Duration) {
        self.change(|state| {
            state.mono = state.mono.saturating_add(length);
            state.wall = WallTime::from_millis(state.wall).plus(length).as_millis();
        });
    }

    /// Sets the wall clock on or back; a machine that sleeps sees the same.
    pub fn jump(&self, millis: i64) {
        self.change(|state| state.wall = state.wall.saturating_add(millis));
    }

    /// The machine boots: its monotonic clock begins anew.
    pub fn boot(&self) {
        self.change(|state| {
            state.mono = Duration::ZERO;
            state.boot += 1;
        });
    }

    /// Waits for so long on the monotonic clock.
    pub fn sleep(&self, length: Duration) -> Sleep {
        let until = self.state().mono.saturating_add(length);
        self.waiting(Until::Mono(until))
    }

    fn waiting(&self, until: Until) -> Sleep {
        Box::pin(Waiting { clock: self.clone(), until, number: None })
    }
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "SimClock({:?}, wall {} ms)", state.mono, state.wall)
    }
}

impl Clock for SimClock {
    fn wall(&self) -> WallTime {
        WallTime::from_millis(self.look().wall)
    }

    fn mono(&self) -> MonoTime {
        MonoTime::from_origin(self.look().mono)
    }

    fn sleep_until(&self, moment: MonoTime) -> Sleep {
        self.waiting(Until::Mono(moment.since_origin()))
    }

    fn sleep_until_wall(&self, moment: WallTime) -> Sleep {
        self.waiting(Until::Wall(moment.as_millis()))
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        Some(u128::from(self.state().boot).to_be_bytes())
    }
}

struct Waiting {
    clock: SimClock,
    until: Until,
    number: Option<u64>,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = clock.state();
        if let Some(number) = self.number.take() {
            state.waits.remove(&number);
        }
        if state.left(self.until).is_zero() {
            return Poll::Ready(());
        }
        let number = state.next;
        state.next += 1;
        state.waits.insert(number, Wait { until: self.until, waker: context.waker().clone() });
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.clock.state().waits.remove(&number);
        }
    }
}

//! A clock that moves only while nothing is left to do: tokio's paused time, with a wall of its own.
#![expect(clippy::disallowed_methods, reason = "it belongs to the seam")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;

use crate::clock::{Clock, MonoTime, Sleep, WallTime};

/// Timers of tokio end at whole milliseconds, rounded up. A wait that is this much shorter ends exactly at its whole
/// millisecond, wherever between two of them the clock was when it was paused.
const ROUNDED_UP: Duration = Duration::from_nanos(999_999);

/// The virtual clock of a [`TestScheduler`](super::TestScheduler). Clones are the same clock.
///
/// Time passes only while nothing is left to do: then it skips to the next moment that anybody waits for, a body that
/// sleeps with `tokio::time` or the engine. Wall and monotonic time move together unless the wall is set.
///
/// # Examples
/// ```
/// use pushe_tasks::testing::TestScheduler;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let test = TestScheduler::setup().builder(|builder| builder.schedule_only()).start().await;
/// let before = test.clock().now();
/// test.clock().jump(Duration::from_secs(3_600));
/// assert_eq!(test.clock().now(), before + Duration::from_secs(3_600));
/// # }
/// ```
#[derive(Clone)]
pub struct TestClock(Arc<Inner>);

struct Inner {
    origin: tokio::time::Instant,
    wall: watch::Sender<Wall>,
    waits: Mutex<Waits>,
}

/// What the wall showed at the origin, as it has been set since, and how often it was set back.
#[derive(Clone, Copy, Debug)]
struct Wall {
    at_origin: WallTime,
    set_back: u64,
}

/// The moments that the engine waits for.
#[derive(Debug, Default)]
struct Waits {
    next: u64,
    moments: BTreeMap<u64, MonoTime>,
}

impl TestClock {
    /// Pauses the time of this runtime, whose wall shows this moment.
    ///
    /// # Panics
    /// Outside of a current-thread runtime of tokio with its timers enabled.
    #[track_caller]
    pub(super) fn new(now: SystemTime) -> Self {
        let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        assert!(
            matches!(flavor, Ok(RuntimeFlavor::CurrentThread)),
            "a `TestScheduler` runs on the test's own thread: use `#[tokio::test(start_paused = true)]`"
        );
        if !is_paused() {
            tokio::time::pause();
        }
        let wall = Wall { at_origin: WallTime::from(now), set_back: 0 };
        Self(Arc::new(Inner {
            origin: tokio::time::Instant::now(),
            wall: watch::Sender::new(wall),
            waits: Mutex::default(),
        }))
    }

    /// What the wall clock shows.
    pub fn now(&self) -> SystemTime {
        self.wall().into()
    }

    /// Time that has passed since the start, whatever was done to the wall clock.
    pub fn elapsed(&self) -> Duration {
        self.0.origin.elapsed()
    }

    /// Sets the wall clock forward, as a user or a time server does; waits by duration do not end by it.
    pub fn jump(&self, by: Duration) {
        self.0.wall.send_modify(|wall| wall.at_origin = wall.at_origin.plus(by));
    }

    /// Sets the wall clock back.
    pub fn jump_back(&self, by: Duration) {
        self.0.wall.send_modify(|wall| {
            wall.at_origin = wall.at_origin.minus(by);
            wall.set_back += 1;
        });
    }

    /// Sets the wall clock to this moment.
    pub fn set(&self, now: SystemTime) {
        match now.duration_since(self.now()) {
            Ok(forward) => self.jump(forward),
            Err(back) => self.jump_back(back.duration()),
        }
    }

    /// The next moment that the engine waits for; bodies that sleep are not counted.
    pub(super) fn next_moment(&self) -> Option<MonoTime> {
        self.waits().moments.values().min().copied()
    }

    /// A wait that `next_moment` does not count.
    pub(super) async fn pass_until(&self, moment: MonoTime) {
        let left = moment.since(self.mono());
        if left.is_zero() {
            return;
        }
        match self.0.origin.checked_add(moment.since_origin().saturating_sub(ROUNDED_UP)) {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.0.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, moment: MonoTime) -> Waiting {
        let mut waits = self.waits();
        let number = waits.next;
        waits.next += 1;
        waits.moments.insert(number, moment);
        Waiting { clock: self.clone(), number }
    }
}

/// One wait of the engine, which ends with it.
struct Waiting {
    clock: TestClock,
    number: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.clock.waits().moments.remove(&self.number);
    }
}

/// Whether tokio's time stands still, which it does not tell: by the machine's clock it would have moved.
fn is_paused() -> bool {
    let (before, begun) = (tokio::time::Instant::now(), Instant::now());
    while begun.elapsed() < Duration::from_micros(1) {
        std::hint::spin_loop();
    }
    tokio::time::Instant::now() == before
}

impl Clock for TestClock {
    fn wall(&self) -> WallTime {
        self.0.wall.borrow().at_origin.plus(self.elapsed())
    }

    fn mono(&self) -> MonoTime {
        MonoTime::from_origin(self.elapsed())
    }

    fn sleep_until(&self, moment: MonoTime) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            let _waiting = clock.enter(moment);
            clock.pass_until(moment).await;
        })
    }

    fn sleep_until_wall(&self, moment: WallTime) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            let mut walls = clock.0.wall.subscribe();
            let set_back = walls.borrow_and_update().set_back;
            loop {
                let left = moment.since(clock.wall());
                if left.is_zero() || walls.borrow().set_back > set_back {
                    return;
                }
                tokio::select! {
                    biased;
                    _ = walls.changed() => {}
                    () = clock.sleep_until(clock.mono().plus(left)) => {}
                }
            }
        })
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        // One boot: what a test plays is the crash of a program, which is charged to its work.
        Some([1; 16])
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestClock({:?}, wall {})", self.elapsed(), self.wall())
    }
}

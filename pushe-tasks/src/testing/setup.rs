//! How a test's scheduler is set up.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::scheduler::TestScheduler;
use crate::builder::SchedulerBuilder;

/// What the wall clock shows at the start where a test does not say: 1 January 2026, 0:00 UTC, a Thursday.
const START: Duration = Duration::from_secs(1_767_225_600);

/// Changes a builder; called again for each process that a test plays.
pub(super) type Change = Box<dyn Fn(SchedulerBuilder) -> SchedulerBuilder>;

/// Sets up a [`TestScheduler`].
///
/// # Examples
/// ```
/// use pushe_tasks::testing::TestScheduler;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let test = TestScheduler::setup().seed(7).builder(|builder| builder.schedule_only()).start().await;
/// # }
/// ```
#[must_use = "a scheduler runs only once it is started"]
pub struct TestSetup {
    pub(super) seed: u64,
    pub(super) now: SystemTime,
    pub(super) by_hand: bool,
    pub(super) changes: Vec<Change>,
}

impl TestSetup {
    pub(super) fn new() -> Self {
        Self { seed: 0, now: SystemTime::UNIX_EPOCH + START, by_hand: false, changes: Vec::new() }
    }

    /// The seed of ids and jitter: by default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What the wall clock shows at the start: by default 1 January 2026, 0:00 UTC.
    pub fn now(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }

    /// Starts nothing by itself: [`TestScheduler::run_one`] starts the next piece.
    pub fn by_hand(mut self) -> Self {
        self.by_hand = true;
        self
    }

    /// Changes the builder: its tasks, states, constraints, limits. It is called again each time that the test plays a new
    /// process, so what tasks share has to be cloned into it.
    ///
    /// Without a word of it all annotated tasks of the program run. Store, clock, randomness and driver are the test's own,
    /// and so are the sources of built-in constraints unless they are changed here.
    pub fn builder(mut self, change: impl Fn(SchedulerBuilder) -> SchedulerBuilder + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Starts it on the current-thread runtime of the test, whose time it pauses if `start_paused` has not; then the time stands
    /// between two of tokio's milliseconds, and timers of bodies end up to one late.
    ///
    /// # Panics
    /// Where the scheduler cannot be started, with the text of its error, and outside of a current-thread runtime.
    pub async fn start(self) -> TestScheduler {
        TestScheduler::begin(self).await
    }
}

impl fmt::Debug for TestSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSetup").field("seed", &self.seed).field("now", &self.now).finish_non_exhaustive()
    }
}

//! Tests of tasks: the real engine on a store in memory, on virtual time, with every lever in the test's hand.
//!
//! A [`TestScheduler`] runs on the thread of its test and makes no other. Time passes only while nothing is left to do, and
//! then at once, so a test of a daily task takes no longer than one of a task that starts now. Chance comes from a seed.
//! Calls that name no scheduler use the one of their thread, so that many tests run side by side in one program.
//!
//! ```
//! use pushe_tasks::prelude::*;
//! use pushe_tasks::testing::{TestScheduler, assert_scheduled};
//! use std::time::Duration;
//!
//! #[pushe_task(retry(max_attempts = 3))]
//! async fn greet_guest(name: String) -> Result<usize, TaskError> {
//!     if name.is_empty() { Err(TaskError::new("a guest without a name")) } else { Ok(name.len()) }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In a test: `#[tokio::test(start_paused = true)]`.
//! let test = TestScheduler::setup().builder(|builder| builder.only::<GreetGuest>()).start().await;
//! GreetGuest::schedule("Ada".to_owned()).delay("1h").await?;
//! GreetGuest::schedule(String::new()).await?;
//! assert_scheduled!(test, GreetGuest, input = |name: &String| name == "Ada", delayed = Duration::from_secs(3_600));
//!
//! let report = test.drain().await;
//! assert_eq!((report.succeeded, report.failed, report.attempts), (1, 1, 4), "{report}");
//! assert!(report.took >= Duration::from_secs(3_600));
//! # Ok(())
//! # }
//! ```
//!
//! **What is not virtual.** A blocking body (`run_on = Blocking`) runs on a thread of its own, and time stands still until
//! it has ended. Threads, sockets and files of a body are the real ones; while it waits for them without anything of tokio's
//! blocking pool, time passes as if it slept.

mod clock;
pub(crate) mod current;
mod device;
mod drain;
mod expect;
pub(crate) mod life;
mod random;
mod scheduler;
mod setup;
mod store;

#[doc(inline)]
pub use crate::{assert_not_scheduled, assert_scheduled};
pub use clock::TestClock;
pub use device::Device;
pub use drain::Drained;
pub use expect::Expected;
pub use random::SeededRandomness;
pub use scheduler::TestScheduler;
pub use setup::TestSetup;

use crate::builder::linked;
use crate::registry::Registry;

/// Checks every annotated task that is linked into this program, as the start of a scheduler would: no two bear one stored
/// name, and no options break a rule that the compiler could not judge.
///
/// A program needs no scheduler to ask; put it into a test of the crate that holds the tasks.
///
/// # Panics
/// With the text of the error, which names the tasks and their places.
///
/// # Examples
/// ```standalone_crate
/// pushe_tasks::testing::assert_registry();
/// ```
#[track_caller]
pub fn assert_registry() {
    if let Err(error) = Registry::new(linked()) {
        panic!("the tasks of this program cannot be run together: {error}");
    }
}

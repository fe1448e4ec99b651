//! A bound on waits: what does not come in time fails the test instead of hanging it.

use std::future::Future;
use std::time::Duration;

use pushe_tasks::clock::{Clock, SystemClock};

/// So long a test waits for any one thing. Nothing here takes a tenth of it on a machine that is not overloaded.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for `future`, and no longer than the deadline.
///
/// # Panics
/// Where it has not ended by then, with `what` was waited for.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let clock = SystemClock::new();
    tokio::select! {
        biased;
        output = future => output,
        () = clock.sleep_until(clock.mono().plus(DEADLINE)) => panic!("waited in vain for {what}"),
    }
}

//! A constraint of your own: work waits for a condition of the application, and stops when it is lost.

use std::error::Error;
use std::time::Duration;

use pushe_tasks::WorkState;
use pushe_tasks::clock::WallTime;
use pushe_tasks::constraint::{Constraint, ConstraintDecodeError, Manual, Verdict};
use pushe_tasks::prelude::*;
use pushe_tasks::testing::TestScheduler;

/// How many seats are free, as the application sets it; a source can as well ask a system for its state.
type Seats = Manual<u32>;

/// Needs so many of them. The value is stored with the work, so each call may need another number.
#[derive(Debug)]
struct FreeSeats(u32);

impl Constraint for FreeSeats {
    const KIND: &'static str = "cinema/free-seats";
    type Source = Seats;

    fn encode(&self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        let bytes = bytes.try_into().map_err(|_| ConstraintDecodeError::new("not four bytes"))?;
        Ok(Self(u32::from_le_bytes(bytes)))
    }

    fn key(&self) {}

    fn check(&self, free: &u32, _: WallTime) -> Verdict {
        if *free >= self.0 {
            Verdict::met()
        } else {
            Verdict::hold(format!("{free} of {} seats are free", self.0))
        }
    }
}

#[pushe_task(requires(FreeSeats(2)))]
async fn watch_film(token: CancellationToken) -> Result<(), TaskError> {
    token.cancelled().await;
    Err(TaskError::new("interrupted"))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let seats = Seats::new(1);
    let source = seats.clone();
    let test = TestScheduler::setup().builder(move |builder| builder.source(source.clone())).start().await;
    let second = Duration::from_secs(1);

    let couple = WatchFilm::schedule().await?.id();
    let group = WatchFilm::schedule().requires_nothing().requires(FreeSeats(9)).await?.id();
    test.advance(10 * second).await;
    let standing = test.explain(couple).await?.to_string();
    assert!(standing.contains("1 of 2 seats are free"), "{standing}");

    // A gain has to last for a second before it counts.
    seats.set(4);
    test.advance(2 * second).await;
    assert_eq!(test.info(couple).await?.state, WorkState::Running);
    assert_eq!(test.info(group).await?.state, WorkState::Enqueued);

    // A loss stops what runs after five seconds, and gives its attempt back.
    seats.set(0);
    test.advance(6 * second).await;
    let info = test.info(couple).await?;
    assert_eq!((info.state, info.attempt), (WorkState::Enqueued, 1));
    Ok(())
}

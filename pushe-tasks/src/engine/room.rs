//! Room in the writer's queue: what keeps callers from bringing more than the disk can take.
//!
//! A caller takes room before its request is queued, and the request carries that room until it is answered; so a caller
//! that gives up in between does not make room for another. What the engine itself sends (ends of attempts, credit) takes
//! none and never waits: each belongs to a body, and those are bounded.
//!
//! Invariant: what callers have queued never exceeds the room, in number and in bytes; whoever came first gets room first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most bytes that callers may have queued; a larger request fills the room alone.
const BYTES: usize = 64 << 20;

/// The most requests that callers may have queued.
pub(crate) const REQUESTS: usize = 1_024;

/// Room is dealt out in pieces of this many bytes.
const UNIT: usize = 1 << 10;

/// All of the room, in units.
const UNITS: usize = BYTES / UNIT;

/// The room of one queue.
#[derive(Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Room that one request has taken; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(UNITS)), waiting: AtomicUsize::new(0) }
    }

    /// Takes room for a request of this size, and waits for it where there is none.
    pub(crate) async fn enter(&self, bytes: usize) -> Place {
        let units = units(bytes);
        if let Ok(taken) = Arc::clone(&self.free).try_acquire_many_owned(units) {
            return Place { _taken: Some(taken) };
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        // It is never closed: a queue that takes no more refuses, and that gives its room back.
        Place { _taken: Arc::clone(&self.free).acquire_many_owned(units).await.ok() }
    }

    /// How many callers wait for room.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// Counts a caller until it has room or gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How much of the room a request takes: so much that the number of requests is bounded too.
fn units(bytes: usize) -> u32 {
    let units = bytes.div_ceil(UNIT).clamp(UNITS / REQUESTS, UNITS);
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn now<F: Future>(future: &mut std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn requests_take_room_by_number_and_by_bytes() {
        let check = |bytes: usize, most: usize| assert_eq!(UNITS / units(bytes) as usize, most, "{bytes}");
        check(0, REQUESTS);
        check(64 << 10, REQUESTS);
        check(1 << 20, 64);
        check(32 << 20, 2);
        check(BYTES, 1);
        check(usize::MAX, 1);
    }

    #[test]
    fn room_is_given_in_turn_and_given_back() {
        let room = Room::new();
        let mut whole = pin!(room.enter(BYTES));
        let Poll::Ready(place) = now(&mut whole) else { panic!("there is room") };
        let mut large = pin!(room.enter(BYTES));
        let mut small = pin!(room.enter(0));
        assert!(now(&mut large).is_pending() && now(&mut small).is_pending());
        assert_eq!(room.waiting(), 2);
        drop(place);
        // The small one would fit beside nobody: it came second.
        assert!(now(&mut small).is_pending());
        let Poll::Ready(place) = now(&mut large) else { panic!("it is its turn") };
        drop(place);
        assert!(now(&mut small).is_ready());
        assert_eq!(room.waiting(), 0);
    }

    #[test]
    fn a_caller_that_gives_up_waits_no_more() {
        let room = Room::new();
        let mut whole = pin!(room.enter(BYTES));
        let Poll::Ready(place) = now(&mut whole) else { panic!("there is room") };
        {
            let mut given_up = pin!(room.enter(BYTES));
            assert!(now(&mut given_up).is_pending());
        }
        assert_eq!(room.waiting(), 0);
        drop(place);
        assert!(now(&mut pin!(room.enter(BYTES))).is_ready());
    }
}

//! Tells when a current-thread runtime has nothing left to do.
//!
//! Invariant: `Idle::reached` ends when every task of the runtime waits for something that only the world outside can
//! bring: a wait ends no sooner, however often tasks wake one another.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A latch that the runtime opens just before its thread would park.
#[derive(Clone, Debug, Default)]
pub struct Idle(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    reached: bool,
    waker: Option<Waker>,
}

impl Idle {
    /// A runtime on the calling thread, without timers and I/O, and its latch.
    ///
    /// # Panics
    /// Where the runtime cannot be made, which needs no resource.
    pub fn runtime() -> (tokio::runtime::Runtime, Self) {
        let idle = Self::default();
        let hook = idle.clone();
        let runtime =
            tokio::runtime::Builder::new_current_thread().on_thread_park(move || hook.open()).build();
        (runtime.expect("a runtime without drivers"), idle)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) {
        let mut state = self.state();
        state.reached = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends when nothing is left to do.
    pub fn reached(&self) -> impl Future<Output = ()> + use<> {
        let idle = self.clone();
        idle.state().reached = false;
        poll_fn(move |context| {
            let mut state = idle.state();
            if state.reached {
                return Poll::Ready(());
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

//! A source that the program sets by hand.
//!
//! Invariant: what was set last is what every watch sees and every read answers.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio::sync::watch;

use super::source::{Reading, Source, publish};

/// A source whose state the program sets: a test's network, or an application's own condition.
///
/// Clones share one state.
///
/// # Examples
/// ```
/// use pushe_tasks::constraint::{Manual, NetworkState};
///
/// let network = Manual::<NetworkState>::new(NetworkState::offline());
/// network.set(NetworkState::routed());
/// ```
#[derive(Debug)]
pub struct Manual<S, K = ()> {
    state: Arc<watch::Sender<Reading<S>>>,
    key: PhantomData<fn() -> K>,
}

impl<S, K> Clone for Manual<S, K> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), key: PhantomData }
    }
}

impl<S: PartialEq, K> Manual<S, K> {
    /// A source in a known state.
    pub fn new(state: S) -> Self {
        Self::with(Reading::Known(state))
    }

    /// A source with any reading.
    pub fn with(reading: Reading<S>) -> Self {
        Self { state: Arc::new(watch::Sender::new(reading)), key: PhantomData }
    }

    /// Puts the source into a known state.
    pub fn set(&self, state: S) {
        publish(&self.state, Reading::Known(state));
    }

    /// Takes the reading away.
    pub fn lose(&self, why: impl Into<std::borrow::Cow<'static, str>>) {
        publish(&self.state, Reading::unknown(why));
    }

    /// How many watches look at this source now.
    pub fn watches(&self) -> usize {
        self.state.receiver_count()
    }
}

impl<S, K> Source for Manual<S, K>
where
    S: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static,
    K: Clone + Eq + std::hash::Hash + std::fmt::Debug + Send + Sync + 'static,
{
    type Key = K;
    type State = S;

    async fn read(&self, _: &K) -> Reading<S> {
        self.state.borrow().clone()
    }

    async fn watch(&self, _: K, out: watch::Sender<Reading<S>>) {
        let mut seen = self.state.subscribe();
        loop {
            let reading = seen.borrow_and_update().clone();
            publish(&out, reading);
            if seen.changed().await.is_err() {
                return;
            }
        }
    }
}

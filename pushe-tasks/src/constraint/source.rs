//! Sources: where the state that constraints judge comes from.
//!
//! Invariant: a source reports levels, not edges. What it publishes is always the whole present state, so a reader
//! that misses some of it misses nothing that is still true.

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;

use tokio::sync::watch;

/// What a source says at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading<S> {
    /// The state.
    Known(S),
    /// The state cannot be told, and why; what that means is for each constraint to say.
    Unknown(Cow<'static, str>),
}

impl<S> Reading<S> {
    /// A missing reading with its reason.
    pub fn unknown(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Unknown(why.into())
    }

    /// The state, where it is known.
    pub const fn known(&self) -> Option<&S> {
        match self {
            Self::Known(state) => Some(state),
            Self::Unknown(_) => None,
        }
    }
}

/// Something whose state can be read and watched.
///
/// The engine runs one watch for each key that some waiting or running work looks at. A watch that returns or panics
/// is begun again with back-off; meanwhile its last reading counts for 30 s. One that publishes more than 2,000 times a
/// second waits for the next second.
///
/// All sources of an engine share its own thread, which runs no body: neither `read` nor `watch` may block it, or all
/// work waits. What can only be asked by a blocking call belongs on `tokio::task::spawn_blocking`.
pub trait Source: Send + Sync + 'static {
    /// What to look at: `()` where there is one for each machine, else a host, a directory, ...
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;

    /// The state that constraints judge.
    type State: Clone + PartialEq + Debug + Send + Sync + 'static;

    /// Reads the truth now; asked once more before the body of each claim begins, so it should be quick.
    ///
    /// A read that panics, answers [`Reading::Unknown`] or takes more than 1 s says nothing: what the watch has said counts.
    fn read(&self, key: &Self::Key) -> impl Future<Output = Reading<Self::State>> + Send;

    /// Publishes the present state and then every change, until dropped. It returns only when it cannot go on.
    ///
    /// # Cancel safety
    /// The engine drops the future when nothing waits for this key any more.
    fn watch(
        &self,
        key: Self::Key,
        out: watch::Sender<Reading<Self::State>>,
    ) -> impl Future<Output = ()> + Send;
}

/// Publishes a reading where it differs from the last one.
pub fn publish<S: PartialEq>(out: &watch::Sender<Reading<S>>, reading: Reading<S>) {
    out.send_if_modified(|last| {
        let new = *last != reading;
        if new {
            *last = reading;
        }
        new
    });
}

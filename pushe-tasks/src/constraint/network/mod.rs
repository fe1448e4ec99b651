//! The network as constraints see it: who needs what of it, and what this machine says.
//!
//! Invariant: a network source answers for the kernel alone; validators and the application join in [`overlay`].

use std::sync::Arc;

use tokio::sync::watch;

use super::{Reading, Source};
use crate::clock::Clock;

#[cfg(all(target_os = "linux", feature = "net"))]
mod message;
mod needs;
#[cfg(all(target_os = "linux", feature = "net"))]
mod netlink;
pub(crate) mod overlay;
mod portable;
#[cfg(all(target_os = "linux", feature = "net"))]
mod routes;
mod state;

pub(crate) use needs::NetworkAnswers;
pub use needs::NetworkConstraint;
pub use overlay::NetworkOverride;
pub use state::{Metered, NetworkOpinion, NetworkReach, NetworkState, Roaming};

/// The network of this machine: the kernel's own events where it gives them (Linux, feature `net`), else a look at
/// the routes every 5 s.
///
/// Its watch must run inside a tokio runtime with I/O enabled. A network namespace is that of the polling thread.
#[derive(Clone, Debug)]
pub struct NetworkSource {
    clock: Arc<dyn Clock>,
    #[cfg(all(target_os = "linux", feature = "net"))]
    netlink: Option<netlink::Options>,
}

impl NetworkSource {
    /// The best source that this machine has.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            #[cfg(all(target_os = "linux", feature = "net"))]
            netlink: Some(netlink::Options::default()),
        }
    }

    /// The source that needs nothing of the system but UDP sockets. It sends no packet.
    ///
    /// It cannot see that a link has lost its carrier while its route stays.
    pub fn portable(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            #[cfg(all(target_os = "linux", feature = "net"))]
            netlink: None,
        }
    }

    /// Asks for so large a buffer of the kernel's events; a small one is overrun, which tests want to see.
    #[doc(hidden)]
    #[must_use]
    #[cfg(all(target_os = "linux", feature = "net"))]
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.netlink = self.netlink.map(|options| options.receive_buffer(bytes));
        self
    }

    /// Reads the network now, without waiting for anything: some 50 µs where the kernel is asked.
    pub fn snapshot(&self) -> Reading<NetworkState> {
        #[cfg(all(target_os = "linux", feature = "net"))]
        if self.netlink.is_some() {
            match netlink::snapshot() {
                Ok(state) => return Reading::Known(state),
                Err(error) => tracing::debug!(%error, "netlink gives no snapshot"),
            }
        }
        portable::snapshot()
    }
}

impl Source for NetworkSource {
    type Key = ();
    type State = NetworkState;

    async fn read(&self, (): &()) -> Reading<NetworkState> {
        self.snapshot()
    }

    async fn watch(&self, (): (), out: watch::Sender<Reading<NetworkState>>) {
        #[cfg(all(target_os = "linux", feature = "net"))]
        if let Some(options) = &self.netlink {
            match netlink::Monitor::open(*options) {
                Ok(monitor) => return monitor.watch(&*self.clock, &out).await,
                Err(error) => {
                    tracing::info!(%error, "netlink cannot be used; the network is looked at every 5 s");
                }
            }
        }
        portable::watch(&*self.clock, &out).await;
    }
}

//! The network as constraints see it.
//!
//! Invariant: what the kernel says is a veto. A device without a usable default route is not connected, whatever a
//! validator above it may say; validators, metering and roaming join [`NetworkState`] as further fields.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Constraint, ConstraintDecodeError, Damping, Reading, Source, Verdict};
use crate::clock::{Clock, WallTime};

#[cfg(all(target_os = "linux", feature = "net"))]
mod message;
#[cfg(all(target_os = "linux", feature = "net"))]
mod netlink;
mod portable;
#[cfg(all(target_os = "linux", feature = "net"))]
mod routes;

/// How far the network reaches, as far as this device can tell; greater reaches further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// No link is up.
    Offline,
    /// A link is up; there is no usable default route.
    Local,
    /// There is a usable default route.
    Routed,
}

/// The state of the device's network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NetworkState {
    /// How far the network reaches.
    pub reach: Reach,
}

impl NetworkState {
    /// A device without a network.
    pub const fn offline() -> Self {
        Self::reaching(Reach::Offline)
    }

    /// A device with a usable default route.
    pub const fn routed() -> Self {
        Self::reaching(Reach::Routed)
    }

    /// A device whose network reaches so far.
    pub const fn reaching(reach: Reach) -> Self {
        Self { reach }
    }
}

/// What kind of network work needs, as it is stored.
///
/// # Examples
/// ```
/// use pushe_tasks::clock::WallTime;
/// use pushe_tasks::constraint::{Constraint, NetworkConstraint, NetworkState};
///
/// let now = WallTime::from_millis(0);
/// assert!(NetworkConstraint::connected().check(&NetworkState::routed(), now).is_met());
/// assert!(!NetworkConstraint::connected().check(&NetworkState::offline(), now).is_met());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkConstraint {
    needs: Needs,
}

/// The stored code of each need is its number here and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Needs {
    Connected = 1,
}

impl NetworkConstraint {
    const FORMAT: u8 = 1;

    /// A usable default route. Where the device cannot tell, work starts: its own retry covers that.
    pub const fn connected() -> Self {
        Self { needs: Needs::Connected }
    }
}

impl Constraint for NetworkConstraint {
    const KIND: &'static str = "network";
    type Source = NetworkSource;

    fn encode(&self) -> Vec<u8> {
        vec![Self::FORMAT, self.needs as u8]
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        match *bytes {
            [Self::FORMAT, 1] => Ok(Self::connected()),
            [Self::FORMAT, code] => Err(ConstraintDecodeError::new(format!(
                "this program knows no network type with code {code}"
            ))),
            [format, ..] if format > Self::FORMAT => {
                Err(ConstraintDecodeError::new(format!("format {format} is newer than this program")))
            }
            _ => Err(ConstraintDecodeError::new("the bytes are no network constraint")),
        }
    }

    fn key(&self) {}

    fn check(&self, state: &NetworkState, _: WallTime) -> Verdict {
        match (self.needs, state.reach) {
            (Needs::Connected, Reach::Routed) => Verdict::met(),
            (Needs::Connected, Reach::Local) => Verdict::hold("no usable default route"),
            (Needs::Connected, Reach::Offline) => Verdict::hold("no network link is up"),
        }
    }

    fn unknown(&self, _: &str) -> Verdict {
        match self.needs {
            Needs::Connected => Verdict::met(),
        }
    }

    fn damping(&self) -> Damping {
        Damping { rise: Duration::from_secs(1), fall: Duration::from_secs(5) }
    }

    fn describe(&self) -> Cow<'static, str> {
        match self.needs {
            Needs::Connected => Cow::Borrowed("network: Connected"),
        }
    }
}

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
                Ok(reach) => return Reading::Known(NetworkState::reaching(reach)),
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_millis(0);

    #[test]
    fn connected_needs_a_default_route() {
        let check = |reach| NetworkConstraint::connected().check(&NetworkState::reaching(reach), NOW);
        assert_eq!(check(Reach::Offline), Verdict::hold("no network link is up"));
        assert_eq!(check(Reach::Local), Verdict::hold("no usable default route"));
        assert_eq!(check(Reach::Routed), Verdict::met());
        assert_eq!(NetworkConstraint::connected().unknown("no netlink"), Verdict::met());
    }

    #[test]
    fn the_stored_form_is_kept() {
        let constraint = NetworkConstraint::connected();
        assert_eq!(constraint.encode(), [1, 1]);
        assert_eq!(NetworkConstraint::decode(&[1, 1]), Ok(constraint));
        let error = |bytes: &[u8]| NetworkConstraint::decode(bytes).expect_err("no such value").to_string();
        assert_eq!(error(&[1, 9]), "this program knows no network type with code 9");
        assert_eq!(error(&[2, 1, 7]), "format 2 is newer than this program");
        for bytes in [&[][..], &[1], &[1, 1, 0], &[0, 1]] {
            assert_eq!(error(bytes), "the bytes are no network constraint");
        }
    }
}

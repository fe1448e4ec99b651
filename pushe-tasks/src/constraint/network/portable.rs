//! The network through nothing but the standard library: is there a route to the outside?
//!
//! Connecting a UDP socket makes the system look up a route and sends no packet; the addresses are reserved for
//! documents, so nothing stands behind them.
//!
//! Invariant: only an answer about routes says offline. Any other failure, such as no free descriptor, is unknown.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::sync::watch;

use super::{NetworkReach, NetworkState};
use crate::clock::Clock;
use crate::constraint::{Reading, publish};

/// How often the route is looked up while somebody waits for the answer.
const EVERY: Duration = Duration::from_secs(5);

const OUTSIDE: [(IpAddr, IpAddr); 2] = [
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
];
/// The discard service; no packet is sent to it.
const PORT: u16 = 9;

/// Publishes the state now and after every further look.
pub(super) async fn watch(clock: &dyn Clock, out: &watch::Sender<Reading<NetworkState>>) {
    loop {
        publish(out, snapshot());
        clock.sleep_until(clock.mono().plus(EVERY)).await;
    }
}

/// Looks up the routes now.
pub(super) fn snapshot() -> Reading<NetworkState> {
    judge(OUTSIDE.map(|(from, to)| route(from, to)))
}

/// One route is enough; without any, a failed look-up leaves it open.
fn judge(routes: [io::Result<bool>; 2]) -> Reading<NetworkState> {
    if routes.iter().any(|route| matches!(route, Ok(true))) {
        return Reading::Known(NetworkState::reaching(NetworkReach::Routed));
    }
    match routes.into_iter().find_map(Result::err) {
        Some(error) => Reading::unknown(format!("routes cannot be looked up: {error}")),
        None => Reading::Known(NetworkState::reaching(NetworkReach::Offline)),
    }
}

/// Whether the system has a route from any of its addresses to `to`.
fn route(from: IpAddr, to: IpAddr) -> io::Result<bool> {
    use io::ErrorKind as Kind;
    let found = UdpSocket::bind(SocketAddr::new(from, 0)).and_then(|socket| socket.connect((to, PORT)));
    match found {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            // The last two: a route that is prohibited, or a black hole.
            Kind::NetworkUnreachable
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable
            | Kind::Unsupported
            | Kind::PermissionDenied
            | Kind::InvalidInput => Ok(false),
            _ if no_such_family(&error) => Ok(false),
            _ => Err(error),
        },
    }
}

/// The standard library has no kind for "address family not supported", the answer of a system without IPv6.
fn no_such_family(error: &io::Error) -> bool {
    let code = if cfg!(windows) {
        10047
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        97
    } else {
        47
    };
    error.raw_os_error() == Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> io::Result<bool> {
        Err(io::Error::other("no free descriptor"))
    }

    #[test]
    fn one_route_is_enough_and_a_failed_look_up_is_unknown() {
        let routed = Reading::Known(NetworkState::routed());
        let offline = Reading::Known(NetworkState::offline());
        let unknown = Reading::unknown("routes cannot be looked up: no free descriptor");
        assert_eq!(judge([Ok(true), Ok(false)]), routed);
        assert_eq!(judge([Ok(false), Ok(true)]), routed);
        assert_eq!(judge([failed(), Ok(true)]), routed);
        assert_eq!(judge([Ok(false), Ok(false)]), offline);
        assert_eq!(judge([Ok(false), failed()]), unknown);
        assert_eq!(judge([failed(), Ok(false)]), unknown);
    }

    #[test]
    fn the_machine_itself_can_always_be_reached() {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(route(here, here).expect("a look-up"));
    }
}

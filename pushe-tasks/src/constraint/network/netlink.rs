//! The network of a Linux machine as its kernel tells it, over rtnetlink.
//!
//! Invariant: an event only wakes. What is published comes from a fresh listing of links and routes, so events that
//! were lost, doubled or misread change nothing once the next one has come.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use tokio::net::UnixDatagram;
use tokio::sync::watch;

use super::NetworkState;
use super::message::{self, Messages};
use super::routes::{self, Link};
use crate::clock::Clock;
use crate::constraint::safety::next_look;
use crate::constraint::{Reading, publish};

/// Links, addresses (some routes go with them untold) and routes of both families, and nexthop objects.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400 | 0x8000_0000;
/// The kernel puts at most 32 KiB of a listing into one datagram unless one entry needs more.
const DATAGRAM: usize = 64 * 1024;
/// The kernel answers a listing within the call; this guards against one that does not.
const ANSWER: Duration = Duration::from_millis(250);
/// So often an interrupted listing is made anew; each interruption also wakes the watch.
const TRIES: usize = 4;
/// So many events are taken off the socket before the state is listed, however fast they come.
const EVENTS: usize = 1024;
/// A listing that took so long is given time, so that a router with many routes in motion is not kept busy.
const LONG_LISTING: Duration = Duration::from_millis(1);
/// After so long without an event the state is listed all the same.
const SAFETY: Duration = Duration::from_secs(60);

/// How the monitor's socket is set up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    receive_buffer: Option<usize>,
}

impl Options {
    pub(super) fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }
}

/// Lists links and routes now.
pub(super) fn snapshot() -> io::Result<NetworkState> {
    Lister::open()?.state()
}

/// A socket that the kernel wakes, and one that lists.
#[derive(Debug)]
pub(super) struct Monitor {
    events: UnixDatagram,
    lister: Lister,
}

impl Monitor {
    /// Subscribes, and makes sure that the state can be listed.
    pub(super) fn open(options: Options) -> io::Result<Self> {
        let socket = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, GROUPS)?;
        if let Some(bytes) = options.receive_buffer {
            sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
        }
        // Tokio polls only the sockets it knows. This one is used as a datagram socket and never asked for an address.
        let events = UnixDatagram::from_std(socket.into())?;
        let mut lister = Lister::open()?;
        lister.state()?;
        Ok(Self { events, lister })
    }

    /// Publishes the state after every event; returns when the sockets fail.
    pub(super) async fn watch(mut self, clock: &dyn Clock, out: &watch::Sender<Reading<NetworkState>>) {
        loop {
            let begun = clock.mono();
            match self.lister.state() {
                Ok(state) => publish(out, Reading::Known(state)),
                Err(error) => return tracing::debug!(%error, "netlink no longer lists"),
            }
            let took = clock.mono().since(begun);
            if took >= LONG_LISTING {
                clock.sleep_until(clock.mono().plus(took * 4)).await;
            }
            tokio::select! {
                ready = self.events.readable() => if let Err(error) = ready.and_then(|()| self.drain()) {
                    return tracing::debug!(%error, "netlink no longer tells events");
                },
                () = clock.sleep_until(next_look(clock, SAFETY)) => {}
            }
        }
    }

    /// Takes the events off the socket; what they say does not matter, and neither do those that were dropped.
    fn drain(&self) -> io::Result<()> {
        for _ in 0..EVENTS {
            match self.events.try_recv(&mut [0; 16]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                    tracing::debug!("netlink events were dropped; the state is listed anew");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Asks the kernel for listings.
#[derive(Debug)]
struct Lister {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Lister {
    fn open() -> io::Result<Self> {
        let socket = socket(SocketFlags::CLOEXEC, 0)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; DATAGRAM] })
    }

    /// Lists links and routes and judges them.
    fn state(&mut self) -> io::Result<NetworkState> {
        let mut tries = TRIES;
        loop {
            let (mut links, mut hops) = (Vec::new(), Vec::new());
            let mut whole = self.list(message::dump_links, |message| {
                if message.kind == message::NEW_LINK {
                    links.extend(Link::parse(message.body));
                }
            })?;
            for family in [message::ADDRESS_FAMILY_V4, message::ADDRESS_FAMILY_V6] {
                let listed = self.list(
                    |sequence| message::dump_routes(family, sequence),
                    |message| {
                        if message.kind == message::NEW_ROUTE {
                            routes::parse_default_route(message.body, &mut hops);
                        }
                    },
                );
                whole &= match listed {
                    // A kernel without this family has no routes of it.
                    Err(error) if error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => true,
                    Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => true,
                    listed => listed?,
                };
            }
            tries -= 1;
            if whole || tries == 0 {
                return Ok(routes::state(&links, &hops));
            }
        }
    }

    /// One listing; answers whether nothing changed while it was made.
    fn list(
        &mut self,
        request: impl Fn(u32) -> Vec<u8>,
        mut each: impl FnMut(message::Message<'_>),
    ) -> io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.socket, &request(self.sequence), SendFlags::empty(), &kernel)?;
        let mut whole = true;
        loop {
            let (length, from) =
                match rustix::net::recvfrom(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                    Ok((_, length, from)) => (length, from),
                    Err(Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                };
            let Some(datagram) = self.buffer.get(..length) else {
                return Err(io::Error::other("a netlink message is longer than its buffer"));
            };
            let from_kernel = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
            if from_kernel.is_none_or(|address| address.pid() != 0) {
                continue;
            }
            for message in Messages(datagram).filter(|message| message.sequence == self.sequence) {
                whole &= message.flags & message::FLAG_DUMP_INTERRUPTED == 0;
                match message.kind {
                    message::DONE | message::ERROR if message.error() != 0 => {
                        return Err(io::Error::from_raw_os_error(message.error()));
                    }
                    message::DONE => return Ok(whole),
                    _ => each(message),
                }
            }
        }
    }
}

/// A bound rtnetlink socket.
fn socket(flags: SocketFlags, groups: u32) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

//! The kernel's word that a power supply has changed.
//!
//! Invariant: an event only wakes; what is so is read from the supplies. Events that were dropped count as one.

use std::io;

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::net::UnixDatagram;

/// The group of the kernel's own events; the other is that of the device manager.
const KERNEL: u32 = 1;
/// An event of a supply carries all its attributes; longer ones of other devices are cut, and their beginning is enough.
const LONGEST: usize = 4096;
const SUBSYSTEM: &[u8] = b"SUBSYSTEM=power_supply";

/// The kernel's events.
#[derive(Debug)]
pub(super) struct Events {
    socket: UnixDatagram,
}

impl Events {
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
        // Tokio polls only the sockets it knows. This one is used as a datagram socket and never asked for an address.
        Ok(Self { socket: UnixDatagram::from_std(socket.into())? })
    }

    /// Waits for an event of a power supply, and takes all that came with it.
    ///
    /// # Cancel safety
    /// No event is lost: what was taken only wakes, and the supplies are read after every wait.
    pub(super) async fn next(&self) -> io::Result<()> {
        loop {
            self.socket.readable().await?;
            if self.drain()? {
                return Ok(());
            }
        }
    }

    /// Takes the events off the socket; answers whether one of them was a power supply's.
    fn drain(&self) -> io::Result<bool> {
        let (mut event, mut ours) = ([0; LONGEST], false);
        loop {
            match self.socket.try_recv(&mut event) {
                Ok(length) => ours |= is_ours(&event[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(ours),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => ours = true,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether an event, whose parts end in zero bytes, is a power supply's.
fn is_ours(event: &[u8]) -> bool {
    event.split(|byte| *byte == 0).any(|part| part == SUBSYSTEM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_its_subsystem() {
        assert!(is_ours(b"change@/devices/BAT0\0ACTION=change\0SUBSYSTEM=power_supply\0SEQNUM=7\0"));
        assert!(!is_ours(b"add@/devices/sda\0ACTION=add\0SUBSYSTEM=block\0"));
        assert!(!is_ours(b"add@/x\0NOTE=SUBSYSTEM=power_supply\0"));
        assert!(!is_ours(b""));
    }
}

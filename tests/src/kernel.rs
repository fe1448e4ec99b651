//! What tests tell the kernel of their own namespace without a program in between: routes, and events of devices.
//!
//! Invariant: every request is answered by the kernel before the call returns, or is a panic.

use std::os::fd::OwnedFd;

use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const CREATE: u16 = 0x400;
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
/// The first kind of message that is not the framing's own.
const FIRST_KIND: u16 = 16;

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("a short message");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST | flags).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

fn attribute(kind: u16, value: [u8; 4]) -> Vec<u8> {
    [&8_u16.to_ne_bytes()[..], &kind.to_ne_bytes(), &value].concat()
}

/// A socket by which routes are changed within microseconds.
#[derive(Debug)]
pub struct Routes(OwnedFd);

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl Routes {
    /// A socket to the kernel of this namespace.
    ///
    /// # Panics
    /// Where there is none.
    pub fn new() -> Self {
        let flags = SocketFlags::CLOEXEC;
        // Without a protocol it is the one of routes.
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None);
        Self(socket.expect("rtnetlink"))
    }

    /// Adds or removes the IPv4 default route by this gateway and link.
    fn change(&self, kind: u16, flags: u16, gateway: [u8; 4], link: u32) {
        // Family, lengths and service, the main table, made by an administrator, anywhere, unicast; no flags.
        let mut body = vec![2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        body.extend(attribute(5, gateway));
        body.extend(attribute(4, link.to_ne_bytes()));
        let kernel = SocketAddrNetlink::new(0, 0);
        let request = message(kind, ACKNOWLEDGE | flags, &body);
        rustix::net::sendto(&self.0, &request, SendFlags::empty(), &kernel).expect("a kernel that listens");
        let mut answer = [0; 256];
        let (length, _) = rustix::net::recv(&self.0, &mut answer[..], RecvFlags::empty()).expect("an answer");
        let error =
            answer[..length].get(16..20).map(|bytes| i32::from_ne_bytes(bytes.try_into().expect("four")));
        assert_eq!(error, Some(0), "the kernel refuses the change of a route");
    }

    /// Adds the default route.
    pub fn add_default(&self, gateway: [u8; 4], link: u32) {
        self.change(NEW_ROUTE, CREATE, gateway, link);
    }

    /// Removes the default route.
    pub fn remove_default(&self, gateway: [u8; 4], link: u32) {
        self.change(DELETE_ROUTE, 0, gateway, link);
    }
}

/// The number of a link in this namespace.
///
/// # Panics
/// Where there is no such link.
pub fn link_index(name: &str) -> u32 {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None).expect("a socket");
    rustix::net::netdevice::name_to_index(&socket, name).expect("a link of that name")
}

/// Lets the kernel of this namespace tell that a power supply has changed, as a driver would.
///
/// # Panics
/// Where this process may not: it must have made its network namespace.
pub fn power_supply_changed(name: &str) {
    let flags = SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT));
    let device = format!("/devices/virtual/power_supply/{name}");
    let event = format!(
        "change@{device}\0ACTION=change\0DEVPATH={device}\0SUBSYSTEM=power_supply\0POWER_SUPPLY_NAME={name}\0"
    );
    let request = message(FIRST_KIND, 0, event.as_bytes());
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(socket.expect("a socket of events"), &request, SendFlags::empty(), &kernel)
        .expect("a namespace of this process's own");
}

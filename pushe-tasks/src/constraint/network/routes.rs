//! Links and default routes as the kernel lists them, and how far they reach.
//!
//! Invariant: a default route counts only if a packet could leave by it now. After a peer has gone down the route
//! stays, flagged, and a plain route lookup still finds it; so link and flags are judged, not the route alone.

use super::message::{self, Attributes, u8_at, u32_at};
use super::{Metered, NetworkReach, NetworkState, Roaming};

const LINK_NAME: u16 = 3;
const LINK_OPERSTATE: u16 = 16;
/// Links of these names lead over a modem.
const MODEMS: [&[u8]; 2] = [b"wwan", b"ppp"];
const INTERFACE_UP: u32 = 1;
const INTERFACE_LOOPBACK: u32 = 8;
const OPERSTATE_UNKNOWN: u8 = 0;
const OPERSTATE_UP: u8 = 6;

const ROUTE_OUT_LINK: u16 = 4;
const ROUTE_MULTIPATH: u16 = 9;
const ROUTE_TABLE: u16 = 15;
const TYPE_UNICAST: u8 = 1;
const TABLE_LOCAL: u32 = 255;
const HOP_DEAD: u32 = 1;
const HOP_LINK_DOWN: u32 = 16;
const ROUTE_CLONED: u32 = 0x200;
const HOP_HEADER: usize = 8;

/// One link of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    index: u32,
    flags: u32,
    operstate: u8,
    modem: bool,
}

impl Link {
    /// Reads the body of a link message.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let attribute =
            |wanted| Attributes::of_link(body).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
        let name = attribute(LINK_NAME).unwrap_or_default();
        Some(Self {
            index: u32_at(body, 4)?,
            flags: u32_at(body, 8)?,
            operstate: attribute(LINK_OPERSTATE)
                .and_then(|value| u8_at(value, 0))
                .unwrap_or(OPERSTATE_UNKNOWN),
            modem: MODEMS.iter().any(|modem| name.starts_with(modem)),
        })
    }

    /// Up, with a carrier as far as the driver tells, and leading out of the machine.
    fn usable(&self) -> bool {
        self.flags & INTERFACE_UP != 0
            && self.flags & INTERFACE_LOOPBACK == 0
            && matches!(self.operstate, OPERSTATE_UP | OPERSTATE_UNKNOWN)
    }
}

/// One way out of a default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    flags: u32,
    /// `None` where the kernel names a nexthop object only; then any usable link may be meant.
    link: Option<u32>,
}

/// Collects the ways out that a route message offers; none unless it is a unicast default route outside the local table.
pub(super) fn parse_default_route(body: &[u8], hops: &mut Vec<Hop>) -> Option<()> {
    let (prefix, table, kind) = (u8_at(body, 1)?, u8_at(body, 4)?, u8_at(body, 7)?);
    let flags = u32_at(body, 8)?;
    if prefix != 0 || kind != TYPE_UNICAST || flags & ROUTE_CLONED != 0 {
        return None;
    }
    let attribute =
        |wanted| Attributes::of_route(body).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let table = attribute(ROUTE_TABLE).and_then(|value| u32_at(value, 0)).unwrap_or(table.into());
    if table == TABLE_LOCAL {
        return None;
    }
    match attribute(ROUTE_MULTIPATH) {
        Some(paths) => hops.extend(Paths(paths)),
        None => hops.push(Hop { flags, link: attribute(ROUTE_OUT_LINK).and_then(|value| u32_at(value, 0)) }),
    }
    Some(())
}

/// The hops of a multipath route; ends at the first that is malformed.
struct Paths<'a>(&'a [u8]);

impl Iterator for Paths<'_> {
    type Item = Hop;

    fn next(&mut self) -> Option<Hop> {
        let length = message::u16_at(self.0, 0)?;
        let (hop, rest) = message::split(self.0, HOP_HEADER, length.into())?;
        self.0 = rest;
        Some(Hop { flags: u8_at(hop, 2)?.into(), link: Some(u32_at(hop, 4)?) })
    }
}

/// What these links and ways out make of the network.
///
/// It is guessed to be metered where every usable way out leads over a modem. Without a modem nobody roams.
pub(super) fn state(links: &[Link], hops: &[Hop]) -> NetworkState {
    let leads_by = |hop: &Hop, link: &Link| {
        hop.flags & (HOP_DEAD | HOP_LINK_DOWN) == 0 && hop.link.is_none_or(|index| index == link.index)
    };
    let usable = || links.iter().filter(|link| link.usable());
    let mut ways = usable().filter(|link| hops.iter().any(|hop| leads_by(hop, link))).peekable();
    if ways.peek().is_some() {
        return if ways.all(|link| link.modem) {
            NetworkState::routed().metered(Metered::GuessYes)
        } else {
            NetworkState::routed().roaming(Roaming::No)
        };
    }
    let any = usable().next().is_some();
    NetworkState::reaching(if any { NetworkReach::Local } else { NetworkReach::Offline })
}

#[cfg(test)]
mod tests;

//! Listings recorded from a kernel, each rule by itself, and damaged bytes.
//!
//! A recording is the answer to the three requests of one snapshot, one after another: `recorded/<scene>.bin`.

use super::super::message::{DONE, Messages, NEW_LINK, NEW_ROUTE};
use super::*;

/// Judges a recording as the lister does; also how many messages of each kind were in it.
fn judge(bytes: &[u8]) -> (NetworkReach, [usize; 3]) {
    let (mut links, mut hops, mut counts) = (Vec::new(), Vec::new(), [0; 3]);
    for message in Messages(bytes) {
        match message.kind {
            NEW_LINK => links.extend(Link::parse(message.body)),
            NEW_ROUTE => drop(parse_default_route(message.body, &mut hops)),
            _ => {}
        }
        let kinds = [NEW_LINK, NEW_ROUTE, DONE];
        counts.iter_mut().zip(kinds).for_each(|(count, kind)| *count += usize::from(kind == message.kind));
    }
    (state(&links, &hops).reach, counts)
}

/// All by `ip`, on veth pairs of which one end is the machine's link and the other its peer.
#[cfg(target_endian = "little")]
const RECORDED: &[(&str, &[u8], NetworkReach)] = &[
    ("nothing but a loopback that is down", include_bytes!("recorded/empty.bin"), NetworkReach::Offline),
    ("a default route", include_bytes!("recorded/routed.bin"), NetworkReach::Routed),
    ("the same after its peer went down", include_bytes!("recorded/carrier-lost.bin"), NetworkReach::Offline),
    ("two ways out, one without carrier", include_bytes!("recorded/multipath.bin"), NetworkReach::Routed),
    ("a default route in table 51820", include_bytes!("recorded/table.bin"), NetworkReach::Routed),
    ("an IPv6 default route", include_bytes!("recorded/ipv6-only.bin"), NetworkReach::Routed),
    (
        "unreachable and blackhole default routes",
        include_bytes!("recorded/unreachable.bin"),
        NetworkReach::Local,
    ),
    (
        "a default route that names a nexthop object",
        include_bytes!("recorded/nexthop-object.bin"),
        NetworkReach::Routed,
    ),
];

#[test]
#[cfg(target_endian = "little")]
fn recorded_listings_are_judged() {
    for (scene, bytes, expected) in RECORDED {
        let (found, [links, routes, ends]) = judge(bytes);
        assert_eq!(found, *expected, "{scene}");
        assert!(
            links > 0 && (routes > 0 || *expected == NetworkReach::Offline) && ends == 3,
            "{scene} is whole"
        );
    }
}

#[test]
#[cfg(target_endian = "little")]
fn damaged_listings_are_survived() {
    for (_, bytes, _) in RECORDED {
        for end in 0..bytes.len() {
            judge(&bytes[..end]);
        }
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut damaged = bytes.to_vec();
            for _ in 0..random.usize(1..8) {
                let place = random.usize(0..damaged.len());
                damaged[place] = [0, 1, 3, 4, 0xff, random.u8(..)][random.usize(0..6)];
            }
            judge(&damaged);
        }
    }
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("short");
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn link(index: u32, flags: u32, operstate: u8) -> Link {
    named("eth0", index, flags, operstate)
}

fn named(name: &str, index: u32, flags: u32, operstate: u8) -> Link {
    let mut body = vec![0; 16];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body.extend(attribute(LINK_NAME, format!("{name}\0").as_bytes()));
    body.extend(attribute(LINK_OPERSTATE, &[operstate]));
    Link::parse(&body).expect("a whole body")
}

/// A route through link 2 unless its attributes say otherwise.
struct Route {
    prefix: u8,
    table: u8,
    kind: u8,
    flags: u32,
    attributes: Vec<u8>,
}

impl Default for Route {
    fn default() -> Self {
        let out = attribute(ROUTE_OUT_LINK, &2_u32.to_ne_bytes());
        Self { prefix: 0, table: 254, kind: TYPE_UNICAST, flags: 0, attributes: out }
    }
}

impl Route {
    fn hops(&self) -> Vec<Hop> {
        let mut body = vec![2, self.prefix, 0, 0, self.table, 3, 0, self.kind];
        body.extend(self.flags.to_ne_bytes());
        body.extend(&self.attributes);
        let mut hops = Vec::new();
        parse_default_route(&body, &mut hops);
        hops
    }
}

const UP: u32 = INTERFACE_UP | 0x1_0040;

/// Judges one route on a machine with a loopback and link 2.
fn check(what: &str, route: &Route, link_2: Link, expected: NetworkReach) {
    let loopback = link(1, UP | INTERFACE_LOOPBACK, OPERSTATE_UNKNOWN);
    assert_eq!(state(&[loopback, link_2], &route.hops()).reach, expected, "{what}");
}

#[test]
fn each_rule_of_a_usable_route_counts_by_itself() {
    use NetworkReach::{Local, Routed};
    let good = link(2, UP, OPERSTATE_UP);
    let plain = Route::default;
    check("the plain case", &plain(), good, Routed);
    check("a route to one network", &Route { prefix: 8, ..plain() }, good, Local);
    for kind in [0, 2, 3, 5, 6, 7, 8, 9] {
        check("no unicast", &Route { kind, ..plain() }, good, Local);
    }
    check("the local table", &Route { table: 255, ..plain() }, good, Local);
    for table in [0, 1, 52, 253] {
        check("any other table", &Route { table, ..plain() }, good, Routed);
    }
    let named = |table: u32| Route {
        attributes: [plain().attributes, attribute(ROUTE_TABLE, &table.to_ne_bytes())].concat(),
        ..plain()
    };
    check("a table whose number needs the attribute", &named(51_820), good, Routed);
    check("the local table by its attribute", &named(TABLE_LOCAL), good, Local);
    check("a dead route", &Route { flags: HOP_DEAD, ..plain() }, good, Local);
    check("a route whose link has no carrier", &Route { flags: HOP_LINK_DOWN, ..plain() }, good, Local);
    check("a cached copy", &Route { flags: ROUTE_CLONED, ..plain() }, good, Local);
    check("an on-link gateway, offloaded", &Route { flags: 4 | 8, ..plain() }, good, Routed);
}

#[test]
fn the_out_link_must_be_usable() {
    use NetworkReach::{Offline, Routed};
    let plain = Route::default();
    check("a driver that tells nothing", &plain, link(2, UP, OPERSTATE_UNKNOWN), Routed);
    for operstate in [1, 2, 3, 4, 5] {
        check("any other operational state", &plain, link(2, UP, operstate), Offline);
    }
    check("administratively down", &plain, link(2, UP & !INTERFACE_UP, OPERSTATE_UP), Offline);
    check("a second loopback", &plain, link(2, UP | INTERFACE_LOOPBACK, OPERSTATE_UP), Offline);
    check("another link than the route's", &plain, link(3, UP, OPERSTATE_UP), NetworkReach::Local);
}

#[test]
fn each_hop_of_a_multipath_route_is_judged() {
    let hop = |link: u32, flags: u8| {
        let via = attribute(5, &[10, 0, 0, 1]);
        let mut bytes = u16::try_from(8 + via.len()).expect("short").to_ne_bytes().to_vec();
        bytes.extend([flags, 0]);
        bytes.extend(link.to_ne_bytes());
        bytes.extend(via);
        bytes
    };
    let paths = |hops: &[Vec<u8>]| Route {
        attributes: attribute(ROUTE_MULTIPATH, &hops.concat()),
        ..Route::default()
    };
    let good = link(2, UP, OPERSTATE_UP);
    check("the second is good", &paths(&[hop(3, 0), hop(2, 0)]), good, NetworkReach::Routed);
    check("the good link's hop has no carrier", &paths(&[hop(3, 0), hop(2, 16)]), good, NetworkReach::Local);
    check("the good link's hop is dead", &paths(&[hop(2, 1), hop(3, 0)]), good, NetworkReach::Local);
    check("no hop at all", &paths(&[]), good, NetworkReach::Local);
}

#[test]
fn a_nexthop_object_may_be_any_usable_link() {
    let route = Route { attributes: attribute(30, &7_u32.to_ne_bytes()), ..Route::default() };
    check("a usable link", &route, link(9, UP, OPERSTATE_UP), NetworkReach::Routed);
    check("no usable link", &route, link(9, UP, 2), NetworkReach::Offline);
}

#[test]
fn a_network_is_guessed_to_be_metered_where_it_leads_over_modems_alone() {
    let route =
        |link: u32| Route { attributes: attribute(ROUTE_OUT_LINK, &link.to_ne_bytes()), ..Route::default() };
    let (modem, wire) = (named("wwan0", 2, UP, OPERSTATE_UNKNOWN), named("eth0", 3, UP, OPERSTATE_UP));
    let check = |links: &[Link], routes: &[Route], metered, roaming| {
        let hops: Vec<_> = routes.iter().flat_map(Route::hops).collect();
        let found = state(links, &hops);
        assert_eq!((found.metered, found.roaming), (metered, roaming), "{links:?}");
    };
    check(&[modem], &[route(2)], Metered::GuessYes, Roaming::Unknown);
    check(&[named("ppp0", 2, UP, OPERSTATE_UNKNOWN)], &[route(2)], Metered::GuessYes, Roaming::Unknown);
    check(&[modem, wire], &[route(2)], Metered::GuessYes, Roaming::Unknown);
    check(&[modem, wire], &[route(2), route(3)], Metered::Unknown, Roaming::No);
    check(&[wire], &[route(3)], Metered::Unknown, Roaming::No);
    check(&[modem], &[], Metered::Unknown, Roaming::Unknown);
}

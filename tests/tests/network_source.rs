//! The network source against the kernel, each test in a namespace of its own (SEMANTICS 1.10, the constraint's side).
#![cfg(target_os = "linux")]

use std::future::Future;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::clock::{Clock, SystemClock};
use pushe_tasks::constraint::{NetworkReach, NetworkSource, NetworkState, Reading, Source};
use pushe_tasks_tests::netns::{Veth, in_netns, ip, ipv6};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A watched network, and how long the test will wait for an event.
struct Watched {
    source: Arc<NetworkSource>,
    seen: watch::Receiver<Reading<NetworkState>>,
    task: JoinHandle<()>,
    clock: Arc<dyn Clock>,
    latencies: Vec<Duration>,
}

const DEADLINE: Duration = Duration::from_secs(10);

impl Watched {
    fn new(make: impl FnOnce(Arc<dyn Clock>) -> NetworkSource) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let source = Arc::new(make(Arc::clone(&clock)));
        let (out, seen) = watch::channel(Reading::unknown("no reading yet"));
        let watching = Arc::clone(&source);
        let task = tokio::spawn(async move { watching.watch((), out).await });
        Self { source, seen, task, clock, latencies: Vec::new() }
    }

    /// Waits until the watch says `reach`; what it says and what a fresh read says must then agree.
    async fn wait(&mut self, reach: NetworkReach) {
        let begun = self.clock.mono();
        let wanted =
            |reading: &Reading<NetworkState>| reading.known().is_some_and(|state| state.reach == reach);
        let found = tokio::select! {
            found = self.seen.wait_for(wanted) => found.is_ok(),
            () = self.clock.sleep_until(begun.plus(DEADLINE)) => false,
        };
        assert!(found, "waited for {reach:?}, still {:?}", *self.seen.borrow());
        self.latencies.push(self.clock.mono().since(begun));
        assert!(!self.task.is_finished(), "the watch goes on");
        assert!(wanted(&self.source.read(&()).await), "a read agrees with the watch");
        assert!(wanted(&self.source.snapshot()), "a snapshot agrees with the watch");
    }

    /// Says how long after the change each reading came.
    fn measured(&mut self, what: &str) {
        self.latencies.sort();
        let (middle, last) =
            (self.latencies[self.latencies.len() / 2], self.latencies[self.latencies.len() - 1]);
        writeln!(
            std::io::stderr(),
            "MEASURED {what}: median {middle:?}, longest {last:?} after `ip` has ended"
        )
        .expect("a place for a measurement");
    }
}

/// Runs the body in its namespace, beside one worker that runs the watch.
fn test<F: Future<Output = ()>>(name: &str, body: impl FnOnce() -> F) {
    in_netns(name, || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(body());
    });
}

#[test]
fn a_default_route_comes_and_goes() {
    test("a_default_route_comes_and_goes", || async {
        let mut network = Watched::new(NetworkSource::new);
        network.wait(NetworkReach::Offline).await;
        ip("link set lo up");
        let link = Veth::up("up0", 0);
        network.wait(NetworkReach::Local).await;
        for _ in 0..10 {
            ip(&format!("route add {}", link.default_route()));
            network.wait(NetworkReach::Routed).await;
            ip(&format!("route del {}", link.default_route()));
            network.wait(NetworkReach::Local).await;
        }
        network.measured("route added or removed");
    });
}

#[test]
fn a_lost_carrier_counts_although_the_route_stays() {
    test("a_lost_carrier_counts_although_the_route_stays", || async {
        let link = Veth::up("up0", 0);
        ip(&format!("route add {}", link.default_route()));
        let mut network = Watched::new(NetworkSource::new);
        network.wait(NetworkReach::Routed).await;
        for _ in 0..10 {
            link.carrier("down");
            network.wait(NetworkReach::Offline).await;
            let routes = Command::new("ip").args(["route", "show", "default"]).output().expect("iproute2");
            assert!(String::from_utf8_lossy(&routes.stdout).contains("linkdown"), "the route stays");
            link.carrier("up");
            network.wait(NetworkReach::Routed).await;
        }
        network.measured("carrier lost or regained");
    });
}

#[test]
fn a_link_that_is_put_down_is_offline() {
    test("a_link_that_is_put_down_is_offline", || async {
        let link = Veth::up("up0", 0);
        ip(&format!("route add {}", link.default_route()));
        let mut network = Watched::new(NetworkSource::new);
        network.wait(NetworkReach::Routed).await;
        link.admin("down");
        network.wait(NetworkReach::Offline).await;
        link.admin("up");
        network.wait(NetworkReach::Local).await;
    });
}

#[test]
fn the_address_of_a_route_takes_it_away() {
    test("the_address_of_a_route_takes_it_away", || async {
        let link = Veth::up("up0", 0);
        ip("address add 10.50.0.1/32 dev up0");
        ip(&format!("route add {} src 10.50.0.1", link.default_route()));
        let mut network = Watched::new(NetworkSource::new);
        network.wait(NetworkReach::Routed).await;
        ip("address del 10.50.0.1/32 dev up0");
        network.wait(NetworkReach::Local).await;
    });
}

#[test]
fn an_ipv6_default_route_is_enough() {
    test("an_ipv6_default_route_is_enough", || async {
        let mut network = Watched::new(NetworkSource::new);
        network.wait(NetworkReach::Offline).await;
        Veth::up("up0", 0);
        ipv6("up0", "on");
        ip("address add 2001:db8:5::2/64 dev up0 nodad");
        network.wait(NetworkReach::Local).await;
        ip("-6 route add default via 2001:db8:5::1 dev up0");
        network.wait(NetworkReach::Routed).await;
        ip("-6 route del default via 2001:db8:5::1 dev up0");
        network.wait(NetworkReach::Local).await;
    });
}

#[test]
fn a_default_route_in_another_table_counts() {
    test("a_default_route_in_another_table_counts", || async {
        let link = Veth::up("up0", 0);
        let mut network = Watched::new(NetworkSource::new);
        network.wait(NetworkReach::Local).await;
        ip(&format!("route add {} table 51820", link.default_route()));
        network.wait(NetworkReach::Routed).await;
        ip("route flush table 51820");
        network.wait(NetworkReach::Local).await;
        ip("route add unreachable default");
        ip("route add 198.51.100.0/24 via 10.99.0.2");
        network.wait(NetworkReach::Local).await;
    });
}

#[test]
fn each_way_of_a_multipath_route_counts() {
    test("each_way_of_a_multipath_route_counts", || async {
        let (one, two) = (Veth::up("up0", 0), Veth::up("up1", 1));
        let mut network = Watched::new(NetworkSource::new);
        network.wait(NetworkReach::Local).await;
        ip("route add default nexthop via 10.99.0.2 dev up0 nexthop via 10.99.1.2 dev up1");
        network.wait(NetworkReach::Routed).await;
        one.carrier("down");
        two.carrier("down");
        network.wait(NetworkReach::Offline).await;
        two.carrier("up");
        network.wait(NetworkReach::Routed).await;
    });
}

/// The events that the kernel dropped on the sockets of this namespace.
fn drops() -> u64 {
    let sockets = std::fs::read_to_string("/proc/self/net/netlink").expect("the list of netlink sockets");
    let column = |line: &str| line.split_whitespace().nth(8).and_then(|drops| drops.parse::<u64>().ok());
    sockets.lines().filter_map(column).sum()
}

#[test]
fn dropped_events_are_made_good() {
    in_netns("dropped_events_are_made_good", || {
        // One thread: while the batch is fed the watch stands still and its buffer runs over.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let link = Veth::up("up0", 0);
            let mut network = Watched::new(|clock| NetworkSource::new(clock).receive_buffer(2_048));
            network.wait(NetworkReach::Local).await;
            let mut batch: Vec<_> = (0..2_000)
                .map(|i| format!("route add 10.{}.{}.0/24 via 10.99.0.2", 100 + i / 250, i % 250))
                .collect();
            batch.push(format!("route add {}\n", link.default_route()));
            let mut feeding =
                Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().expect("iproute2");
            feeding.stdin.take().expect("a pipe").write_all(batch.join("\n").as_bytes()).expect("a reader");
            assert!(feeding.wait().expect("a child").success(), "the routes are added");
            assert!(drops() > 0, "the buffer has run over");
            network.wait(NetworkReach::Routed).await;
            ip(&format!("route del {}", link.default_route()));
            network.wait(NetworkReach::Local).await;
            network.measured("2,000 routes, buffer overrun");
            let begun = network.clock.mono();
            (0..20).for_each(|_| drop(network.source.snapshot()));
            let each = network.clock.mono().since(begun) / 20;
            writeln!(std::io::stderr(), "MEASURED a snapshot over 2,000 routes: {each:?}").expect("a place");
        });
    });
}

#[test]
fn twenty_flaps_end_in_the_last_state() {
    test("twenty_flaps_end_in_the_last_state", || async {
        let link = Veth::up("up0", 0);
        ip(&format!("route add {}", link.default_route()));
        let mut network = Watched::new(NetworkSource::new);
        network.wait(NetworkReach::Routed).await;
        for _ in 0..20 {
            link.carrier("down");
            link.carrier("up");
        }
        network.wait(NetworkReach::Routed).await;
        link.carrier("down");
        network.wait(NetworkReach::Offline).await;
    });
}

#[test]
fn the_portable_source_sees_a_route_come_and_go() {
    test("the_portable_source_sees_a_route_come_and_go", || async {
        let mut network = Watched::new(NetworkSource::portable);
        network.wait(NetworkReach::Offline).await;
        ip("link set lo up");
        let link = Veth::up("up0", 0);
        ip(&format!("route add {}", link.default_route()));
        network.wait(NetworkReach::Routed).await;
        ip(&format!("route del {}", link.default_route()));
        network.wait(NetworkReach::Offline).await;
        ip("route add unreachable default");
        let offline = Reading::Known(NetworkState::offline());
        assert_eq!(network.source.snapshot(), offline, "an unreachable route is none");
        ip("route replace blackhole default");
        assert_eq!(network.source.snapshot(), offline, "a black hole is none");
    });
}

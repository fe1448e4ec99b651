//! Tests in a network namespace of their own: the real kernel, without root where it allows that.
//!
//! Invariant: a body never runs in the machine's own namespaces, and a test that could not run says so aloud.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::process::{Command, Output};

/// Names the test whose body runs in this process.
const INSIDE: &str = "PUSHE_NETNS_TEST";
/// When set, a test that cannot run fails.
const REQUIRE_ALL: &str = "PUSHE_REQUIRE_ALL";
/// Own user, network and mount namespaces; or, for root, without a user namespace.
const WAYS: [&str; 2] = ["-rnm", "-nm"];

/// Runs `body` in fresh network and mount namespaces, in a process of its own: this test program, begun again under
/// `unshare` with only the test `name`. The loopback is down there, and there is nothing else.
///
/// # Panics
/// Where the body fails; where namespaces cannot be made and `PUSHE_REQUIRE_ALL` is set.
pub fn in_netns(name: &str, body: impl FnOnce()) {
    if env::var(INSIDE).is_ok_and(|inside| inside == name) {
        return body();
    }
    let way = match way() {
        Ok(way) => way,
        Err(why) => {
            let line = format!("SKIPPED {name}: needs user and network namespaces: {why}");
            assert!(env::var_os(REQUIRE_ALL).is_none(), "{line}");
            // Written past the capture of the test harness: a skipped test must not look like a passed one.
            writeln!(io::stderr(), "{line}").expect("a place to say that a test is skipped");
            return;
        }
    };
    let program = env::current_exe().expect("the path of this test program");
    let output = Command::new("unshare")
        .arg(way)
        .arg(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, name)
        .output()
        .expect("`unshare` was just run");
    let text = shown(&output);
    assert!(output.status.success(), "in its namespace {name} failed:\n{text}");
    assert!(text.contains("1 passed"), "this program has no test `{name}`:\n{text}");
    for line in text.lines().filter(|line| line.starts_with("MEASURED ")) {
        writeln!(io::stderr(), "{line}").expect("a place for a measurement");
    }
}

/// The first way that works, or why the last one does not.
fn way() -> Result<&'static str, String> {
    let mut why = String::new();
    for way in WAYS {
        match Command::new("unshare").args([way, "ip", "link"]).output() {
            Ok(output) if output.status.success() => return Ok(way),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().clone_into(&mut why),
            Err(error) => why = format!("`unshare` cannot be run: {error}"),
        }
    }
    Err(why)
}

fn shown(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    write!(text, "{}", String::from_utf8_lossy(&output.stderr)).expect("strings take text");
    text
}

/// Runs `ip` with these words.
///
/// # Panics
/// Where `ip` fails.
pub fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().expect("iproute2 is installed");
    assert!(output.status.success(), "`ip {words}` failed: {}", shown(&output));
}

/// Puts IPv6 `on` or `off` for one link.
///
/// # Panics
/// Where the kernel has no IPv6 that could be put on.
pub fn ipv6(link: &str, to: &str) {
    let disabled = if to == "on" { "0" } else { "1" };
    let written = fs::write(format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6"), disabled);
    assert!(written.is_ok() || to == "off", "IPv6 cannot be put on: {written:?}");
}

/// A pair of virtual links: `name`, which is the machine's, and its peer, whose carrier it follows. Both are up.
#[derive(Clone, Copy, Debug)]
pub struct Veth {
    name: &'static str,
    subnet: u8,
}

impl Veth {
    /// Makes the pair, with address `10.99.<subnet>.1/24` on the machine's link and without IPv6, whose own chatter
    /// would hide that an event is missing.
    pub fn up(name: &'static str, subnet: u8) -> Self {
        let pair = Self { name, subnet };
        ip(&format!("link add {name} type veth peer name {name}-peer"));
        for link in [name, &format!("{name}-peer")] {
            ipv6(link, "off");
        }
        ip(&format!("address add 10.99.{subnet}.1/24 dev {name}"));
        pair.carrier("up");
        pair.admin("up");
        pair
    }

    /// The words after `ip route add` for the default route by this link.
    pub fn default_route(&self) -> String {
        format!("default via 10.99.{}.2 dev {}", self.subnet, self.name)
    }

    /// Puts the peer `up` or `down`: the machine's link gets or loses its carrier.
    pub fn carrier(&self, to: &str) {
        ip(&format!("link set {}-peer {to}", self.name));
    }

    /// Puts the machine's link `up` or `down`.
    pub fn admin(&self, to: &str) {
        ip(&format!("link set {} {to}", self.name));
    }
}

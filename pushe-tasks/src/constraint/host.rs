//! Hosts: whether a connection to one can be made.
//!
//! Invariant: a host is tried with a TCP connection that is closed at once, never oftener than its back-off says, but for
//! a change of the network, which makes a new try worth while.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pushe_tasks_syntax::rules;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use super::{
    Constraint, ConstraintDecodeError, Damping, NetworkSource, NetworkState, Reading, Source, Verdict,
    publish, stored,
};
use crate::clock::{Clock, MonoTime, WallTime};
use crate::random::{Randomness, unit};

/// So long a connection may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between tries that fail: doubling from the first to the second, with a tenth at random.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);
/// Between tries while the host answers.
const ALIVE: Duration = Duration::from_secs(60);
/// A try that succeeded so lately is not made again for a claim.
const FRESH: Duration = Duration::from_secs(2);

/// What came of the last try.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostState {
    /// A connection was made.
    Reached,
    /// None was, and why.
    Unreachable(String),
}

/// Tries hosts.
#[derive(Clone, Debug)]
pub struct HostSource {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    network: NetworkSource,
    /// What was heard of the network last: written by the one watch that listens for all.
    heard: watch::Sender<Reading<NetworkState>>,
    /// Whose watch that is; the next one takes over from one that is dropped.
    listening: Arc<Semaphore>,
    /// When each place was last reached: written by every try.
    reached: Arc<Mutex<HashMap<String, MonoTime>>>,
}

impl HostSource {
    /// Hosts as this machine reaches them.
    pub fn new(clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        let network = NetworkSource::new(Arc::clone(&clock));
        let (heard, listening) = (watch::Sender::new(Reading::unknown("no reading yet")), Semaphore::new(1));
        Self { clock, randomness, network, heard, listening: Arc::new(listening), reached: Arc::default() }
    }

    /// Connects to the place now, for 3 s at the most.
    async fn reach(&self, place: &str) -> HostState {
        let enough = self.clock.sleep_until(self.clock.mono().plus(PATIENCE));
        let found = tokio::select! {
            biased;
            found = TcpStream::connect(place) => found.map(drop).map_err(|error| error.to_string()),
            () = enough => Err(format!("no answer within {PATIENCE:?}")),
        };
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(()) => {
                reached.insert(place.to_owned(), self.clock.mono());
                HostState::Reached
            }
            Err(why) => {
                reached.remove(place);
                HostState::Unreachable(why)
            }
        }
    }

    fn was_just_reached(&self, place: &str) -> bool {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.get(place).is_some_and(|at| self.clock.mono().since(*at) < FRESH)
    }

    /// A wait with up to a tenth more or less, so that many machines do not try together.
    fn jittered(&self, wait: Duration) -> Duration {
        wait.mul_f64(0.9 + 0.2 * unit(self.randomness.bits()))
    }
}

impl Source for HostSource {
    type Key = String;
    type State = HostState;

    async fn read(&self, place: &String) -> Reading<HostState> {
        if self.was_just_reached(place) {
            return Reading::Known(HostState::Reached);
        }
        Reading::Known(self.reach(place).await)
    }

    async fn watch(&self, place: String, out: watch::Sender<Reading<HostState>>) {
        let mut network = self.heard.subscribe();
        let follow = async {
            let _turn = self.listening.acquire().await;
            self.network.watch((), self.heard.clone()).await;
            // Without a word about the network the back-off has to do.
            std::future::pending::<()>().await;
        };
        let attempts = async {
            let mut wait = SHORTEST;
            loop {
                network.mark_unchanged();
                let state = self.reach(&place).await;
                let reached = state == HostState::Reached;
                publish(&out, Reading::Known(state));
                let pause = if reached { ALIVE } else { self.jittered(wait) };
                wait = if reached { SHORTEST } else { wait.saturating_mul(2).min(LONGEST) };
                let again = self.clock.mono().plus(pause);
                tokio::select! {
                    changed = network.changed() => match changed {
                        Ok(()) => wait = SHORTEST,
                        Err(_) => self.clock.sleep_until(again).await,
                    },
                    () = self.clock.sleep_until(again) => {}
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = attempts => {}
        }
    }
}

/// Work that runs while a TCP connection to a place can be made, such as `Reach::new("db.local:5432")`.
///
/// The place is tried for 3 s. While it fails it is tried again after 5 s, doubling up to 5 min, and whenever the network
/// changes; while it answers, every 60 s, and before each claim unless it answered in the last 2 s. A gain acts at once;
/// running work is stopped after a loss of 5 s.
///
/// # Examples
/// ```
/// use pushe_tasks::constraint::{Constraint, Reach};
///
/// assert_eq!(Reach::new("db.local:5432").verify(), Ok(()));
/// assert!(Reach::new("db.local").verify().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reach {
    place: String,
}

impl Reach {
    const FORMAT: u8 = 1;

    /// A place as `host:port`; an IPv6 address stands in brackets. [`Constraint::verify`] judges it.
    pub fn new(place: impl Into<String>) -> Self {
        Self { place: place.into() }
    }
}

impl Constraint for Reach {
    const KIND: &'static str = "reach";
    type Source = HostSource;

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![Self::FORMAT];
        bytes.extend(self.place.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        let place = std::str::from_utf8(stored::fields(bytes, Self::FORMAT)?)
            .map_err(|_| ConstraintDecodeError::new("its place is no text"))?;
        let this = Self::new(place);
        this.verify().map_err(ConstraintDecodeError::new)?;
        Ok(this)
    }

    fn verify(&self) -> Result<(), String> {
        rules::host_and_port(&self.place).map_err(|error| error.to_string())
    }

    fn key(&self) -> String {
        self.place.clone()
    }

    fn check(&self, state: &HostState, _: WallTime) -> Verdict {
        match state {
            HostState::Reached => Verdict::met(),
            HostState::Unreachable(why) => Verdict::hold(why.clone()),
        }
    }

    fn damping(&self) -> Damping {
        Damping { rise: Duration::ZERO, fall: Duration::from_secs(5) }
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Owned(format!("reach: {}", self.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::random::SystemRandomness;

    fn source() -> HostSource {
        HostSource::new(Arc::new(SystemClock::new()), Arc::new(SystemRandomness::new()))
    }

    #[tokio::test]
    async fn a_place_that_listens_is_reached_and_one_that_does_not_says_why() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let source = source();
        assert_eq!(source.read(&place).await, Reading::Known(HostState::Reached));
        drop(listener);
        assert_eq!(source.read(&place).await, Reading::Known(HostState::Reached), "it was reached just now");
        source.reached.lock().unwrap().clear();
        let Reading::Known(state) = source.read(&place).await else { panic!("a try always ends") };
        assert!(!Reach::new(place).check(&state, WallTime::from_millis(0)).is_met(), "{state:?}");
    }

    #[tokio::test]
    async fn a_watch_tells_what_came_of_its_first_try() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (source, (out, mut seen)) = (source(), watch::channel(Reading::unknown("nothing yet")));
        let place = listener.local_addr().unwrap().to_string();
        tokio::select! {
            () = source.watch(place, out) => panic!("a watch never ends"),
            found = seen.wait_for(|reading| *reading == Reading::Known(HostState::Reached)) => drop(found.unwrap()),
        }
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn one_of_many_watches_listens_to_the_network_for_all() {
        let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let (source, before) = (source(), files());
        let watch = |host: usize| {
            let (source, (out, mut seen)) = (source.clone(), watch::channel(Reading::unknown("nothing yet")));
            let task =
                tokio::spawn(async move { source.watch(format!("127.0.0.{}:1", host + 1), out).await });
            (task, async move { seen.wait_for(|reading| reading.known().is_some()).await.map(drop) })
        };
        let (tasks, tried): (Vec<_>, Vec<_>) = (0..200).map(watch).unzip();
        for tried in tried {
            tried.await.unwrap();
        }
        // Other tests of this program open files too, but not a hundred.
        assert!(files() < before + 100, "{} files were opened", files() - before);
        let mut heard = source.heard.subscribe();
        source.heard.send_replace(Reading::unknown("the first listener is gone"));
        heard.mark_unchanged();
        for task in &tasks[..199] {
            task.abort();
        }
        // Whoever is left looks by itself.
        heard.changed().await.unwrap();
        tasks[199].abort();
    }

    #[test]
    fn waits_are_spread_by_a_tenth() {
        let source = source();
        for _ in 0..100 {
            let wait = source.jittered(Duration::from_secs(10));
            assert!(wait >= Duration::from_secs(9) && wait <= Duration::from_secs(11), "{wait:?}");
        }
    }

    #[test]
    fn the_stored_form_is_kept() {
        let reach = Reach::new("db.local:5432");
        assert_eq!(reach.encode(), b"\x01db.local:5432");
        assert_eq!(Reach::decode(&reach.encode()), Ok(reach));
        for bytes in [&[][..], b"\x01db.local", b"\x02db.local:1", b"\x01\xff:1"] {
            assert!(Reach::decode(bytes).is_err(), "{bytes:?}");
        }
    }
}

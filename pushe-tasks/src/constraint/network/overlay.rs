//! What stands above the kernel's network: a validator, and the application's own word.
//!
//! Invariant: neither can keep a network source from being read. A validator that is silent, ends or panics is no
//! opinion, and is begun again with back-off.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::state::{Metered, NetworkOpinion, NetworkReach, NetworkState, Roaming};
use crate::clock::{Clock, WallTime};
use crate::constraint::erased::BoxFuture;
use crate::constraint::monitor::unwinding;
use crate::constraint::{Reading, Source, publish};

const SHORTEST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// So long a validator may take when it is asked before a claim; then what it said last counts.
const PATIENCE: Duration = Duration::from_millis(250);

const NOBODY: &str = "there is no validator";
const NOT_YET: &str = "no opinion yet";

/// What the application says about the network, over everything that is measured.
///
/// Where nothing at all is known of the network, only [`go_offline`](Self::go_offline) counts. It says nothing about hosts,
/// which `Reach` tries by themselves. Clones share one state; give one to `SchedulerBuilder::network_override` and keep another.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
/// use pushe_tasks::constraint::NetworkOverride;
///
/// let over = NetworkOverride::new();
/// // A provider gives an hour of free traffic: `TemporarilyUnmetered` holds until then.
/// # let now = SystemTime::UNIX_EPOCH;
/// over.unmetered_until(now + Duration::from_secs(3600));
/// // An aeroplane mode of the application's own.
/// over.go_offline();
/// over.clear();
/// ```
#[derive(Clone, Debug)]
pub struct NetworkOverride(Arc<watch::Sender<Word>>);

/// The application's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Word {
    offline: bool,
    metered: Metered,
    roaming: Roaming,
    unmetered_until: Option<WallTime>,
}

impl Word {
    fn over(self, mut state: NetworkState) -> NetworkState {
        if self.offline {
            state.reach = NetworkReach::Offline;
        }
        if self.metered != Metered::Unknown {
            state.metered = self.metered;
        }
        if self.roaming != Roaming::Unknown {
            state.roaming = self.roaming;
        }
        state.unmetered_until = self.unmetered_until.max(state.unmetered_until);
        state
    }
}

impl Default for NetworkOverride {
    fn default() -> Self {
        Self::new()
    }
}

impl NetworkOverride {
    /// Says nothing.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Word::default())))
    }

    /// No network is to be used, whatever there is.
    pub fn go_offline(&self) {
        self.set(|word| word.offline = true);
    }

    /// What there is may be used again.
    pub fn go_online(&self) {
        self.set(|word| word.offline = false);
    }

    /// The network is metered so; `Metered::Unknown` leaves it to what is measured.
    pub fn metered(&self, metered: Metered) {
        self.set(|word| word.metered = metered);
    }

    /// The device is roaming so; `Roaming::Unknown` leaves it to what is measured.
    pub fn roaming(&self, roaming: Roaming) {
        self.set(|word| word.roaming = roaming);
    }

    /// Until then traffic is free: `TemporarilyUnmetered` holds on any network.
    pub fn unmetered_until(&self, moment: SystemTime) {
        self.set(|word| word.unmetered_until = Some(WallTime::from(moment)));
    }

    /// Takes everything back.
    pub fn clear(&self) {
        self.set(|word| *word = Word::default());
    }

    fn set(&self, change: impl FnOnce(&mut Word)) {
        self.0.send_if_modified(|word| {
            let before = *word;
            change(word);
            *word != before
        });
    }
}

/// A source of opinions without its type.
pub(crate) trait Validator: Send + Sync {
    fn ask(&self) -> BoxFuture<'_, Reading<NetworkOpinion>>;
    fn follow(&self, out: watch::Sender<Reading<NetworkOpinion>>) -> BoxFuture<'_, ()>;
}

impl<V: Source<Key = (), State = NetworkOpinion>> Validator for V {
    fn ask(&self) -> BoxFuture<'_, Reading<NetworkOpinion>> {
        Box::pin(self.read(&()))
    }

    fn follow(&self, out: watch::Sender<Reading<NetworkOpinion>>) -> BoxFuture<'_, ()> {
        Box::pin(self.watch((), out))
    }
}

/// A network source under a validator and under the application's word.
pub(crate) struct Overlaid<S> {
    kernel: S,
    validator: Option<Arc<dyn Validator>>,
    word: NetworkOverride,
    clock: Arc<dyn Clock>,
    /// What the validator's watch said last: written by each watch.
    last: watch::Sender<Reading<NetworkOpinion>>,
}

impl<S> Overlaid<S> {
    pub(crate) fn new(
        kernel: S,
        validator: Option<Arc<dyn Validator>>,
        word: NetworkOverride,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let last = watch::Sender::new(Reading::unknown(NOBODY));
        Self { kernel, validator, word, clock, last }
    }

    fn combine(
        &self,
        kernel: Reading<NetworkState>,
        opinion: &Reading<NetworkOpinion>,
    ) -> Reading<NetworkState> {
        let word = *self.word.0.borrow();
        match kernel {
            Reading::Known(state) => {
                let state =
                    opinion.known().map_or_else(|| state.clone(), |said| state.clone().validated(*said));
                Reading::Known(word.over(state))
            }
            Reading::Unknown(_) if word.offline => Reading::Known(word.over(NetworkState::offline())),
            unknown @ Reading::Unknown(_) => unknown,
        }
    }

    /// What the validator answers now; where that is nothing, what it said last.
    async fn ask(&self, validator: &dyn Validator) -> Reading<NetworkOpinion> {
        let enough = self.clock.sleep_until(self.clock.mono().plus(PATIENCE));
        let said = tokio::select! {
            biased;
            said = unwinding(validator.ask()) => said.unwrap_or_else(Reading::Unknown),
            () = enough => Reading::unknown("it does not answer"),
        };
        if said.known().is_some() { said } else { self.last.borrow().clone() }
    }

    /// Keeps the validator's watch alive; never ends.
    async fn validate(&self, said: watch::Sender<Reading<NetworkOpinion>>) {
        let Some(validator) = &self.validator else { return std::future::pending().await };
        let tell = |opinion: Reading<NetworkOpinion>| {
            publish(&self.last, opinion.clone());
            publish(&said, opinion);
        };
        // What an earlier watch said does not count for this one.
        publish(&self.last, Reading::unknown(NOT_YET));
        let mut back_off = SHORTEST_BACK_OFF;
        loop {
            let (out, mut seen) = watch::channel(Reading::unknown(NOT_YET));
            let begun = self.clock.mono();
            let follow = async { unwinding(validator.follow(out)).await };
            let forward = async {
                while seen.changed().await.is_ok() {
                    tell(seen.borrow_and_update().clone());
                }
                std::future::pending::<()>().await;
            };
            let why = tokio::select! {
                biased;
                () = forward => return,
                end = follow => end.err().unwrap_or("its watch has ended".into()),
            };
            tracing::info!(%why, "the network's validator is begun again; until then the kernel's word stands alone");
            tell(Reading::Unknown(why));
            if self.clock.mono().since(begun) >= LONGEST_BACK_OFF {
                back_off = SHORTEST_BACK_OFF;
            }
            self.clock.sleep_until(self.clock.mono().plus(back_off)).await;
            back_off = back_off.saturating_mul(2).min(LONGEST_BACK_OFF);
        }
    }
}

impl<S: Source<Key = (), State = NetworkState>> Source for Overlaid<S> {
    type Key = ();
    type State = NetworkState;

    async fn read(&self, (): &()) -> Reading<NetworkState> {
        let kernel = self.kernel.read(&()).await;
        let opinion = match &self.validator {
            // Where the kernel says no, nobody else has to be asked.
            Some(validator) if kernel.known().is_some_and(|state| state.reach >= NetworkReach::Routed) => {
                self.ask(&**validator).await
            }
            _ => Reading::unknown(NOBODY),
        };
        self.combine(kernel, &opinion)
    }

    async fn watch(&self, (): (), out: watch::Sender<Reading<NetworkState>>) {
        let (below, mut kernel) = watch::channel(Reading::unknown("no reading yet"));
        let (said, mut opinion) = watch::channel(Reading::unknown(NOBODY));
        let mut word = self.word.0.subscribe();
        let watching = self.kernel.watch((), below);
        let validating = self.validate(said);
        tokio::pin!(watching, validating);
        let mut heard = false;
        loop {
            tokio::select! {
                biased;
                changed = kernel.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    heard = true;
                }
                _ = opinion.changed() => {}
                _ = word.changed() => {}
                () = &mut validating => {}
                () = &mut watching => {
                    if kernel.has_changed().unwrap_or(false) {
                        publish(&out, self.combine(kernel.borrow_and_update().clone(), &opinion.borrow()));
                    }
                    return;
                }
            }
            // Before the kernel has spoken there is nothing to refine.
            if heard || self.word.0.borrow().offline {
                publish(&out, self.combine(kernel.borrow_and_update().clone(), &opinion.borrow_and_update()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::constraint::Manual;
    use NetworkReach::{Offline, Portal, Routed, Validated};

    /// An overlay over sources that the test sets by hand, watched.
    struct Layers {
        kernel: Manual<NetworkState>,
        validator: Manual<NetworkOpinion>,
        word: NetworkOverride,
        source: Arc<Overlaid<Manual<NetworkState>>>,
        seen: watch::Receiver<Reading<NetworkState>>,
    }

    impl Layers {
        fn new() -> Self {
            let (kernel, validator) =
                (Manual::new(NetworkState::routed()), Manual::with(Reading::unknown("no bus")));
            let (word, clock) = (NetworkOverride::new(), Arc::new(SystemClock::new()));
            let source =
                Overlaid::new(kernel.clone(), Some(Arc::new(validator.clone())), word.clone(), clock);
            let source = Arc::new(source);
            let (out, seen) = watch::channel(Reading::unknown("no reading yet"));
            let watched = Arc::clone(&source);
            tokio::spawn(async move { watched.watch((), out).await });
            Self { kernel, validator, word, source, seen }
        }

        /// Waits until the watch says so; a read then says the same.
        async fn says(&mut self, wanted: &NetworkState) {
            let wanted = Reading::Known(wanted.clone());
            self.seen.wait_for(|reading| *reading == wanted).await.expect("the watch goes on");
            assert_eq!(self.source.read(&()).await, wanted);
        }
    }

    #[tokio::test]
    async fn each_layer_speaks_at_once() {
        let mut layers = Layers::new();
        layers.says(&NetworkState::routed()).await;
        layers.validator.set(NetworkOpinion::new().reach(Portal));
        layers.says(&NetworkState::reaching(Portal)).await;
        layers.validator.set(NetworkOpinion::new().reach(Validated).metered(Metered::Yes));
        let paid = NetworkState::reaching(Validated).metered(Metered::Yes);
        layers.says(&paid).await;
        layers.word.metered(Metered::No);
        layers.says(&paid.clone().metered(Metered::No)).await;
        layers.word.go_offline();
        layers.says(&NetworkState::reaching(Offline).metered(Metered::No)).await;
        layers.word.clear();
        layers.says(&paid).await;
        layers.kernel.set(NetworkState::offline());
        layers.says(&NetworkState::offline()).await;
        layers.validator.lose("the bus is gone");
        layers.says(&NetworkState::offline()).await;
        layers.kernel.set(NetworkState::routed());
        layers.word.roaming(Roaming::Yes);
        layers.says(&NetworkState::reaching(Routed).roaming(Roaming::Yes)).await;
    }

    #[tokio::test]
    async fn the_application_can_say_offline_where_nothing_is_known() {
        let mut layers = Layers::new();
        layers.kernel.lose("no netlink");
        layers.seen.wait_for(|reading| *reading == Reading::unknown("no netlink")).await.unwrap();
        layers.word.go_offline();
        layers.says(&NetworkState::offline()).await;
    }

    #[tokio::test]
    async fn a_declared_hour_is_part_of_the_state() {
        let mut layers = Layers::new();
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
        layers.word.unmetered_until(then);
        let mut free = NetworkState::routed();
        free.unmetered_until = Some(WallTime::from(then));
        layers.says(&free).await;
    }

    /// Has no opinion but a panic.
    struct Breaks(Arc<watch::Sender<usize>>);

    impl Source for Breaks {
        type Key = ();
        type State = NetworkOpinion;

        async fn read(&self, (): &()) -> Reading<NetworkOpinion> {
            panic!("on purpose")
        }

        async fn watch(&self, (): (), out: watch::Sender<Reading<NetworkOpinion>>) {
            self.0.send_modify(|times| *times += 1);
            if *self.0.borrow() == 1 {
                publish(&out, Reading::Known(NetworkOpinion::new().reach(Portal)));
                tokio::task::yield_now().await;
            }
            panic!("on purpose")
        }
    }

    /// Says what it knows by its watch and does not answer when it is asked.
    struct Mute(Manual<NetworkOpinion>);

    impl Source for Mute {
        type Key = ();
        type State = NetworkOpinion;

        async fn read(&self, (): &()) -> Reading<NetworkOpinion> {
            std::future::pending().await
        }

        async fn watch(&self, (): (), out: watch::Sender<Reading<NetworkOpinion>>) {
            self.0.watch((), out).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_validator_that_does_not_answer_hides_neither_the_kernel_nor_what_it_has_said() {
        let said = Manual::new(NetworkOpinion::new().metered(Metered::Yes));
        let (kernel, word) = (Manual::new(NetworkState::routed()), NetworkOverride::new());
        let clock = Arc::new(crate::clock::paused::Paused::new());
        let source = Overlaid::new(kernel.clone(), Some(Arc::new(Mute(said.clone()))), word, clock.clone());
        let paid = Reading::Known(NetworkState::routed().metered(Metered::Yes));
        assert_eq!(source.read(&()).await, Reading::Known(NetworkState::routed()), "nothing was said yet");
        assert_eq!(clock.mono().since_origin(), PATIENCE);
        let (out, mut seen) = watch::channel(Reading::<NetworkState>::unknown("no reading yet"));
        let asked = async {
            seen.wait_for(|reading| *reading == paid).await.unwrap();
            assert_eq!(source.read(&()).await, paid);
            kernel.set(NetworkState::offline());
            assert_eq!(source.read(&()).await, Reading::Known(NetworkState::offline()));
        };
        tokio::select! {
            () = source.watch((), out) => panic!("the kernel's watch goes on"),
            () = asked => {}
        }
        said.lose("the bus is gone");
        kernel.set(NetworkState::routed());
        let (out, mut seen) = watch::channel(Reading::<NetworkState>::unknown("no reading yet"));
        tokio::select! {
            () = source.watch((), out) => panic!("the kernel's watch goes on"),
            heard = seen.wait_for(|reading| reading.known().is_some()) => drop(heard),
        }
        assert_eq!(
            source.read(&()).await,
            Reading::Known(NetworkState::routed()),
            "an earlier watch is over"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_validator_that_breaks_is_no_opinion_and_is_begun_again() {
        let begun = Arc::new(watch::Sender::new(0));
        let (kernel, word) = (Manual::new(NetworkState::routed()), NetworkOverride::new());
        let validator: Arc<dyn Validator> = Arc::new(Breaks(Arc::clone(&begun)));
        let source = Overlaid::new(kernel, Some(validator), word, Arc::new(SystemClock::new()));
        assert_eq!(source.read(&()).await, Reading::Known(NetworkState::routed()));
        let (out, mut seen) = watch::channel(Reading::<NetworkState>::unknown("no reading yet"));
        let twice = async {
            begun.subscribe().wait_for(|times| *times == 2).await.unwrap();
            // What the first watch said last does not count any more.
            let plain = Reading::Known(NetworkState::reaching(Routed));
            seen.wait_for(|reading| *reading == plain).await.unwrap();
        };
        tokio::select! {
            () = source.watch((), out) => panic!("the kernel's watch goes on"),
            () = twice => {}
        }
    }
}

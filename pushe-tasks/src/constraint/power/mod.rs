//! Power: whether the device is charging, and whether its battery is low.
//!
//! Invariant: a device that is known to have no battery is always charging and never low on it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::{Constraint, ConstraintDecodeError, Damping, Reading, Source, Verdict, publish};
use crate::clock::{Clock, WallTime};

mod sysfs;
#[cfg(all(target_os = "linux", feature = "net"))]
mod uevent;

/// Where Linux shows its power supplies.
const SYSFS: &str = "/sys/class/power_supply";
/// After so long without an event the supplies are read all the same: many drivers tell nothing of a falling charge.
const SAFETY: Duration = Duration::from_secs(60);

/// A battery becomes low at this charge, in percent.
const LOW: u8 = 15;
/// A low battery is well again at this charge, in percent.
const WELL: u8 = 20;

/// What the device is powered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PowerState {
    /// Whether it is powered from outside, or its battery is full: always so where it has none.
    pub charging: bool,
    /// The charge of its battery in percent; `None` where it has none, or none that tells.
    pub battery: Option<u8>,
    /// Whether the battery is low: at 15 % or less, and from then on below 20 %.
    pub low: bool,
}

impl PowerState {
    /// A device without a battery.
    pub const fn mains() -> Self {
        Self { charging: true, battery: None, low: false }
    }

    /// A device on its battery, at this charge in percent; low at 15 % or less.
    pub const fn on_battery(percent: u8) -> Self {
        Self { charging: false, battery: Some(percent), low: percent <= LOW }
    }

    /// A device that is charging its battery, at this charge in percent; low at 15 % or less.
    pub const fn charging(percent: u8) -> Self {
        Self { charging: true, ..Self::on_battery(percent) }
    }
}

/// The power supplies of this machine.
///
/// On Linux they are read from `/sys/class/power_supply` after each event of the kernel's (feature `net`) and every 60 s.
/// Elsewhere nothing is known of them; see [`WhereUnknown`](super::WhereUnknown).
#[derive(Clone, Debug)]
pub struct PowerSource {
    clock: Arc<dyn Clock>,
    root: PathBuf,
    /// Whether the battery was low when it was read last: written by every read, for the hysteresis.
    low: Arc<AtomicBool>,
}

impl PowerSource {
    /// The supplies of this machine.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::at(clock, SYSFS)
    }

    /// The supplies in another directory of the same form, as tests use.
    pub fn at(clock: Arc<dyn Clock>, root: impl Into<PathBuf>) -> Self {
        Self { clock, root: root.into(), low: Arc::default() }
    }

    /// Reads the supplies now.
    pub fn snapshot(&self) -> Reading<PowerState> {
        if !self.root.exists() && !cfg!(target_os = "linux") {
            return Reading::unknown("this system does not show its power supplies in files");
        }
        match sysfs::supplies(&self.root) {
            Ok(supplies) => {
                let mut state = sysfs::judge(&supplies);
                let was_low = self.low.load(Ordering::Relaxed);
                state.low = state.battery.is_some_and(|percent| is_low(percent, was_low));
                self.low.store(state.low, Ordering::Relaxed);
                Reading::Known(state)
            }
            Err(error) => Reading::unknown(format!("the power supplies cannot be read: {error}")),
        }
    }
}

/// Whether a battery at this charge is low, by what it was.
const fn is_low(percent: u8, was_low: bool) -> bool {
    if was_low { percent < WELL } else { percent <= LOW }
}

impl Source for PowerSource {
    type Key = ();
    type State = PowerState;

    async fn read(&self, (): &()) -> Reading<PowerState> {
        self.snapshot()
    }

    async fn watch(&self, (): (), out: watch::Sender<Reading<PowerState>>) {
        #[cfg(all(target_os = "linux", feature = "net"))]
        let events = match uevent::Events::open() {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::info!(%error, "no events of power supplies; they are read every 60 s");
                None
            }
        };
        loop {
            publish(&out, self.snapshot());
            let safety = self.clock.sleep_until(super::safety::next_look(&*self.clock, SAFETY));
            #[cfg(all(target_os = "linux", feature = "net"))]
            if let Some(events) = &events {
                tokio::select! {
                    event = events.next() => if let Err(error) = event {
                        return tracing::debug!(%error, "the kernel no longer tells of power supplies");
                    },
                    () = safety => {}
                }
                continue;
            }
            safety.await;
        }
    }
}

/// Reads the stored form of a constraint that has no values.
fn decode_unit(bytes: &[u8]) -> Result<(), ConstraintDecodeError> {
    match *bytes {
        [FORMAT] => Ok(()),
        [format, ..] if format > FORMAT => {
            Err(ConstraintDecodeError::new(format!("format {format} is newer than this program")))
        }
        _ => Err(ConstraintDecodeError::new("the bytes are no such constraint")),
    }
}

const FORMAT: u8 = 1;

/// Work that runs while the device is charging: powered from outside, or its battery full.
///
/// A device without a battery is always charging. A gain must hold for 10 s, since plugs are loose; running work is
/// stopped after a loss of 30 s.
///
/// # Examples
/// ```
/// use pushe_tasks::clock::WallTime;
/// use pushe_tasks::constraint::{Charging, Constraint, PowerState};
///
/// assert!(Charging.check(&PowerState::mains(), WallTime::from_millis(0)).is_met());
/// assert!(!Charging.check(&PowerState::on_battery(90), WallTime::from_millis(0)).is_met());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Charging;

impl Constraint for Charging {
    const KIND: &'static str = "charging";
    type Source = PowerSource;

    fn encode(&self) -> Vec<u8> {
        vec![FORMAT]
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        decode_unit(bytes).map(|()| Self)
    }

    fn key(&self) {}

    fn check(&self, state: &PowerState, _: WallTime) -> Verdict {
        match state {
            PowerState { charging: true, .. } => Verdict::met(),
            PowerState { battery: Some(percent), .. } => Verdict::hold(format!("on battery, at {percent} %")),
            PowerState { battery: None, .. } => Verdict::hold("on battery"),
        }
    }

    fn unknown(&self, _: &str) -> Verdict {
        Verdict::met()
    }

    fn damping(&self) -> Damping {
        Damping { rise: Duration::from_secs(10), fall: Duration::from_secs(30) }
    }
}

/// Work that does not run while the battery is low: from 15 % down until it is at 20 % again.
///
/// A device without a battery is never low. A gain acts at once; running work is stopped after a loss of 60 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BatteryNotLow;

impl Constraint for BatteryNotLow {
    const KIND: &'static str = "battery-not-low";
    type Source = PowerSource;

    fn encode(&self) -> Vec<u8> {
        vec![FORMAT]
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        decode_unit(bytes).map(|()| Self)
    }

    fn key(&self) {}

    fn check(&self, state: &PowerState, _: WallTime) -> Verdict {
        match (state.low, state.battery) {
            (false, _) => Verdict::met(),
            (true, Some(percent)) => {
                Verdict::hold(format!("the battery is at {percent} %; it must reach {WELL} %"))
            }
            (true, None) => Verdict::hold("the battery is low"),
        }
    }

    fn unknown(&self, _: &str) -> Verdict {
        Verdict::met()
    }

    fn damping(&self) -> Damping {
        Damping { rise: Duration::ZERO, fall: Duration::from_secs(60) }
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Borrowed("battery not low")
    }
}

#[cfg(test)]
mod tests;

//! What is known of a device's network, from whom, and how what several say becomes one state.
//!
//! Invariant: what the kernel says is a veto. A device without a usable default route is not connected, whatever a
//! validator above it may say.

use crate::clock::WallTime;

/// How far the network reaches, as far as this device can tell; greater reaches further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NetworkReach {
    /// No link is up.
    Offline,
    /// A link is up; there is no usable default route.
    Local,
    /// There is a usable default route, and a captive portal behind it: somebody has to sign in first.
    Portal,
    /// There is a usable default route, and a validator found that it does not lead to the internet.
    Limited,
    /// There is a usable default route. Nobody has tried where it leads.
    Routed,
    /// There is a usable default route, and a validator found that it leads to the internet.
    Validated,
}

/// Whether traffic is counted or paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metered {
    /// Nobody says.
    #[default]
    Unknown,
    /// It is not.
    No,
    /// It is probably not.
    GuessNo,
    /// It probably is, such as over a cellular modem.
    GuessYes,
    /// It is.
    Yes,
}

/// Whether the device is in the network of another provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Roaming {
    /// Nobody says.
    #[default]
    Unknown,
    /// It is not.
    No,
    /// It is.
    Yes,
}

/// The state of the device's network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NetworkState {
    /// How far the network reaches.
    pub reach: NetworkReach,
    /// Whether it is metered.
    pub metered: Metered,
    /// Whether the device is roaming.
    pub roaming: Roaming,
    /// Until when the application has declared it unmetered.
    pub unmetered_until: Option<WallTime>,
}

impl NetworkState {
    /// A device without a network.
    pub const fn offline() -> Self {
        Self::reaching(NetworkReach::Offline)
    }

    /// A device with a usable default route.
    pub const fn routed() -> Self {
        Self::reaching(NetworkReach::Routed)
    }

    /// A device whose network reaches so far, with nothing else known.
    pub const fn reaching(reach: NetworkReach) -> Self {
        Self { reach, metered: Metered::Unknown, roaming: Roaming::Unknown, unmetered_until: None }
    }

    /// The same network, metered so.
    #[must_use]
    pub const fn metered(mut self, metered: Metered) -> Self {
        self.metered = metered;
        self
    }

    /// The same network, roaming so.
    #[must_use]
    pub const fn roaming(mut self, roaming: Roaming) -> Self {
        self.roaming = roaming;
        self
    }

    /// What the kernel knows together with what a validator says of it; of no network it can say nothing.
    #[must_use]
    pub(super) fn validated(mut self, opinion: NetworkOpinion) -> Self {
        if self.reach < NetworkReach::Routed {
            return self;
        }
        if let Some(reach) = opinion.reach {
            // A validator that says less than `Portal` does not manage the link: the kernel knows better.
            self.reach = if reach > NetworkReach::Local { reach } else { NetworkReach::Routed };
        }
        if opinion.metered != Metered::Unknown {
            self.metered = opinion.metered;
        }
        if opinion.roaming != Roaming::Unknown {
            self.roaming = opinion.roaming;
        }
        self
    }
}

/// What a validator, such as a network manager, knows beyond the kernel.
///
/// # Examples
/// ```
/// use pushe_tasks::constraint::{Metered, NetworkOpinion, NetworkReach};
///
/// let hotspot = NetworkOpinion::new().reach(NetworkReach::Validated).metered(Metered::Yes);
/// assert_eq!(hotspot.metered, Metered::Yes);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkOpinion {
    /// Where the default route leads. `Offline` and `Local` are no opinion: that is for the kernel to say.
    pub reach: Option<NetworkReach>,
    /// Whether it is metered.
    pub metered: Metered,
    /// Whether the device is roaming.
    pub roaming: Roaming,
}

impl NetworkOpinion {
    /// No opinion.
    pub const fn new() -> Self {
        Self { reach: None, metered: Metered::Unknown, roaming: Roaming::Unknown }
    }

    /// With this reach.
    #[must_use]
    pub const fn reach(mut self, reach: NetworkReach) -> Self {
        self.reach = Some(reach);
        self
    }

    /// With this metering.
    #[must_use]
    pub const fn metered(mut self, metered: Metered) -> Self {
        self.metered = metered;
        self
    }

    /// With this roaming.
    #[must_use]
    pub const fn roaming(mut self, roaming: Roaming) -> Self {
        self.roaming = roaming;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NetworkReach::{Limited, Local, Offline, Portal, Routed, Validated};

    #[test]
    fn the_kernel_has_a_veto_and_a_validator_refines() {
        let check = |kernel, said: Option<NetworkReach>, expected| {
            let opinion = NetworkOpinion { reach: said, ..NetworkOpinion::new() };
            assert_eq!(
                NetworkState::reaching(kernel).validated(opinion).reach,
                expected,
                "{kernel:?} {said:?}"
            );
        };
        check(Offline, Some(Validated), Offline);
        check(Local, Some(Validated), Local);
        check(Routed, None, Routed);
        check(Routed, Some(Validated), Validated);
        check(Routed, Some(Portal), Portal);
        check(Routed, Some(Limited), Limited);
        check(Routed, Some(Local), Routed);
        check(Routed, Some(Offline), Routed);
    }

    #[test]
    fn what_a_validator_does_not_know_it_does_not_take_away() {
        let kernel = NetworkState::routed().metered(Metered::GuessYes).roaming(Roaming::No);
        assert_eq!(kernel.clone().validated(NetworkOpinion::new()), kernel);
        let said = NetworkOpinion::new().metered(Metered::No).roaming(Roaming::Yes);
        let both = NetworkState::routed().metered(Metered::No).roaming(Roaming::Yes);
        assert_eq!(kernel.validated(said), both);
    }
}

//! What kind of network work needs, and what is answered where nothing is known.
//!
//! Invariant: the stored code of each need never changes.

use std::borrow::Cow;
use std::time::Duration;

use super::NetworkSource;
use super::state::{Metered, NetworkReach, NetworkState, Roaming};
use crate::clock::WallTime;
use crate::constraint::{Answer, Constraint, ConstraintDecodeError, Damping, Source, Verdict};
use crate::options::NetworkType;

/// What kind of network work needs, as it is stored.
///
/// | type | holds when | where nothing is known |
/// |---|---|---|
/// | `connected` | a usable default route, and no validator that found a portal or no internet | it holds |
/// | `unmetered` | connected, and not metered | unknown metering counts as unmetered |
/// | `metered` | connected, and metered | work waits |
/// | `not_roaming` | connected, and not roaming | unknown counts as not roaming |
/// | `temporarily_unmetered` | unmetered, or declared so by the application for now | as unmetered |
///
/// The answers can be changed with `SchedulerBuilder::where_unknown`.
///
/// # Examples
/// ```
/// use pushe_tasks::clock::WallTime;
/// use pushe_tasks::constraint::{Constraint, Metered, NetworkConstraint, NetworkState};
///
/// let now = WallTime::from_millis(0);
/// assert!(NetworkConstraint::connected().check(&NetworkState::routed(), now).is_met());
/// assert!(!NetworkConstraint::connected().check(&NetworkState::offline(), now).is_met());
/// let hotspot = NetworkState::routed().metered(Metered::GuessYes);
/// assert!(!NetworkConstraint::unmetered().check(&hotspot, now).is_met());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkConstraint {
    needs: Needs,
    answers: NetworkAnswers,
}

/// What is answered where nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NetworkAnswers {
    /// Where the reach is unknown.
    pub(crate) network: Answer,
    /// Whether unknown metering counts as unmetered.
    pub(crate) metered: Answer,
    /// Whether unknown roaming counts as none.
    pub(crate) roaming: Answer,
}

impl NetworkAnswers {
    const DEFAULT: Self = Self { network: Answer::Met, metered: Answer::Met, roaming: Answer::Met };
}

/// The stored code of each need is its number here and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Needs {
    Connected = 1,
    Unmetered = 2,
    NotRoaming = 3,
    Metered = 4,
    TemporarilyUnmetered = 5,
}

impl Needs {
    const ALL: [Self; 5] =
        [Self::Connected, Self::Unmetered, Self::NotRoaming, Self::Metered, Self::TemporarilyUnmetered];
}

impl NetworkConstraint {
    const FORMAT: u8 = 1;

    const fn new(needs: Needs) -> Self {
        Self { needs, answers: NetworkAnswers::DEFAULT }
    }

    /// A usable default route. Where the device cannot tell, work starts: its own retry covers that.
    pub const fn connected() -> Self {
        Self::new(Needs::Connected)
    }

    /// A network whose traffic is neither counted nor paid for.
    pub const fn unmetered() -> Self {
        Self::new(Needs::Unmetered)
    }

    /// A network of the device's own provider.
    pub const fn not_roaming() -> Self {
        Self::new(Needs::NotRoaming)
    }

    /// A network whose traffic is counted, such as a cellular one.
    pub const fn metered() -> Self {
        Self::new(Needs::Metered)
    }

    /// A network that is unmetered, if only for now.
    pub const fn temporarily_unmetered() -> Self {
        Self::new(Needs::TemporarilyUnmetered)
    }

    /// What an option of this type asks for; nothing where no network is required.
    pub const fn of(network: NetworkType) -> Option<Self> {
        match network {
            NetworkType::NotRequired => None,
            NetworkType::Connected => Some(Self::connected()),
            NetworkType::Unmetered => Some(Self::unmetered()),
            NetworkType::NotRoaming => Some(Self::not_roaming()),
            NetworkType::Metered => Some(Self::metered()),
            NetworkType::TemporarilyUnmetered => Some(Self::temporarily_unmetered()),
        }
    }

    pub(crate) fn answering(mut self, answers: NetworkAnswers) -> Self {
        self.answers = answers;
        self
    }

    fn unmetered_verdict(self, state: &NetworkState) -> Verdict {
        match state.metered {
            Metered::No | Metered::GuessNo => Verdict::met(),
            Metered::Unknown => self.answers.metered.verdict("nobody says whether the network is metered"),
            // Going on costs money.
            Metered::GuessYes => Verdict::hold("the network is probably metered").at_once(),
            Metered::Yes => Verdict::hold("the network is metered").at_once(),
        }
    }
}

impl Constraint for NetworkConstraint {
    const KIND: &'static str = "network";
    type Source = NetworkSource;

    fn encode(&self) -> Vec<u8> {
        vec![Self::FORMAT, self.needs as u8]
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        match *bytes {
            [Self::FORMAT, code] => {
                let needs = Needs::ALL.into_iter().find(|needs| *needs as u8 == code);
                needs.map(Self::new).ok_or_else(|| {
                    ConstraintDecodeError::new(format!("this program knows no network type with code {code}"))
                })
            }
            [format, ..] if format > Self::FORMAT => {
                Err(ConstraintDecodeError::new(format!("format {format} is newer than this program")))
            }
            _ => Err(ConstraintDecodeError::new("the bytes are no network constraint")),
        }
    }

    fn key(&self) -> <NetworkSource as Source>::Key {}

    fn check(&self, state: &NetworkState, now: WallTime) -> Verdict {
        match state.reach {
            NetworkReach::Offline => return Verdict::hold("no network link is up"),
            NetworkReach::Local => return Verdict::hold("no usable default route"),
            NetworkReach::Portal => return Verdict::hold("a captive portal waits for a sign-in"),
            NetworkReach::Limited => return Verdict::hold("the network does not lead to the internet"),
            NetworkReach::Routed | NetworkReach::Validated => {}
        }
        match self.needs {
            Needs::Connected => Verdict::met(),
            Needs::Unmetered => self.unmetered_verdict(state),
            Needs::TemporarilyUnmetered => match state.unmetered_until {
                Some(until) if now < until => Verdict::Met { until: Some(until) },
                _ => self.unmetered_verdict(state),
            },
            Needs::Metered => match state.metered {
                Metered::Yes | Metered::GuessYes => Verdict::met(),
                Metered::No | Metered::GuessNo => Verdict::hold("the network is not metered"),
                Metered::Unknown => Verdict::hold("nobody says whether the network is metered"),
            },
            Needs::NotRoaming => match state.roaming {
                Roaming::No => Verdict::met(),
                Roaming::Yes => Verdict::hold("the device is roaming").at_once(),
                Roaming::Unknown => self.answers.roaming.verdict("nobody says whether the device is roaming"),
            },
        }
    }

    fn unknown(&self, why: &str) -> Verdict {
        let holds = |answer: Answer| answer == Answer::Hold;
        let answers = self.answers;
        let held = match self.needs {
            Needs::Connected => holds(answers.network),
            Needs::Unmetered | Needs::TemporarilyUnmetered => {
                holds(answers.network) || holds(answers.metered)
            }
            Needs::NotRoaming => holds(answers.network) || holds(answers.roaming),
            Needs::Metered => true,
        };
        if held { Verdict::hold(why.to_owned()) } else { Verdict::met() }
    }

    fn damping(&self) -> Damping {
        let rise = match self.needs {
            Needs::Connected => Duration::from_secs(1),
            _ => Duration::from_secs(2),
        };
        Damping { rise, fall: Duration::from_secs(5) }
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self.needs {
            Needs::Connected => "network: Connected",
            Needs::Unmetered => "network: Unmetered",
            Needs::NotRoaming => "network: NotRoaming",
            Needs::Metered => "network: Metered",
            Needs::TemporarilyUnmetered => "network: TemporarilyUnmetered",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_millis(1_000);

    fn all() -> [NetworkConstraint; 5] {
        Needs::ALL.map(NetworkConstraint::new)
    }

    #[test]
    fn every_type_needs_a_default_route() {
        let check = |reach, expected: &str| {
            for constraint in all() {
                let state = NetworkState::reaching(reach).metered(Metered::No).roaming(Roaming::No);
                assert_eq!(
                    constraint.check(&state, NOW),
                    Verdict::hold(expected.to_owned()),
                    "{constraint:?}"
                );
            }
        };
        check(NetworkReach::Offline, "no network link is up");
        check(NetworkReach::Local, "no usable default route");
        check(NetworkReach::Portal, "a captive portal waits for a sign-in");
        check(NetworkReach::Limited, "the network does not lead to the internet");
    }

    /// For each type in their order, whether it holds on a routed network that is metered so.
    #[test]
    fn metering_and_roaming_decide_as_the_table_says() {
        let check = |metered, roaming, expected: [bool; 5]| {
            let state = NetworkState::routed().metered(metered).roaming(roaming);
            let holds = all().map(|constraint| constraint.check(&state, NOW).is_met());
            assert_eq!(holds, expected, "{metered:?} {roaming:?}");
        };
        // Connected, Unmetered, NotRoaming, Metered, TemporarilyUnmetered.
        check(Metered::Unknown, Roaming::Unknown, [true, true, true, false, true]);
        check(Metered::No, Roaming::No, [true, true, true, false, true]);
        check(Metered::GuessNo, Roaming::No, [true, true, true, false, true]);
        check(Metered::GuessYes, Roaming::No, [true, false, true, true, false]);
        check(Metered::Yes, Roaming::Yes, [true, false, false, true, false]);
    }

    #[test]
    fn each_answer_where_nothing_is_known_is_an_option() {
        let check = |answers: NetworkAnswers, state: [bool; 5], nothing: [bool; 5]| {
            let routed = NetworkState::routed();
            let known = all().map(|it| it.answering(answers).check(&routed, NOW).is_met());
            let unknown = all().map(|it| it.answering(answers).unknown("no netlink").is_met());
            assert_eq!((known, unknown), (state, nothing), "{answers:?}");
        };
        let default = NetworkAnswers::DEFAULT;
        check(default, [true, true, true, false, true], [true, true, true, false, true]);
        let network = NetworkAnswers { network: Answer::Hold, ..default };
        check(network, [true, true, true, false, true], [false; 5]);
        let metered = NetworkAnswers { metered: Answer::Hold, ..default };
        check(metered, [true, false, true, false, false], [true, false, true, false, false]);
        let roaming = NetworkAnswers { roaming: Answer::Hold, ..default };
        check(roaming, [true, true, false, false, true], [true, true, false, false, true]);
    }

    #[test]
    fn a_declaration_holds_until_its_time() {
        let mut state = NetworkState::routed().metered(Metered::Yes);
        state.unmetered_until = Some(WallTime::from_millis(2_000));
        let check =
            |now| NetworkConstraint::temporarily_unmetered().check(&state, WallTime::from_millis(now));
        assert_eq!(check(1_999), Verdict::Met { until: state.unmetered_until });
        assert!(!check(2_000).is_met());
        assert!(!NetworkConstraint::unmetered().check(&state, NOW).is_met());
    }

    #[test]
    fn becoming_metered_or_roaming_stops_at_once() {
        let state = NetworkState::routed().metered(Metered::Yes).roaming(Roaming::Yes);
        for constraint in [NetworkConstraint::unmetered(), NetworkConstraint::not_roaming()] {
            assert!(matches!(constraint.check(&state, NOW), Verdict::Hold { at_once: true, .. }));
        }
    }

    #[test]
    fn the_stored_form_is_kept() {
        for (code, constraint) in (1..).zip(all()) {
            assert_eq!(constraint.encode(), [1, code]);
            assert_eq!(NetworkConstraint::decode(&[1, code]), Ok(constraint));
        }
        let error = |bytes: &[u8]| NetworkConstraint::decode(bytes).expect_err("no such value").to_string();
        assert_eq!(error(&[1, 9]), "this program knows no network type with code 9");
        assert_eq!(error(&[2, 1, 7]), "format 2 is newer than this program");
        for bytes in [&[][..], &[1], &[1, 1, 0], &[0, 1]] {
            assert_eq!(error(bytes), "the bytes are no network constraint");
        }
    }
}

//! What constraints answer where a device says nothing.
//!
//! Invariant: every answer has its place here, and its default is the one that the table of constraints states.

use super::Verdict;

/// What a constraint answers where nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Answer {
    /// It holds.
    Met,
    /// Work waits.
    Hold,
}

impl Answer {
    pub(crate) fn verdict(self, why: &str) -> Verdict {
        match self {
            Self::Met => Verdict::met(),
            Self::Hold => Verdict::hold(why.to_owned()),
        }
    }
}

/// The answers of the built-in constraints where their sources know nothing.
///
/// By default each is [`Answer::Met`]: a device that cannot tell is taken for one that is always powered, has room and
/// is not paid for by the byte. A source that worked and died is another matter: its last reading counts for 30 s, then
/// work is held until it is back.
///
/// # Examples
/// ```
/// use pushe_tasks::TaskScheduler;
/// use pushe_tasks::constraint::{Answer, WhereUnknown};
///
/// // Costs of traffic matter here: what is not known to be unmetered is taken for metered.
/// let builder = TaskScheduler::in_memory().where_unknown(WhereUnknown::new().metered(Answer::Hold));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhereUnknown {
    pub(crate) network: Answer,
    pub(crate) metered: Answer,
    pub(crate) roaming: Answer,
    pub(crate) charging: Answer,
    pub(crate) battery: Answer,
    pub(crate) storage: Answer,
}

impl WhereUnknown {
    /// Everything is met.
    pub const fn new() -> Self {
        let met = Answer::Met;
        Self { network: met, metered: met, roaming: met, charging: met, battery: met, storage: met }
    }

    /// Whether the device is connected; every type of network asks this first. `Metered` waits in any case.
    #[must_use]
    pub const fn network(mut self, answer: Answer) -> Self {
        self.network = answer;
        self
    }

    /// Whether a network counts as unmetered.
    #[must_use]
    pub const fn metered(mut self, answer: Answer) -> Self {
        self.metered = answer;
        self
    }

    /// Whether a network counts as not roaming.
    #[must_use]
    pub const fn roaming(mut self, answer: Answer) -> Self {
        self.roaming = answer;
        self
    }

    /// Whether the device is charging. A device that is known to have no battery always is.
    #[must_use]
    pub const fn charging(mut self, answer: Answer) -> Self {
        self.charging = answer;
        self
    }

    /// Whether the battery is not low. A device that is known to have no battery has none that is low.
    #[must_use]
    pub const fn battery(mut self, answer: Answer) -> Self {
        self.battery = answer;
        self
    }

    /// Whether there is room.
    #[must_use]
    pub const fn storage(mut self, answer: Answer) -> Self {
        self.storage = answer;
        self
    }
}

impl Default for WhereUnknown {
    fn default() -> Self {
        Self::new()
    }
}

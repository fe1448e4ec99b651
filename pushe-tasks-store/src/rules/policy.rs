//! What scheduling does when a task id is taken (S4.2 to S4.5, S4.8, S4.9).
//!
//! Invariant: Quarantined work bears its id until it is requeued or discarded. What would only do the same again is kept off
//! by it, what replaces it or runs after it in any case is not, and what waits for its success waits.

use crate::id::WorkId;
use crate::state::WorkState;
use crate::verbs::Policy;

/// An unfinished piece that bears the task id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) id: WorkId,
    pub(crate) state: WorkState,
    /// Its stored task name.
    pub(crate) task: String,
    /// Whether that is a name of the task that is being scheduled.
    pub(crate) ours: bool,
    /// Whether it and the piece that is being scheduled are of one kind: both periodic, or neither.
    pub(crate) same_kind: bool,
    pub(crate) options_differ: bool,
    pub(crate) interruptions: u32,
}

/// Which holders a policy must see to decide: a long queue under one id is not read for every piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The oldest that is not Quarantined; where there is none, the oldest.
    Oldest,
    /// The newest that is not Quarantined; where there is none, the newest.
    Newest,
    /// The newest, whatever its state.
    Last,
    /// All of them.
    All,
}

/// What the policy chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Stores the piece; it stands behind nobody.
    New,
    /// Keeps this one.
    Keep(Holder),
    /// Refuses: work of another task holds the id.
    HeldBy(Holder),
    /// Refuses: work of the other kind holds the id, periodic or not.
    KindDiffers(Holder),
    /// Cancels these and stores the piece, which inherits the charged interruptions of the id.
    Replace { cancel: Vec<WorkId>, interruptions: u32 },
    /// Stores the piece after this one, Blocked behind it where it has not ended.
    Append { after: WorkId, behind: bool },
    /// Gives this one its payload and options.
    Update(Holder),
    /// Stores the piece Blocked until this one has succeeded.
    Follow { after: WorkId },
}

/// How far a policy looks.
pub(crate) const fn reach(policy: Policy) -> Reach {
    match policy {
        Policy::Keep => Reach::Oldest,
        Policy::Replace => Reach::All,
        Policy::Append | Policy::Update => Reach::Newest,
        Policy::AppendAfterSuccess => Reach::Last,
    }
}

/// Decides over the holders within reach, oldest first.
pub(crate) fn decide(policy: Policy, holders: &[Holder]) -> Choice {
    let mut live = holders.iter().filter(|holder| holder.state != WorkState::Quarantined);
    let aside = holders.last().filter(|holder| holder.ours && holder.same_kind);
    match policy {
        Policy::Keep => match live.next() {
            Some(holder) if holder.ours && !holder.same_kind => Choice::KindDiffers(holder.clone()),
            Some(holder) if holder.ours => Choice::Keep(holder.clone()),
            Some(holder) => Choice::HeldBy(holder.clone()),
            None => aside.map_or(Choice::New, |aside| Choice::Keep(aside.clone())),
        },
        Policy::Replace => {
            let cancel: Vec<_> = live.map(|holder| holder.id).collect();
            let interruptions = holders.iter().map(|holder| holder.interruptions).max().unwrap_or(0);
            if holders.is_empty() { Choice::New } else { Choice::Replace { cancel, interruptions } }
        }
        Policy::Append => match (live.next_back(), holders.last()) {
            #[cfg(pushe_planted)]
            (Some(newest), _) if crate::planted::is(crate::planted::Bug::AppendAtOnce) => {
                Choice::Append { after: newest.id, behind: false }
            }
            (Some(newest), _) if !newest.same_kind => Choice::KindDiffers(newest.clone()),
            (Some(newest), _) => Choice::Append { after: newest.id, behind: true },
            (None, Some(ended)) => Choice::Append { after: ended.id, behind: false },
            (None, None) => Choice::New,
        },
        // What is Quarantined has not ended: it may yet succeed.
        Policy::AppendAfterSuccess => match holders.last() {
            Some(newest) if !newest.ours => Choice::HeldBy(newest.clone()),
            Some(newest) if !newest.same_kind => Choice::KindDiffers(newest.clone()),
            Some(newest) => Choice::Follow { after: newest.id },
            None => Choice::New,
        },
        // What runs is the oldest: where it is the newest too, there is nothing else to update.
        Policy::Update => match live.next_back() {
            Some(newest) if !newest.ours => Choice::HeldBy(newest.clone()),
            Some(newest) if !newest.same_kind => Choice::KindDiffers(newest.clone()),
            Some(newest) => Choice::Update(newest.clone()),
            None => aside.map_or(Choice::New, |aside| Choice::Keep(aside.clone())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> WorkId {
        WorkId::from_bytes([n; 16])
    }

    fn holder(n: u8, state: WorkState) -> Holder {
        Holder {
            id: id(n),
            state,
            task: "Upload".to_owned(),
            ours: true,
            same_kind: true,
            options_differ: false,
            interruptions: u32::from(n),
        }
    }

    #[test]
    fn s4_2_to_s4_9_what_each_policy_chooses() {
        use WorkState::{Blocked, Enqueued, Quarantined, Running};
        let replace = |cancel: &[u8], interruptions| Choice::Replace {
            cancel: cancel.iter().copied().map(id).collect(),
            interruptions,
        };
        let check = |holders: &[Holder], keep, replace, append| {
            assert_eq!(decide(Policy::Keep, holders), keep, "{holders:?}");
            assert_eq!(decide(Policy::Replace, holders), replace, "{holders:?}");
            assert_eq!(decide(Policy::Append, holders), append, "{holders:?}");
        };
        check(&[], Choice::New, Choice::New, Choice::New);
        for state in [Enqueued, Blocked, Running] {
            let one = holder(1, state);
            let after = Choice::Append { after: id(1), behind: true };
            check(std::slice::from_ref(&one), Choice::Keep(one.clone()), replace(&[1], 1), after);
        }
        let ended = Choice::Append { after: id(1), behind: false };
        let aside = holder(1, Quarantined);
        check(std::slice::from_ref(&aside), Choice::Keep(aside.clone()), replace(&[], 1), ended);

        let queue = [holder(1, Quarantined), holder(2, Running), holder(3, Blocked), holder(4, Quarantined)];
        let after = Choice::Append { after: id(3), behind: true };
        check(&queue, Choice::Keep(queue[1].clone()), replace(&[2, 3], 4), after);

        let mut other = holder(1, Enqueued);
        other.same_kind = false;
        let differs = Choice::KindDiffers(other.clone());
        check(std::slice::from_ref(&other), differs.clone(), replace(&[1], 1), differs);
        let ended = Holder { state: Quarantined, ..other };
        let after = Choice::Append { after: id(1), behind: false };
        check(std::slice::from_ref(&ended), Choice::New, replace(&[], 1), after);

        let mut foreign = holder(1, Enqueued);
        foreign.ours = false;
        let after = Choice::Append { after: id(1), behind: true };
        check(std::slice::from_ref(&foreign), Choice::HeldBy(foreign.clone()), replace(&[1], 1), after);
    }

    #[test]
    fn s4_9_update_takes_the_newest_that_has_not_ended() {
        use WorkState::{Blocked, Enqueued, Quarantined, Running};
        let check = |holders: &[Holder], expected| {
            assert_eq!(decide(Policy::Update, holders), expected, "{holders:?}");
        };
        check(&[], Choice::New);
        for state in [Enqueued, Blocked, Running] {
            let one = holder(1, state);
            check(std::slice::from_ref(&one), Choice::Update(one.clone()));
        }
        let queue = [holder(1, Running), holder(2, Blocked), holder(3, Quarantined)];
        check(&queue, Choice::Update(queue[1].clone()));
        let aside = holder(1, Quarantined);
        check(std::slice::from_ref(&aside), Choice::Keep(aside.clone()));
        let foreign = Holder { ours: false, ..holder(1, Enqueued) };
        check(std::slice::from_ref(&foreign), Choice::HeldBy(foreign.clone()));
        check(&[Holder { state: Quarantined, ..foreign }], Choice::New);
        let other = Holder { same_kind: false, ..holder(1, Enqueued) };
        check(std::slice::from_ref(&other), Choice::KindDiffers(other.clone()));
    }

    #[test]
    fn s4_7_what_is_to_succeed_first_is_the_newest_whatever_its_state() {
        use WorkState::{Blocked, Enqueued, Quarantined, Running};
        let check = |holders: &[Holder], expected| {
            assert_eq!(decide(Policy::AppendAfterSuccess, holders), expected, "{holders:?}");
        };
        check(&[], Choice::New);
        for state in [Enqueued, Blocked, Running, Quarantined] {
            check(&[holder(1, Running), holder(2, state)], Choice::Follow { after: id(2) });
        }
        let foreign = Holder { ours: false, ..holder(1, Enqueued) };
        check(std::slice::from_ref(&foreign), Choice::HeldBy(foreign.clone()));
        let other = Holder { same_kind: false, ..holder(1, Enqueued) };
        check(std::slice::from_ref(&other), Choice::KindDiffers(other.clone()));
    }
}

//! States of a piece of work, and the reasons that go with them.

use std::fmt;

macro_rules! stored_enum {
    ($(#[$meta:meta])* $name:ident as $field:literal { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant = $code,)* }

        impl $name {
            pub(crate) const fn code(self) -> u8 {
                self as u8
            }

            pub(crate) fn from_code(code: u8) -> Result<Self, $crate::Damage> {
                match code {
                    $($code => Ok(Self::$variant),)*
                    _ => Err($crate::Damage::Shape($field)),
                }
            }
        }
    };
}

pub(crate) use stored_enum;

stored_enum! {
    /// Where a piece of work stands.
    WorkState as "state" {
        /// Waits for its time, its constraints or room.
        Enqueued = 1,
        /// Waits for other work.
        Blocked = 2,
        /// Has an attempt under way.
        Running = 3,
        /// Finished with success.
        Succeeded = 4,
        /// Finished without success.
        Failed = 5,
        /// Finished by `cancel`, by Replace, or by a cancelled prerequisite.
        Cancelled = 6,
        /// Set aside with its bytes and the reason.
        Quarantined = 7,
    }
}

impl WorkState {
    /// Succeeded, Failed and Cancelled: work in these states does not run again by itself and holds no id.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for WorkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

stored_enum! {
    /// Why an attempt was asked to stop, or work left the way to success.
    Reason as "reason" {
        /// `cancel` was called.
        Cancelled = 1,
        /// Other work took its id under `Replace`.
        Replaced = 2,
        /// A constraint no longer held.
        ConstraintLost = 3,
        /// The engine was shut down.
        Shutdown = 4,
        /// The attempt took longer than its `timeout`.
        Timeout = 5,
        /// The body answered that it must not be retried.
        Fail = 6,
        /// The last attempt that `max_attempts` allows ended in retry.
        Exhausted = 7,
        /// The output is too large or cannot be encoded.
        Output = 8,
        /// The stored payload does not read back.
        Payload = 9,
        /// The stored record does not read back.
        Record = 10,
        /// Too many crashes found it running.
        Interruptions = 11,
        /// The process ended while it ran.
        Crash = 12,
        /// A prerequisite was cancelled or failed.
        Prerequisite = 13,
        /// `expires` passed before the first claim.
        Expired = 14,
        /// As many periods in a row failed as `stop_after` allows.
        Periods = 15,
        /// The program that scheduled it at its start does so no longer.
        NoLongerAutomatic = 20,
    }
}

stored_enum! {
    /// How one attempt ended.
    AttemptEnd as "attempt end" {
        /// With success.
        Succeeded = 1,
        /// The body answered fail.
        Failed = 2,
        /// The body answered retry, or an error without a marker.
        Retried = 3,
        /// The body panicked.
        Panicked = 4,
        /// The attempt took longer than its `timeout`.
        TimedOut = 5,
        /// The body asked to run later; the attempt was given back.
        Snoozed = 6,
        /// It was stopped and the attempt given back.
        Returned = 7,
        /// The process ended while it ran.
        Interrupted = 8,
        /// It was cancelled or replaced while it ran.
        Cancelled = 9,
        /// Its payload or output could not be read or written.
        Quarantined = 10,
        /// Nothing was run: the slot had been missed and is left out.
        LeftOut = 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        for code in 0..=u8::MAX {
            if let Ok(state) = WorkState::from_code(code) {
                assert_eq!(state.code(), code);
            }
            if let Ok(reason) = Reason::from_code(code) {
                assert_eq!(reason.code(), code);
            }
            if let Ok(end) = AttemptEnd::from_code(code) {
                assert_eq!(end.code(), code);
            }
        }
        assert_eq!((1..=7).filter(|code| WorkState::from_code(*code).unwrap().is_finished()).count(), 3);
    }
}

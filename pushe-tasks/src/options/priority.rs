//! How urgent work is among work that may start.

use pushe_tasks_syntax::{OptionError, rules};

/// How far work jumps the queue of what may start, or lets others pass.
///
/// Work starts in the order of its due time less this length, and what is equal there in the order in which it was
/// scheduled. So a priority moves work by a length of time and no further: what has waited longer than that goes first,
/// and nothing starves. It makes nothing due sooner, and takes no place from what runs.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// #[pushe_task(priority = High)]
/// async fn notify() {}
///
/// #[pushe_task(priority = -30)]
/// async fn clean_up() {}
///
/// #[pushe_task(expedited)]
/// async fn send_message() {}
///
/// assert_eq!(Notify::OPTIONS.urgency(), Priority::High);
/// assert_eq!(CleanUp::OPTIONS.urgency(), Priority::Minutes(-30));
/// assert_eq!(SendMessage::OPTIONS.urgency(), Priority::Expedited);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// It lets pass what was due up to 10 minutes later.
    Low,
    /// It neither passes nor lets pass.
    #[default]
    Normal,
    /// It passes what was due up to 10 minutes earlier.
    High,
    /// It passes what was due up to an hour earlier: for what a person waits for.
    Expedited,
    /// It passes what was due up to so many minutes earlier, or lets pass where the number is negative; at most a week.
    Minutes(i32),
}

impl Priority {
    const fn minutes(self) -> i64 {
        match self {
            Self::Low => -10,
            Self::Normal => 0,
            Self::High => 10,
            Self::Expedited => 60,
            // A cast, since `From` is no constant.
            Self::Minutes(minutes) => minutes as i64,
        }
    }

    /// What is taken off the due time of work, in milliseconds.
    pub(crate) const fn boost_millis(self) -> i64 {
        self.minutes() * 60_000
    }

    /// Says which rule it breaks, if any.
    ///
    /// # Errors
    /// More than a week.
    pub fn check(self) -> Result<(), OptionError> {
        rules::priority(self.minutes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_21_a_priority_is_a_length_of_time() {
        let check = |priority: Priority, minutes: i64| {
            assert_eq!(priority.boost_millis(), minutes * 60_000, "{priority:?}");
        };
        check(Priority::Low, -10);
        check(Priority::Normal, 0);
        check(Priority::High, 10);
        check(Priority::Expedited, 60);
        check(Priority::Minutes(-7), -7);
        check(Priority::Minutes(i32::MAX), i32::MAX.into());
        assert_eq!(Priority::Minutes(10_080).check(), Ok(()));
        assert_eq!(Priority::Minutes(10_081).check(), Err(OptionError::PriorityTooFar));
    }
}

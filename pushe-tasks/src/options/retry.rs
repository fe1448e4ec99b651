//! When and how often failed attempts are made again.

use std::time::Duration;

use pushe_tasks_syntax::{OptionError, limits, rules};

/// How the time between attempts grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backoff {
    /// It doubles with each attempt.
    #[default]
    Exponential,
    /// It grows by the first delay with each attempt.
    Linear,
    /// It stays the same.
    Fixed,
}

/// When and how often a failed attempt is made again.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use pushe_tasks::{Backoff, RetryOptions};
///
/// const RETRY: RetryOptions =
///     RetryOptions::new().max_attempts(8).backoff(Backoff::Linear).delay(Duration::from_secs(5));
///
/// assert_eq!(RETRY.attempt_limit(), Some(8));
/// assert_eq!(RETRY.longest_delay(), Duration::from_secs(5 * 60 * 60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryOptions {
    max_attempts: Option<u32>,
    backoff: Backoff,
    delay: Duration,
    max_delay: Duration,
    jitter: f64,
}

impl RetryOptions {
    /// Any number of attempts; exponential back-off from 30 s to 5 h, with a tenth of it at random.
    pub const fn new() -> Self {
        Self {
            max_attempts: None,
            backoff: Backoff::Exponential,
            delay: limits::RETRY_DELAY,
            max_delay: limits::RETRY_MAX_DELAY,
            jitter: limits::RETRY_JITTER,
        }
    }

    /// Makes at most this many attempts, the first one included.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Lets the time between attempts grow so.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Waits this long before the second attempt.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Never waits longer than this.
    #[must_use]
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Lengthens or shortens each wait at random by up to this fraction of it.
    #[must_use]
    pub const fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = fraction;
        self
    }

    /// Most attempts, the first one included; none without a limit.
    pub const fn attempt_limit(&self) -> Option<u32> {
        self.max_attempts
    }

    /// How the time between attempts grows.
    pub const fn backoff_kind(&self) -> Backoff {
        self.backoff
    }

    /// The wait before the second attempt.
    pub const fn first_delay(&self) -> Duration {
        self.delay
    }

    /// The longest wait.
    pub const fn longest_delay(&self) -> Duration {
        self.max_delay
    }

    /// The random part of a wait, as a fraction of it.
    pub const fn jitter_fraction(&self) -> f64 {
        self.jitter
    }

    /// Says which rule these options break, if any.
    ///
    /// # Errors
    /// No attempt at all; a wait of zero; a first wait longer than the longest; a random part outside of
    /// 0 to 1.
    pub fn check(&self) -> Result<(), OptionError> {
        rules::max_attempts(self.max_attempts.map_or(1, u64::from))?;
        rules::not_zero("delay", self.delay)?;
        rules::not_zero("max_delay", self.max_delay)?;
        rules::not_too_long(self.delay)?;
        rules::not_too_long(self.max_delay)?;
        rules::backoff(self.delay, self.max_delay)?;
        rules::jitter(self.jitter)
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self::new()
    }
}

//! From the number of attempts that ended in retry to the delay before the next (S3).
//!
//! Invariant: the answer is above zero and at most `max_delay`, for every number of attempts.

use std::time::Duration;

use pushe_tasks_store::{Backoff, StoredOptions};

/// The delay after the `retries`-th attempt that ended in retry, counted from 1.
///
/// `chance` in `0.0..1.0` moves the delay by up to ± `jitter` of itself; the cap comes last, so that it is a cap.
pub(crate) fn delay(options: &StoredOptions, retries: u32, chance: f64) -> Duration {
    let first = options.delay.max(Duration::from_millis(1));
    let nominal = match options.backoff {
        Backoff::Linear => first.saturating_mul(retries.max(1)),
        Backoff::Exponential => {
            // Doubling ends at the cap: after 64 rounds at the most, whatever `retries` is.
            let mut doubled = first;
            for _ in 1..retries.max(1) {
                if doubled >= options.max_delay {
                    break;
                }
                doubled = doubled.saturating_mul(2);
            }
            doubled
        }
        // Fixed, and whatever a later version adds: never faster than the delay.
        _ => first,
    };
    let capped = nominal.min(options.max_delay);
    let moved = capped.mul_f64(1.0 + options.jitter.clamp(0.0, 1.0) * (2.0 * chance - 1.0));
    moved.min(options.max_delay).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(backoff: Backoff, delay: u64, max_delay: u64, jitter: f64) -> StoredOptions {
        let mut options = StoredOptions::default();
        options.backoff = backoff;
        options.delay = Duration::from_secs(delay);
        options.max_delay = Duration::from_secs(max_delay);
        options.jitter = jitter;
        options
    }

    fn check(backoff: Backoff, retries: u32, expected: u64) {
        let options = options(backoff, 30, 18_000, 0.0);
        assert_eq!(delay(&options, retries, 0.5), Duration::from_secs(expected), "{backoff:?} {retries}");
    }

    #[test]
    fn s3_1_delays_grow_as_their_kind_says_and_saturate() {
        for (retries, expected) in [
            (0, 30),
            (1, 30),
            (2, 60),
            (3, 120),
            (10, 15_360),
            (11, 18_000),
            (33, 18_000),
            (u32::MAX, 18_000),
        ] {
            check(Backoff::Exponential, retries, expected);
        }
        for (retries, expected) in [(1, 30), (2, 60), (3, 90), (600, 18_000), (u32::MAX, 18_000)] {
            check(Backoff::Linear, retries, expected);
        }
        for retries in [1, 2, 1_000, u32::MAX] {
            check(Backoff::Fixed, retries, 30);
        }
    }

    #[test]
    fn s3_1_the_shortest_delay_still_doubles_past_32_attempts() {
        let mut options = options(Backoff::Exponential, 0, 18_000, 0.0);
        options.delay = Duration::from_millis(1);
        assert_eq!(delay(&options, 40, 0.5), Duration::from_secs(18_000));
    }

    #[test]
    fn s3_2_jitter_moves_both_ways_and_the_cap_is_a_cap() {
        let options = options(Backoff::Fixed, 100, 105, 0.1);
        assert_eq!(delay(&options, 1, 0.0), Duration::from_secs(90));
        assert_eq!(delay(&options, 1, 0.5), Duration::from_secs(100));
        assert_eq!(delay(&options, 1, 0.999_999), Duration::from_secs(105));
    }
}

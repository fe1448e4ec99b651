//! Percentiles of what was waited for.

use std::time::Duration;

use crate::Answer;

/// Lengths of waits.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    nanos: Vec<u64>,
}

impl Latencies {
    /// Adds one.
    pub fn add(&mut self, wait: Duration) {
        self.add_nanos(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds one of so many nanoseconds.
    pub fn add_nanos(&mut self, nanos: u64) {
        self.nanos.push(nanos);
    }

    /// Adds those of another producer.
    pub fn extend(&mut self, other: Self) {
        self.nanos.extend(other.nanos);
    }

    /// The wait that this share of all did not exceed, in microseconds; 0 where there were none.
    pub fn percentile_us(&mut self, share: f64) -> f64 {
        if self.nanos.is_empty() {
            return 0.0;
        }
        self.nanos.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place among some millions"
        )]
        let place = ((self.nanos.len() - 1) as f64 * share.clamp(0.0, 1.0)).round() as usize;
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of minutes fit")]
        let nanos = self.nanos[place] as f64;
        nanos / 1_000.0
    }

    /// Puts p50 and p99 among the figures, under names with this prefix.
    pub fn tell(&mut self, answer: &mut Answer, prefix: &str) {
        answer.figure(&format!("{prefix}p50_us"), self.percentile_us(0.5));
        answer.figure(&format!("{prefix}p99_us"), self.percentile_us(0.99));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_waits() {
        let mut waits = Latencies::default();
        assert!(waits.percentile_us(0.5).abs() < f64::EPSILON);
        for micros in (1..=101).rev() {
            waits.add(Duration::from_micros(micros));
        }
        let near = |left: f64, right: f64| assert!((left - right).abs() < 0.001, "{left} {right}");
        near(waits.percentile_us(0.0), 1.0);
        near(waits.percentile_us(0.5), 51.0);
        near(waits.percentile_us(0.99), 100.0);
        near(waits.percentile_us(1.0), 101.0);
    }
}

//! What the engine counts and measures, through the `metrics` facade; without that feature, nothing.
//!
//! Invariant: a recorder is a stranger's code. One that panics is passed over, and the engine goes on.

#[cfg(not(feature = "metrics"))]
pub(super) use off::*;
#[cfg(feature = "metrics")]
pub(super) use on::*;

/// Whether anything is counted, so that what is needed for it alone is not made in vain.
pub(super) const COUNTS: bool = cfg!(feature = "metrics");

#[cfg(feature = "metrics")]
mod on {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use metrics::{Unit, counter, gauge, histogram};
    use pushe_tasks_store::WorkState;

    use crate::telemetry::{field, metric, state};

    /// Runs a recorder's code.
    fn record(record: impl FnOnce()) {
        static SAID: AtomicBool = AtomicBool::new(false);
        // A recorder keeps its own state, and nothing of the engine is touched by it.
        if catch_unwind(AssertUnwindSafe(record)).is_err() && !SAID.swap(true, Ordering::Relaxed) {
            tracing::error!("a recorder of metrics panics; this is said once");
        }
    }

    /// Tells the recorder what each name means.
    pub(in crate::engine) fn describe() {
        use metrics::{
            describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram,
        };
        record(|| {
            counter!(metric::SCHEDULED, Unit::Count, "Pieces of work that were stored.");
            counter!(metric::ATTEMPTS_STARTED, Unit::Count, "Attempts that were claimed.");
            counter!(metric::ATTEMPTS_ENDED, Unit::Count, "Attempts that ended, by outcome.");
            counter!(
                metric::FINISHED,
                Unit::Count,
                "Pieces of work that finished or were set aside, by state."
            );
            counter!(metric::COMMITS, Unit::Count, "Transactions that became durable.");
            counter!(metric::COMMITS_FAILED, Unit::Count, "Transactions that did not become durable.");
            histogram!(metric::START_DELAY, Unit::Seconds, "From the time an attempt was due to its claim.");
            histogram!(metric::ATTEMPT_SECONDS, Unit::Seconds, "From the claim of an attempt to its end.");
            histogram!(metric::COMMIT_SECONDS, Unit::Seconds, "How long a transaction took.");
            histogram!(metric::COMMIT_VERBS, Unit::Count, "Changes that shared a transaction.");
            gauge!(metric::RUNNING, Unit::Count, "Bodies that hold a permit now.");
        });
    }

    pub(in crate::engine) fn scheduled(task: &str) {
        record(|| counter!(metric::SCHEDULED, field::TASK => task.to_owned()).increment(1));
    }

    pub(in crate::engine) fn finished(task: &str, to: WorkState) {
        record(|| {
            counter!(metric::FINISHED, field::TASK => task.to_owned(), metric::STATE => state(to))
                .increment(1);
        });
    }

    pub(in crate::engine) fn started(task: &'static str, delay: Duration) {
        record(|| {
            counter!(metric::ATTEMPTS_STARTED, field::TASK => task).increment(1);
            histogram!(metric::START_DELAY, field::TASK => task).record(delay.as_secs_f64());
        });
    }

    pub(in crate::engine) fn ended(task: &'static str, outcome: &'static str, took: Duration) {
        record(|| {
            counter!(metric::ATTEMPTS_ENDED, field::TASK => task, field::OUTCOME => outcome).increment(1);
            histogram!(metric::ATTEMPT_SECONDS, field::TASK => task).record(took.as_secs_f64());
        });
    }

    pub(in crate::engine) fn running(bodies: u64) {
        #[expect(clippy::cast_precision_loss, reason = "nobody runs 2^53 bodies")]
        record(|| gauge!(metric::RUNNING).set(bodies as f64));
    }

    pub(in crate::engine) fn committed(verbs: usize, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "no transaction holds 2^53 changes")]
        record(|| {
            counter!(metric::COMMITS).increment(1);
            histogram!(metric::COMMIT_VERBS).record(verbs as f64);
            histogram!(metric::COMMIT_SECONDS).record(took.as_secs_f64());
        });
    }

    pub(in crate::engine) fn not_committed(took: Duration) {
        record(|| {
            counter!(metric::COMMITS_FAILED).increment(1);
            histogram!(metric::COMMIT_SECONDS).record(took.as_secs_f64());
        });
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use std::time::Duration;

    use pushe_tasks_store::WorkState;

    pub(in crate::engine) const fn describe() {}
    pub(in crate::engine) const fn scheduled(_: &str) {}
    pub(in crate::engine) const fn finished(_: &str, _: WorkState) {}
    pub(in crate::engine) const fn started(_: &'static str, _: Duration) {}
    pub(in crate::engine) const fn ended(_: &'static str, _: &'static str, _: Duration) {}
    pub(in crate::engine) const fn running(_: u64) {}
    pub(in crate::engine) const fn committed(_: usize, _: Duration) {}
    pub(in crate::engine) const fn not_committed(_: Duration) {}
}

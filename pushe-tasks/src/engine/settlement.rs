//! From the end of an attempt to what becomes of its work (S2, S3): a plain function over values.
//!
//! Invariant: a stop that is not the work's own fault never costs it an attempt, and an attempt that succeeded before it
//! noticed that it was to stop has succeeded.

use pushe_tasks_store::{AttemptEnd, Reason, Settlement, StoredOptions};

use pushe_tasks_syntax::limits::LONGEST;

use super::message::Ended;
use crate::backoff;
use crate::outcome::{Fate, TaskError};

/// What becomes of work whose attempt has ended.
///
/// `retries` counts the attempts that ended in retry before this one; `stop` is why the body was told to stop, if it was;
/// `chance` in `0.0..1.0` is for jitter.
pub(super) fn settlement(
    ended: Ended,
    stop: Option<Reason>,
    options: &StoredOptions,
    retries: u32,
    chance: f64,
) -> Settlement {
    let retry = |end, error: String, after: Option<std::time::Duration>| {
        let retries = retries.saturating_add(1);
        if options.max_attempts.is_some_and(|most| retries >= most) {
            Settlement::Failed { end, reason: Reason::Exhausted, error }
        } else {
            let after = after.unwrap_or_else(|| backoff::delay(options, retries, chance)).min(LONGEST);
            Settlement::Retry { end, error, after }
        }
    };
    match (ended, stop) {
        (Ended::Success(output), _) => Settlement::Succeeded { output },
        (Ended::BadOutput(error), _) => {
            Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Output, error }
        }
        (Ended::BadPayload(error), _) => Settlement::Quarantine { reason: Reason::Payload, error },
        (Ended::Error(error), stop) if error.fate() == Fate::Fail && stop != Some(Reason::Timeout) => {
            Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Fail, error: text(&error) }
        }
        (Ended::Panic(error), _) => retry(AttemptEnd::Panicked, error, None),
        (Ended::Error(_) | Ended::Dropped, Some(Reason::Timeout)) => {
            let limit = options.timeout.unwrap_or_default();
            retry(AttemptEnd::TimedOut, format!("it took longer than its timeout of {limit:?}"), None)
        }
        (Ended::Error(_) | Ended::Dropped, Some(reason)) => Settlement::Return { reason },
        (Ended::Dropped, None) => Settlement::Return { reason: Reason::Shutdown },
        (Ended::Error(error), None) => match error.fate() {
            Fate::Snooze(after) => Settlement::Snooze { after: after.min(LONGEST) },
            Fate::Retry { after } => retry(AttemptEnd::Retried, text(&error), after),
            Fate::Fail => {
                Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Fail, error: text(&error) }
            }
        },
    }
}

/// The error with its causes, as people read it: `outer: inner`.
fn text(error: &TaskError) -> String {
    let mut text = error.to_string();
    let mut source = error.as_error().source();
    // A chain longer than this tells nobody more, and may be a circle.
    for _ in 0..16 {
        let Some(cause) = source else { break };
        let cause_text = cause.to_string();
        if !crate::outcome::is_marker(cause) && !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outcome::{Fail, Retry, Snooze};

    const MINUTE: Duration = Duration::from_secs(60);

    fn options(max_attempts: Option<u32>) -> StoredOptions {
        let mut options = StoredOptions::default();
        options.max_attempts = max_attempts;
        options.timeout = Some(MINUTE);
        options
    }

    fn check(ended: Ended, stop: Option<Reason>, expected: &Settlement) {
        assert_eq!(settlement(ended, stop, &options(None), 0, 0.5), *expected);
    }

    fn retry(end: AttemptEnd, error: &str, after: Duration) -> Settlement {
        Settlement::Retry { end, error: error.to_owned(), after }
    }

    #[test]
    fn s2_1_an_outcome_decides() {
        let delay = Duration::from_secs(30);
        check(
            Ended::Success(Some(vec![1].into())),
            None,
            &Settlement::Succeeded { output: Some(vec![1].into()) },
        );
        check(Ended::Error(TaskError::new("disk")), None, &retry(AttemptEnd::Retried, "disk", delay));
        check(
            Ended::Error(Retry::after(MINUTE).into()),
            None,
            &retry(AttemptEnd::Retried, "retry after 60s", MINUTE),
        );
        check(Ended::Error(Snooze::lasting(MINUTE).into()), None, &Settlement::Snooze { after: MINUTE });
        let failed = |reason, error: &str| Settlement::Failed {
            end: AttemptEnd::Failed,
            reason,
            error: error.to_owned(),
        };
        let endless = Settlement::Snooze { after: LONGEST };
        check(Ended::Error(Snooze::lasting(Duration::MAX).into()), None, &endless);
        check(Ended::Error(Fail::because("no").into()), None, &failed(Reason::Fail, "no"));
        check(Ended::BadOutput("too large".into()), None, &failed(Reason::Output, "too large"));
        let payload = Settlement::Quarantine { reason: Reason::Payload, error: "short".to_owned() };
        check(Ended::BadPayload("short".into()), None, &payload);
    }

    #[test]
    fn s2_2_a_panic_and_a_timeout_are_attempts_that_ended_in_retry() {
        let delay = Duration::from_secs(30);
        check(Ended::Panic("boom".into()), None, &retry(AttemptEnd::Panicked, "boom", delay));
        let late = "it took longer than its timeout of 60s";
        check(Ended::Dropped, Some(Reason::Timeout), &retry(AttemptEnd::TimedOut, late, delay));
        let error = Ended::Error(TaskError::new("stopped"));
        check(error, Some(Reason::Timeout), &retry(AttemptEnd::TimedOut, late, delay));
    }

    #[test]
    fn s1_10_a_stopped_attempt_is_given_back_and_a_success_is_kept() {
        for reason in [Reason::ConstraintLost, Reason::Shutdown] {
            check(Ended::Dropped, Some(reason), &Settlement::Return { reason });
            let error = Ended::Error(TaskError::new("stopped"));
            check(error, Some(reason), &Settlement::Return { reason });
            check(Ended::Success(None), Some(reason), &Settlement::Succeeded { output: None });
        }
    }

    #[test]
    fn s2_1_the_last_attempt_ends_in_failure() {
        for (retries, fails) in [(0, false), (1, false), (2, true), (9, true)] {
            let end = settlement(Ended::Error(TaskError::new("x")), None, &options(Some(3)), retries, 0.5);
            let exhausted = matches!(end, Settlement::Failed { reason: Reason::Exhausted, .. });
            assert_eq!(exhausted, fails, "after {retries} retries");
        }
    }
}

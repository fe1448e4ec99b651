//! A store that does not work: how long it is left alone before held settles are tried again.

use std::time::Duration;

use pushe_tasks_store::StoreError;

use super::dispatcher::Dispatcher;
use super::message::Request;
use crate::clock::MonoTime;

/// So long a failing store is left alone before held settles are tried again; it doubles up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A store that does not work.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) error: StoreError,
    /// Since when, however often it was tried again.
    pub(super) since: MonoTime,
    pause: Duration,
    retry_at: Option<MonoTime>,
}

impl Trouble {
    /// When the store is tried again.
    pub(super) fn retry_at(&self) -> Option<MonoTime> {
        self.retry_at
    }
}

impl Dispatcher {
    pub(super) fn store_trouble(&mut self, error: StoreError) {
        if matches!(error, StoreError::Full) {
            self.conditions.store_is_full();
        }
        let pause = self
            .trouble
            .as_ref()
            .map_or(SHORTEST_PAUSE, |trouble| trouble.pause.saturating_mul(2).min(LONGEST_PAUSE));
        if self.trouble.is_none() {
            self.tell_of_failure(&error);
        }
        let now = self.shared.clock.mono();
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { error, since, pause, retry_at: Some(now.plus(pause)) });
    }

    /// Wakes the writer when the store is to be tried again.
    pub(super) fn try_store_again(&mut self, now: MonoTime) {
        if let Some(trouble) = &mut self.trouble
            && trouble.retry_at.is_some_and(|at| at <= now)
        {
            trouble.retry_at = None;
            self.outbox.push(Request::Wake);
        }
    }
}

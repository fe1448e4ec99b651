//! The watchdog: notices that the runtime on which bodies run polls nothing, since some body blocks its threads.
//!
//! Now and then, while bodies live, the dispatcher asks that runtime for a sign of life. No sign within 5 s is told by the log
//! and by health, and nothing else comes of it: the engine's own threads go on, and so do bodies that are polled elsewhere.
//!
//! Invariant: with no body alive it waits for nothing.

use std::sync::Arc;
use std::time::Duration;

use super::dispatcher::Dispatcher;
use super::message::Event;
use crate::clock::MonoTime;
use crate::contain::tell;
use crate::options::RunOn;

/// So often a sign of life is asked for.
const EVERY: Duration = Duration::from_secs(30);

/// So long a runtime may take for it.
const ENOUGH: Duration = Duration::from_secs(5);

/// What is known of the runtime.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    /// When it was asked, while it has not answered.
    asked: Option<MonoTime>,
    /// Whether the answer has taken too long, which is in the log.
    late: bool,
    /// When to look next.
    next: Option<MonoTime>,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Do {
    Nothing,
    Ask,
    Tell,
}

impl Watchdog {
    fn pass(&mut self, now: MonoTime, bodies: bool) -> Do {
        if !bodies && self.asked.is_none() {
            self.next = None;
            return Do::Nothing;
        }
        if self.late {
            return Do::Nothing;
        }
        let next = *self.next.get_or_insert(now.plus(EVERY));
        if next > now {
            return Do::Nothing;
        }
        if self.asked.is_some() {
            (self.late, self.next) = (true, None);
            return Do::Tell;
        }
        (self.asked, self.next) = (Some(now), Some(now.plus(ENOUGH)));
        Do::Ask
    }

    /// It has answered; answers whether that was late.
    fn answered(&mut self, now: MonoTime) -> bool {
        (self.asked, self.next) = (None, Some(now.plus(EVERY)));
        std::mem::take(&mut self.late)
    }

    /// Since when the runtime has polled nothing.
    pub(super) fn blocked_since(&self) -> Option<MonoTime> {
        self.asked.filter(|_| self.late)
    }

    /// When it wants to look again.
    pub(super) fn next_moment(&self) -> Option<MonoTime> {
        self.next
    }
}

impl Dispatcher {
    /// Asks the runtime of the bodies for a sign of life, where it is time to.
    pub(super) fn watch_bodies(&mut self, now: MonoTime) {
        match self.watchdog.pass(now, self.running > 0) {
            Do::Nothing => {}
            Do::Ask => {
                let events = Arc::clone(&self.shared.events);
                let answer = async move {
                    let _ = events.send(Event::Alive);
                };
                self.executor.run(RunOn::Io, Box::pin(answer));
            }
            Do::Tell => {
                tell!(
                    warn,
                    "the runtime polls nothing: some body blocks its threads; give it `run_on = Blocking`"
                );
            }
        }
    }

    pub(super) fn bodies_answered(&mut self) {
        if self.watchdog.answered(self.shared.clock.mono()) {
            tell!(warn, "the runtime polls bodies again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_sign_of_life_is_asked_for_while_bodies_live() {
        let mut dog = Watchdog::default();
        let check = |dog: &mut Watchdog, now, bodies, expected, next: Option<u64>| {
            assert_eq!((dog.pass(at(now), bodies), dog.next_moment()), (expected, next.map(at)), "at {now}");
        };
        check(&mut dog, 0, false, Do::Nothing, None);
        check(&mut dog, 10, true, Do::Nothing, Some(40));
        check(&mut dog, 39, false, Do::Nothing, None);
        check(&mut dog, 40, true, Do::Nothing, Some(70));
        check(&mut dog, 70, true, Do::Ask, Some(75));
        assert!(!dog.answered(at(71)));
        check(&mut dog, 72, true, Do::Nothing, Some(101));
        check(&mut dog, 101, true, Do::Ask, Some(106));
        check(&mut dog, 105, true, Do::Nothing, Some(106));
        assert_eq!(dog.blocked_since(), None);
        check(&mut dog, 106, true, Do::Tell, None);
        assert_eq!(dog.blocked_since(), Some(at(101)));
        check(&mut dog, 900, true, Do::Nothing, None);
        assert!(dog.answered(at(901)));
        assert_eq!(dog.blocked_since(), None);
        check(&mut dog, 902, false, Do::Nothing, None);
    }
}

//! One attempt: decode, run, catch what it throws, report.
//!
//! Invariant: whatever a body does, exactly one `Ended` is reported for its attempt, and after that nothing of the body
//! lives. (A body that never returns reports nothing: the dispatcher then gives it up as a zombie.)

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;

use pushe_tasks_store::{Attempt, Reason};

use super::mailbox::Mailbox;
use super::message::{Ended, Event};
use super::signal::StopSignal;
use crate::clock::Clock;
use crate::contain::{guarded, panic_text};

/// What runs in an attempt: decodes the payload and calls the task.
pub(crate) type BodyFuture = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// Runs one body to its end and reports it; so it does when it is dropped on the way, with the runtime that polls it.
pub(super) fn run(
    attempt: Attempt,
    body: impl FnOnce() -> BodyFuture + Send,
    signal: Arc<StopSignal>,
    clock: Arc<dyn Clock>,
    events: Arc<Mailbox<Event>>,
    tells_start: bool,
) -> impl Future<Output = ()> + Send {
    let report = Report { attempt, events, signal: Arc::clone(&signal), end: None };
    async move {
        // Who is to stop before the first poll does not begin: its constraint, say, was lost since the claim.
        if signal.reason().is_some() {
            return;
        }
        if tells_start {
            let _ = report.events.send(Event::Started(attempt, clock.mono()));
        }
        report.tell(match guarded(body) {
            Ok(body) => watched(body, &signal).await,
            Err(panic) => (Ended::Panic(panic_text(panic)), signal.reason()),
        });
    }
}

/// Reports the end of an attempt when it is dropped.
struct Report {
    attempt: Attempt,
    events: Arc<Mailbox<Event>>,
    signal: Arc<StopSignal>,
    end: Option<(Ended, Option<Reason>)>,
}

impl Report {
    fn tell(mut self, end: (Ended, Option<Reason>)) {
        self.end = Some(end);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let (ended, heard) = self.end.take().unwrap_or_else(|| (Ended::Dropped, self.signal.reason()));
        let _ = self.events.send(Event::Ended(self.attempt, ended, heard));
    }
}

/// Polls the body until it ends or is to be dropped; it is gone when this answers. Says why it had been told to stop by then:
/// what it ended in before it was told is its own.
async fn watched(body: BodyFuture, signal: &StopSignal) -> (Ended, Option<Reason>) {
    let mut body = Some(body);
    let polled = poll_fn(|context| {
        let Some(running) = body.as_mut() else { return std::task::Poll::Pending };
        match guarded(|| running.as_mut().poll(context)) {
            Ok(poll) => poll,
            Err(panic) => std::task::Poll::Ready(Ended::Panic(panic_text(panic))),
        }
    });
    let ended = tokio::select! {
        biased;
        ended = polled => ended,
        () = signal.drop_now() => Ended::Dropped,
    };
    let heard = signal.reason();
    // Dropping runs the user's code as well.
    let ended = match guarded(|| drop(body.take())) {
        Ok(()) => ended,
        Err(panic) => match ended {
            // Its result stands; the panic came after it.
            Ended::Success(_) => ended,
            _ => Ended::Panic(panic_text(panic)),
        },
    };
    (ended, heard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::park::block_on;
    use pushe_tasks_store::WorkId;

    fn end_of(body: impl FnOnce() -> BodyFuture + Send, signal: &Arc<StopSignal>) -> Ended {
        let attempt = Attempt { work: WorkId::from_parts(1, [0; 10]), claim: 1 };
        let events = Arc::new(Mailbox::new());
        let clock = Arc::new(SystemClock::new());
        block_on(run(attempt, body, Arc::clone(signal), clock, Arc::clone(&events), false));
        let mut seen = Vec::new();
        events.take(&mut seen);
        match (seen.pop(), seen.pop()) {
            (Some(Event::Ended(ended_attempt, ended, _)), None) if ended_attempt == attempt => ended,
            (last, _) => panic!("expected one end, got {last:?}"),
        }
    }

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "in drop");
        }
    }

    #[test]
    fn every_way_to_panic_is_one_ended_attempt() {
        let check = |body: fn() -> BodyFuture, text: &str| {
            let ended = end_of(body, &Arc::default());
            assert!(matches!(&ended, Ended::Panic(said) if said == text), "{ended:?}");
        };
        check(|| Box::pin(async { panic!("static") }), "static");
        check(|| Box::pin(async { panic!("number {}", 7) }), "number 7");
        check(|| panic!("before the first poll"), "before the first poll");
        check(|| Box::pin(async { std::panic::panic_any(7_u8) }), "a panic whose payload is not text");
        check(
            || Box::pin(async { std::panic::panic_any(PanicsInDrop) }),
            "a panic whose payload is not text",
        );
    }

    #[test]
    fn a_success_stands_although_the_body_panics_when_it_is_dropped() {
        struct Body(PanicsInDrop);
        impl Future for Body {
            type Output = Ended;
            fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Ended> {
                let _ = &self.0;
                std::task::Poll::Ready(Ended::Success(None))
            }
        }
        let ended = end_of(|| Box::pin(Body(PanicsInDrop)), &Arc::default());
        assert!(matches!(ended, Ended::Success(None)), "{ended:?}");
    }

    #[test]
    fn a_body_that_is_dropped_with_its_runtime_is_reported() {
        let attempt = Attempt { work: WorkId::from_parts(1, [0; 10]), claim: 1 };
        let events = Arc::new(Mailbox::new());
        let body = || -> BodyFuture { Box::pin(std::future::pending()) };
        let clock = Arc::new(SystemClock::new());
        drop(run(attempt, body, Arc::default(), clock, Arc::clone(&events), false));
        let mut seen = Vec::new();
        events.take(&mut seen);
        assert!(matches!(seen[..], [Event::Ended(_, Ended::Dropped, _)]), "{seen:?}");
    }

    #[test]
    fn a_body_that_does_not_stop_is_dropped() {
        let signal: Arc<StopSignal> = Arc::default();
        assert!(signal.ask(Reason::Timeout));
        assert!(!signal.ask(Reason::Shutdown));
        signal.drop_body();
        let ended = end_of(|| Box::pin(std::future::pending()), &signal);
        assert!(matches!(ended, Ended::Dropped), "{ended:?}");
        assert_eq!(signal.reason(), Some(Reason::Timeout));
    }
}

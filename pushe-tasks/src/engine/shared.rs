//! What the parts of one engine share: all of it is read-only or a way to send.
//!
//! Invariant: no state that changes is reached through here except the mailboxes and the two flags of an ending engine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use pushe_tasks_store::StoreFacts;
use tokio_util::sync::CancellationToken;

use super::mailbox::Mailbox;
use super::message::{Event, Request};
use super::pulse::Pulse;
use super::room::Room;
use super::writer::WriterFigures;
use crate::clock::Clock;
use crate::constraint::kinds::ConstraintKinds;
use crate::extract::StateMap;
use crate::random::{Randomness, WorkIds};
use crate::registry::Registry;
use crate::scheduler::Handle;

/// Limits on what a caller or a body may bring (S6.4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of an encoded input.
    pub(crate) payload: usize,
    /// Bytes of an encoded output.
    pub(crate) output: usize,
}

/// What the parts of one engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) states: Arc<StateMap>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) ids: WorkIds,
    pub(crate) requests: Arc<Mailbox<Request>>,
    pub(crate) events: Arc<Mailbox<Event>>,
    pub(crate) figures: Arc<WriterFigures>,
    /// What calls that schedule may have queued for the writer.
    pub(crate) room: Arc<Room>,
    /// What may be queued beside them: looks, cancels, reports of progress. They do not stand behind those that schedule.
    pub(crate) side_room: Arc<Room>,
    pub(crate) facts: StoreFacts,
    pub(crate) kinds: Arc<ConstraintKinds>,
    /// Whether the dispatcher lives.
    pub(crate) pulse: Pulse,
    /// Set once, when the handle is made.
    pub(crate) handle: OnceLock<Weak<Handle>>,
    /// Callers are refused from here on.
    stopping: AtomicBool,
    /// Cancelled when the engine has ended and its store is closed.
    ended: CancellationToken,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "called once, by the builder")]
    pub(crate) fn new(
        registry: Registry,
        states: Arc<StateMap>,
        limits: Limits,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        requests: Arc<Mailbox<Request>>,
        events: Arc<Mailbox<Event>>,
        figures: Arc<WriterFigures>,
        facts: StoreFacts,
        kinds: Arc<ConstraintKinds>,
    ) -> Self {
        Self {
            registry,
            states,
            limits,
            clock,
            randomness,
            ids: WorkIds::default(),
            requests,
            events,
            figures,
            room: Arc::new(Room::new()),
            side_room: Arc::new(Room::new()),
            facts,
            kinds,
            pulse: Pulse::default(),
            handle: OnceLock::new(),
            stopping: AtomicBool::new(false),
            ended: CancellationToken::new(),
        }
    }

    /// Refuses callers from here on.
    pub(crate) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn end(&self) {
        self.begin_stop();
        self.ended.cancel();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Ends when the engine has ended and its store is closed.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

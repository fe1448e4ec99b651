//! How the owners of state talk: a queue that is emptied in one go.
//!
//! It has no limit of its own: callers take room before they send (see `room`), and what the engine's parts send to each
//! other is bounded by the bodies that run and the sources that are watched; none of it ever waits.
//!
//! Invariant: after `close` nothing more gets in, and what got in before is still handed out; so an answer is owed for
//! every message that `send` accepted.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Messages from many senders to one owner.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    queue: Mutex<Queue<T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: Vec<T>,
    closed: bool,
}

/// The owner takes no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        Self { queue: Mutex::new(Queue { waiting: Vec::new(), closed: false }), arrived: Notify::new() }
    }

    /// Adds a message and wakes the owner.
    pub(crate) fn send(&self, message: T) -> Result<(), Closed> {
        self.add(|waiting| waiting.push(message))
    }

    /// Adds messages that the owner is to find together, and wakes it.
    pub(crate) fn send_all(&self, messages: &mut Vec<T>) -> Result<(), Closed> {
        self.add(|waiting| waiting.append(messages))
    }

    fn add(&self, add: impl FnOnce(&mut Vec<T>)) -> Result<(), Closed> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Closed);
        }
        // The owner takes all that waits, so only the first message has to wake it.
        let was_empty = queue.waiting.is_empty();
        add(&mut queue.waiting);
        drop(queue);
        if was_empty {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Moves all that waits to the end of `into`; answers whether there was any.
    pub(crate) fn take(&self, into: &mut Vec<T>) -> bool {
        let mut queue = self.lock();
        if queue.waiting.is_empty() {
            return false;
        }
        if into.is_empty() {
            std::mem::swap(into, &mut queue.waiting);
        } else {
            into.append(&mut queue.waiting);
        }
        true
    }

    /// Adds the last messages and lets no more in, so that nobody's message comes after them and stays unanswered.
    pub(crate) fn close_with(&self, last: &mut Vec<T>) {
        let mut queue = self.lock();
        if !queue.closed {
            queue.waiting.append(last);
            queue.closed = true;
        }
        drop(queue);
        self.arrived.notify_one();
    }

    /// Lets no more messages in and drops those that wait, and with them the means to answer them.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        let unread = std::mem::take(&mut queue.waiting);
        // Dropping a message may run code that sends.
        drop(queue);
        drop(unread);
    }

    /// How many messages wait.
    pub(crate) fn depth(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Ends when a message may have arrived since the last `take`.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // A sender cannot leave the queue half-changed, so a poisoned lock is as good as any.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::park::block_on;

    #[test]
    fn what_was_accepted_is_handed_out_after_closing() {
        let mailbox = Mailbox::new();
        mailbox.send(1).unwrap();
        mailbox.send(2).unwrap();
        mailbox.close_with(&mut vec![3]);
        assert_eq!(mailbox.send(4), Err(Closed));
        mailbox.close_with(&mut vec![5]);
        let mut taken = vec![0];
        assert!(mailbox.take(&mut taken));
        assert_eq!(taken, [0, 1, 2, 3]);
        assert!(!mailbox.take(&mut taken));
    }

    #[test]
    fn what_is_not_taken_any_more_is_dropped() {
        let mailbox = Mailbox::new();
        let (reply, mut answer) = tokio::sync::oneshot::channel::<()>();
        mailbox.send(reply).unwrap();
        mailbox.close();
        assert_eq!(answer.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn an_arrival_is_not_missed_between_taking_and_waiting() {
        let mailbox = Mailbox::new();
        mailbox.send(1).unwrap();
        block_on(mailbox.arrival());
        let mut taken = Vec::new();
        mailbox.take(&mut taken);
        mailbox.send(2).unwrap();
        block_on(mailbox.arrival());
        assert!(mailbox.take(&mut taken));
    }
}

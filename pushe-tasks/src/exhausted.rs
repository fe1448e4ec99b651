//! What runs when the last attempt of a piece of work has ended in retry (S2.4): a follow-up piece of a task of its own.
//!
//! Invariant: the payload of a follow-up is the length of the last error's text, the text, and the payload of the exhausted
//! piece as its codec wrote it; so it is read back by the same rules as that.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use pushe_tasks_store::Envelope;

use crate::codec;
use crate::context::TaskContext;
use crate::engine::BodyFuture;
use crate::engine::message::Ended;
use crate::outcome::{Outcome, TaskError};
use crate::task::Task;

/// What a function of [`TaskOptions::on_exhausted`](crate::TaskOptions::on_exhausted) answers: it is an attempt like any
/// other, and is retried where it asks for that.
pub type Exhausted = Pin<Box<dyn Future<Output = Result<Outcome, TaskError>> + Send>>;

/// The longest text of an error that a follow-up is given, in bytes.
const ERROR_TEXT: usize = 16 * 1024;

/// The stored name of the follow-up task of the task that bears this one; each is made once in a process.
pub(crate) fn name(task: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let name = format!("{task}/exhausted");
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let made: &'static str = name.leak();
    names.insert(made);
    made
}

/// The payload of a follow-up.
pub(crate) fn wrap(mut exhausted: Envelope, error: &str) -> Envelope {
    let end = (0..=ERROR_TEXT.min(error.len())).rev().find(|end| error.is_char_boundary(*end));
    let error = &error[..end.unwrap_or(0)];
    let length = u32::try_from(error.len()).unwrap_or(0);
    let mut payload = Vec::with_capacity(4 + error.len() + exhausted.payload.len());
    payload.extend_from_slice(&length.to_le_bytes());
    payload.extend_from_slice(error.as_bytes());
    payload.append(&mut exhausted.payload);
    Envelope { payload, ..exhausted }
}

/// The payload of the exhausted piece, and the text of its last error.
fn unwrap(mut envelope: Envelope) -> Option<(Envelope, String)> {
    let (length, rest) = envelope.payload.split_first_chunk::<4>()?;
    let (error, payload) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let (error, payload) = (std::str::from_utf8(error).ok()?.to_owned(), payload.to_vec());
    envelope.payload = payload;
    Some((envelope, error))
}

/// What an attempt of a follow-up of the task `T` runs.
pub(crate) fn body<T: Task>(envelope: Envelope, _: TaskContext, _: usize) -> BodyFuture {
    Box::pin(async move {
        let Some(run) = T::OPTIONS.exhausted_hook() else {
            return Ended::BadPayload("its task answers exhausted attempts no longer".to_owned());
        };
        let Some((envelope, error)) = unwrap(envelope) else {
            return Ended::BadPayload("the bytes of the last error do not read back".to_owned());
        };
        match codec::open::<T::Input>(&envelope) {
            Ok(input) => match run(input, error).await {
                Ok(Outcome::Success(())) => Ended::Success(None),
                Ok(other) => Ended::Error(other.into_error()),
                Err(error) => Ended::Error(error),
            },
            Err(error) => Ended::BadPayload(error.to_string()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_4_a_follow_up_carries_the_error_and_the_payload_as_it_was() {
        let envelope = |payload: Vec<u8>| Envelope { codec: 1, version: 7, fingerprint: 9, payload };
        for (payload, error) in [(vec![], ""), (vec![1, 2, 3], "grün"), (vec![0; 9], "")] {
            let (whole, said) = unwrap(wrap(envelope(payload.clone()), error)).unwrap();
            assert_eq!((whole, said.as_str()), (envelope(payload), error));
        }
        let long = "ü".repeat(ERROR_TEXT);
        let (_, said) = unwrap(wrap(envelope(vec![]), &long)).unwrap();
        assert_eq!(said.len(), ERROR_TEXT);
        for bytes in [vec![], vec![1, 0, 0], vec![2, 0, 0, 0, b'x'], vec![1, 0, 0, 0, 0xff]] {
            assert_eq!(unwrap(envelope(bytes)).map(|(_, error)| error), None);
        }
    }

    #[test]
    fn a_name_is_made_once() {
        assert_eq!(name("Upload"), "Upload/exhausted");
        assert!(std::ptr::eq(name("Upload"), name("Upload")));
    }
}

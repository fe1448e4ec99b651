//! A subscriber of `tracing` that keeps everything it is told, for tests of what is told and of what is not.
//!
//! Invariant: it is interested in all levels and all targets.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    /// The spans that the thread is in, innermost last.
    static WITHIN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// One span or event with its fields as text; the message of an event is a field too.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Its name; of an event, where it stands in the source.
    pub name: String,
    /// Its target.
    pub target: String,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
    /// Of an event, the number of the span that it stands in.
    pub within: Option<u64>,
    /// Of a span, whether it has ended.
    pub closed: bool,
}

#[derive(Debug, Default)]
struct Log {
    spans: BTreeMap<u64, (Told, u32)>,
    events: Vec<Told>,
}

/// The subscriber. Clones keep the same things.
#[derive(Clone, Debug, Default)]
pub struct Collector(Arc<Mutex<Log>>);

impl Collector {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The spans of this name, by number, in their order.
    pub fn spans(&self, name: &str) -> Vec<(u64, Told)> {
        let log = self.log();
        let named = log.spans.iter().filter(|(_, (told, _))| told.name == name);
        named.map(|(number, (told, _))| (*number, told.clone())).collect()
    }

    /// Everything: spans, then events.
    pub fn all(&self) -> Vec<Told> {
        let log = self.log();
        log.spans.values().map(|(told, _)| told).chain(&log.events).cloned().collect()
    }

    /// The events that have this message.
    pub fn events(&self, message: &str) -> Vec<Told> {
        let is_it = |told: &&Told| told.fields.get("message").is_some_and(|text| text == message);
        self.log().events.iter().filter(is_it).cloned().collect()
    }
}

struct Texts<'t>(&'t mut BTreeMap<String, String>);

impl Visit for Texts<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

fn named(metadata: &Metadata<'_>) -> Told {
    Told { name: metadata.name().to_owned(), target: metadata.target().to_owned(), ..Told::default() }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut log = self.log();
        let number = log.spans.len() as u64 + 1;
        let mut told = named(attributes.metadata());
        attributes.record(&mut Texts(&mut told.fields));
        log.spans.insert(number, (told, 1));
        Id::from_u64(number)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some((told, _)) = self.log().spans.get_mut(&span.into_u64()) {
            values.record(&mut Texts(&mut told.fields));
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut told = named(event.metadata());
        event.record(&mut Texts(&mut told.fields));
        told.within = WITHIN.with_borrow(|within| within.last().copied());
        self.log().events.push(told);
    }

    fn enter(&self, span: &Id) {
        WITHIN.with_borrow_mut(|within| within.push(span.into_u64()));
    }

    fn exit(&self, _: &Id) {
        WITHIN.with_borrow_mut(|within| {
            within.pop();
        });
    }

    fn clone_span(&self, span: &Id) -> Id {
        if let Some((_, handles)) = self.log().spans.get_mut(&span.into_u64()) {
            *handles += 1;
        }
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut log = self.log();
        let Some((told, handles)) = log.spans.get_mut(&span.into_u64()) else { return false };
        *handles -= 1;
        told.closed = *handles == 0;
        told.closed
    }
}

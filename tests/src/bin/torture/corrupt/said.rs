//! What a child tells its parent, a line each.

use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::figures::Wrong;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// A cycle begins.
    Begin(u64),
    /// It knows of so many acknowledged pieces.
    Known(u64),
    /// Something is wrong.
    Wrong(Wrong, String),
    /// Something that is counted has happened so often.
    Count(String, u64),
}

/// Says it; where nobody listens any more, the process ends.
pub(super) fn tell(said: &Said) {
    let text = serde_json::to_string(said).unwrap_or_default();
    if writeln!(io::stdout().lock(), "{text}").is_err() {
        std::process::exit(3);
    }
}

pub(super) fn wrong(kind: Wrong, text: impl Into<String>) {
    tell(&Said::Wrong(kind, text.into()));
}

pub(super) fn count(what: impl Into<String>, count: u64) {
    if count > 0 {
        tell(&Said::Count(what.into(), count));
    }
}

/// Tells of panics. Those of redb over a damaged page are to be contained by the store: where one is not, a thread of the
/// engine ends, and that is seen by what calls answer. Any other is a fault by itself.
pub(super) fn watch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if place.contains("/redb-") {
            count("panics of redb", 1);
        } else {
            let payload = panic.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            wrong(Wrong::Panic, format!("{} at {place}", text.unwrap_or_default()));
        }
    }));
}

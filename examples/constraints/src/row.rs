//! One constraint with what its source said last.

use std::sync::{Arc, Mutex, PoisonError};

use pushe_tasks::clock::{Clock, MonoTime};
use pushe_tasks::constraint::{Constraint, Reading, Source, Verdict};
use tokio::sync::{Notify, watch};

/// What a reading says, and what the constraint makes of it at a moment.
type Judge = Box<dyn Fn(&dyn Clock) -> (String, Verdict) + Send + Sync>;

/// The name of a constraint, its reading, and since when its verdict is what it is.
pub(crate) struct Row {
    name: String,
    judge: Judge,
    read: Box<dyn Fn() -> bool + Send + Sync>,
    /// The last verdict, and when it was first given.
    since: Mutex<Option<(bool, MonoTime)>>,
}

/// What the table shows of a row.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) holds: &'static str,
    pub(crate) lasts: String,
    pub(crate) reading: String,
}

impl Row {
    /// Begins to watch the source of a constraint, and tells of every reading.
    pub(crate) fn watch<C: Constraint, S>(constraint: C, source: &Arc<S>, changed: &Arc<Notify>) -> Self
    where
        S: Source<Key = <C::Source as Source>::Key, State = <C::Source as Source>::State>,
    {
        let nothing = || Reading::unknown("no reading yet");
        let (out, seen) = watch::channel(nothing());
        let (source, key) = (Arc::clone(source), constraint.key());
        tokio::spawn(async move { source.watch(key, out).await });
        let (mut news, notify) = (seen.clone(), Arc::clone(changed));
        tokio::spawn(async move {
            while news.changed().await.is_ok() {
                notify.notify_one();
            }
        });
        let name = constraint.describe().into_owned();
        let last = seen.clone();
        let judge = move |clock: &dyn Clock| match &*seen.borrow() {
            Reading::Known(state) => {
                let verdict = constraint.check(state, clock.wall());
                let shown = match verdict.recheck_at() {
                    // A window's source has nothing to say; what tells is when it changes.
                    Some(change) if size_of_val(state) == 0 => {
                        format!("changes in {} min", change.since(clock.wall()).as_secs().div_ceil(60))
                    }
                    _ => format!("{state:?}"),
                };
                (shown, verdict)
            }
            Reading::Unknown(why) => (format!("unknown: {why}"), constraint.unknown(why)),
        };
        let read = move || *last.borrow() != nothing();
        Self { name, judge: Box::new(judge), read: Box::new(read), since: Mutex::new(None) }
    }

    /// Whether the source has said anything.
    pub(crate) fn has_reading(&self) -> bool {
        (self.read)()
    }

    /// What there is to show now.
    pub(crate) fn line(&self, clock: &dyn Clock) -> Line {
        let (reading, verdict) = (self.judge)(clock);
        let (now, met) = (clock.mono(), verdict.is_met());
        let mut last = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *last {
            Some((was, since)) if was == met => since,
            _ => now,
        };
        *last = Some((met, since));
        let reading = match verdict {
            Verdict::Met { .. } => reading,
            Verdict::Hold { why, .. } if reading.contains(&*why) => reading,
            Verdict::Hold { why, .. } => format!("{why} ({reading})"),
        };
        let lasts = format!("{} s", now.since(since).as_secs());
        Line { name: self.name.clone(), holds: if met { "yes" } else { "no" }, lasts, reading }
    }
}

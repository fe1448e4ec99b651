//! The offsets behind a name.

use jiff::Timestamp;
use jiff::tz::{TimeZone as Offsets, TimeZoneDatabase};

use super::ZoneError;
use crate::cron::{Span, Zone};

/// A time zone with its offsets.
///
/// # Examples
/// ```
/// use pushe_tasks_syntax::cron::{Cron, Zone};
/// use pushe_tasks_syntax::zone::TimeZone;
///
/// let paris = TimeZone::named("Europe/Paris").unwrap();
/// let summer = 1_782_900_000; // 1 July 2026, 10:00 UTC
/// assert_eq!(paris.span(summer).offset, 2 * 3600);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(Offsets);

impl TimeZone {
    /// The zone of this name: as the system knows it, so that its updates count, else as it was known when this was built.
    ///
    /// # Errors
    /// The name is no name, see [`check`](super::check).
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        super::check(name)?;
        match jiff::tz::db().get(name) {
            Ok(zone) => Ok(Self(zone)),
            Err(_) => Self::bundled(name),
        }
    }

    /// The zone of this name as it was known when this was built.
    ///
    /// # Errors
    /// As for [`named`](Self::named).
    pub fn bundled(name: &str) -> Result<Self, ZoneError> {
        super::check(name)?;
        let found = TimeZoneDatabase::bundled().get(name);
        found.map(Self).map_err(|_| ZoneError::Unknown { found: name.to_owned() })
    }

    fn offset(&self, at: Timestamp) -> i64 {
        self.0.to_offset(at).seconds().into()
    }
}

/// The moment as the database has it; the first or last one that it has, where it has none.
fn timestamp(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

impl Zone for TimeZone {
    fn span(&self, at: i64) -> Span {
        let now = timestamp(at);
        let offset = self.offset(now);
        // Transitions that change a name alone are none here. A transition at the moment itself has been made.
        let begins = timestamp(at.saturating_add(1));
        let began = self.0.preceding(begins).find_map(|transition| {
            let start = transition.timestamp().as_second();
            let before = self.offset(timestamp(start.saturating_sub(1)));
            (before != self.offset(transition.timestamp())).then_some((start, before))
        });
        let ends =
            self.0.following(now).find(|transition| i64::from(transition.offset().seconds()) != offset);
        Span { offset, began, ends: ends.map(|transition| transition.timestamp().as_second()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_names_is_that_of_the_database() {
        let database = TimeZoneDatabase::bundled();
        let mut known: Vec<_> = database.available().map(|name| name.as_str().to_owned()).collect();
        known.sort_unstable();
        let listed: Vec<_> = crate::zone::names().collect();
        assert_eq!(listed, known, "write these names into zones.txt");
    }

    #[test]
    fn every_name_has_offsets() {
        for name in crate::zone::names() {
            assert!(TimeZone::named(name).is_ok() && TimeZone::bundled(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_span_lies_between_two_changes() {
        let howe = TimeZone::bundled("Australia/Lord_Howe").unwrap();
        // 5 April 2026, 2:00 local summer time: back to 1:30.
        let change = 1_775_314_800;
        let summer = howe.span(change - 1);
        assert_eq!((summer.offset, summer.ends), (39_600, Some(change)));
        let winter = howe.span(change);
        assert_eq!((winter.offset, winter.began), (37_800, Some((change, 39_600))));
        assert_eq!(howe.span(winter.ends.unwrap() - 1), winter);
        let utc = TimeZone::bundled("UTC").unwrap().span(change);
        assert_eq!(utc, Span { offset: 0, began: None, ends: None });
        assert_eq!(howe.span(i64::MIN).began, None);
        let _ = howe.span(i64::MAX);
    }
}

//! Time zones by their names in the IANA database.
//!
//! Invariant: what is a name is judged by one list, at compile time and at run time. The offsets behind a name come with
//! the feature `zones`, which the attribute does without.

use std::error::Error;
use std::fmt;

use crate::words::nearest;

#[cfg(feature = "zones")]
mod database;

#[cfg(feature = "zones")]
pub use database::TimeZone;

/// All names, one a line, sorted.
const NAMES: &str = include_str!("zones.txt");

crate::error::texts! {
    /// A text that is no name of a time zone.
    ZoneError {
        /// Nothing at all.
        Empty => "a time zone cannot be empty; write a name such as `Europe/Paris`, or leave `tz` out for UTC",
        /// Nearly a name.
        Near { found: String, near: String } => "unknown time zone `{found}`; did you mean `{near}`?",
        /// No name at all.
        Unknown { found: String } => "unknown time zone `{found}`; write a name of the IANA database such as `Europe/Paris` or `UTC`",
    }
}

/// All names, sorted.
///
/// # Examples
/// ```
/// assert!(pushe_tasks_syntax::zone::names().any(|name| name == "Australia/Lord_Howe"));
/// ```
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.lines()
}

/// Says whether this is a name of a time zone, written as the database writes it.
///
/// # Errors
/// Names the one that was meant, where one is near.
///
/// # Examples
/// ```
/// use pushe_tasks_syntax::zone;
///
/// assert!(zone::check("Europe/Paris").is_ok());
/// let error = zone::check("Europe/Pari").unwrap_err();
/// assert_eq!(error.to_string(), "unknown time zone `Europe/Pari`; did you mean `Europe/Paris`?");
/// ```
pub fn check(name: &str) -> Result<(), ZoneError> {
    if name.is_empty() {
        return Err(ZoneError::Empty);
    }
    if names().any(|known| known == name) {
        return Ok(());
    }
    let found = name.to_owned();
    // A blank is written for the line below it, and a city without its continent.
    let plain = name.trim().replace(' ', "_");
    let city = |known: &&str| known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&plain));
    Err(match nearest(&plain, names()).or_else(|| names().find(city)) {
        Some(near) => ZoneError::Near { found, near: near.to_owned() },
        None => ZoneError::Unknown { found },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_known() {
        assert!(names().is_sorted());
        assert!(names().all(|name| check(name).is_ok()));
        assert!(names().count() > 500);
    }

    #[test]
    fn a_name_that_was_meant_is_said() {
        let near = |found: &str, near: &str| {
            let expected = ZoneError::Near { found: found.to_owned(), near: near.to_owned() };
            assert_eq!(check(found), Err(expected));
        };
        near("Europe/Pari", "Europe/Paris");
        near("europe/paris", "Europe/Paris");
        near("America/New York", "America/New_York");
        near("Lord_Howe", "Australia/Lord_Howe");
        near(" UTC", "UTC");
        assert_eq!(check(""), Err(ZoneError::Empty));
        let unknown = "Atlantis".to_owned();
        assert_eq!(check(&unknown), Err(ZoneError::Unknown { found: unknown }));
    }
}

//! Durations as people write them: `"30s"`, `"1h 30m"`, `"250ms"`.
//!
//! Invariant: a text has one meaning or none. Units go from large to small, each at most once, and a
//! number never stands without its unit.

use std::time::Duration;

use crate::limits::LONGEST;
use crate::{OptionError, TextError};

/// Units from large to small, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration: whole numbers with `d`, `h`, `m`, `s` or `ms`, from large to small, with or
/// without blanks between.
///
/// Zero is a duration; whether an option may be zero is a rule of that option.
///
/// # Errors
/// Says what is wrong and where in the text.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use pushe_tasks_syntax::duration;
///
/// assert_eq!(duration::parse("1h 30m"), Ok(Duration::from_secs(5400)));
/// assert_eq!(duration::parse("5 minutes").unwrap_err().at, 2..9);
/// ```
pub fn parse(text: &str) -> Result<Duration, TextError> {
    let mut at = skip(text, 0, char::is_whitespace);
    if at == text.len() {
        return Err(TextError::new(OptionError::DurationEmpty, 0..text.len()));
    }
    let mut total = Duration::ZERO;
    let mut previous: Option<usize> = None;
    while at < text.len() {
        let number_end = skip(text, at, |c| c.is_ascii_digit());
        let number = &text[at..number_end];
        if number.is_empty() {
            let end = skip(text, at, |c| !c.is_whitespace() && !c.is_ascii_digit());
            let found = text[at..end].to_owned();
            return Err(TextError::new(OptionError::DurationNumber { found }, at..end));
        }
        let unit_start = skip(text, number_end, char::is_whitespace);
        let unit_end = skip(text, unit_start, |c| !c.is_whitespace() && !c.is_ascii_digit());
        let unit = &text[unit_start..unit_end];
        if unit.is_empty() {
            let number = number.to_owned();
            return Err(TextError::new(OptionError::DurationUnitMissing { number }, at..number_end));
        }
        let Some(index) = UNITS.iter().position(|(known, _)| *known == unit) else {
            let unit = unit.to_owned();
            return Err(TextError::new(OptionError::DurationUnit { unit }, unit_start..unit_end));
        };
        if let Some(previous) = previous.filter(|previous| *previous >= index) {
            let (unit, previous) = (unit.to_owned(), UNITS[previous].0.to_owned());
            return Err(TextError::new(OptionError::DurationOrder { unit, previous }, unit_start..unit_end));
        }
        previous = Some(index);
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(UNITS[index].1))
            .and_then(|part| total.checked_add(Duration::from_millis(part)))
            .filter(|total| *total <= LONGEST)
            .ok_or_else(|| TextError::new(OptionError::DurationTooLong, at..unit_end))?;
        at = skip(text, unit_end, char::is_whitespace);
    }
    Ok(total)
}

/// The end of the run of characters from `from` on that are `wanted`.
fn skip(text: &str, from: usize, wanted: impl Fn(char) -> bool) -> usize {
    text[from..].find(|c| !wanted(c)).map_or(text.len(), |length| from + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_units() {
        let check = |text: &str, millis: u64| {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text:?}");
        };
        check("0s", 0);
        check("1ms", 1);
        check("250ms", 250);
        check("30s", 30_000);
        check("30 s", 30_000);
        check(" 30s ", 30_000);
        check("5m", 300_000);
        check("5h", 18_000_000);
        check("1d", 86_400_000);
        check("1h 30m", 5_400_000);
        check("1h30m", 5_400_000);
        check("1m 5ms", 60_005);
        check("1d 2h 3m 4s 5ms", 93_784_005);
        check("007s", 7_000);
        check("36500d", 3_153_600_000_000);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let check = |text: &str, error: OptionError, at: std::ops::Range<usize>| {
            assert_eq!(parse(text), Err(TextError { error, at }), "{text:?}");
        };
        let number = |found: &str| OptionError::DurationNumber { found: found.into() };
        let unit = |unit: &str| OptionError::DurationUnit { unit: unit.into() };
        let order = |unit: &str, previous: &str| OptionError::DurationOrder {
            unit: unit.into(),
            previous: previous.into(),
        };
        check("", OptionError::DurationEmpty, 0..0);
        check("  ", OptionError::DurationEmpty, 0..2);
        check("s", number("s"), 0..1);
        check("-5s", number("-"), 0..1);
        check("1h m", number("m"), 3..4);
        check("30", OptionError::DurationUnitMissing { number: "30".into() }, 0..2);
        check("1h 30", OptionError::DurationUnitMissing { number: "30".into() }, 3..5);
        check("1 30m", OptionError::DurationUnitMissing { number: "1".into() }, 0..1);
        check("5x", unit("x"), 1..2);
        check("1.5h", unit("."), 1..2);
        check("5M", unit("M"), 1..2);
        check("5µs", unit("µs"), 1..4);
        check("1h, 5m", unit("h,"), 1..3);
        check("5m 1h", order("h", "m"), 4..5);
        check("5m 5m", order("m", "m"), 4..5);
        check("36501d", OptionError::DurationTooLong, 0..6);
        check("36500d 1ms", OptionError::DurationTooLong, 7..10);
        check("99999999999999999999s", OptionError::DurationTooLong, 0..21);
    }

    #[test]
    fn the_caret_stands_under_the_wrong_part() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text).unwrap_err().caret(text), expected);
        check("1h 5x", "  1h 5x\n      ^");
        check("5µs", "  5µs\n   ^^");
        check("", "  \n  ^");
        check("1h\n5x", "  1h 5x\n      ^");
    }
}

//! From the text to the sets.

use std::ops::Range;

use super::civil::days_in_month;
use super::field::{DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, strange_sign};
use super::{Cron, CronError, Meeting};
use crate::TextError;

impl Cron {
    /// Reads 5 fields (minute, hour, day of the month, month, day of the week), or 6 with the second first.
    ///
    /// A field is `*`, a number, a range `1-5`, a step `*/15`, `10-50/20` or `10/20`, or a list of these. Months and days
    /// of the week have names of three letters in any case; 0 and 7 are Sunday. Where neither day field is `*`, a day that
    /// is in one of them will do. `L`, `W`, `#`, `?` and `@` are errors.
    ///
    /// # Errors
    /// Says what is wrong and where in the text; a day that none of the months has is wrong too.
    ///
    /// # Examples
    /// ```
    /// use pushe_tasks_syntax::cron::{Cron, CronError};
    ///
    /// assert!(Cron::parse("*/15 9-17 * * mon-fri").is_ok());
    /// assert_eq!(Cron::parse("0 0 L * *").unwrap_err().error, CronError::Sign { sign: 'L' });
    /// ```
    pub fn parse(text: &str) -> Result<Self, TextError<CronError>> {
        if let Some(at) = text.find('@') {
            return Err(strange_sign(text, at));
        }
        let mut places = places(text);
        let found = places.len();
        if found == 0 {
            return Err(TextError::new(CronError::Empty, 0..text.len()));
        }
        if found == 5 {
            // Nowhere: second zero is meant.
            places.insert(0, 0..0);
        }
        let Ok([second, minute, hour, day, month, weekday]) = <[Range<usize>; 6]>::try_from(places) else {
            let surplus = self::places(text).get(6).map_or(0, |seventh| seventh.start);
            return Err(TextError::new(CronError::Fields { found }, surplus..text.trim_end().len()));
        };
        let seconds = if second.is_empty() { 1 } else { SECOND.read(text, second)?.set };
        let minutes = MINUTE.read(text, minute)?.set;
        let hours = HOUR.read(text, hour)?;
        let days = DAY.read(text, day.clone())?;
        let months = MONTH.read(text, month)?.set;
        let weekdays = WEEKDAY.read(text, weekday)?;
        let either = !days.is_star && !weekdays.is_star;
        // A leap year has every day that there is.
        let happens = |month: i64| days.set & ((2 << days_in_month(2000, month)) - 1) != 0;
        if weekdays.is_star && !(1..=12).any(|month| months & (1 << month) != 0 && happens(month)) {
            return Err(TextError::new(CronError::Never, day));
        }
        Ok(Self {
            seconds,
            minutes,
            hours: hours.set,
            days: days.set,
            months,
            weekdays: weekdays.set,
            meeting: if either { Meeting::Either } else { Meeting::Both },
            fixed_hours: hours.is_fixed,
        })
    }
}

/// Where the fields stand.
fn places(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| !c.is_whitespace()).map(|skipped| at + skipped) {
        let end = text[start..].find(char::is_whitespace).map_or(text.len(), |length| start + length);
        found.push(start..end);
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(values: impl IntoIterator<Item = u8>) -> u64 {
        values.into_iter().fold(0, |set, value| set | 1 << value)
    }

    #[test]
    fn fields_hold_lists_ranges_steps_and_names() {
        let minutes = |field: &str, expected: &[u8]| {
            let cron = Cron::parse(&format!("{field} * * * *")).unwrap();
            assert_eq!(cron.minutes, bits(expected.iter().copied()), "{field}");
        };
        minutes("5", &[5]);
        minutes("05", &[5]);
        minutes("1,5,3", &[1, 3, 5]);
        minutes("10-13", &[10, 11, 12, 13]);
        minutes("7-7", &[7]);
        minutes("*/20", &[0, 20, 40]);
        minutes("*/59", &[0, 59]);
        minutes("10-50/20", &[10, 30, 50]);
        minutes("50/5", &[50, 55]);
        minutes("1,10-12,40/10", &[1, 10, 11, 12, 40, 50]);
        let weekdays = |field: &str, expected: &[u8]| {
            let cron = Cron::parse(&format!("0 0 * * {field}")).unwrap();
            assert_eq!(cron.weekdays, bits(expected.iter().copied()), "{field}");
        };
        weekdays("0", &[0]);
        weekdays("7", &[0]);
        weekdays("0,7", &[0]);
        weekdays("5-7", &[5, 6, 0]);
        weekdays("0-7", &[0, 1, 2, 3, 4, 5, 6]);
        weekdays("*/2", &[0, 2, 4, 6]);
        weekdays("1/3", &[1, 4]);
        weekdays("7/2", &[0]);
        weekdays("Mon,WED-fri", &[1, 3, 4, 5]);
        weekdays("sat-sun", &[6, 0]);
        weekdays("sun-mon", &[0, 1]);
        weekdays("sun-sun", &[0]);
        let months = |field: &str, expected: &[u8]| {
            let cron = Cron::parse(&format!("0 0 1 {field} *")).unwrap();
            assert_eq!(cron.months, bits(expected.iter().copied()), "{field}");
        };
        months("*/5", &[1, 6, 11]);
        months("JAN,jul-Sep", &[1, 7, 8, 9]);
    }

    #[test]
    fn five_fields_are_six_at_second_zero() {
        let check = |a: &str, b: &str| assert_eq!(Cron::parse(a), Cron::parse(b), "{a} {b}");
        check("30 4 * * *", "0 30 4 * * *");
        check(" 30\t4 *  * * ", "0 30 4 * * *");
        check("0 0 * * 7", "0 0 * * sun");
        assert_eq!(Cron::parse("*/30 * * * * *").unwrap().seconds, bits([0, 30]));
    }

    #[test]
    fn a_day_field_other_than_a_star_is_restricted() {
        let check = |text: &str, expected| assert_eq!(Cron::parse(text).unwrap().meeting, expected, "{text}");
        check("0 0 * * *", Meeting::Both);
        check("0 0 1 * *", Meeting::Both);
        check("0 0 * * 1", Meeting::Both);
        check("0 0 1 * 1", Meeting::Either);
        check("0 0 */2 * 1", Meeting::Either);
    }

    #[test]
    fn hours_are_fixed_where_they_are_numbers() {
        let check =
            |text: &str, expected| assert_eq!(Cron::parse(text).unwrap().fixed_hours, expected, "{text}");
        check("*/5 2 * * *", true);
        check("0 1,2,3 * * *", true);
        check("0 * * * *", false);
        check("0 1-3 * * *", false);
        check("0 */2 * * *", false);
        check("0 1/2 * * *", false);
        check("0 1,2-3 * * *", false);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        use CronError as E;
        let check = |text: &str, error: CronError, at: Range<usize>| {
            assert_eq!(Cron::parse(text), Err(TextError { error, at }), "{text:?}");
        };
        let sign = |sign| E::Sign { sign };
        let range = |found: &str, field, low, high| E::Range { found: found.into(), field, low, high };
        check("", E::Empty, 0..0);
        check("  ", E::Empty, 0..2);
        check("* * * *", E::Fields { found: 4 }, 0..7);
        check("0 0 0 1 1 * 2026", E::Fields { found: 7 }, 12..16);
        check("@daily", sign('@'), 0..1);
        check("0 0 L * *", sign('L'), 4..5);
        check("0 0 LW * *", sign('L'), 4..5);
        check("0 0 15W * *", sign('W'), 6..7);
        check("0 0 * * 5L", sign('L'), 9..10);
        check("0 0 * * 5#2", sign('#'), 9..10);
        check("0 0 ? * 1", sign('?'), 4..5);
        check("0 0 1;2 * *", E::Character { found: ';' }, 5..6);
        check("0 ü * * *", E::Character { found: 'ü' }, 2..4);
        check("0 0 1** * *", E::Character { found: '*' }, 5..6);
        check("1-2-3 0 * * *", E::Character { found: '-' }, 3..4);
        check("1,,2 0 * * *", E::Missing { field: "minute" }, 1..2);
        check(",2 0 * * *", E::Missing { field: "minute" }, 0..1);
        check("1, 0 * * *", E::Missing { field: "minute" }, 1..2);
        check("0 1- * * *", E::Missing { field: "hour" }, 3..4);
        check("0 -5 * * *", E::Missing { field: "hour" }, 2..3);
        check("0 */ * * *", E::Missing { field: "hour" }, 3..4);
        check("60 0 * * *", range("60", "minute", 0, 59), 0..2);
        check("0 24 * * *", range("24", "hour", 0, 23), 2..4);
        check("0 0 0 * *", range("0", "day of the month", 1, 31), 4..5);
        check("0 0 1 13 *", range("13", "month", 1, 12), 6..8);
        check("0 0 * * 8", range("8", "day of the week", 0, 7), 8..9);
        check("60 0 0 * * *", range("60", "second", 0, 59), 0..2);
        check("0 noon * * *", range("noon", "hour", 0, 23), 2..6);
        check("99999999999 0 * * *", range("99999999999", "minute", 0, 59), 0..11);
        let name = |found: &str, field, example| E::Name { found: found.into(), field, example };
        check("0 0 * june *", name("june", "month", "jan"), 6..10);
        check("0 0 * * mo", name("mo", "day of the week", "mon"), 8..10);
        let backwards = |from: &str, to: &str| E::Backwards { from: from.into(), to: to.into() };
        check("0 22-4 * * *", backwards("22", "4"), 2..6);
        check("0 0 * * fri-mon", backwards("fri", "mon"), 8..15);
        check("*/0 * * * *", E::Step { found: "0".into(), most: 59 }, 2..3);
        check("0 */24 * * *", E::Step { found: "24".into(), most: 23 }, 4..6);
        check("*/5/2 * * * *", E::SecondStep, 3..4);
        check("*/x * * * *", E::Character { found: 'x' }, 2..3);
        check("0 0 30 2 *", E::Never, 4..6);
        check("0 0 31 4,6,9,11 *", E::Never, 4..6);
        assert!(Cron::parse("0 0 29 2 *").is_ok());
        assert!(Cron::parse("0 0 30 2 1").is_ok(), "its Mondays happen");
        assert!(Cron::parse("0 0 31 1-4 *").is_ok());
    }
}

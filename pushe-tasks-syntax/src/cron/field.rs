//! One field of a cron text: lists, ranges, steps and names.

use std::ops::Range;

use super::CronError;
use crate::TextError;

/// What a field may hold.
pub(super) struct Field {
    name: &'static str,
    low: u8,
    high: u8,
    names: &'static [&'static str],
    example: &'static str,
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const fn field(name: &'static str, low: u8, high: u8) -> Field {
    Field { name, low, high, names: &[], example: "*" }
}

pub(super) static SECOND: Field = field("second", 0, 59);
pub(super) static MINUTE: Field = field("minute", 0, 59);
pub(super) static HOUR: Field = field("hour", 0, 23);
pub(super) static DAY: Field = field("day of the month", 1, 31);
pub(super) static MONTH: Field = Field { names: MONTHS, example: "jan", ..field("month", 1, 12) };
pub(super) static WEEKDAY: Field =
    Field { names: WEEKDAYS, example: "mon", ..field("day of the week", 0, 7) };

/// A field that has been read.
pub(super) struct Found {
    /// Its numbers, as bits.
    pub(super) set: u64,
    /// Whether it is a lone `*`.
    pub(super) is_star: bool,
    /// Whether it consists of numbers or names alone.
    pub(super) is_fixed: bool,
}

type Wrong = TextError<CronError>;

impl Field {
    /// Reads the field that stands at `at` in the text.
    pub(super) fn read(&self, text: &str, at: Range<usize>) -> Result<Found, Wrong> {
        let written = &text[at.clone()];
        let mut set = 0;
        let mut start = at.start;
        for item in written.split(',') {
            set |= self.item(text, start..start + item.len())?;
            start += item.len() + 1;
        }
        Ok(Found { set, is_star: written == "*", is_fixed: !written.contains(['*', '-', '/']) })
    }

    /// One item of the list: `*`, a number or a range, with or without a step.
    fn item(&self, text: &str, at: Range<usize>) -> Result<u64, Wrong> {
        let (range, step) = match text[at.clone()].find('/') {
            Some(slash) => (at.start..at.start + slash, Some(at.start + slash + 1..at.end)),
            None => (at.clone(), None),
        };
        // The week has two names for Sunday; what goes on to its end does not count it twice.
        let last = if self.high == 7 { 6 } else { self.high };
        let (from, to) = if &text[range.clone()] == "*" {
            (self.low, last)
        } else if let Some(dash) = text[range.clone()].find('-') {
            let (left, right) = (range.start..range.start + dash, range.start + dash + 1..range.end);
            let (from, mut to) = (self.value(text, left.clone())?, self.value(text, right.clone())?);
            if self.high == 7 && from > to && text[right.clone()].eq_ignore_ascii_case("sun") {
                to = 7;
            }
            if from > to {
                let (from, to) = (text[left].to_owned(), text[right].to_owned());
                return Err(Wrong::new(CronError::Backwards { from, to }, range));
            }
            (from, to)
        } else {
            let from = self.value(text, range)?;
            (from, if step.is_some() { last.max(from) } else { from })
        };
        let step = step.map_or(Ok(1), |step| self.step(text, step))?;
        let set = (from..=to).step_by(step).fold(0, |set, value| set | 1 << value);
        Ok(if self.high == 7 { (set | set >> 7) & 0x7f } else { set })
    }

    fn step(&self, text: &str, at: Range<usize>) -> Result<usize, Wrong> {
        let written = &text[at.clone()];
        if let Some(slash) = written.find('/') {
            return Err(Wrong::new(CronError::SecondStep, at.start + slash..at.start + slash + 1));
        }
        if written.is_empty() {
            return Err(self.missing(text, at));
        }
        if let Some(strange) = written.find(|c: char| !c.is_ascii_digit()) {
            return Err(strange_sign(text, at.start + strange));
        }
        let most = self.high - self.low;
        match written.parse() {
            Ok(step) if (1..=usize::from(most)).contains(&step) => Ok(step),
            _ => Err(Wrong::new(CronError::Step { found: written.to_owned(), most }, at)),
        }
    }

    /// A number or a name.
    fn value(&self, text: &str, at: Range<usize>) -> Result<u8, Wrong> {
        let written = &text[at.clone()];
        if written.is_empty() {
            return Err(self.missing(text, at));
        }
        if let Some(strange) = written.find(|c: char| !c.is_ascii_alphanumeric()) {
            return Err(strange_sign(text, at.start + strange));
        }
        if written.bytes().all(|byte| byte.is_ascii_digit()) {
            return match written.parse() {
                Ok(value) if (self.low..=self.high).contains(&value) => Ok(value),
                _ => Err(self.out_of_range(written, at)),
            };
        }
        if let Some(index) = self.names.iter().position(|name| written.eq_ignore_ascii_case(name)) {
            return Ok(self.low + u8::try_from(index).unwrap_or(0));
        }
        // `L`, `LW`, `5L`, `15W`: what other crons call the last day, or the nearest weekday.
        let letters = written.trim_start_matches(|c: char| c.is_ascii_digit());
        if ["l", "w", "lw"].iter().any(|known| letters.eq_ignore_ascii_case(known)) {
            return Err(strange_sign(text, at.end - letters.len()));
        }
        if self.names.is_empty() {
            return Err(self.out_of_range(written, at));
        }
        let (field, example) = (self.name, self.example);
        Err(Wrong::new(CronError::Name { found: written.to_owned(), field, example }, at))
    }

    fn out_of_range(&self, written: &str, at: Range<usize>) -> Wrong {
        let found = written.to_owned();
        Wrong::new(CronError::Range { found, field: self.name, low: self.low, high: self.high }, at)
    }

    /// Something is missing at an empty place: the caret stands under the sign beside it.
    fn missing(&self, text: &str, at: Range<usize>) -> Wrong {
        let before = at.start.checked_sub(1).filter(|before| !text[*before..].starts_with([' ', '\t']));
        let start = before.unwrap_or(at.start);
        Wrong::new(CronError::Missing { field: self.name }, start..start + 1)
    }
}

/// What is said about a sign that has no meaning here.
pub(super) fn strange_sign(text: &str, at: usize) -> Wrong {
    let sign = text[at..].chars().next().unwrap_or(' ');
    let error = match sign {
        'L' | 'W' | 'l' | 'w' | '#' | '?' | '@' => CronError::Sign { sign },
        found => CronError::Character { found },
    };
    Wrong::new(error, at..at + sign.len_utf8())
}

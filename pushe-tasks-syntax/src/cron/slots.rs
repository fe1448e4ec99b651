//! Which moments are slots, in a zone.
//!
//! A slot in a gap of the local time is at the first moment behind it, and slots that fall together are one. Where local
//! time comes twice, hours that are numbers count once, the first time; any other hours count each time, so that they go
//! by elapsed time.

use super::civil::{DAY, LAST_DAY, civil, days_in_month, weekday};
use super::{Cron, Meeting};

/// A time with one offset from UTC; moments are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Seconds that local time is ahead of UTC.
    pub offset: i64,
    /// When it began, and the offset before; `None` where it always was.
    pub began: Option<(i64, i64)>,
    /// When the next offset begins; `None` where there is none.
    pub ends: Option<i64>,
}

/// The offsets of a place.
pub trait Zone {
    /// The span in which this moment lies.
    fn span(&self, at: i64) -> Span;
}

/// Without summer time and at the offset of Greenwich.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utc;

impl Zone for Utc {
    fn span(&self, _: i64) -> Span {
        Span { offset: 0, began: None, ends: None }
    }
}

impl Cron {
    /// The first slot after this moment, in seconds since 1970; `None` past the year 9999.
    ///
    /// # Examples
    /// ```
    /// use pushe_tasks_syntax::cron::{Cron, Utc};
    ///
    /// let daily = Cron::parse("30 4 * * *").unwrap();
    /// assert_eq!(daily.next(&Utc, 0), Some(16_200));
    /// assert_eq!(daily.next(&Utc, 16_200), Some(16_200 + 86_400));
    /// ```
    pub fn next(&self, zone: &impl Zone, after: i64) -> Option<i64> {
        let mut at = after.checked_add(1)?;
        loop {
            let part = self.part(zone.span(at), at);
            if part.at_start {
                return Some(at);
            }
            if let Some(local) = self.next_local(part.from, part.to) {
                return Some(local - part.offset);
            }
            at = part.ends?;
        }
    }

    /// How many slots lie after the one moment and not after the other.
    ///
    /// Takes a time that grows with the days between, not with the slots.
    pub fn count(&self, zone: &impl Zone, after: i64, until: i64) -> u64 {
        let mut count = 0;
        let mut at = after.saturating_add(1);
        while at <= until {
            let part = self.part(zone.span(at), at);
            let to = part.to.min(until.saturating_add(1).saturating_add(part.offset));
            count += u64::from(part.at_start) + self.count_local(part.from, to);
            match part.ends {
                Some(ends) => at = ends,
                None => break,
            }
        }
        count
    }

    /// A moment at or after `after` behind which, until `until`, lie at most `keep` slots, and exactly those if there are
    /// more.
    pub fn newest(&self, zone: &impl Zone, after: i64, until: i64, keep: u64) -> i64 {
        let (mut low, mut high) = (after, until.max(after));
        // Behind `high` lie at most `keep`; behind `low`, once it has moved, lie more.
        if self.count(zone, low, until) <= keep {
            return after;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.count(zone, middle, until) > keep {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// What is to be looked at of a span, from a moment on.
    fn part(&self, span: Span, at: i64) -> Part {
        let Span { offset, began, ends } = span;
        let to = ends.map_or(i64::MAX, |ends| ends.saturating_add(offset));
        let mut part = Part { offset, from: at.saturating_add(offset), to, ends, at_start: false };
        match began {
            // Behind a gap: what stands in it happens now, and what stands at its end is the same slot.
            Some((start, before)) if before < offset && at == start => {
                part.at_start = self.next_local(start + before, start + offset).is_some();
                part.from += i64::from(part.at_start);
            }
            // What comes a second time is over.
            Some((start, before)) if before > offset && self.fixed_hours => {
                part.from = part.from.max(start + before);
            }
            _ => {}
        }
        part
    }

    /// The first local time in `from..to` that the fields match.
    fn next_local(&self, from: i64, to: i64) -> Option<i64> {
        let mut day = from.div_euclid(DAY);
        let mut time = from.rem_euclid(DAY);
        while day <= LAST_DAY && day * DAY < to {
            let (year, month, of_month) = civil(day);
            if self.months & (1 << month) == 0 {
                day += days_in_month(year, month) - of_month + 1;
            } else {
                let found = if self.has_day(day, of_month) { self.next_time(time) } else { None };
                if let Some(found) = found {
                    let found = day * DAY + found;
                    return (found < to).then_some(found);
                }
                day += 1;
            }
            time = 0;
        }
        None
    }

    /// How many local times in `from..to` the fields match.
    fn count_local(&self, from: i64, to: i64) -> u64 {
        let mut count = 0;
        let mut day = from.div_euclid(DAY);
        while day <= LAST_DAY && day * DAY < to {
            let (_, month, of_month) = civil(day);
            if self.months & (1 << month) != 0 && self.has_day(day, of_month) {
                let (begins, ends) = ((from - day * DAY).max(0), (to - day * DAY).min(DAY));
                count += self.times_before(ends) - self.times_before(begins).min(self.times_before(ends));
            }
            day += 1;
        }
        count
    }

    fn has_day(&self, day: i64, of_month: i64) -> bool {
        let in_month = self.days & (1 << of_month) != 0;
        let in_week = self.weekdays & (1 << weekday(day)) != 0;
        match self.meeting {
            Meeting::Both => in_month && in_week,
            Meeting::Either => in_month || in_week,
        }
    }

    /// The first time of day not before this one.
    fn next_time(&self, time: i64) -> Option<i64> {
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let (first_minute, first_second) = (first(self.minutes, 0)?, first(self.seconds, 0)?);
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0
                && let Some(second) = first(self.seconds, second)
            {
                return Some(hour * 3600 + minute * 60 + second);
            }
            if let Some(minute) = first(self.minutes, minute + 1) {
                return Some(hour * 3600 + minute * 60 + first_second);
            }
        }
        first(self.hours, hour + 1).map(|hour| hour * 3600 + first_minute * 60 + first_second)
    }

    /// How many times of day come before this one; a whole day is a time too.
    fn times_before(&self, time: i64) -> u64 {
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let (minutes, seconds) = (u64::from(self.minutes.count_ones()), u64::from(self.seconds.count_ones()));
        let mut count = below(self.hours, hour) * minutes * seconds;
        if self.hours & (1 << hour) != 0 {
            count += below(self.minutes, minute) * seconds;
            if self.minutes & (1 << minute) != 0 {
                count += below(self.seconds, second);
            }
        }
        count
    }
}

/// What is to be looked at of one span.
struct Part {
    offset: i64,
    /// Local times, the second one outside.
    from: i64,
    to: i64,
    ends: Option<i64>,
    /// Whether its first moment is a slot by the gap before it.
    at_start: bool,
}

/// The first number of the set not below this one.
fn first(set: u64, from: i64) -> Option<i64> {
    let rest = set & (u64::MAX << from);
    (rest != 0).then(|| i64::from(rest.trailing_zeros()))
}

/// How many numbers of the set are below this one.
fn below(set: u64, end: i64) -> u64 {
    u64::from((set & !(u64::MAX << end)).count_ones())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour ahead between two moments, else at Greenwich.
    struct Summer(i64, i64);

    impl Zone for Summer {
        fn span(&self, at: i64) -> Span {
            if at < self.0 {
                Span { offset: 0, began: None, ends: Some(self.0) }
            } else if at < self.1 {
                Span { offset: 3600, began: Some((self.0, 0)), ends: Some(self.1) }
            } else {
                Span { offset: 0, began: Some((self.1, 3600)), ends: None }
            }
        }
    }

    #[test]
    fn counting_agrees_with_walking() {
        // The gap is from 2:00 to 3:00 of day 10, the overlap from 2:00 to 3:00 of day 20.
        let zone = Summer(10 * DAY + 7200, 20 * DAY + 7200);
        let texts = ["*/20 * * * *", "30 2 * * *", "0 2,3 * * *", "*/7 1-3 9-21/2 * mon", "15 30 2 10 1 *"];
        for text in texts {
            let cron = Cron::parse(text).unwrap();
            for (after, until) in [(0, 30 * DAY), (10 * DAY, 11 * DAY), (10 * DAY + 7199, 10 * DAY + 7200)]
                .into_iter()
                .chain((0..200).map(|n| (9 * DAY + n * 977, 20 * DAY + n * 1_009)))
            {
                let walked: Vec<_> =
                    std::iter::successors(cron.next(&zone, after), |slot| cron.next(&zone, *slot))
                        .take_while(|slot| *slot <= until)
                        .collect();
                assert_eq!(cron.count(&zone, after, until), walked.len() as u64, "{text} {after} {until}");
                for keep in [0, 1, 5] {
                    let newest = cron.newest(&zone, after, until, keep);
                    let kept = walked.iter().filter(|slot| **slot > newest).count();
                    assert_eq!(
                        kept,
                        walked.len().min(usize::try_from(keep).unwrap()),
                        "{text} {after} {keep}"
                    );
                }
            }
        }
    }

    #[test]
    fn far_times_end() {
        let cron = Cron::parse("* * * * * *").unwrap();
        assert_eq!(cron.next(&Utc, i64::MAX), None);
        assert_eq!(cron.next(&Utc, (LAST_DAY + 1) * DAY - 1), None);
        assert_eq!(cron.next(&Utc, (LAST_DAY + 1) * DAY - 2), Some((LAST_DAY + 1) * DAY - 1));
        let leap = Cron::parse("0 0 29 2 *").unwrap();
        // From 29 February 2096 to that of 2104.
        assert_eq!(leap.next(&Utc, 3_981_312_000), Some(4_233_686_400));
    }

    #[test]
    fn many_slots_are_counted_at_once() {
        let cron = Cron::parse("* * * * * *").unwrap();
        assert_eq!(cron.count(&Utc, 0, 365 * DAY * 100), 3_153_600_000);
        let newest = cron.newest(&Utc, 0, 365 * DAY, 1000);
        assert_eq!(newest, 365 * DAY - 1000);
    }
}

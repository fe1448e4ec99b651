//! Cron slots as two other implementations have them, on random texts, zones and moments (S5.2).
//!
//! What happens in gaps and overlaps is not compared: there each has rules of its own, and ours are decided by hand in
//! `cron_table`.

use std::str::FromStr;

use chrono::{DateTime, Utc as ChronoUtc};
use croner::parser::{CronParser, Seconds};
use pushe_tasks_syntax::cron::{Cron, Utc, Zone};
use pushe_tasks_syntax::zone::{self, TimeZone};

const COMPARED: usize = 10_000;

/// The first seconds of 1995 and of 2035.
const MOMENTS: std::ops::Range<i64> = 788_918_400..2_051_222_400;

/// What a field holds, and its names.
struct Field {
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const fn field(low: u32, high: u32) -> Field {
    Field { low, high, names: &[] }
}

const CLOCK: [Field; 2] = [field(0, 59), field(0, 23)];
const DAY: Field = field(1, 31);
const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const MONTH: Field = Field { names: MONTHS, ..field(1, 12) };
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const WEEKDAY: Field = Field { names: WEEKDAYS, ..field(0, 6) };

impl Field {
    /// A number, or its name.
    fn value(&self, value: u32, named: bool) -> String {
        match self.names.get((value - self.low) as usize) {
            Some(name) if named => (*name).to_owned(),
            _ => value.to_string(),
        }
    }

    fn item(&self, random: &mut fastrand::Rng) -> String {
        let from = random.u32(self.low..=self.high);
        let to = random.u32(from..=self.high);
        let step = random.u32(1..=(self.high - self.low).min(20));
        match random.u8(0..4) {
            0 | 1 => self.value(from, random.bool()),
            // The other implementations differ about ranges of a number and a name, and about those that end on `SUN`.
            2 => {
                let named = random.bool() && to > 0;
                format!("{}-{}", self.value(from, named), self.value(to, named))
            }
            _ => format!("{from}-{to}/{step}"),
        }
    }

    /// A field that does not begin with a star.
    fn restricted(&self, random: &mut fastrand::Rng) -> String {
        let items: Vec<_> = (0..random.usize(1..4)).map(|_| self.item(random)).collect();
        items.join(",")
    }

    fn any(&self, random: &mut fastrand::Rng) -> String {
        match random.u8(0..4) {
            0 | 1 => "*".to_owned(),
            2 => format!("*/{}", random.u32(1..=(self.high - self.low).min(20))),
            _ => self.restricted(random),
        }
    }
}

/// Five fields. Both implementations have a rule of their own for two day fields of which one is a star with a step.
fn text(random: &mut fastrand::Rng) -> String {
    let clock = CLOCK.map(|field| field.any(random));
    let (day, weekday) = match random.u8(0..4) {
        0 => (DAY.restricted(random), WEEKDAY.restricted(random)),
        1 => (DAY.any(random), "*".to_owned()),
        2 => ("*".to_owned(), WEEKDAY.any(random)),
        _ => ("*".to_owned(), "*".to_owned()),
    };
    let month = if random.bool() { "*".to_owned() } else { MONTH.any(random) };
    format!("{} {} {day} {month} {weekday}", clock[0], clock[1])
}

/// Whether local time is skipped or repeated around this moment.
fn is_odd(zone: &impl Zone, at: i64) -> bool {
    let span = zone.span(at);
    let near = |change: i64, one: i64, other: i64| (at - change).abs() <= (one - other).abs();
    span.began.is_some_and(|(began, before)| near(began, before, span.offset))
        || span.ends.is_some_and(|ends| near(ends, zone.span(ends).offset, span.offset))
}

/// A moment: half of them lie within three days of a change of the offset.
fn moment(zone: &impl Zone, random: &mut fastrand::Rng) -> i64 {
    let at = random.i64(MOMENTS);
    let change = zone.span(at).ends.filter(|ends| MOMENTS.contains(ends) && random.bool());
    change.map_or(at, |change| change + random.i64(-259_200..259_200))
}

fn zoned(name: &str, at: i64) -> other_jiff::Zoned {
    let moment = other_jiff::Timestamp::from_second(at).unwrap();
    moment.in_tz(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What `croner` says; it may only be asked for what it can read.
fn by_croner(text: &str, from: &other_jiff::Zoned) -> Option<i64> {
    let parser = CronParser::builder().seconds(Seconds::Optional).build();
    let cron = parser.parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    cron.find_next_occurrence(from, false).ok().map(|found| found.timestamp().as_second())
}

/// What `cronexpr` says; it looks four years ahead at most.
fn by_cronexpr(text: &str, name: &str, from: &other_jiff::Zoned) -> Option<i64> {
    let text = format!("{text} {name}");
    let cron = cronexpr::parse_crontab(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    cron.find_next(from.timestamp()).ok().map(|found| found.timestamp().as_second())
}

#[test]
fn s5_2_random_texts_agree_with_two_implementations() {
    let mut random = fastrand::Rng::with_seed(5);
    let names: Vec<_> = zone::names().filter(|name| name.contains('/') || *name == "UTC").collect();
    let zones: Vec<_> = names.iter().map(|name| TimeZone::named(name).unwrap()).collect();
    let (mut compared, mut odd, mut far) = (0, 0, 0);
    while compared < COMPARED {
        let index = random.usize(0..zones.len());
        let (name, zone) = (names[index], &zones[index]);
        let text = text(&mut random);
        let Ok(cron) = Cron::parse(&text) else { continue };
        let after = moment(zone, &mut random);
        let ours = cron.next(zone, after);
        let from = zoned(name, after);
        let (first, second) = (by_croner(&text, &from), by_cronexpr(&text, name, &from));
        if [Some(after), ours, first, second].into_iter().flatten().any(|at| is_odd(zone, at)) {
            odd += 1;
            continue;
        }
        assert_eq!(ours, first, "croner: `{text}` after {from}");
        if second.is_none() && ours.is_some_and(|ours| ours > after + 4 * 365 * 86_400) {
            far += 1;
            continue;
        }
        assert_eq!(ours, second, "cronexpr: `{text}` after {from}");
        compared += 1;
    }
    assert!(odd < COMPARED / 4 && far < COMPARED / 100, "{odd} {far}");
}

#[test]
fn s5_2_texts_with_seconds_agree_with_two_implementations() {
    let mut random = fastrand::Rng::with_seed(6);
    let mut compared = 0;
    while compared < COMPARED / 4 {
        // `cron` counts weekdays from one and lets both day fields hold.
        let (day, weekday) = if random.bool() {
            (DAY.any(&mut random), "*".to_owned())
        } else {
            ("*".to_owned(), WEEKDAYS[random.usize(0..7)].to_owned())
        };
        let mut clock = || CLOCK[0].any(&mut random);
        let (second, minute) = (clock(), clock());
        let hour = CLOCK[1].any(&mut random);
        let text = format!("{second} {minute} {hour} {day} {} {weekday}", MONTH.any(&mut random));
        let Ok(cron) = Cron::parse(&text) else { continue };
        let after = random.i64(MOMENTS);
        let ours = cron.next(&Utc, after);
        assert_eq!(ours, by_croner(&text, &zoned("UTC", after)), "croner: `{text}` after {after}");
        let other = cron::Schedule::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let from: DateTime<ChronoUtc> = DateTime::from_timestamp(after, 0).unwrap();
        let second = other.after(&from).next().map(|found| found.timestamp());
        assert_eq!(ours, second, "cron: `{text}` after {from}");
        compared += 1;
    }
}

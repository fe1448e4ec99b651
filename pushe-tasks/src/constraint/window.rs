//! Time windows: hours of the day, days of the week, quiet hours.
//!
//! Invariant: whether a moment is inside, and when that changes, is a plain function of window, zone and moment; the
//! source says nothing but that there is a clock.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use tokio::sync::watch;

use super::{Constraint, ConstraintDecodeError, Damping, Reading, Source, Verdict, publish, stored};
use crate::clock::WallTime;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "days need no explanation")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    /// Monday to Friday.
    pub const WEEKDAYS: [Self; 5] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday];
    /// Saturday and Sunday.
    pub const WEEKEND: [Self; 2] = [Self::Saturday, Self::Sunday];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

const EVERY_DAY: u8 = 0b0111_1111;
const MINUTES: u16 = 24 * 60;
/// How many days are looked at for the next window.
const DAYS: usize = 17;

/// Work that runs only at some hours.
///
/// Hours are those of the wall clock in the window's zone, by default that of the system; where clocks are put forward
/// over a boundary, it falls on the first moment after the gap. A window that ends before it begins ends on the next day,
/// and belongs to the day on which it begins. Nothing is damped: work starts with the window and is stopped with its end,
/// unless `on_lost = Finish` lets it finish.
///
/// # Examples
/// ```
/// use pushe_tasks::constraint::{Constraint, Day, TimeWindow};
///
/// let office = TimeWindow::daily("09:00", "17:30").on(Day::WEEKDAYS).zone("Europe/Berlin");
/// assert_eq!(office.verify(), Ok(()));
/// let nights_off = TimeWindow::quiet("22:00", "07:00");
/// assert_eq!(nights_off.describe(), "not between 22:00 and 07:00");
/// assert!(TimeWindow::daily("9", "25:00").verify().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimeWindow {
    /// Minutes since midnight, or the text that is none.
    from: Result<u16, String>,
    to: Result<u16, String>,
    days: u8,
    zone: Option<String>,
    quiet: bool,
}

impl TimeWindow {
    const FORMAT: u8 = 1;
    const QUIET: u8 = 1;

    /// From one time of the day to another, both as `HH:MM`, every day. Two equal times are the whole day.
    pub fn daily(from: &str, to: &str) -> Self {
        Self { from: minutes(from), to: minutes(to), days: EVERY_DAY, zone: None, quiet: false }
    }

    /// At all times but these, such as a night.
    pub fn quiet(from: &str, to: &str) -> Self {
        Self { quiet: true, ..Self::daily(from, to) }
    }

    /// Only on these days; of quiet hours: quiet only on these days.
    #[must_use]
    pub fn on(mut self, days: impl IntoIterator<Item = Day>) -> Self {
        self.days = days.into_iter().fold(0, |days, day| days | day.bit());
        self
    }

    /// By the clock of this zone, such as `Europe/Berlin`, instead of the system's.
    #[must_use]
    pub fn zone(mut self, name: impl Into<String>) -> Self {
        self.zone = Some(name.into());
        self
    }

    fn time_zone(&self) -> Result<TimeZone, String> {
        match &self.zone {
            None => Ok(TimeZone::system()),
            Some(name) => TimeZone::get(name).map_err(|_| {
                format!("no time zone is called `{name}`; write one such as `Europe/Berlin` or `UTC`")
            }),
        }
    }

    /// Whether `now` is inside of the hours, and when that changes; `None` where nothing can be said.
    fn hours(&self, now: WallTime) -> Option<(bool, WallTime)> {
        let (from, to) = (*self.from.as_ref().ok()?, *self.to.as_ref().ok()?);
        let zone = self.time_zone().ok()?;
        let now = Timestamp::from_millisecond(now.as_millis()).ok()?;
        let today = now.to_zoned_datetime(zone.clone()).date();
        let mut inside = None;
        let mut next = None;
        // A window of yesterday may reach into today; within eight days each day of the week comes round, and twice within
        // a fortnight: the clock may be put forward over the window of one day, or over the day itself.
        let mut day = today.yesterday().ok()?;
        for _ in 0..DAYS {
            let after = day.tomorrow().ok()?;
            if self.days & bit(day.weekday()) != 0 {
                let begins = moment(day, from, &zone)?;
                let ends = moment(if to > from { day } else { after }, to, &zone)?;
                match inside {
                    // Both boundaries lie in a gap: on this day there is no such window.
                    _ if begins >= ends => {}
                    // Windows that meet or overlap are one.
                    Some(end) if begins <= end => inside = Some(ends.max(end)),
                    Some(_) => break,
                    None if begins <= now && now < ends => inside = Some(ends),
                    None if now < begins => {
                        next = Some(begins);
                        break;
                    }
                    None => {}
                }
            }
            day = after;
        }
        let wall = |moment: Timestamp| WallTime::from_millis(moment.as_millisecond());
        inside.map(|end| (true, wall(end))).or(next.map(|begin| (false, wall(begin))))
    }
}

/// `HH:MM` as minutes since midnight.
fn minutes(text: &str) -> Result<u16, String> {
    let parse = || {
        let (hours, minutes) = text.split_once(':')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hours) || !digits(minutes) {
            return None;
        }
        let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    parse().ok_or_else(|| text.to_owned())
}

const fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

/// When the clock of `zone` shows this time on this day; in a gap, the first moment after it.
fn moment(day: Date, minutes: u16, zone: &TimeZone) -> Option<Timestamp> {
    let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
    let civil = day.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        jiff::tz::AmbiguousOffset::Gap { before, .. } => {
            // Read with the offset before the gap, the time lies as far behind the gap's beginning as it is late in it.
            let beyond = before.to_timestamp(civil).ok()?;
            let gap = zone.preceding(beyond).next()?;
            Some(gap.timestamp())
        }
        _ => ambiguous.compatible().ok(),
    }
}

impl Constraint for TimeWindow {
    const KIND: &'static str = "time-window";
    type Source = WindowSource;

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![Self::FORMAT, if self.quiet { Self::QUIET } else { 0 }, self.days];
        for time in [&self.from, &self.to] {
            // A time that is none does not get here: `verify` refuses it.
            bytes.extend(time.as_ref().map_or(MINUTES, |minutes| *minutes).to_le_bytes());
        }
        bytes.extend(self.zone.as_deref().unwrap_or_default().as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, ConstraintDecodeError> {
        let fields = stored::fields(bytes, Self::FORMAT)?;
        let &[quiet, days, f0, f1, t0, t1, ref zone @ ..] = fields else { return Err(stored::no_such()) };
        let zone = std::str::from_utf8(zone).map_err(|_| stored::no_such())?;
        let this = Self {
            from: Ok(u16::from_le_bytes([f0, f1])),
            to: Ok(u16::from_le_bytes([t0, t1])),
            days,
            zone: (!zone.is_empty()).then(|| zone.to_owned()),
            quiet: quiet == Self::QUIET,
        };
        let whole =
            [&this.from, &this.to].into_iter().all(|time| time.as_ref().is_ok_and(|time| *time < MINUTES));
        if quiet > Self::QUIET || days > EVERY_DAY || !whole {
            return Err(stored::no_such());
        }
        Ok(this)
    }

    fn verify(&self) -> Result<(), String> {
        for time in [&self.from, &self.to] {
            if let Err(text) = time {
                let way = match text.as_str() {
                    "24:00" => "write midnight as `00:00`",
                    _ => "write it as `HH:MM`, such as `09:30`",
                };
                return Err(format!("`{text}` is no time of the day; {way}"));
            }
        }
        if self.days == 0 {
            return Err("the window has no day; name at least one, or leave `on` out".to_owned());
        }
        if self.quiet && self.days == EVERY_DAY && self.from == self.to {
            let why = "two equal times are the whole day, so these quiet hours never end";
            return Err(format!("{why}; write when they end, or name their days with `on`"));
        }
        self.time_zone().map(drop)
    }

    fn key(&self) {}

    fn check(&self, (): &(), now: WallTime) -> Verdict {
        let Some((inside, changes)) = self.hours(now) else {
            let why = self.verify().err().unwrap_or_else(|| "its hours cannot be reckoned".to_owned());
            return Verdict::hold(why);
        };
        if inside != self.quiet {
            return Verdict::met().until(changes);
        }
        let zone = self.time_zone().unwrap_or(TimeZone::UTC);
        let shown = Timestamp::from_millisecond(changes.as_millis()).map(|at| at.to_zoned_datetime(zone));
        let shown = shown.map_or_else(|_| String::new(), |at| at.strftime("%a %H:%M %Z").to_string());
        Verdict::hold(format!("closed until {shown}")).until(changes)
    }

    fn damping(&self) -> Damping {
        Damping::NONE
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Owned(self.to_string())
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: &Result<u16, String>| match time {
            Ok(minutes) => format!("{:02}:{:02}", minutes / 60, minutes % 60),
            Err(text) => text.clone(),
        };
        let not = if self.quiet { "not " } else { "" };
        write!(f, "{not}between {} and {}", time(&self.from), time(&self.to))?;
        if self.days != EVERY_DAY {
            const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
            let days: Vec<_> =
                (0..7).filter(|day| self.days & (1 << day) != 0).map(|day: usize| NAMES[day]).collect();
            write!(f, " on {}", days.join(", "))?;
        }
        if let Some(zone) = &self.zone {
            write!(f, ", {zone}")?;
        }
        Ok(())
    }
}

/// The clock as a source: it has one state and never changes; windows ask by themselves to be judged again.
#[derive(Clone, Copy, Debug, Default)]
pub struct WindowSource;

impl Source for WindowSource {
    type Key = ();
    type State = ();

    async fn read(&self, (): &()) -> Reading<()> {
        Reading::Known(())
    }

    async fn watch(&self, (): (), out: watch::Sender<Reading<()>>) {
        publish(&out, Reading::Known(()));
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;

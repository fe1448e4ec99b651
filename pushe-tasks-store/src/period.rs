//! Periodic work as it is stored: how it runs, and where it stands (S5).
//!
//! Invariant: the store knows no calendar and no time zone. It keeps the slot that waits; which slot comes after it, the
//! caller's rules say, and the settle that ends a period brings the answer.

use std::time::Duration;

use crate::state::stored_enum;
use crate::time::WallTime;
use crate::wire::{Damage, Reader, Writer};

stored_enum! {
    /// What becomes of slots that were missed.
    Missed as "missed" {
        /// They are made up for by one run.
        Once = 1,
        /// They are left out.
        Skip = 2,
        /// Each gets its run.
        All = 3,
    }
}

/// When slots come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rhythm {
    /// This long after each other.
    Every(Duration),
    /// Where the clock of a zone shows what the text says.
    Cron {
        /// The cron text.
        text: String,
        /// The name of the zone.
        zone: String,
    },
}

/// How periodic work runs: stored with it, and read by the caller's rules alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredPeriod {
    /// When slots come.
    pub rhythm: Rhythm,
    /// How much sooner than its slot a run may begin.
    pub flex: Duration,
    /// What becomes of missed slots.
    pub missed: Missed,
    /// The least time between the beginnings of two runs.
    pub min_gap: Duration,
    /// After so many failed periods in a row the work has failed.
    pub stop_after: Option<u32>,
}

impl StoredPeriod {
    /// A period of this rhythm, without flex, gap or end, that makes up for missed slots by one run.
    pub const fn new(rhythm: Rhythm) -> Self {
        Self { rhythm, flex: Duration::ZERO, missed: Missed::Once, min_gap: Duration::ZERO, stop_after: None }
    }

    /// The number of the first slot: 1 where that is the end of the first period, else 0.
    pub(crate) const fn first_number(&self) -> u64 {
        matches!(self.rhythm, Rhythm::Every(_)) as u64 & !self.flex.is_zero() as u64
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        match &self.rhythm {
            Rhythm::Every(length) => {
                out.u8(1);
                out.varint(millis(*length));
            }
            Rhythm::Cron { text, zone } => {
                out.u8(2);
                out.str(text);
                out.str(zone);
            }
        }
        out.varint(millis(self.flex));
        out.u8(self.missed.code());
        out.varint(millis(self.min_gap));
        out.varint(self.stop_after.map_or(0, u64::from));
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let rhythm = match from.u8("rhythm")? {
            1 => Rhythm::Every(Duration::from_millis(from.varint("every")?)),
            2 => Rhythm::Cron { text: from.str("cron")?.to_owned(), zone: from.str("zone")?.to_owned() },
            _ => return Err(Damage::Shape("rhythm")),
        };
        Ok(Self {
            rhythm,
            flex: Duration::from_millis(from.varint("flex")?),
            missed: Missed::from_code(from.u8("missed")?)?,
            min_gap: Duration::from_millis(from.varint("min gap")?),
            stop_after: Some(from.small("stop after")?).filter(|limit| *limit > 0),
        })
    }
}

/// A slot that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextSlot {
    /// Its number.
    pub number: u64,
    /// Its time.
    pub at: WallTime,
    /// From when its run may begin along with other work; its time where that is not sooner.
    pub early: WallTime,
    /// The length of the wait until its time; zero where that is a moment of the wall clock.
    pub wait: Duration,
}

/// What became of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodEnd {
    /// Its run succeeded.
    Done,
    /// Its run did not.
    Failed,
    /// It had no run.
    LeftOut,
}

/// Where periodic work stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeriodRecord {
    /// The number of the slot that waits or runs. It only grows.
    pub slot: u64,
    /// The time of that slot.
    pub at: WallTime,
    /// From when its run may begin along with other work.
    pub early: WallTime,
    /// When it was first claimed; written by the first claim of a slot, so that later attempts stand for the same run.
    pub began: Option<WallTime>,
    /// When the run before it was first claimed.
    pub last_began: Option<WallTime>,
    /// Periods that had a run.
    pub done: u64,
    /// Failed periods in a row.
    pub failed: u32,
    /// When the next run is to be instead; written by `override_next`, taken by the claim of that run.
    pub overridden: Option<WallTime>,
    /// Whether the run that began did so at such a time.
    pub asked: bool,
    /// When the first slot of its new rhythm is, where it was given one while it ran; taken by the end of that attempt.
    pub restarts: Option<WallTime>,
}

impl PeriodRecord {
    /// The period of a piece whose first run is due at this moment.
    pub(crate) fn first(period: &StoredPeriod, due: WallTime) -> Self {
        Self {
            slot: period.first_number(),
            at: due,
            early: due.minus(period.flex),
            began: None,
            last_began: None,
            done: 0,
            failed: 0,
            overridden: None,
            asked: false,
            restarts: None,
        }
    }

    /// Begins a new grid with a slot at this moment; numbers go on.
    pub(crate) fn restart(&mut self, at: WallTime, flex: Duration) {
        if self.began.is_some() {
            self.last_began = self.began;
        }
        self.slot = self.slot.saturating_add(1);
        (self.at, self.early) = (at, at.minus(flex));
        (self.began, self.asked, self.restarts) = (None, false, None);
    }

    /// Gives the slot that waits another window.
    pub(crate) fn set_window(&mut self, period: &StoredPeriod) {
        let early = self.at.minus(period.flex);
        let earliest = self.last_began.map_or(WallTime::MIN, |began| began.plus(period.min_gap));
        self.early = early.max(earliest).min(self.at);
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        let flags = [
            self.began.is_some(),
            self.last_began.is_some(),
            self.overridden.is_some(),
            self.asked,
            self.restarts.is_some(),
        ];
        out.u8(flags.into_iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(flag)));
        out.varint(self.slot);
        let at = self.at.as_millis();
        out.signed(at);
        // These lie near the slot.
        let mut near = |time: WallTime| out.signed(time.as_millis().wrapping_sub(at));
        near(self.early);
        [self.began, self.last_began, self.overridden, self.restarts].into_iter().flatten().for_each(near);
        out.varint(self.done);
        out.varint(u64::from(self.failed));
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let flags = from.u8("period")?;
        let slot = from.varint("slot")?;
        let at = from.signed("slot")?;
        let mut near = || Ok(WallTime::from_millis(at.wrapping_add(from.signed("slot")?)));
        let early = near()?;
        let mut if_set = |bit: u8| if flags & bit == 0 { Ok(None) } else { near().map(Some) };
        let (began, last_began, overridden) = (if_set(1)?, if_set(2)?, if_set(4)?);
        let restarts = if_set(16)?;
        Ok(Self {
            slot,
            at: WallTime::from_millis(at),
            early,
            began,
            last_began,
            done: from.varint("periods")?,
            failed: from.small("failed periods")?,
            overridden,
            asked: flags & 8 != 0,
            restarts,
        })
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads_back(write: impl Fn(&mut Writer), read: impl Fn(&mut Reader<'_>)) {
        let mut out = Writer::new(1);
        write(&mut out);
        let bytes = out.seal(b"key");
        let mut from = Reader::open(b"key", &bytes, 1..=1).unwrap();
        read(&mut from);
        from.end().unwrap();
    }

    #[test]
    fn a_period_reads_back_whole() {
        let (text, zone) = ("30 4 * * *".to_owned(), "Europe/Paris".to_owned());
        for rhythm in [Rhythm::Every(Duration::from_secs(3600)), Rhythm::Cron { text, zone }] {
            let plain = StoredPeriod::new(rhythm);
            let full = StoredPeriod {
                flex: Duration::from_millis(5),
                missed: Missed::All,
                min_gap: Duration::from_secs(9),
                stop_after: Some(u32::MAX),
                ..plain.clone()
            };
            for period in [plain, full] {
                reads_back(
                    |out| period.encode(out),
                    |from| assert_eq!(StoredPeriod::decode(from).as_ref(), Ok(&period)),
                );
            }
        }
    }

    #[test]
    fn where_it_stands_reads_back_whole() {
        let now = WallTime::from_millis(1_800_000_000_000);
        let period = StoredPeriod::new(Rhythm::Every(Duration::from_secs(1)));
        let mut record = PeriodRecord::first(&period, now);
        let check = |record: &PeriodRecord| {
            reads_back(
                |out| record.encode(out),
                |from| assert_eq!(PeriodRecord::decode(from).as_ref(), Ok(record)),
            );
        };
        check(&record);
        record.began = Some(now);
        check(&record);
        record.last_began = Some(WallTime::MIN);
        record.overridden = Some(WallTime::MAX);
        record.asked = true;
        record.restarts = Some(now);
        (record.slot, record.done, record.failed) = (u64::MAX, 7, u32::MAX);
        record.early = WallTime::MIN;
        check(&record);
        record.began = None;
        check(&record);
    }
}

//! The stored form of a record.
//!
//! Invariant: what a record seldom has stands behind it under a tag, and is left out where it has not: a row that an earlier
//! build wrote reads back.

use std::time::Duration;

use super::{AttemptRecord, Blocked, Filed, WorkRecord};
use crate::id::{LaneId, WorkId};
use crate::period::PeriodRecord;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;
use crate::wire::{Damage, Reader, Writer};

/// The newest format of this row; every value begins with the number of its own.
const FORMAT: u8 = 1;

const FLAG_DELAYED: u8 = 1;
const FLAG_BEHIND: u8 = 2;
const FLAG_BODY: u8 = 4;
const FLAG_ID: u8 = 8;
const FLAG_ALONE: u8 = 16;
const FLAG_FLEXIBLE: u8 = 32;
const FLAG_OUSTED: u8 = 64;
const FLAG_FOLLOWED: u8 = 128;

const TAG_GENERATION: u8 = 1;
const TAG_REASON: u8 = 2;
const TAG_RETRIES: u8 = 3;
const TAG_SNOOZES: u8 = 4;
const TAG_RETURNED: u8 = 5;
const TAG_INTERRUPTIONS: u8 = 6;
const TAG_CLAIMED_AT: u8 = 7;
const TAG_FINISHED_AT: u8 = 8;
const TAG_PRUNE_AT: u8 = 9;
const TAG_HISTORY: u8 = 10;
const TAG_PROGRESS: u8 = 11;
const TAG_PERIOD: u8 = 12;
const TAG_EXPIRES_AT: u8 = 20;
const TAG_AFTER: u8 = 21;
const TAG_UPDATED: u8 = 22;
const TAG_AUTOMATIC: u8 = 23;
const TAG_BACKS_OFF: u8 = 24;
const TAG_TAGS: u8 = 25;

impl WorkRecord {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(FORMAT);
        out.u8(self.state.code());
        out.u8(self.flags());
        out.varint(self.sequence);
        out.varint(u64::from(self.lane.0));
        out.varint(self.claim);
        out.signed(self.enqueued_at.as_millis());
        out.signed(self.due.as_millis().wrapping_sub(self.enqueued_at.as_millis()));
        out.varint(u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX));
        out.signed(self.boost_millis);
        if let Some(hash) = self.id_hash {
            out.fixed(&hash.to_le_bytes());
        }
        self.encode_rare(&mut out);
        out.seal(self.id.as_bytes())
    }

    /// Reads the stored form back.
    pub fn decode(id: WorkId, bytes: &[u8]) -> Result<Self, Damage> {
        let mut from = Reader::open(id.as_bytes(), bytes, FORMAT..=FORMAT)?;
        let state = WorkState::from_code(from.u8("state")?)?;
        let flags = from.u8("flags")?;
        let sequence = from.varint("sequence")?;
        let lane = LaneId(from.small("lane")?);
        let mut record = Self::new(id, sequence, lane, WallTime::default());
        record.state = state;
        record.claim = from.varint("claim")?;
        record.enqueued_at = WallTime::from_millis(from.signed("enqueued")?);
        record.due = WallTime::from_millis(record.enqueued_at.as_millis().wrapping_add(from.signed("due")?));
        record.wait = Duration::from_millis(from.varint("wait")?);
        record.boost_millis = from.signed("boost")?;
        record.filed = match flags & (FLAG_DELAYED | FLAG_FLEXIBLE) {
            0 => Filed::Ready,
            FLAG_DELAYED => Filed::Delayed,
            FLAG_FLEXIBLE => Filed::Flexible,
            _ => return Err(Damage::Shape("filed")),
        };
        record.blocked = match flags & (FLAG_BEHIND | FLAG_BODY) {
            0 => None,
            FLAG_BEHIND => Some(Blocked::Behind),
            FLAG_BODY => Some(Blocked::Body),
            _ => return Err(Damage::Shape("blocked")),
        };
        if flags & FLAG_ID != 0 {
            record.id_hash = Some(u64::from_le_bytes(from.fixed("id hash")?));
        }
        record.alone = flags & FLAG_ALONE != 0;
        record.ousted = flags & FLAG_OUSTED != 0;
        record.followed = flags & FLAG_FOLLOWED != 0;
        record.decode_rare(&mut from)?;
        from.end()?;
        Ok(record)
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        flags |= match self.filed {
            Filed::Ready => 0,
            Filed::Delayed => FLAG_DELAYED,
            Filed::Flexible => FLAG_FLEXIBLE,
        };
        flags |= match self.blocked {
            None => 0,
            Some(Blocked::Behind) => FLAG_BEHIND,
            Some(Blocked::Body) => FLAG_BODY,
        };
        if self.id_hash.is_some() {
            flags |= FLAG_ID;
        }
        if self.alone {
            flags |= FLAG_ALONE;
        }
        if self.ousted {
            flags |= FLAG_OUSTED;
        }
        if self.followed {
            flags |= FLAG_FOLLOWED;
        }
        flags
    }

    /// Fields that most records lack: each is a number of its own and then the value, in rising order.
    fn encode_rare(&self, out: &mut Writer) {
        let mut count = |tag: u8, value: u64| {
            if value != 0 {
                out.u8(tag);
                out.varint(value);
            }
        };
        count(TAG_GENERATION, u64::from(self.generation) - 1);
        count(TAG_REASON, u64::from(self.reason.map_or(0, Reason::code)));
        count(TAG_RETRIES, u64::from(self.retries));
        count(TAG_SNOOZES, u64::from(self.snoozes));
        count(TAG_RETURNED, u64::from(self.returned));
        count(TAG_INTERRUPTIONS, u64::from(self.interruptions));
        count(TAG_UPDATED, u64::from(self.updated));
        count(TAG_AUTOMATIC, u64::from(self.automatic));
        let mut moment = |tag: u8, value: Option<WallTime>| {
            if let Some(value) = value {
                out.u8(tag);
                out.signed(value.as_millis());
            }
        };
        moment(TAG_CLAIMED_AT, self.claimed_at);
        moment(TAG_FINISHED_AT, self.finished_at);
        moment(TAG_EXPIRES_AT, self.expires_at);
        moment(TAG_BACKS_OFF, self.backs_off_until);
        moment(TAG_PRUNE_AT, (self.prune_at != WallTime::MAX).then_some(self.prune_at));
        if let Some(after) = self.after {
            out.u8(TAG_AFTER);
            out.fixed(after.as_bytes());
        }
        if !self.history.is_empty() {
            out.u8(TAG_HISTORY);
            out.varint(self.history.len() as u64);
            for attempt in &self.history {
                out.varint(attempt.claim);
                out.varint(u64::from(attempt.attempt));
                out.signed(attempt.started.as_millis());
                out.signed(attempt.ended.as_millis().wrapping_sub(attempt.started.as_millis()));
                out.u8(attempt.end.code());
                out.u8(u8::from(attempt.has_error));
            }
        }
        if let Some(progress) = &self.progress {
            out.u8(TAG_PROGRESS);
            out.bytes(progress);
        }
        if let Some(period) = &self.period {
            out.u8(TAG_PERIOD);
            period.encode(out);
        }
        if !self.tags.is_empty() {
            out.u8(TAG_TAGS);
            out.varint(self.tags.len() as u64);
            for tag in &self.tags {
                out.fixed(&tag.to_le_bytes());
            }
        }
    }

    fn decode_rare(&mut self, from: &mut Reader<'_>) -> Result<(), Damage> {
        while !from.is_at_end() {
            match from.u8("tag")? {
                TAG_GENERATION => {
                    self.generation =
                        from.small::<u32>("generation")?.checked_add(1).ok_or(Damage::Shape("generation"))?;
                }
                TAG_REASON => self.reason = Some(Reason::from_code(from.small("reason")?)?),
                TAG_RETRIES => self.retries = from.small("retries")?,
                TAG_SNOOZES => self.snoozes = from.small("snoozes")?,
                TAG_RETURNED => self.returned = from.small("returned")?,
                TAG_INTERRUPTIONS => self.interruptions = from.small("interruptions")?,
                TAG_CLAIMED_AT => self.claimed_at = Some(WallTime::from_millis(from.signed("claimed at")?)),
                TAG_FINISHED_AT => {
                    self.finished_at = Some(WallTime::from_millis(from.signed("finished at")?));
                }
                TAG_EXPIRES_AT => self.expires_at = Some(WallTime::from_millis(from.signed("expires at")?)),
                TAG_BACKS_OFF => {
                    self.backs_off_until = Some(WallTime::from_millis(from.signed("backs off")?));
                }
                TAG_UPDATED => self.updated = from.varint("updated")? != 0,
                TAG_AUTOMATIC => self.automatic = from.varint("automatic")? != 0,
                TAG_PRUNE_AT => self.prune_at = WallTime::from_millis(from.signed("prune at")?),
                TAG_AFTER => self.after = Some(WorkId::from_bytes(from.fixed("after")?)),
                TAG_HISTORY => {
                    for _ in 0..from.varint("history")? {
                        self.history.push(AttemptRecord::decode(from)?);
                    }
                }
                TAG_PROGRESS => self.progress = Some(from.bytes("progress")?.to_vec().into()),
                TAG_TAGS => {
                    for _ in 0..from.varint("tags")? {
                        self.tags.push(u64::from_le_bytes(from.fixed("tags")?));
                    }
                }
                TAG_PERIOD => self.period = Some(Box::new(PeriodRecord::decode(from)?)),
                _ => return Err(Damage::Shape("tag")),
            }
        }
        Ok(())
    }
}

impl AttemptRecord {
    fn decode(from: &mut Reader<'_>) -> Result<Self, Damage> {
        let claim = from.varint("history")?;
        let attempt = from.small("history")?;
        let started = from.signed("history")?;
        let ended = started.wrapping_add(from.signed("history")?);
        let end = AttemptEnd::from_code(from.u8("history")?)?;
        let has_error = from.u8("history")? != 0;
        let [started, ended] = [started, ended].map(WallTime::from_millis);
        Ok(Self { claim, attempt, started, ended, end, has_error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::{Rhythm, StoredPeriod};
    use crate::record::HISTORY;

    fn id() -> WorkId {
        WorkId::from_parts(1_800_000_000_000, [7; 10])
    }

    #[test]
    fn a_row_that_an_earlier_build_wrote_reads_back() {
        let mut out = Writer::new(1);
        out.u8(WorkState::Enqueued.code());
        out.u8(FLAG_DELAYED);
        for number in [41, 3, 2] {
            out.varint(number);
        }
        out.signed(1_000);
        out.signed(30_000);
        out.varint(30_000);
        out.signed(0);
        out.u8(TAG_RETRIES);
        out.varint(1);
        let record = WorkRecord::decode(id(), &out.seal(id().as_bytes())).unwrap();
        let mut expected = WorkRecord::new(id(), 41, LaneId(3), WallTime::from_millis(1_000));
        (expected.claim, expected.retries, expected.filed) = (2, 1, Filed::Delayed);
        (expected.due, expected.wait) = (WallTime::from_millis(31_000), Duration::from_secs(30));
        assert_eq!(record, expected, "what is newer than the row is not there");
    }

    #[test]
    fn a_record_reads_back_whole() {
        let now = WallTime::from_millis(1_800_000_000_000);
        let plain = WorkRecord::new(id(), 41, LaneId(3), now);
        assert_eq!(WorkRecord::decode(id(), &plain.encode()), Ok(plain.clone()));
        assert!(plain.encode().len() <= 32, "a fresh row is small: {}", plain.encode().len());

        let mut full = plain;
        full.generation = 3;
        full.state = WorkState::Blocked;
        full.reason = Some(Reason::ConstraintLost);
        full.id_hash = Some(u64::MAX);
        full.tags = vec![1, u64::MAX];
        full.claim = 12;
        full.retries = 9;
        full.snoozes = 1;
        full.returned = 20;
        full.interruptions = 2;
        full.alone = true;
        full.ousted = true;
        full.due = WallTime::MAX;
        full.expires_at = Some(WallTime::MIN);
        full.wait = Duration::from_secs(30);
        full.boost_millis = -600_000;
        full.filed = Filed::Delayed;
        full.blocked = Some(Blocked::Body);
        full.after = Some(WorkId::from_bytes([0xfe; 16]));
        full.followed = true;
        full.updated = true;
        full.automatic = true;
        full.backs_off_until = Some(now);
        full.claimed_at = Some(WallTime::MIN);
        full.finished_at = Some(now);
        full.prune_at = now;
        full.progress = Some(vec![1, 2, 3].into());
        let every = StoredPeriod::new(Rhythm::Every(Duration::from_secs(1)));
        full.period = Some(Box::new(PeriodRecord::first(&every, now)));
        for claim in 1..=12 {
            full.remember(AttemptRecord::new(claim, 1, now, WallTime::MAX, AttemptEnd::Panicked));
        }
        assert_eq!(full.history.len(), HISTORY);
        assert_eq!(full.history[0].claim, 3);
        assert_eq!(WorkRecord::decode(id(), &full.encode()), Ok(full));
    }

    #[test]
    fn a_row_of_another_piece_is_damage() {
        let row = WorkRecord::new(id(), 1, LaneId(1), WallTime::default()).encode();
        let other = WorkId::from_parts(5, [0; 10]);
        assert_eq!(WorkRecord::decode(other, &row), Err(Damage::Checksum));
    }

    #[test]
    fn a_row_of_a_build_that_knew_no_tags_reads_back() {
        // Written before tags and ousted work were known.
        let now = WallTime::from_millis(1_800_000_000_000);
        let mut record = WorkRecord::new(id(), 41, LaneId(3), now);
        (record.id_hash, record.claim, record.retries) = (Some(7), 2, 1);
        record.claimed_at = Some(now);
        let old = hex("01010829030280c0e285e368000000070000000000000003010780c0e285e3685305fa66472fc5b0");
        assert_eq!(WorkRecord::decode(id(), &old), Ok(record.clone()));
        assert_eq!(record.encode(), old, "and what has no tags is still written so");
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }
}

//! The state of one piece of work as it is stored: the small row that claim and settle rewrite.
//!
//! Invariant: the row alone says where the work stands in every index (see `index`); payload and options, which never
//! change while it runs, stand apart in its `WorkSpec`.

use std::time::Duration;

use crate::id::{LaneId, WorkId};
use crate::opaque::Opaque;
use crate::period::PeriodRecord;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;
use crate::wire::{Damage, Reader, Writer};

/// The newest format of this row; every value begins with the number of its own.
const FORMAT: u8 = 1;

/// How many ended attempts a record remembers.
pub const HISTORY: usize = 10;

/// What the store knows of one piece of work, apart from its payload and options.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct WorkRecord {
    /// Its id.
    pub id: WorkId,
    /// Store sequence number: settles ties and the order under one task id.
    pub sequence: u64,
    /// Grows when new payload and options take the place of the old under the same id.
    pub generation: u32,
    /// Whether that happened during its running attempt, which goes on under the old ones; taken off by the end of that.
    pub updated: bool,
    /// Whether the start of a program scheduled it.
    pub automatic: bool,
    /// Where it stands.
    pub state: WorkState,
    /// Why it stands there, where there is more to say than the state.
    pub reason: Option<Reason>,
    /// Its lane.
    pub lane: LaneId,
    /// The hash of its task id, if it bears one.
    pub id_hash: Option<u64>,
    /// The hashes of its tags, rising.
    pub tags: Vec<u64>,
    /// The number of the newest claim; the first claim is 1.
    pub claim: u64,
    /// Attempts that ended in retry.
    pub retries: u32,
    /// Attempts given back by snooze.
    pub snoozes: u32,
    /// Attempts given back because they were stopped, since one last ended by itself.
    pub returned: u32,
    /// Crashes that found it running and were charged to it.
    pub interruptions: u32,
    /// Whether its newest attempt is that of a suspect beside which no other body has lived (S7.3).
    pub alone: bool,
    /// Whether other work has taken its task id over while it was Quarantined.
    pub ousted: bool,
    /// When it was scheduled.
    pub enqueued_at: WallTime,
    /// The earliest start.
    pub due: WallTime,
    /// From when it is not started any more; written with it, taken off by its first claim.
    pub expires_at: Option<WallTime>,
    /// Until when its back-off lasts, where an update has made it due later than that; taken off by its next claim.
    pub backs_off_until: Option<WallTime>,
    /// The length of the wait that led to `due`: zero where `due` names a moment of the wall clock.
    pub wait: Duration,
    /// How far it jumps the queue; negative lets others pass.
    pub boost_millis: i64,
    /// Where an Enqueued piece is filed: among what may start, or by its due time.
    pub filed: Filed,
    /// What a Blocked piece waits for.
    pub blocked: Option<Blocked>,
    /// The piece whose success it waits for (S4.7); taken off by that success.
    pub after: Option<WorkId>,
    /// Whether a piece has been scheduled that waits for its success.
    pub followed: bool,
    /// When the newest attempt was claimed.
    pub claimed_at: Option<WallTime>,
    /// When it finished.
    pub finished_at: Option<WallTime>,
    /// From when a finished record may be pruned.
    pub prune_at: WallTime,
    /// The last attempts that ended, oldest first, at most [`HISTORY`].
    pub history: Vec<AttemptRecord>,
    /// The last progress that a running body reported, encoded as it was given.
    pub progress: Option<Opaque>,
    /// Where periodic work stands.
    pub period: Option<Box<PeriodRecord>>,
}

/// Where an Enqueued piece of work is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filed {
    /// In the time index, until its due time has come.
    Delayed,
    /// In its lane, by order key.
    Ready,
    /// Apart from the delayed: it may start along with other work before its due time.
    Flexible,
}

/// What a Blocked piece of work waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocked {
    /// An earlier unfinished piece bears its task id.
    Behind,
    /// A body that runs no more in the store's eyes still lives in this process under its task id.
    Body,
}

/// One attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptRecord {
    /// Its claim number.
    pub claim: u64,
    /// Its number for people, from 1.
    pub attempt: u32,
    /// When it was claimed.
    pub started: WallTime,
    /// When it ended.
    pub ended: WallTime,
    /// How it ended.
    pub end: AttemptEnd,
    /// Whether an error text of it is stored.
    pub has_error: bool,
}

impl WorkRecord {
    /// A record as it is born: Enqueued, due at once, nothing tried yet.
    pub fn new(id: WorkId, sequence: u64, lane: LaneId, now: WallTime) -> Self {
        Self {
            id,
            sequence,
            generation: 1,
            updated: false,
            automatic: false,
            state: WorkState::Enqueued,
            reason: None,
            lane,
            id_hash: None,
            tags: Vec::new(),
            claim: 0,
            retries: 0,
            snoozes: 0,
            returned: 0,
            interruptions: 0,
            alone: false,
            ousted: false,
            enqueued_at: now,
            due: now,
            expires_at: None,
            backs_off_until: None,
            wait: Duration::ZERO,
            boost_millis: 0,
            filed: Filed::Ready,
            blocked: None,
            after: None,
            followed: false,
            claimed_at: None,
            finished_at: None,
            prune_at: WallTime::MAX,
            history: Vec::new(),
            progress: None,
            period: None,
        }
    }

    /// The number of the present or next attempt, for people and for back-off: 1 + attempts ended in retry.
    pub const fn attempt(&self) -> u32 {
        self.retries.saturating_add(1)
    }

    /// Whether crashes have found it running so often that its next attempt is to run alone (S7.3).
    pub const fn is_suspect(&self) -> bool {
        self.interruptions >= 2
    }

    /// Whether it is past its expiry, so that no claim takes it (S1.7).
    pub fn has_lapsed(&self, now: WallTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Where it stands in its lane: due − boost.
    pub const fn order_key(&self) -> i64 {
        self.due.as_millis().saturating_sub(self.boost_millis)
    }

    /// Appends an ended attempt and drops the oldest past [`HISTORY`]; answers the one dropped.
    pub fn remember(&mut self, attempt: AttemptRecord) -> Option<AttemptRecord> {
        self.history.push(attempt);
        (self.history.len() > HISTORY).then(|| self.history.remove(0))
    }

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
    /// An attempt that has ended.
    pub const fn new(claim: u64, attempt: u32, started: WallTime, ended: WallTime, end: AttemptEnd) -> Self {
        Self { claim, attempt, started, ended, end, has_error: false }
    }

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
const TAG_TAGS: u8 = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::{Rhythm, StoredPeriod};

    fn id() -> WorkId {
        WorkId::from_parts(1_800_000_000_000, [7; 10])
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

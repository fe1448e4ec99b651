//! Where a record stands in the indexes, as a pure function of the record.
//!
//! Invariant: every record has exactly one place in the order index, one in the id index if it bears a task id, and one in
//! the tag index for each of its tags; what expires while it waits, and what the start of a program scheduled, stands in the
//! order index once more.
//! A transition is therefore: take out the places of the old record, put in those of the new. Nothing else moves.

use crate::id::{LaneId, WorkId};
use crate::record::{Blocked, Filed, WorkRecord};
use crate::state::WorkState;
use crate::time::WallTime;

/// The first byte of a key in the order index, in key order.
pub(crate) mod class {
    pub(crate) const READY: u8 = 1;
    pub(crate) const DELAYED: u8 = 2;
    pub(crate) const BLOCKED_BEHIND: u8 = 3;
    pub(crate) const BLOCKED_BODY: u8 = 4;
    pub(crate) const RUNNING: u8 = 5;
    pub(crate) const QUARANTINED: u8 = 6;
    pub(crate) const FINISHED: u8 = 7;
    /// Ready pieces that run alone, apart from the others, so that no claim of those meets them.
    pub(crate) const SUSPECT: u8 = 8;

    /// Pieces that may start along with other work before their due time, by that time.
    pub(crate) const FLEXIBLE: u8 = 9;

    /// Pieces that expire, by that moment, beside the place that they have as they stand.
    pub(crate) const EXPIRES: u8 = 20;

    /// Unfinished pieces that the start of a program scheduled, likewise.
    pub(crate) const AUTOMATIC: u8 = 22;

    /// Whether a place in this class is one beside that by which a piece stands.
    pub(crate) const fn is_second(class: u8) -> bool {
        matches!(class, EXPIRES | AUTOMATIC)
    }

    /// Whether a piece in this class is ready.
    pub(crate) const fn is_ready(class: u8) -> bool {
        matches!(class, READY | SUSPECT)
    }
}

/// A key in the order index: class, lane or none, time or order key, sequence number.
pub(crate) type OrderKey = [u8; 21];

/// A key in the id index: hash of the task id, whether finished, sequence number.
pub(crate) type IdKey = [u8; 17];

/// A key in the tag index: hash of the tag, state, work id.
pub(crate) type TagKey = [u8; 25];

/// The places of a record in the tag index: one for each of its tags.
pub(crate) fn tag_keys(record: &WorkRecord) -> impl Iterator<Item = TagKey> {
    record.tags.iter().map(|tag| tag_place(*tag, record.state, record.id))
}

/// The hash of the tag of a key.
pub(crate) fn tag_of(key: &TagKey) -> Option<u64> {
    key.first_chunk::<8>().map(|hash| u64::from_be_bytes(*hash))
}

pub(crate) fn tag_place(tag: u64, state: WorkState, work: WorkId) -> TagKey {
    let mut key = [0; 25];
    key[..8].copy_from_slice(&tag.to_be_bytes());
    key[8] = state.code();
    key[9..].copy_from_slice(work.as_bytes());
    key
}

/// The hashes under which tags are indexed.
pub(crate) fn tag_hashes(tags: &[String]) -> Vec<u64> {
    let mut hashes: Vec<_> = tags.iter().map(|tag| id_hash(tag)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The place of a record in the order index.
pub(crate) fn order_key(record: &WorkRecord) -> OrderKey {
    let place = |class, lane, time| place(class, lane, time, record.sequence);
    match record.state {
        WorkState::Enqueued => match record.filed {
            Filed::Ready if record.is_suspect() => place(class::SUSPECT, record.lane.0, record.order_key()),
            Filed::Ready => place(class::READY, record.lane.0, record.order_key()),
            Filed::Delayed => place(class::DELAYED, 0, record.due.as_millis()),
            Filed::Flexible => place(class::FLEXIBLE, 0, record.due.as_millis()),
        },
        WorkState::Blocked => match record.blocked {
            Some(Blocked::Body) => place(class::BLOCKED_BODY, 0, 0),
            Some(Blocked::Behind) | None => place(class::BLOCKED_BEHIND, 0, 0),
        },
        WorkState::Running => place(class::RUNNING, 0, 0),
        WorkState::Quarantined => place(class::QUARANTINED, 0, 0),
        WorkState::Succeeded | WorkState::Failed | WorkState::Cancelled => {
            place(class::FINISHED, 0, record.prune_at.as_millis())
        }
    }
}

/// The second place of a record in the order index, if it expires while it waits.
pub(crate) fn expiry_key(record: &WorkRecord) -> Option<OrderKey> {
    let waits = matches!(record.state, WorkState::Enqueued | WorkState::Blocked);
    let at = record.expires_at.filter(|_| waits)?;
    Some(place(class::EXPIRES, 0, at.as_millis(), record.sequence))
}

/// The place of a record among those that the start of a program scheduled.
pub(crate) fn automatic_key(record: &WorkRecord) -> Option<OrderKey> {
    let lives = matches!(record.state, WorkState::Enqueued | WorkState::Blocked | WorkState::Running);
    (record.automatic && lives).then(|| place(class::AUTOMATIC, 0, 0, record.sequence))
}

/// The places of a record in the order index beside the one by which it stands.
pub(crate) fn second_keys(record: &WorkRecord) -> [Option<OrderKey>; 2] {
    [expiry_key(record), automatic_key(record)]
}

/// The place of a record in the id index, if it bears a task id.
pub(crate) fn id_key(record: &WorkRecord) -> Option<IdKey> {
    Some(id_place(record.id_hash?, record.state.is_finished(), record.sequence))
}

pub(crate) fn place(class: u8, lane: u32, time: i64, sequence: u64) -> OrderKey {
    let mut key = [0; 21];
    key[0] = class;
    key[1..5].copy_from_slice(&lane.to_be_bytes());
    key[5..13].copy_from_slice(&sortable(time));
    key[13..].copy_from_slice(&sequence.to_be_bytes());
    key
}

pub(crate) fn id_place(hash: u64, finished: bool, sequence: u64) -> IdKey {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&hash.to_be_bytes());
    key[8] = u8::from(finished);
    key[9..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// The lane of a key of a ready piece.
pub(crate) fn lane_of(key: &OrderKey) -> LaneId {
    LaneId(u32::from_be_bytes([key[1], key[2], key[3], key[4]]))
}

/// The time or order key within a key.
pub(crate) fn time_of(key: &OrderKey) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&key[5..13]);
    (u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed()
}

/// The store sequence number within a key.
pub(crate) fn sequence_of(key: &OrderKey) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&key[13..]);
    u64::from_be_bytes(bytes)
}

/// What orders the keys of one class over all its lanes: order key, then sequence number.
pub(crate) fn rank_of(key: &OrderKey) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&key[5..]);
    u128::from_be_bytes(bytes)
}

/// The range of all keys of one class.
pub(crate) fn class_range(class: u8) -> (OrderKey, OrderKey) {
    (place(class, 0, i64::MIN, 0), place(class + 1, 0, i64::MIN, 0))
}

/// The range of a class up to and with this moment; the latest moment of all stands for never.
pub(crate) fn until_range(class: u8, moment: WallTime) -> (OrderKey, OrderKey) {
    let end = moment.plus(std::time::Duration::from_millis(1));
    (place(class, 0, i64::MIN, 0), place(class, 0, end.as_millis(), 0))
}

/// The range of the pieces of one lane in a class of ready ones.
pub(crate) fn lane_range(class: u8, lane: LaneId) -> (OrderKey, OrderKey) {
    let to = match lane.0.checked_add(1) {
        Some(next) => place(class, next, i64::MIN, 0),
        None => place(class + 1, 0, i64::MIN, 0),
    };
    (place(class, lane.0, i64::MIN, 0), to)
}

/// The range of the pieces that bear or bore a task id with this hash.
pub(crate) fn id_range(hash: u64, finished: bool) -> (IdKey, IdKey) {
    // Sequence numbers never reach the last one, so that it can stand for the end.
    (id_place(hash, finished, 0), id_place(hash, finished, u64::MAX))
}

/// The moment at which a key of class `DELAYED` falls due.
pub(crate) fn due_of(key: &OrderKey) -> WallTime {
    WallTime::from_millis(time_of(key))
}

/// The hash under which a task id is indexed.
pub fn id_hash(task_id: &str) -> u64 {
    // Tests cannot find two texts whose hashes fall together.
    #[cfg(test)]
    if task_id.starts_with("same hash/") {
        return 7;
    }
    xxhash_rust::xxh3::xxh3_64(task_id.as_bytes())
}

/// Eight bytes that sort as the number does.
fn sortable(time: i64) -> [u8; 8] {
    (time.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The key of a row that is kept by work id.
pub(crate) fn work_key(id: WorkId) -> [u8; 16] {
    *id.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn record(sequence: u64, lane: u32, due: i64) -> WorkRecord {
        let id = WorkId::from_parts(sequence, [0; 10]);
        let mut record = WorkRecord::new(id, sequence, LaneId(lane), WallTime::from_millis(0));
        record.due = WallTime::from_millis(due);
        record
    }

    #[test]
    fn ready_work_stands_by_lane_then_order_key_then_sequence() {
        let mut boosted = record(9, 1, 500);
        boosted.boost_millis = 1_000;
        let in_order = [
            boosted,
            record(1, 1, -1),
            record(2, 1, 0),
            record(3, 1, 0),
            record(4, 1, i64::MAX),
            record(0, 2, 0),
        ];
        assert!(in_order.map(|record| order_key(&record)).is_sorted());
    }

    #[test]
    fn s7_3_a_ready_suspect_stands_apart() {
        let mut suspect = record(1, 1, 0);
        for (interruptions, class) in [(0, class::READY), (1, class::READY), (2, class::SUSPECT)] {
            suspect.interruptions = interruptions;
            let key = order_key(&suspect);
            assert_eq!((key[0], lane_of(&key)), (class, LaneId(1)));
            assert!(class::is_ready(key[0]));
        }
        suspect.filed = Filed::Delayed;
        assert_eq!(order_key(&suspect)[0], class::DELAYED, "until it is due it stands with the others");
    }

    #[test]
    fn parts_of_a_key_read_back() {
        for time in [i64::MIN, -1, 0, 1, i64::MAX] {
            let key = place(class::READY, u32::MAX, time, 7);
            assert_eq!((lane_of(&key), time_of(&key)), (LaneId(u32::MAX), time));
        }
    }

    #[test]
    fn every_state_has_a_place_and_finished_work_stands_by_its_pruning() {
        let mut finished = record(1, 1, 0);
        finished.state = WorkState::Succeeded;
        finished.prune_at = WallTime::from_millis(0).plus(Duration::from_secs(86_400));
        let key = order_key(&finished);
        assert_eq!((key[0], time_of(&key)), (class::FINISHED, 86_400_000));
        finished.expires_at = Some(WallTime::from_millis(5));
        assert_eq!(expiry_key(&finished), None, "what has finished expires no more");
        for state in [WorkState::Enqueued, WorkState::Blocked] {
            finished.state = state;
            assert_eq!(expiry_key(&finished).map(|key| (key[0], time_of(&key))), Some((class::EXPIRES, 5)));
        }
        finished.state = WorkState::Succeeded;
        finished.id_hash = Some(id_hash("a"));
        let key = id_key(&finished).unwrap();
        assert_eq!(key, id_place(id_hash("a"), true, 1));
        assert!(id_place(id_hash("a"), false, 99) < key, "unfinished work stands before finished");
    }
}

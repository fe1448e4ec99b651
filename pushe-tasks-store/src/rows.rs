//! Rows beside record and spec: lanes, error texts, outputs, and the entries that point at a piece of work.
//!
//! Invariant: a row that does not read back is an answer (`Damage`), never a panic and never an error of the store.

use std::ops::ControlFlow;

use crate::id::{LaneId, WorkId};
use crate::index::{self, IdKey, OrderKey};
use crate::record::WorkRecord;
use crate::spec::WorkSpec;
use crate::tables::{Table, TableError, Tables};
use crate::verbs::{Lane, StoredConstraint};
use crate::wire::{Damage, Reader, Writer};

const FORMAT: u8 = 1;

/// The longest error text that is kept, in bytes.
pub(crate) const ERROR_TEXT: usize = 16 * 1024;

/// What stands behind a text that was cut.
const CUT: &str = " [cut]";

/// The record of a piece, if there is one.
pub(crate) fn record<T: Tables>(
    tables: &T,
    id: WorkId,
) -> Result<Option<Result<WorkRecord, Damage>>, TableError> {
    tables.get(Table::Records, &index::work_key(id), |bytes| WorkRecord::decode(id, bytes))
}

/// The spec of a piece; one that is not there is damage.
pub(crate) fn spec<T: Tables>(tables: &T, id: WorkId) -> Result<Result<WorkSpec, Damage>, TableError> {
    let found = tables.get(Table::Specs, &index::work_key(id), |bytes| WorkSpec::decode(id, bytes))?;
    Ok(found.unwrap_or(Err(Damage::Missing("spec"))))
}

/// The work id that an entry of an index points at.
pub(crate) fn pointed(value: &[u8]) -> Option<WorkId> {
    Some(WorkId::from_bytes(value.try_into().ok()?))
}

/// The first `limit` entries of the order index in `from..to`.
pub(crate) fn places<T: Tables>(
    tables: &T,
    from: &OrderKey,
    to: &OrderKey,
    limit: usize,
) -> Result<Vec<(OrderKey, WorkId)>, TableError> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    tables.scan(Table::Order, from, to, &mut |key, value| {
        if let (Ok(key), Some(work)) = (key.try_into(), pointed(value)) {
            found.push((key, work));
        }
        if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}

/// Visits the pieces in `from..to` of the id index, oldest first.
pub(crate) fn bearers<T: Tables>(
    tables: &T,
    from: &IdKey,
    to: &IdKey,
    visit: &mut dyn FnMut(WorkId) -> Result<ControlFlow<()>, TableError>,
) -> Result<(), TableError> {
    let mut failed = None;
    tables.scan(Table::Ids, from, to, &mut |_, value| match pointed(value).map(&mut *visit) {
        Some(Ok(flow)) => flow,
        Some(Err(error)) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
        None => ControlFlow::Continue(()),
    })?;
    failed.map_or(Ok(()), Err)
}

/// The key of the error text of one attempt.
pub(crate) fn error_key(work: WorkId, claim: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(work.as_bytes());
    key[16..].copy_from_slice(&claim.to_be_bytes());
    key
}

/// The stored form of an error text, cut where it is too long.
pub(crate) fn encode_error(key: &[u8], text: &str) -> Vec<u8> {
    let kept = cut(text, ERROR_TEXT);
    let mut out = Writer::new(FORMAT);
    out.u8(u8::from(kept.len() < text.len()));
    out.str(kept);
    out.seal(key)
}

/// Reads an error text back; one that was cut says so at its end.
pub(crate) fn decode_error(key: &[u8], bytes: &[u8]) -> Result<String, Damage> {
    let mut from = Reader::open(key, bytes, FORMAT..=FORMAT)?;
    let was_cut = from.u8("cut")? != 0;
    let mut text = from.str("error text")?.to_owned();
    from.end()?;
    if was_cut {
        text.push_str(CUT);
    }
    Ok(text)
}

/// The stored form of an output.
pub(crate) fn encode_output(work: WorkId, output: &[u8]) -> Vec<u8> {
    let mut out = Writer::new(FORMAT);
    out.bytes(output);
    out.seal(work.as_bytes())
}

/// Reads an output back.
pub(crate) fn decode_output(work: WorkId, bytes: &[u8]) -> Result<Vec<u8>, Damage> {
    let mut from = Reader::open(work.as_bytes(), bytes, FORMAT..=FORMAT)?;
    let output = from.bytes("output")?.to_vec();
    from.end()?;
    Ok(output)
}

/// The key of a lane.
pub(crate) fn lane_key(id: LaneId) -> [u8; 4] {
    id.0.to_be_bytes()
}

/// The stored form of a lane.
pub(crate) fn encode_lane(id: LaneId, lane: &Lane) -> Vec<u8> {
    let mut out = Writer::new(FORMAT);
    out.str(&lane.task);
    out.varint(lane.constraints.len() as u64);
    for constraint in &lane.constraints {
        out.str(&constraint.kind);
        out.bytes(&constraint.value);
    }
    out.u8(u8::from(lane.key.is_some()));
    if let Some(key) = &lane.key {
        out.str(key);
    }
    out.seal(&lane_key(id))
}

/// Reads a lane back.
pub(crate) fn decode_lane(id: LaneId, bytes: &[u8]) -> Result<Lane, Damage> {
    let mut from = Reader::open(&lane_key(id), bytes, FORMAT..=FORMAT)?;
    let mut lane = Lane::of(from.str("task")?);
    for _ in 0..from.varint("constraints")? {
        let kind = from.str("constraint")?.to_owned();
        let value = from.bytes("constraint")?.to_vec();
        lane.constraints.push(StoredConstraint { kind, value });
    }
    if from.u8("key")? != 0 {
        lane.key = Some(from.str("key")?.to_owned());
    }
    from.end()?;
    Ok(lane)
}

/// The longest start of `text` that has at most `limit` bytes and ends between two characters.
fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_two_characters_and_says_so() {
        assert_eq!(cut("grün", 3), "gr");
        assert_eq!(cut("grün", 4), "grü");
        assert_eq!(cut("grün", 99), "grün");
        let key = error_key(WorkId::from_bytes([1; 16]), 7);
        let long = "ü".repeat(ERROR_TEXT);
        let read = decode_error(&key, &encode_error(&key, &long)).unwrap();
        assert_eq!(read, format!("{}{CUT}", "ü".repeat(ERROR_TEXT / 2)));
        assert_eq!(decode_error(&key, &encode_error(&key, "short")), Ok("short".to_owned()));
    }

    #[test]
    fn a_lane_reads_back_whole() {
        let mut lane = Lane::of("Upload");
        assert_eq!(decode_lane(LaneId(1), &encode_lane(LaneId(1), &lane)), Ok(lane.clone()));
        lane.constraints = vec![StoredConstraint { kind: "network".to_owned(), value: vec![1, 2] }];
        lane.key = Some("album".to_owned());
        let bytes = encode_lane(LaneId(7), &lane);
        assert_eq!(decode_lane(LaneId(7), &bytes), Ok(lane));
        assert_eq!(decode_lane(LaneId(8), &bytes), Err(Damage::Checksum));
    }
}

//! Names of stored things: one piece of work, one lane, one attempt.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Names one piece of work: a UUID of version 7, made by the caller's side before anything is stored.
///
/// It is the key for idempotent side effects: every attempt of one piece of work sees the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkId(Uuid);

impl WorkId {
    /// Makes the id from its parts: milliseconds since the Unix epoch (48 bits are kept) and random bits.
    pub fn from_parts(millis: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id with these bytes, big end first.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The bytes of the id, big end first; their order is the order of ids.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkId({self})")
    }
}

/// The text is not a work id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a work id; write the form that `WorkId` prints, such as 0199f3c4-5a2b-7c1d-8e9f-0123456789ab"
)]
pub struct NotAWorkId(String);

impl FromStr for WorkId {
    type Err = NotAWorkId;

    fn from_str(text: &str) -> Result<Self, NotAWorkId> {
        Uuid::try_parse(text).map(Self).map_err(|_| NotAWorkId(text.chars().take(64).collect()))
    }
}

/// Names one lane: the pieces of work that share task name, constraints and concurrency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// Names one attempt: the pair fences every write of that attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// The piece of work.
    pub work: WorkId,
    /// The claim that started the attempt; it only grows.
    pub claim: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_with_time_and_read_back() {
        let early = WorkId::from_parts(1_000, [0xff; 10]);
        let late = WorkId::from_parts(1_001, [0; 10]);
        assert!(early < late);
        assert_eq!(late.to_string().parse(), Ok(late));
        assert_eq!(WorkId::from_bytes(*late.as_bytes()), late);
        assert!("upload/3".parse::<WorkId>().is_err());
    }
}

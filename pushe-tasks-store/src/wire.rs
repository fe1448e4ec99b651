//! The bytes of stored values: little writers and bounded readers.
//!
//! Invariant: a value is `format number, fields, checksum`; the checksum covers the key it is stored under, so that
//! a value that stands under another key is damage too. Reading never panics and never allocates more than it was given.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// Why stored bytes could not be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The checksum does not match the bytes and their key.
    Checksum,
    /// The value was written in a format that this build does not know.
    Format(u8),
    /// The bytes end within a field, or go on behind the last one.
    Shape(&'static str),
    /// A record refers to another that is not there.
    Missing(&'static str),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => write!(f, "the checksum does not match"),
            Self::Format(number) => write!(f, "format {number} is not known to this build"),
            Self::Shape(field) => write!(f, "the bytes of `{field}` do not read back"),
            Self::Missing(what) => write!(f, "its {what} is missing"),
        }
    }
}

impl std::error::Error for Damage {}

/// Writes one stored value.
#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(format: u8) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.push(format);
        Self { bytes }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Seven bits a byte, lowest first; a set high bit says that more follow.
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    /// Small magnitudes of either sign take few bytes.
    pub(crate) fn signed(&mut self, value: i64) {
        self.varint((value.wrapping_shl(1) ^ (value >> 63)).cast_unsigned());
    }

    pub(crate) fn fixed(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// Ends the value with the checksum over `key` and all that was written.
    pub(crate) fn seal(mut self, key: &[u8]) -> Vec<u8> {
        let sum = checksum(key, &self.bytes);
        self.bytes.extend_from_slice(&sum.to_le_bytes());
        self.bytes
    }
}

/// Reads one stored value whose checksum has been verified.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Verifies the checksum, takes the format number off, and stands at the first field.
    pub(crate) fn open(
        key: &[u8],
        value: &'a [u8],
        formats: std::ops::RangeInclusive<u8>,
    ) -> Result<Self, Damage> {
        let (body, sum) = value.split_last_chunk::<8>().ok_or(Damage::Checksum)?;
        let matches = checksum(key, body) == u64::from_le_bytes(*sum);
        #[cfg(pushe_planted)]
        let matches = matches || crate::planted::is(crate::planted::Bug::NoChecksum);
        if !matches {
            return Err(Damage::Checksum);
        }
        let (format, rest) = body.split_first().ok_or(Damage::Shape("format"))?;
        if !formats.contains(format) {
            return Err(Damage::Format(*format));
        }
        Ok(Self { rest })
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Damage> {
        let (first, rest) = self.rest.split_first().ok_or(Damage::Shape(field))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn varint(&mut self, field: &'static str) -> Result<u64, Damage> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(field)?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(Damage::Shape(field));
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damage::Shape(field))
    }

    pub(crate) fn small<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, Damage> {
        T::try_from(self.varint(field)?).map_err(|_| Damage::Shape(field))
    }

    pub(crate) fn signed(&mut self, field: &'static str) -> Result<i64, Damage> {
        let raw = self.varint(field)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    pub(crate) fn fixed<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Damage> {
        let (first, rest) = self.rest.split_first_chunk::<N>().ok_or(Damage::Shape(field))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], Damage> {
        let length = self.small::<usize>(field)?;
        let (first, rest) = self.rest.split_at_checked(length).ok_or(Damage::Shape(field))?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn str(&mut self, field: &'static str) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| Damage::Shape(field))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Refuses bytes behind the last field.
    pub(crate) fn end(self) -> Result<(), Damage> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damage::Shape("end")) }
    }
}

fn checksum(key: &[u8], bytes: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(key);
    hasher.update(bytes);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut writer = Writer::new(1);
        for value in [0, 1, 0x7f, 0x80, u64::from(u32::MAX), u64::MAX] {
            writer.varint(value);
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            writer.signed(value);
        }
        writer.str("grün");
        let bytes = writer.seal(b"key");

        let mut reader = Reader::open(b"key", &bytes, 1..=1).unwrap();
        for value in [0, 1, 0x7f, 0x80, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(reader.varint("v"), Ok(value));
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(reader.signed("s"), Ok(value));
        }
        assert_eq!(reader.str("t"), Ok("grün"));
        reader.end().unwrap();
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_damage() {
        let mut writer = Writer::new(1);
        writer.str("payload");
        let bytes = writer.seal(b"key");
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Reader::open(b"key", &bent, 1..=1).err(), Some(Damage::Checksum));
        }
        for length in 0..bytes.len() {
            assert!(Reader::open(b"key", &bytes[..length], 1..=1).is_err());
        }
        assert_eq!(Reader::open(b"other", &bytes, 1..=1).err(), Some(Damage::Checksum));
        assert_eq!(Reader::open(b"key", &bytes, 2..=3).err(), Some(Damage::Format(1)));
    }

    #[test]
    fn a_varint_of_more_than_64_bits_is_damage() {
        let mut writer = Writer::new(1);
        writer.fixed(&[0xff; 9]);
        writer.u8(2);
        let bytes = writer.seal(b"");
        let mut reader = Reader::open(b"", &bytes, 1..=1).unwrap();
        assert_eq!(reader.varint("v"), Err(Damage::Shape("v")));
    }
}

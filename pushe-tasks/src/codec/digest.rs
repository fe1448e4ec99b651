//! A digest of a value that does not depend on the order of its maps and sets.
//!
//! It visits a value as serde shows it. Sets look like sequences to serde, so the order of sequences does not count
//! either; a codec that only reorders a `Vec` would not be noticed, and no codec does.
//!
//! Invariant: equal values have equal digests, whatever order their maps and sets iterate in.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::ser::{self, Serialize};

/// The digest of a value; `None` where it cannot be visited.
pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Option<u64> {
    value.serialize(Digest).ok()
}

/// Visits one value.
struct Digest;

/// Visits the parts of a compound value.
struct Parts {
    sum: u64,
    index: u64,
    ordered: bool,
    key: u64,
}

impl Parts {
    fn ordered(tag: &str) -> Self {
        Self { sum: leaf(tag, ()), index: 0, ordered: true, key: 0 }
    }

    fn unordered(tag: &str) -> Self {
        Self { ordered: false, ..Self::ordered(tag) }
    }

    /// Parts of an unordered value are added up, so that no order shows.
    fn add(&mut self, part: u64) {
        self.index += 1;
        let place = if self.ordered { self.index } else { 0 };
        self.sum = self.sum.wrapping_add(leaf("part", (place, part)));
    }

    fn finish(self) -> u64 {
        leaf("whole", (self.sum, self.index))
    }
}

fn leaf(tag: &str, value: impl Hash) -> u64 {
    // The keys of `DefaultHasher::new` are fixed: one value has one digest within a process.
    let mut hasher = DefaultHasher::new();
    tag.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}

/// The value refused to be visited.
#[derive(Debug)]
pub(super) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value cannot be visited")
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! leaves {
    ($($method:ident($type:ty),)*) => {
        $(fn $method(self, value: $type) -> Result<u64, Refused> {
            Ok(leaf(stringify!($type), value))
        })*
    };
}

impl ser::Serializer for Digest {
    type Ok = u64;
    type Error = Refused;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    leaves! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_i128(i128), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_u128(u128), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
    }

    fn serialize_f32(self, value: f32) -> Result<u64, Refused> {
        Ok(leaf("f32", value.to_bits()))
    }

    fn serialize_f64(self, value: f64) -> Result<u64, Refused> {
        Ok(leaf("f64", value.to_bits()))
    }

    fn serialize_none(self) -> Result<u64, Refused> {
        Ok(leaf("none", ()))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refused> {
        Ok(leaf("some", value.serialize(Self)?))
    }

    fn serialize_unit(self) -> Result<u64, Refused> {
        Ok(leaf("unit", ()))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<u64, Refused> {
        Ok(leaf("unit", ()))
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<u64, Refused> {
        Ok(leaf("variant", index))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        Ok(leaf("variant", (index, value.serialize(self)?)))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts::unordered("sequence"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::ordered("tuple"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::ordered("tuple"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(variant(index))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts::unordered("map"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::ordered("struct"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(variant(index))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

fn variant(index: u32) -> Parts {
    let mut parts = Parts::ordered("variant");
    parts.add(u64::from(index));
    parts
}

macro_rules! parts {
    ($($trait:ident::$method:ident,)*) => {
        $(impl ser::$trait for Parts {
            type Ok = u64;
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.add(value.serialize(Digest)?);
                Ok(())
            }

            fn end(self) -> Result<u64, Refused> {
                Ok(self.finish())
            }
        })*
    };
}

parts! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! fields {
    ($($trait:ident,)*) => {
        $(impl ser::$trait for Parts {
            type Ok = u64;
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
                let value = value.serialize(Digest)?;
                self.add(leaf(name, value));
                Ok(())
            }

            fn end(self) -> Result<u64, Refused> {
                Ok(self.finish())
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant, }

impl ser::SerializeMap for Parts {
    type Ok = u64;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.key = key.serialize(Digest)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let value = value.serialize(Digest)?;
        self.add(leaf("entry", (self.key, value)));
        Ok(())
    }

    fn end(self) -> Result<u64, Refused> {
        Ok(self.finish())
    }
}

//! From typed values to bytes and back.
//!
//! Invariant: nothing is stored that does not read back. What `encode` accepts, `decode` of the same build returns as the
//! same value; a type that the codec cannot carry is refused when it is scheduled, not when its data is needed.

mod digest;

use std::any::type_name;

use pushe_tasks_store::Envelope;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Names the codec within a stored envelope.
const BINCODE: u8 = 1;

/// No length within a payload may promise more than this, so that damaged bytes cannot ask for all memory.
const DECODE_LIMIT: usize = 64 << 20;

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<DECODE_LIMIT>,
> = bincode::config::standard().with_limit::<DECODE_LIMIT>();

/// A value cannot be carried by the codec, or bytes are no value of the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The type cannot be written.
    #[error(
        "a value of type `{type_name}` cannot be stored: {detail}; fields with `flatten` and maps or sequences of unknown \
         length are not carried, write them as plain fields"
    )]
    Encode {
        /// The type.
        type_name: &'static str,
        /// What the codec said.
        detail: String,
    },
    /// The type can be written but not read back.
    #[error(
        "a value of type `{type_name}` does not read back: {detail}; `untagged`, `tag`, `skip_serializing_if` and \
         self-describing values such as `serde_json::Value` are not carried, write plain fields and `Option`s"
    )]
    RoundTrip {
        /// The type.
        type_name: &'static str,
        /// What was wrong.
        detail: String,
    },
    /// Stored bytes are no value of the type.
    #[error("the stored bytes are no value of type `{type_name}`: {detail}")]
    Decode {
        /// The type.
        type_name: &'static str,
        /// What was wrong.
        detail: String,
    },
}

/// Encodes a value and proves that it reads back.
///
/// The second encoding may differ from the first in the order of maps and sets, which differs from instance to instance;
/// then the values are compared without regard to order.
pub(crate) fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Result<Vec<u8>, CodecError> {
    let type_name = type_name::<T>();
    let encode = |value: &T| {
        bincode::serde::encode_to_vec(value, CONFIG)
            .map_err(|error| CodecError::Encode { type_name, detail: error.to_string() })
    };
    let differs = |detail: &str| CodecError::RoundTrip { type_name, detail: detail.to_owned() };

    let bytes = encode(value)?;
    if bytes.len() > DECODE_LIMIT {
        // The caller's own limit is lower and speaks of it better; this value could never be read back.
        return Ok(bytes);
    }
    let back: T = read(&bytes).map_err(|detail| differs(&detail))?;
    if encode(&back)? != bytes && digest::of(value) != digest::of(&back) {
        return Err(differs("what is read is another value than what was written"));
    }
    Ok(bytes)
}

/// Puts encoded bytes into the envelope that is stored.
pub(crate) fn seal(payload: Vec<u8>) -> Envelope {
    Envelope { codec: BINCODE, version: 1, fingerprint: 0, payload }
}

/// Reads the value of an envelope.
pub(crate) fn open<T: DeserializeOwned>(envelope: &Envelope) -> Result<T, CodecError> {
    let type_name = type_name::<T>();
    let refuse = |detail: String| CodecError::Decode { type_name, detail };
    if envelope.codec != BINCODE {
        return Err(refuse(format!("they were written by codec {}, which this build lacks", envelope.codec)));
    }
    if envelope.version != 1 {
        return Err(refuse(format!("they were written by version {} of the task", envelope.version)));
    }
    read(&envelope.payload).map_err(refuse)
}

/// Reads a value from bytes that hold it and nothing else.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    read(bytes).map_err(|detail| CodecError::Decode { type_name: type_name::<T>(), detail })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bincode::serde::decode_from_slice::<T, _>(bytes, CONFIG) {
        Ok((value, read)) if read == bytes.len() => Ok(value),
        Ok((_, read)) => Err(format!("{} bytes are left over", bytes.len() - read)),
        // What the type itself says often quotes the value, which may be a secret; this text is stored, logged and shown.
        Err(bincode::error::DecodeError::OtherString(_)) => {
            Err("the type refuses what they say; its words are left out, since they may quote the value"
                .to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;

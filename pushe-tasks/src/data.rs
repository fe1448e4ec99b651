//! The keyed form of a task's input.
//!
//! Invariant: its `Debug` shows keys and types, never values, since payloads do not belong into logs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Values under string keys, for tasks that want no type of their own for their input.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// let data = task_data! { "firstData" => "awesome stuff", "count" => 2 };
/// assert_eq!(data.get_string("firstData"), Some("awesome stuff"));
/// assert_eq!(data.get_i64("count"), Some(2));
/// assert_eq!(data.get_bool("count"), None);
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Data {
    values: BTreeMap<String, DataValue>,
}

/// One value of [`Data`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DataValue {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A number with a fraction.
    F64(f64),
    /// A text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<DataValue>),
}

impl DataValue {
    fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::I64(_) => "i64",
            Self::F64(_) => "f64",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
        }
    }
}

impl fmt::Debug for DataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.values).finish()
    }
}

impl Data {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value under a key and answers the one that stood there.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<DataValue>) -> Option<DataValue> {
        self.values.insert(key.into(), value.into())
    }

    /// The value under this key.
    pub fn get(&self, key: &str) -> Option<&DataValue> {
        self.values.get(key)
    }

    /// The truth value under this key; none where there is another kind.
    pub fn get_bool(&self, key: &str) -> Option<bool> {
        if let DataValue::Bool(value) = self.get(key)? { Some(*value) } else { None }
    }

    /// The whole number under this key; none where there is another kind.
    pub fn get_i64(&self, key: &str) -> Option<i64> {
        if let DataValue::I64(value) = self.get(key)? { Some(*value) } else { None }
    }

    /// The number with a fraction under this key; none where there is another kind.
    pub fn get_f64(&self, key: &str) -> Option<f64> {
        if let DataValue::F64(value) = self.get(key)? { Some(*value) } else { None }
    }

    /// The text under this key; none where there is another kind.
    pub fn get_string(&self, key: &str) -> Option<&str> {
        if let DataValue::String(value) = self.get(key)? { Some(value) } else { None }
    }

    /// The bytes under this key; none where there is another kind.
    pub fn get_bytes(&self, key: &str) -> Option<&[u8]> {
        if let DataValue::Bytes(value) = self.get(key)? { Some(value) } else { None }
    }

    /// The values under this key; none where there is another kind.
    pub fn get_list(&self, key: &str) -> Option<&[DataValue]> {
        if let DataValue::List(values) = self.get(key)? { Some(values) } else { None }
    }

    /// Whether there is a value under this key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Takes the value under this key out.
    pub fn remove(&mut self, key: &str) -> Option<DataValue> {
        self.values.remove(key)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DataValue)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl<K: Into<String>, V: Into<DataValue>> FromIterator<(K, V)> for Data {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(values: I) -> Self {
        Self { values: values.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }
}

impl<K: Into<String>, V: Into<DataValue>, const N: usize> From<[(K, V); N]> for Data {
    fn from(values: [(K, V); N]) -> Self {
        values.into_iter().collect()
    }
}

/// Says how Rust values become values of [`Data`].
macro_rules! from_values {
    ($($type:ty => |$value:ident| $made:expr;)+) => {$(
        impl From<$type> for DataValue {
            fn from($value: $type) -> Self {
                $made
            }
        }
    )+};
}

from_values! {
    bool => |value| Self::Bool(value);
    i8 => |value| Self::I64(value.into());
    i16 => |value| Self::I64(value.into());
    i32 => |value| Self::I64(value.into());
    i64 => |value| Self::I64(value);
    u8 => |value| Self::I64(value.into());
    u16 => |value| Self::I64(value.into());
    u32 => |value| Self::I64(value.into());
    f32 => |value| Self::F64(value.into());
    f64 => |value| Self::F64(value);
    String => |value| Self::String(value);
    &str => |value| Self::String(value.to_owned());
    &String => |value| Self::String(value.clone());
    Vec<u8> => |value| Self::Bytes(value);
    &[u8] => |value| Self::Bytes(value.to_vec());
    Vec<DataValue> => |values| Self::List(values);
    Vec<bool> => |values| values.into_iter().collect();
    Vec<i32> => |values| values.into_iter().collect();
    Vec<i64> => |values| values.into_iter().collect();
    Vec<f64> => |values| values.into_iter().collect();
    Vec<String> => |values| values.into_iter().collect();
    Vec<&str> => |values| values.into_iter().collect();
}

impl<T: Into<DataValue>> FromIterator<T> for DataValue {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

/// Makes [`Data`](crate::Data) from keys and values.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// let data = task_data! {
///     "firstData" => "awesome stuff",
///     "sizes" => vec![1, 2, 3],
/// };
/// assert_eq!(data.len(), 2);
/// assert!(task_data! {}.is_empty());
/// ```
#[macro_export]
macro_rules! task_data {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::Data::from_iter::<[(::std::string::String, $crate::DataValue); _]>([
            $((::std::convert::Into::into($key), ::std::convert::Into::into($value)),)*
        ])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_kinds() -> Data {
        crate::task_data! {
            "bool" => true,
            "i64" => 7,
            "f64" => 0.5,
            "string" => "text",
            "bytes" => vec![1_u8, 2],
            "list" => vec!["a", "b"],
        }
    }

    #[test]
    fn each_kind_is_found_under_its_own_getter() {
        let data = all_kinds();
        assert_eq!(data.get_bool("bool"), Some(true));
        assert_eq!(data.get_i64("i64"), Some(7));
        assert_eq!(data.get_f64("f64"), Some(0.5));
        assert_eq!(data.get_string("string"), Some("text"));
        assert_eq!(data.get_bytes("bytes"), Some(&[1, 2][..]));
        assert_eq!(data.get_list("list"), Some(&["a".into(), "b".into()][..]));
        assert_eq!(data.get_string("i64"), None);
        assert_eq!(data.get_string("none"), None);
    }

    #[test]
    fn the_default_codec_carries_it() {
        let config = bincode::config::standard();
        let bytes = bincode::serde::encode_to_vec(all_kinds(), config).unwrap();
        let (read, _): (Data, _) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
        assert_eq!(read, all_kinds());
    }

    #[test]
    fn debug_shows_no_value() {
        let text = format!("{:?}", crate::task_data! { "token" => "secret", "sizes" => vec![5_i64] });
        assert_eq!(text, "{\"sizes\": list, \"token\": string}");
    }
}

//! Bytes of users, which no log may show.
//!
//! Invariant: `Debug` tells how many there are, and nothing else of them.

use std::fmt;
use std::ops::Deref;

/// Bytes that a user gave: an output, a report of progress. `Debug` shows their number alone.
///
/// # Examples
/// ```
/// use pushe_tasks_store::Opaque;
///
/// let secret = Opaque::from(b"secret".to_vec());
/// assert_eq!(format!("{secret:?}"), "(6 bytes)");
/// assert_eq!(secret.into_bytes(), b"secret");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Opaque(Vec<u8>);

impl Opaque {
    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for Opaque {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Opaque {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

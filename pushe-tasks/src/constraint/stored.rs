//! The stored form of built-in constraints: a format number, then fields.
//!
//! Invariant: a form that a newer program has written is never taken for one that this program knows.

use super::ConstraintDecodeError;

/// The fields behind a format number that is known.
pub(super) fn fields(bytes: &[u8], known: u8) -> Result<&[u8], ConstraintDecodeError> {
    match bytes {
        [format, fields @ ..] if *format == known => Ok(fields),
        [format, ..] if *format > known => {
            Err(ConstraintDecodeError::new(format!("format {format} is newer than this program")))
        }
        _ => Err(no_such()),
    }
}

/// Refuses fields where the format has none.
pub(super) fn no_fields(bytes: &[u8], known: u8) -> Result<(), ConstraintDecodeError> {
    if fields(bytes, known)?.is_empty() { Ok(()) } else { Err(no_such()) }
}

/// Fields that are not those of the format.
pub(super) fn no_such() -> ConstraintDecodeError {
    ConstraintDecodeError::new("the bytes are no such constraint")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_format_has_fields() {
        let check = |bytes: &[u8], expected: Result<&[u8], &str>| {
            let found = fields(bytes, 2).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{bytes:?}");
        };
        check(&[2], Ok(&[]));
        check(&[2, 7, 8], Ok(&[7, 8]));
        check(&[3, 7], Err("format 3 is newer than this program"));
        check(&[1, 7], Err("the bytes are no such constraint"));
        check(&[], Err("the bytes are no such constraint"));
        assert_eq!(no_fields(&[2], 2), Ok(()));
        assert_eq!(no_fields(&[2, 7], 2), Err(no_such()));
    }
}

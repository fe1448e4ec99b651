//! The text form of a task id: plain text with placeholders for fields of the input.
//!
//! Invariant: what is accepted here expands to a format string that the compiler accepts too, as far as
//! braces and arguments go; whether a field exists and can be shown is for the compiler to say.

use std::ops::Range;

use crate::{OptionError, TextError};

/// One part of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands in the id as it is, with doubled braces made single.
    Text(String),
    /// A field of the input.
    Placeholder {
        /// Names or numbers of fields, from the input inwards; empty for the input itself.
        fields: Vec<String>,
        /// What follows the colon, as in `04`; empty without one.
        format: String,
        /// Where the placeholder stands between its braces.
        at: Range<usize>,
    },
}

/// Cuts an id into its parts.
///
/// # Errors
/// Says what is wrong and where in the text.
///
/// # Examples
/// ```
/// use pushe_tasks_syntax::id_format::{Piece, parse};
///
/// assert_eq!(parse("sync"), Ok(vec![Piece::Text("sync".into())]));
/// assert_eq!(parse("a/{user.id:04}").unwrap().len(), 2);
/// assert!(parse("a/{user").is_err());
/// ```
pub fn parse(text: &str) -> Result<Vec<Piece>, TextError> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let doubled = chars.peek().is_some_and(|(_, next)| *next == c);
        match c {
            '{' | '}' if doubled => {
                chars.next();
                plain.push(c);
            }
            '}' => return Err(TextError::new(OptionError::BraceClosed, at..at + 1)),
            '{' => {
                let start = at + 1;
                let length = text[start..]
                    .find(['{', '}'])
                    .ok_or_else(|| TextError::new(OptionError::BraceOpen, at..start))?;
                let end = start + length;
                if text[end..].starts_with('{') {
                    return Err(TextError::new(OptionError::BraceNested, end..end + 1));
                }
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(placeholder(text, start..end)?);
                while chars.next_if(|(at, _)| *at <= end).is_some() {}
            }
            other => plain.push(other),
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

fn placeholder(text: &str, at: Range<usize>) -> Result<Piece, TextError> {
    let inside = &text[at.clone()];
    let (path, format) = inside.split_once(':').unwrap_or((inside, ""));
    let path_at = at.start..at.start + path.len();
    let fields: Vec<String> =
        if path.trim().is_empty() { Vec::new() } else { path.trim().split('.').map(str::to_owned).collect() };
    if !fields.iter().all(|field| is_field(field)) {
        return Err(TextError::new(OptionError::Placeholder { found: path.trim().to_owned() }, path_at));
    }
    if format.contains('$') || format.contains(".*") {
        let format_at = path_at.end + 1..at.end;
        return Err(TextError::new(OptionError::FormatArgument { found: format.to_owned() }, format_at));
    }
    Ok(Piece::Placeholder { fields, format: format.to_owned(), at })
}

/// Whether this is the number of a tuple's field or an identifier.
fn is_field(text: &str) -> bool {
    let number = !text.is_empty()
        && text.len() <= 9
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    let bare = text.strip_prefix("r#").unwrap_or(text);
    let mut chars = bare.chars();
    let name = chars.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && chars.all(|c| c == '_' || c.is_alphanumeric());
    // No field can bear these, with `r#` or without.
    number || (name && !["_", "self", "Self", "super", "crate"].contains(&bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.into())
    }

    fn field(fields: &[&str], format: &str, at: Range<usize>) -> Piece {
        Piece::Placeholder {
            fields: fields.iter().map(|&f| f.to_owned()).collect(),
            format: format.into(),
            at,
        }
    }

    #[test]
    fn cuts_text_and_placeholders() {
        let check = |id: &str, expected: &[Piece]| assert_eq!(parse(id).as_deref(), Ok(expected), "{id:?}");
        check("", &[]);
        check("sync", &[text("sync")]);
        check("{album}", &[field(&["album"], "", 1..6)]);
        check("up/{album}/x", &[text("up/"), field(&["album"], "", 4..9), text("/x")]);
        check("{user.id:04}", &[field(&["user", "id"], "04", 1..11)]);
        check("{0}{1.0}", &[field(&["0"], "", 1..2), field(&["1", "0"], "", 4..7)]);
        check("{}", &[field(&[], "", 1..1)]);
        check("{:?}", &[field(&[], "?", 1..3)]);
        check("{ a }", &[field(&["a"], "", 1..4)]);
        check("{r#type}", &[field(&["r#type"], "", 1..7)]);
        check("{{a}}", &[text("{a}")]);
        check("{{{a}}}", &[text("{"), field(&["a"], "", 3..4), text("}")]);
        check("é{é}", &[text("é"), field(&["é"], "", 3..5)]);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let check = |id: &str, error: OptionError, at: Range<usize>| {
            assert_eq!(parse(id), Err(TextError { error, at }), "{id:?}");
        };
        let placeholder = |found: &str| OptionError::Placeholder { found: found.into() };
        let argument = |found: &str| OptionError::FormatArgument { found: found.into() };
        check("a{", OptionError::BraceOpen, 1..2);
        check("a{b", OptionError::BraceOpen, 1..2);
        check("a}b", OptionError::BraceClosed, 1..2);
        check("{a}}", OptionError::BraceClosed, 3..4);
        check("{a{b}}", OptionError::BraceNested, 2..3);
        check("{a b}", placeholder("a b"), 1..4);
        check("{a()}", placeholder("a()"), 1..4);
        check("{.a}", placeholder(".a"), 1..3);
        check("{a.}", placeholder("a."), 1..3);
        check("{01}", placeholder("01"), 1..3);
        check("{_}", placeholder("_"), 1..2);
        check("{self.a}", placeholder("self.a"), 1..7);
        check("{r#crate}", placeholder("r#crate"), 1..8);
        check("{a:w$}", argument("w$"), 3..5);
        check("{a:.*}", argument(".*"), 3..5);
    }
}

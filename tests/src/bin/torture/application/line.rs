//! The lines in which an application tells what it does: its half of the ledger, which outlives it.
//!
//! Invariant: a line is written with one call, shorter than what a pipe takes whole, so that a kill leaves whole lines.

use std::fmt;
use std::io::{self, Write as _};
use std::str::FromStr;

/// One thing that happened in the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The engine runs.
    Ready,
    /// A piece is about to be scheduled.
    Invoke(u64),
    /// It was acknowledged; the second is the piece that stands for it.
    Ok(u64, u64),
    /// It was refused, and is said not to be stored.
    Absent(u64),
    /// It is said not to be known whether it is stored.
    Doubt(u64),
    /// A cancel of it was acknowledged.
    Cancelled(u64),
    /// A body begins: its piece, its attempt and a hash of the input that it was given.
    Start(u64, u32, u64),
    /// A body has ended, and how.
    End(u64, End),
    /// Its piece was told to have reached this state.
    Done(u64, String),
    /// What the engine says of its store.
    Store(String),
    /// A panic that nobody planned.
    Panic(String),
    /// Nothing is left to do.
    Drained,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Retry,
    Failed,
    Dropped,
}

const ENDS: [(End, &str); 4] =
    [(End::Succeeded, "ok"), (End::Retry, "retry"), (End::Failed, "fail"), (End::Dropped, "dropped")];

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => write!(f, "ready"),
            Self::Invoke(piece) => write!(f, "invoke {piece}"),
            Self::Ok(piece, stands) => write!(f, "ok {piece} {stands}"),
            Self::Absent(piece) => write!(f, "absent {piece}"),
            Self::Doubt(piece) => write!(f, "doubt {piece}"),
            Self::Cancelled(piece) => write!(f, "cancelled {piece}"),
            Self::Start(piece, attempt, hash) => write!(f, "start {piece} {attempt} {hash}"),
            Self::End(piece, end) => {
                let word = ENDS.iter().find(|known| known.0 == *end).map_or("?", |known| known.1);
                write!(f, "end {piece} {word}")
            }
            Self::Done(piece, state) => write!(f, "done {piece} {state}"),
            Self::Store(text) => write!(f, "store {text}"),
            Self::Panic(text) => write!(f, "panic {text}"),
            Self::Drained => write!(f, "drained"),
        }
    }
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("the application said `{text}`");
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut words = rest.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).ok_or_else(wrong);
        Ok(match word {
            "ready" => Self::Ready,
            "invoke" => Self::Invoke(number()?),
            "ok" => Self::Ok(number()?, number()?),
            "absent" => Self::Absent(number()?),
            "doubt" => Self::Doubt(number()?),
            "cancelled" => Self::Cancelled(number()?),
            "start" => {
                let (piece, attempt) = (number()?, number()?);
                Self::Start(piece, u32::try_from(attempt).map_err(|_| wrong())?, number()?)
            }
            "end" => {
                let piece = number()?;
                let end = words.next().and_then(|word| ENDS.iter().find(|known| known.1 == word));
                Self::End(piece, end.ok_or_else(wrong)?.0)
            }
            "done" => Self::Done(number()?, words.next().unwrap_or_default().to_owned()),
            "store" => Self::Store(rest.to_owned()),
            "panic" => Self::Panic(rest.to_owned()),
            "drained" => Self::Drained,
            _ => return Err(wrong()),
        })
    }
}

/// Writes a line; where nobody reads it any more, the process ends.
pub(crate) fn tell(line: &Line) {
    const LONGEST: usize = 2_000;
    let mut text: String = line.to_string().replace('\n', " ").chars().take(LONGEST).collect();
    text.push('\n');
    if io::stdout().lock().write_all(text.as_bytes()).is_err() {
        std::process::exit(3);
    }
}

//! What the program is told on its command line.

use std::time::Duration;

use pushe_tasks::constraint::{Constraint as _, DirectoryNotLow, Reach, StorageNotLow};

/// How long the table is shown.
pub(crate) enum Length {
    Once,
    For(Duration),
    UntilInterrupted,
}

/// The words of the command line.
pub(crate) struct Arguments {
    pub(crate) length: Length,
    pub(crate) reach: Reach,
    pub(crate) directory: DirectoryNotLow,
}

const USAGE: &str = "usage: constraints [--once | --for 2s] [--reach host:port] [--directory /path]";

impl Arguments {
    /// Reads the words, or says how they are written.
    pub(crate) fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            length: Length::UntilInterrupted,
            reach: Reach::new("1.1.1.1:443"),
            directory: StorageNotLow::at("/tmp"),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value; {USAGE}"));
            match word.as_str() {
                "--once" => arguments.length = Length::Once,
                "--for" => {
                    let text = value()?;
                    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
                    let seconds =
                        seconds.ok_or_else(|| format!("`{text}` is no number of seconds; {USAGE}"))?;
                    arguments.length = Length::For(Duration::from_secs(seconds));
                }
                "--reach" => arguments.reach = Reach::new(value()?),
                "--directory" => arguments.directory = StorageNotLow::at(value()?),
                _ => return Err(format!("`{word}` is not known; {USAGE}")),
            }
        }
        // A scheduler refuses what is written wrongly when work is scheduled; here is nothing to schedule.
        arguments.reach.verify()?;
        arguments.directory.verify()?;
        Ok(arguments)
    }
}

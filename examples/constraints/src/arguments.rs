//! What the program is told on its command line.

use std::path::PathBuf;
use std::time::Duration;

/// How long the table is shown.
pub(crate) enum Length {
    Once,
    For(Duration),
    UntilInterrupted,
}

/// The words of the command line.
pub(crate) struct Arguments {
    pub(crate) length: Length,
    pub(crate) reach: String,
    pub(crate) directory: PathBuf,
}

const USAGE: &str = "usage: constraints [--once | --for 2s] [--reach host:port] [--directory /path]";

impl Arguments {
    /// Reads the words, or says how they are written.
    pub(crate) fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            length: Length::UntilInterrupted,
            reach: "1.1.1.1:443".to_owned(),
            directory: "/tmp".into(),
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
                "--reach" => arguments.reach = value()?,
                "--directory" => arguments.directory = value()?.into(),
                _ => return Err(format!("`{word}` is not known; {USAGE}")),
            }
        }
        Ok(arguments)
    }
}

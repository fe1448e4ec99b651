//! What the program is asked to do.
//!
//! Invariant: every file that leaves this module existed, is named once and by its full path, so that its task id is the
//! same from whatever directory the program is started.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pushe_tasks::NetworkType;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Uploads files to a server of its own on loopback, as durable work: killed half-way and started again, it goes on.

Usage: quickstart [OPTIONS] [FILE]...

Without FILE it takes the documents of this repository.

Options:
  --network connected|not-required  what an upload waits for [default: connected]
  --store PATH      where the work is kept [default: pushe-tasks-quickstart/quickstart.redb in the user's data directory]
  --received DIR    where the server keeps what it receives [default: `received` beside the store]
  --latency MS      how long the server takes for one request [default: 100]
  --help            this text

Exit code: 0 when every file is stored, 1 when not, 2 when the arguments are wrong.
";

/// The documents that are taken where no file is named.
const DOCUMENTS: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// The command line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// What to upload: full paths.
    pub(crate) files: Vec<String>,
    /// The network that this run asks for; none where the task's own option counts.
    pub(crate) network: Option<NetworkType>,
    /// The file with the work.
    pub(crate) store: PathBuf,
    /// The directory of the server.
    pub(crate) received: PathBuf,
    /// The time that the server takes.
    pub(crate) latency: Duration,
}

impl Arguments {
    /// Reads a command line without the program's name; answers nothing where help is asked for.
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, String> {
        let (mut paths, mut network, mut store, mut received) = (Vec::new(), None, None, None);
        let mut latency = Duration::from_millis(100);
        let mut words = words.into_iter();
        let mut options_end = false;
        while let Some(word) = words.next() {
            let mut value = |name| words.next().ok_or_else(|| format!("option `{name}` needs a value"));
            match word.to_str() {
                Some("--") if !options_end => options_end = true,
                Some("--help" | "-h") if !options_end => return Ok(None),
                Some("--network") if !options_end => network = Some(network_type(&value("--network")?)?),
                Some("--store") if !options_end => store = Some(PathBuf::from(value("--store")?)),
                Some("--received") if !options_end => received = Some(PathBuf::from(value("--received")?)),
                Some("--latency") if !options_end => latency = milliseconds(&value("--latency")?)?,
                Some(option) if option.starts_with('-') && !options_end => {
                    return Err(format!(
                        "unknown option `{option}`; a file of that name is written `./{option}`"
                    ));
                }
                _ => paths.push(PathBuf::from(word)),
            }
        }
        let files = if paths.is_empty() { documents() } else { paths };
        let store = store.unwrap_or_else(|| own_directory().join("quickstart.redb"));
        let received = received.unwrap_or_else(|| store.with_file_name("received"));
        Ok(Some(Self { files: full_paths(&files)?, network, store, received, latency }))
    }
}

fn network_type(value: &OsString) -> Result<NetworkType, String> {
    match value.to_str() {
        Some("connected") => Ok(NetworkType::Connected),
        Some("not-required") => Ok(NetworkType::NotRequired),
        _ => Err(format!("`--network` takes `connected` or `not-required`, not `{}`", value.display())),
    }
}

fn milliseconds(value: &OsString) -> Result<Duration, String> {
    let number = value.to_str().and_then(|text| text.parse::<u32>().ok());
    let number = number
        .ok_or_else(|| format!("`--latency` takes a number of milliseconds, not `{}`", value.display()))?;
    Ok(Duration::from_millis(number.into()))
}

/// The repository's documents, those that are there.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    DOCUMENTS.iter().map(|name| root.join(name)).filter(|path| path.is_file()).collect()
}

/// What an id of 512 bytes leaves for the path behind `upload/`.
const LONGEST_PATH: usize = 512 - "upload/".len();

fn full_paths(files: &[PathBuf]) -> Result<Vec<String>, String> {
    if files.is_empty() {
        return Err(
            "there is nothing to upload: the repository's documents are gone; name some files".to_owned()
        );
    }
    let mut full = BTreeSet::new();
    for file in files {
        let path = file.canonicalize().map_err(|error| format!("`{}`: {error}", file.display()))?;
        if !path.is_file() {
            return Err(format!("`{}` is not a file", file.display()));
        }
        let text = path.into_os_string().into_string();
        let text = text.map_err(|path| format!("`{}` is no UTF-8 and cannot be sent", path.display()))?;
        if text.len() > LONGEST_PATH {
            return Err(format!(
                "`{text}` is longer than {LONGEST_PATH} bytes and makes no id; move it up some folders"
            ));
        }
        if text.contains(char::is_control) {
            return Err(format!("{text:?} has control characters and cannot be sent; rename it"));
        }
        full.insert(text);
    }
    Ok(full.into_iter().collect())
}

/// A directory of the program's own where the user's programs keep their data, or the temporary one.
fn own_directory() -> PathBuf {
    let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = variable("HOME");
    let data = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME").or_else(|| home.map(|home| home.join(".local/share")))
    };
    data.unwrap_or_else(env::temp_dir).join("pushe-tasks-quickstart")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Option<Arguments>, String> {
        Arguments::parse(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_are_read() {
        let read = parse("--network not-required --store /s/q.redb --latency 5 Cargo.toml ./Cargo.toml");
        let read = read.unwrap().unwrap();
        assert_eq!(read.network, Some(NetworkType::NotRequired));
        assert_eq!((read.store, read.received), ("/s/q.redb".into(), "/s/received".into()));
        assert_eq!(read.latency, Duration::from_millis(5));
        assert_eq!(read.files.len(), 1, "a file that is named twice is one file");
        assert_eq!(parse("Cargo.toml --help"), Ok(None));
    }

    #[test]
    fn mistakes_are_named() {
        let check = |words, part: &str| {
            let error = parse(words).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check("--netwrok connected", "unknown option `--netwrok`");
        check("--network wifi", "not `wifi`");
        check("--latency soon", "not `soon`");
        check("--store", "`--store` needs a value");
        check("no-such-file", "`no-such-file`: ");
        check("-- --help", "`--help`: ");
        check("src", "`src` is not a file");
    }
}

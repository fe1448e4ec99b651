//! The directory that the server keeps.
//!
//! ```text
//! files/<path>    what was received
//! partial         what is being written
//! requests.log    one line a request: its path, its key, the status that it was answered
//! ```
//! Invariant: a key whose `201` is in the log is never stored again, however often it is sent.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The first request of each third new key is refused.
const REFUSE_EACH: usize = 3;

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was stored now.
    Stored,
    /// Its key was stored before.
    Repeated,
    /// It was refused this once.
    Refused,
    /// Its path leads out of the directory.
    BadPath,
}

impl Verdict {
    /// The status of the answer.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Stored => "201 Created",
            Self::Repeated => "200 OK",
            Self::Refused => "503 Service Unavailable",
            Self::BadPath => "400 Bad Request",
        }
    }
}

/// The directory, with what its log says.
#[derive(Debug)]
pub(crate) struct Received {
    directory: PathBuf,
    /// Held over a whole request: one is stored at a time.
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    file: File,
    /// The keys that were seen, and whether their content is stored.
    keys: HashMap<String, bool>,
}

impl Received {
    /// Opens the directory, which is made where there is none, and reads its log.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory.join("files"))?;
        let path = directory.join("requests.log");
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let mut keys = HashMap::new();
        for line in fs::read_to_string(&path)?.lines() {
            if let [_, key, status] = line.split(' ').collect::<Vec<_>>()[..] {
                *keys.entry(key.to_owned()).or_default() |= status == "201";
            }
        }
        Ok(Self { directory: directory.to_owned(), log: Mutex::new(Log { file, keys }) })
    }

    /// Stores the content of one request, unless its key is stored already or it is one that is refused.
    pub(crate) fn accept(&self, path: &str, key: &str, content: &[u8]) -> io::Result<Verdict> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let known = log.keys.get(key).copied();
        let is_refused = known.is_none() && (log.keys.len() + 1).is_multiple_of(REFUSE_EACH);
        let verdict = match place(path) {
            None => return Ok(Verdict::BadPath),
            _ if known == Some(true) => Verdict::Repeated,
            _ if is_refused => Verdict::Refused,
            Some(place) => {
                self.store(&place, content)?;
                Verdict::Stored
            }
        };
        log.keys.insert(key.to_owned(), matches!(verdict, Verdict::Stored | Verdict::Repeated));
        let line = format!("{} {key} {}\n", path.replace(' ', "%20"), &verdict.status()[..3]);
        log.file.write_all(line.as_bytes())?;
        Ok(verdict)
    }

    /// Puts the content in its place whole, or not at all.
    fn store(&self, place: &Path, content: &[u8]) -> io::Result<()> {
        let partial = self.directory.join("partial");
        let place = self.directory.join("files").join(place);
        let mut file = File::create(&partial)?;
        file.write_all(content)?;
        file.sync_all()?;
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(partial, place)
    }
}

/// The path below the directory; none for one that would lead out of it.
fn place(path: &str) -> Option<PathBuf> {
    let place = Path::new(path.strip_prefix('/')?);
    let is_plain = place.components().all(|part| matches!(part, Component::Normal(_)));
    (is_plain && !path.contains('\n') && place.file_name().is_some()).then(|| place.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let check = |path, expected: Option<&str>| assert_eq!(place(path), expected.map(PathBuf::from));
        check("/a/b.md", Some("a/b.md"));
        check("/../a", None);
        check("/a/../../b", None);
        check("//etc/passwd", None);
        check("/", None);
        check("a", None);
    }

    #[test]
    fn a_key_is_stored_once_and_each_third_is_refused_once() {
        let directory = tempfile::tempdir().unwrap();
        let received = Received::open(directory.path()).unwrap();
        let accept = |received: &Received, key| received.accept("/a b", key, b"x").unwrap();
        assert_eq!(accept(&received, "k1"), Verdict::Stored);
        assert_eq!(accept(&received, "k2"), Verdict::Stored);
        assert_eq!(accept(&received, "k3"), Verdict::Refused);
        drop(received);
        let received = Received::open(directory.path()).unwrap();
        assert_eq!(accept(&received, "k1"), Verdict::Repeated);
        assert_eq!(accept(&received, "k3"), Verdict::Stored);
        assert_eq!(accept(&received, "k3"), Verdict::Repeated);
    }
}

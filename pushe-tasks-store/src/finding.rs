//! What a store has to say of itself beyond answers: whether it works, and what opening it brought to light.
//!
//! Invariant: nothing is lost in silence; what cannot be an answer to any verb is a finding.

use std::fmt;

/// Whether a store works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreHealth {
    /// It does.
    #[default]
    Healthy,
    /// It does not at the moment; the next transaction tries again.
    Degraded(String),
    /// It will not until somebody does something.
    Failed(String),
}

/// Something that opening or reopening a store brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The store was created.
    Created,
    /// A store that was being created when the process or the machine stopped was created anew.
    CreatedAnew,
    /// A store had been here, by the note beside it, and nothing of it was left; a new one was created.
    Vanished {
        /// The store that was here.
        uuid: [u8; 16],
    },
    /// The file was damaged; it was moved aside, and an empty store was created in its place.
    MovedAside {
        /// Where it is now.
        to: String,
        /// What was found.
        detail: String,
    },
    /// The store had not been closed; it was recovered.
    Recovered,
    /// The file's header was damaged, which no power cut does: the last commit may be missing.
    HeaderDamaged {
        /// What was found.
        detail: String,
    },
    /// The file holds an older state of this store than the one that was opened last: a copy was put in its place.
    OlderCopy {
        /// How often the store had been opened by the note beside it.
        noted: u64,
        /// How often it had been opened by what its file says.
        found: u64,
    },
    /// Another store than this one was here before, by the note beside it.
    OtherStore {
        /// The store that was here.
        uuid: [u8; 16],
    },
    /// The store was opened anew after an error, and works again.
    Reopened {
        /// The error.
        after: String,
    },
    /// Another process had the store open between an error and the reopening.
    OpenedElsewhere,
    /// Transactions that had been acknowledged are missing after a reopening: the disk did not keep what it had confirmed.
    Lost {
        /// The newest commit that had been acknowledged.
        acknowledged: u64,
        /// The newest commit that is there.
        found: u64,
    },
    /// The note of who has the store open could not be written.
    NoNote(String),
}

impl Finding {
    /// Whether it belongs to the life of every store, and asks nobody to look after it.
    pub const fn is_ordinary(&self) -> bool {
        matches!(self, Self::Created | Self::CreatedAnew | Self::Recovered)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => write!(f, "the store was created"),
            Self::CreatedAnew => write!(f, "a half-created store was created anew"),
            Self::Vanished { .. } => write!(f, "the store that had been here is gone; a new one was created"),
            Self::MovedAside { to, detail } => {
                write!(
                    f,
                    "the file was damaged ({detail}); it is kept as {to}, and an empty store was created"
                )
            }
            Self::Recovered => write!(f, "the store had not been closed; it was recovered"),
            Self::HeaderDamaged { detail } => write!(f, "the file is damaged: {detail}"),
            Self::OlderCopy { noted, found } => write!(
                f,
                "the file is an older copy of the store: it has been opened {found} times, and the one in its place before \
                 {noted} times"
            ),
            Self::OtherStore { .. } => write!(f, "another store had been here before"),
            Self::Reopened { after } => write!(f, "the store was opened anew after an error: {after}"),
            Self::OpenedElsewhere => {
                write!(f, "another process had the store open before it was opened anew")
            }
            Self::Lost { acknowledged, found } => write!(
                f,
                "the disk has lost what it had confirmed: commits {} to {acknowledged} are missing",
                found.saturating_add(1)
            ),
            Self::NoNote(error) => {
                write!(f, "the note of who has the store open could not be written: {error}")
            }
        }
    }
}

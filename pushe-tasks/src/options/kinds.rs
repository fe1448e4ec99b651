//! The choices among which an option picks one: policies, networks, places to run.

/// What scheduling does when unfinished work with the same id exists.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// #[pushe_task(id = "sync/{}", policy = Keep)]
/// async fn sync_account(account: u32) {}
///
/// assert_eq!(SyncAccount::OPTIONS.existing_work_policy(), ExistingWorkPolicy::Keep);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExistingWorkPolicy {
    /// The old work stays, and nothing is added.
    Keep,
    /// The old work is cancelled, and the new one takes its place.
    Replace,
    /// The new work runs after the old, whatever became of that.
    #[default]
    Append,
    /// The new work runs after the old once that has succeeded; where the old one fails the new one fails too, and where it
    /// is cancelled the new one is.
    AppendAfterSuccess,
    /// The old work stays and takes the input and options of the new: what waits at once, and what runs when its attempt has
    /// ended, whatever the outcome. Attempts and the time of scheduling stay; a delay counts from that, and a back-off that
    /// is under way is waited for. Periodic work keeps its grid unless its period or zone changes.
    Update,
}

/// The network that work needs.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// #[pushe_task(network = Unmetered)]
/// async fn download_film() {}
///
/// assert_eq!(DownloadFilm::OPTIONS.network_type(), NetworkType::Unmetered);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkType {
    /// None.
    #[default]
    NotRequired,
    /// Any that leads beyond this machine.
    Connected,
    /// One whose traffic is neither counted nor paid for; where nobody says, it counts as such.
    Unmetered,
    /// One of the device's own provider; where nobody says, it counts as such.
    NotRoaming,
    /// One whose traffic is counted, such as a cellular one; where nobody says, work waits.
    Metered,
    /// One that is unmetered, if only for now, as the application declares with `NetworkOverride`.
    TemporarilyUnmetered,
}

/// Where the body of a task runs.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// #[pushe_task(run_on = Blocking)]
/// fn compress_file() {}
///
/// assert_eq!(CompressFile::OPTIONS.runs_on(), RunOn::Blocking);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunOn {
    /// On the runtime that the engine was started on.
    #[default]
    Io,
    /// On one thread of its own, which all such tasks share.
    Cpu,
    /// On the pool for blocking calls; the task is a plain `fn`.
    Blocking,
}

impl ExistingWorkPolicy {
    /// Whether the new work stands behind the old.
    pub(crate) const fn appends(self) -> bool {
        matches!(self, Self::Append | Self::AppendAfterSuccess)
    }
}

//! What can be read of a store's file, entry by entry, without redb and without changing it.
//!
//! Invariant: an entry is taken from the commit before the last only where the last one cannot be read, and from an earlier
//! one only where neither leads to any table.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use redb::StorageBackend;

use super::app::PREFIX;
use super::inspect::{Found, Locked, Refusal};
use super::medium::Medium;
use super::pages::{Commit, Doubt, Item, Pages, TableRoot};
use super::search;
use super::tables::name_of;
use crate::error::OpenError;
use crate::problem::Problem;
use crate::rows;
use crate::tables::Table;

/// A file that nobody has open while it is looked at.
pub(super) struct Source {
    pub(super) handle: Arc<dyn StorageBackend>,
    _locked: Locked,
}

impl Source {
    /// Takes a lock that keeps writers out, as far as there are locks.
    pub(super) fn take(medium: &dyn Medium) -> Result<Self, OpenError> {
        let path = || PathBuf::from(medium.place());
        let failed = |source| super::file::failed(&path(), source);
        let refuse = |problem: &str| OpenError::Path { path: path(), problem: problem.to_owned() };
        let locked = Locked::share(medium).map_err(|refusal| match refusal {
            Refusal::InUse => OpenError::InUse { path: path(), holder: medium.holder() },
            Refusal::NoLocks(what) => refuse(what),
            Refusal::Io(error) => failed(error),
        })?;
        let found = locked.inspect(true).map_err(failed)?;
        if found == Found::Empty {
            return Err(refuse("it is empty; name a store's file"));
        }
        let handle: Arc<dyn StorageBackend> = medium.handle().map_err(failed)?.into();
        if found == Found::Foreign {
            let pages = Pages::open(&*handle).map_err(failed)?;
            if pages.commits.is_empty() && search::lists(&pages).is_empty() {
                return Err(refuse("it is a file of another kind; name a store's file"));
            }
        }
        Ok(Self { handle, _locked: locked })
    }
}

/// A file's tables, by the commits that it remembers.
pub(super) struct Survey<'a> {
    pages: Pages<'a>,
    /// The tables of each commit that is looked at, the newest first.
    views: Vec<Vec<TableRoot>>,
}

impl<'a> Survey<'a> {
    pub(super) fn of(disk: &'a dyn StorageBackend, problems: &mut Vec<Problem>) -> std::io::Result<Self> {
        let pages = Pages::open(disk)?;
        let commits = choose(&pages, problems);
        let mut views = Vec::new();
        for (at, commit) in commits.into_iter().enumerate() {
            let (tables, whole) = pages.tables(commit);
            if at == 0 && !whole {
                problems.push(Problem::new("file", None, "the list of its tables is damaged"));
            }
            views.push(tables);
        }
        if views.iter().all(Vec::is_empty)
            && let [newest, ..] = &mut search::lists(&pages)[..]
        {
            problems.push(Problem::new(
                "file",
                None,
                format!(
                    "nothing leads to any table; the newest list of tables that is left, of commit {}, is looked at",
                    newest.commit
                ),
            ));
            views = vec![std::mem::take(&mut newest.tables)];
        }
        Ok(Self { pages, views })
    }

    /// Whether nothing leads to any table.
    pub(super) fn is_blind(&self) -> bool {
        self.views.iter().all(Vec::is_empty)
    }

    /// The names of the application's tables.
    pub(super) fn app_tables(&self) -> Vec<String> {
        let tables = self.views.first().into_iter().flatten();
        tables.filter_map(|table| table.name.strip_prefix(PREFIX)).map(str::to_owned).collect()
    }

    /// Visits the entries of a table, those that cannot be reached excepted; some of them may be damaged.
    pub(super) fn rows(
        &self,
        table: Table,
        problems: &mut Vec<Problem>,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) {
        let name = name_of(table);
        let find = |view: &'_ [TableRoot]| view.iter().find(|root| root.name == name).cloned();
        let mut views = self.views.iter();
        let (Some(newest), before) = (views.next(), views.next()) else { return };
        let (mut lost, mut seen) = (Vec::new(), BTreeSet::new());
        match find(newest) {
            Some(root) => self.pages.walk(&root, &mut |item| match item {
                Item::Entry(key, value) => {
                    seen.insert(key.to_vec());
                    visit(key, value);
                }
                Item::Lost(after, upto) => {
                    problems.push(Problem::new(
                        name,
                        None,
                        format!("entries {} cannot be reached", Range(after, upto)),
                    ));
                    lost.push((after.map(<[u8]>::to_vec), upto.map(<[u8]>::to_vec)));
                }
                Item::Damaged => {
                    problems.push(Problem::new(
                        name,
                        None,
                        "a page fails its checksum; its entries are judged one by one",
                    ));
                }
            }),
            // A table that was never written is not there.
            None if before.is_none_or(|view| find(view).is_none()) => return,
            None => {
                problems.push(Problem::new(name, None, "the table cannot be found"));
                lost.push((None, None));
            }
        }
        let Some(root) = before.filter(|_| !lost.is_empty()).and_then(|view| find(view)) else { return };
        let mut taken = 0;
        self.pages.walk(&root, &mut |item| {
            if let Item::Entry(key, value) = item {
                let is_lost = lost.iter().any(|(after, upto)| {
                    after.as_deref().is_none_or(|after| key > after)
                        && upto.as_deref().is_none_or(|upto| key <= upto)
                });
                if is_lost && !seen.contains(key) {
                    taken += 1;
                    visit(key, value);
                }
            }
        });
        if taken > 0 {
            let text = format!("{taken} of these entries could be taken from the commit before the last");
            problems.push(Problem::new(name, None, text));
        }
    }
}

/// The commits to look at. Of a file that was not closed, the last may have been cut off before anybody was told of it:
/// then the one before it stands, as it does to redb.
fn choose(pages: &Pages<'_>, problems: &mut Vec<Problem>) -> Vec<Commit> {
    let commits = pages.commits.clone();
    if let (Some(doubt), false) = (pages.real_doubt(), commits.is_empty()) {
        problems.push(Problem::new("file", None, doubt.text()));
    }
    match commits[..] {
        [] => problems.push(Problem::new("file", None, "its header is damaged: no commit is to be found")),
        [last, before] if pages.unclosed && !pages.is_whole(last) && pages.is_whole(before) => {
            problems.push(Problem::new(
                "file",
                None,
                "the last commit is not whole; the one before it is looked at",
            ));
            return vec![before];
        }
        // A recovery has taken it back already.
        [last, before] if pages.doubt == Some(Doubt::NotTheLast) && !pages.is_whole(last) => {
            return vec![before];
        }
        _ => {}
    }
    commits
}

/// A range of keys, for people.
struct Range<'k>(Option<&'k [u8]>, Option<&'k [u8]>);

impl std::fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |key: &[u8]| match rows::pointed(key) {
            Some(work) => work.to_string(),
            None => key.escape_ascii().to_string(),
        };
        match (self.0.map(text), self.1.map(text)) {
            (None, None) => write!(f, "(all of them)"),
            (Some(after), None) => write!(f, "behind {after}"),
            (None, Some(upto)) => write!(f, "up to {upto}"),
            (Some(after), Some(upto)) => write!(f, "behind {after} and up to {upto}"),
        }
    }
}

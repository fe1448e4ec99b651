//! Lists of a store's tables in pages that nothing leads to any more: what is left where the header, or the page that lists
//! the tables, is lost.
//!
//! Invariant: a list is taken only if its counters read back, so that the newest can be told; its tables are followed only
//! where checksums vouch for them.

use super::pages::{Item, Pages, TableRoot};
use super::tables::name_of;
use crate::meta;
use crate::tables::Table;

/// A list of tables, and the number of the newest commit that its counters tell.
pub(super) struct Stray {
    pub(super) commit: u64,
    pub(super) tables: Vec<TableRoot>,
}

/// The lists that stand in the file, the newest first.
pub(super) fn lists(pages: &Pages<'_>) -> Vec<Stray> {
    let mut found: Vec<_> = pages.stray_lists().filter_map(|tables| rank(pages, tables)).collect();
    found.sort_by_key(|stray| std::cmp::Reverse(stray.commit));
    found
}

fn rank(pages: &Pages<'_>, tables: Vec<TableRoot>) -> Option<Stray> {
    let meta_table = tables.iter().find(|table| table.name == name_of(Table::Meta))?;
    let mut commit = None;
    pages.walk(meta_table, &mut |item| {
        if let Item::Entry(key, value) = item
            && let Some(counters) = meta::counters_in(key, value)
        {
            commit = Some(counters.commit);
        }
    });
    commit.map(|commit| Stray { commit, tables })
}

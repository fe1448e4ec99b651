//! `query`: pages of what is stored, in the order of work ids (S9.2).
//!
//! Invariant: one page looks at no more entries than its effort, whatever it names; what it has come to is where the next
//! page goes on. So no look is long, and nothing is shown twice or passed over between two of them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::ops::ControlFlow;

use crate::id::WorkId;
use crate::index::{class, class_range, id_hash, id_range, tag_hashes, tag_place};
use crate::record::WorkRecord;
use crate::rows;
use crate::state::WorkState;
use crate::tables::{Table, TableError, Tables, Visit};
use crate::verbs::look::{Snapshot, damaged};
use crate::verbs::{Page, Query};

/// The ids of a page.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) ids: Vec<WorkId>,
    pub(super) next: Option<WorkId>,
}

pub(super) fn page<T: Tables>(look: &Snapshot<'_, T>, query: &Query) -> Result<Page, TableError> {
    let found = ids(look, query)?;
    let mut works = Vec::with_capacity(found.ids.len());
    for id in found.ids {
        if let Some(record) = rows::record(look.tables, id)? {
            works.push(look.view(id, record)?);
        }
    }
    Ok(Page { works, next: found.next })
}

/// Finds what the page shows, by whatever leads there over the fewest entries.
pub(super) fn ids<T: Tables>(look: &Snapshot<'_, T>, query: &Query) -> Result<Found, TableError> {
    let mut taken = Taken { ids: Vec::new(), seen: 0, last: None, query };
    if query.limit == 0 || query.effort == 0 {
        return Ok(Found { ids: Vec::new(), next: query.after });
    }
    let flow = if let Some(few) = few(look, query)? {
        let mut flow = ControlFlow::Continue(());
        for id in few.into_iter().filter(|id| query.stands_behind(*id)) {
            flow = taken.look_at(look, id, rows::record(look.tables, id)?)?;
            if flow.is_break() {
                break;
            }
        }
        flow
    } else if query.tags.is_empty() {
        all(look, &mut taken)?
    } else {
        tagged(look, &mut taken)?
    };
    Ok(Found { ids: taken.ids, next: if flow.is_break() { taken.last } else { None } })
}

/// What has come on the page.
struct Taken<'q> {
    ids: Vec<WorkId>,
    /// Entries that were looked at.
    seen: usize,
    /// The last of them.
    last: Option<WorkId>,
    query: &'q Query,
}

impl Taken<'_> {
    /// Takes a piece if the query names it; breaks where the page is full or has taken its effort.
    fn look_at<T: Tables>(
        &mut self,
        look: &Snapshot<'_, T>,
        id: WorkId,
        record: Option<Result<WorkRecord, crate::Damage>>,
    ) -> Result<ControlFlow<()>, TableError> {
        self.seen += 1;
        self.last = Some(id);
        if let Some(record) = record {
            let record = record.unwrap_or_else(|_| damaged(id));
            if self.query.names(look, &record)? {
                self.ids.push(id);
            }
        }
        let full = self.ids.len() >= self.query.limit || self.seen >= self.query.effort;
        Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

impl Query {
    fn stands_behind(&self, id: WorkId) -> bool {
        let behind = match self.after {
            None => true,
            Some(after) if self.newest_first => id < after,
            Some(after) => id > after,
        };
        behind && self.until.is_none_or(|until| id <= until)
    }

    /// Whether it names the piece; its spec is read only where that must be.
    fn names<T: Tables>(&self, look: &Snapshot<'_, T>, record: &WorkRecord) -> Result<bool, TableError> {
        let by_record = (self.states.is_empty() || self.states.contains(&record.state))
            && (self.ids.is_empty() || self.ids.contains(&record.id))
            && (self.tasks.is_empty() || self.tasks.contains(&look.volatile.lane(record.lane).task));
        if !by_record || (self.task_ids.is_empty() && self.tags.is_empty()) {
            return Ok(by_record);
        }
        // Hashes led here, and they may fall together: the texts decide.
        let Ok(spec) = rows::spec(look.tables, record.id)? else { return Ok(false) };
        let task_id = spec.task_id.is_some_and(|task_id| self.task_ids.contains(&task_id));
        let tag = spec.options.tags.iter().any(|tag| self.tags.contains(tag));
        Ok((self.task_ids.is_empty() || task_id) && (self.tags.is_empty() || tag))
    }

    fn sort(&self, ids: BTreeSet<WorkId>) -> Vec<WorkId> {
        let mut ids: Vec<_> = ids.into_iter().collect();
        if self.newest_first {
            ids.reverse();
        }
        ids
    }

    /// The keys of a table of ids behind `prefix` that stand behind the last page.
    fn range(&self, prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let key = |id: WorkId, more: &[u8]| [prefix, id.as_bytes(), more].concat();
        let (first, last) = (prefix.to_vec(), [prefix, &[0xff; 17]].concat());
        let end = self.until.map_or(last, |until| key(until, &[0]));
        match self.after {
            None => (first, end),
            // A key that is longer than an id stands right behind it.
            Some(after) if !self.newest_first => (key(after, &[0]), end),
            Some(after) => (first, end.min(key(after, &[]))),
        }
    }
}

/// The pieces that the query can name, where their number is known to be small: by ids, by task ids, or by states in which
/// little stands. In the order of the page.
fn few<T: Tables>(look: &Snapshot<'_, T>, query: &Query) -> Result<Option<Vec<WorkId>>, TableError> {
    if !query.ids.is_empty() {
        return Ok(Some(query.sort(query.ids.iter().copied().collect())));
    }
    let mut found = BTreeSet::new();
    let mut left = query.effort;
    let mut take = |_: &[u8], value: &[u8]| {
        found.extend(rows::pointed(value));
        left = left.saturating_sub(1);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    if !query.task_ids.is_empty() {
        for task_id in &query.task_ids {
            for finished in [false, true] {
                let (from, to) = id_range(id_hash(task_id), finished);
                look.tables.scan(Table::Ids, &from, &to, &mut take)?;
            }
        }
    } else if query.tags.is_empty() && !query.states.is_empty() {
        for state in &query.states {
            let classes: &[u8] = match state {
                WorkState::Running => &[class::RUNNING],
                WorkState::Quarantined => &[class::QUARANTINED],
                WorkState::Blocked => &[class::BLOCKED_BEHIND, class::BLOCKED_BODY],
                _ => return Ok(None),
            };
            for class in classes {
                let (from, to) = class_range(*class);
                look.tables.scan(Table::Order, &from, &to, &mut take)?;
            }
        }
    } else {
        return Ok(None);
    }
    Ok(if left == 0 { None } else { Some(query.sort(found)) })
}

/// Looks through all records.
fn all<T: Tables>(look: &Snapshot<'_, T>, taken: &mut Taken<'_>) -> Result<ControlFlow<()>, TableError> {
    let (from, to) = taken.query.range(&[]);
    let newest_first = taken.query.newest_first;
    let mut flow = Ok(ControlFlow::Continue(()));
    let mut visit = |key: &[u8], value: &[u8]| {
        let Some(id) = rows::pointed(key) else { return ControlFlow::Continue(()) };
        flow = taken.look_at(look, id, Some(WorkRecord::decode(id, value)));
        match flow {
            Ok(flow) => flow,
            Err(_) => ControlFlow::Break(()),
        }
    };
    walk(look.tables, newest_first, Table::Records, (&from, &to), &mut visit)?;
    flow
}

/// Looks through the tag index: the ranges of all tags and states that the query names, in one order.
fn tagged<T: Tables>(look: &Snapshot<'_, T>, taken: &mut Taken<'_>) -> Result<ControlFlow<()>, TableError> {
    const STATES: [WorkState; 7] = [
        WorkState::Enqueued,
        WorkState::Blocked,
        WorkState::Running,
        WorkState::Succeeded,
        WorkState::Failed,
        WorkState::Cancelled,
        WorkState::Quarantined,
    ];
    let query = taken.query;
    let states = if query.states.is_empty() { &STATES[..] } else { &query.states };
    let mut merge = Merge { ranges: Vec::new(), heads: BinaryHeap::new(), newest_first: query.newest_first };
    for tag in tag_hashes(&query.tags) {
        for state in states {
            let key = tag_place(tag, *state, WorkId::from_bytes([0; 16]));
            let (from, to) = query.range(&key[..9]);
            merge.ranges.push(Range { ids: VecDeque::new(), from, to, ended: false });
            merge.advance(look.tables, merge.ranges.len() - 1)?;
        }
    }
    let mut last = None;
    while let Some(id) = merge.next(look.tables)? {
        if last == Some(id) {
            continue;
        }
        last = Some(id);
        if taken.look_at(look, id, rows::record(look.tables, id)?)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// So many entries of a range are read at a time.
const WINDOW: usize = 128;

/// Ranges of the tag index, each with the ids that come next.
struct Merge {
    ranges: Vec<Range>,
    /// The next id of each range that takes part, as it is ordered on the page.
    heads: BinaryHeap<Reverse<([u8; 16], usize)>>,
    newest_first: bool,
}

struct Range {
    ids: VecDeque<WorkId>,
    /// What is left to be read.
    from: Vec<u8>,
    to: Vec<u8>,
    ended: bool,
}

impl Merge {
    fn next<T: Tables>(&mut self, tables: &T) -> Result<Option<WorkId>, TableError> {
        let Some(Reverse((_, range))) = self.heads.pop() else { return Ok(None) };
        let id = self.ranges[range].ids.pop_front();
        self.advance(tables, range)?;
        Ok(id)
    }

    /// Puts the next id of a range among the heads, and reads more where they are used up.
    fn advance<T: Tables>(&mut self, tables: &T, number: usize) -> Result<(), TableError> {
        let range = &mut self.ranges[number];
        if range.ids.is_empty() && !range.ended {
            let mut reached = None;
            walk(tables, self.newest_first, Table::Tags, (&range.from, &range.to), &mut |key, value| {
                range.ids.extend(rows::pointed(value));
                if range.ids.len() < WINDOW {
                    return ControlFlow::Continue(());
                }
                reached = Some(key.to_vec());
                ControlFlow::Break(())
            })?;
            match reached {
                None => range.ended = true,
                Some(key) if self.newest_first => range.to = key,
                // A key that is longer stands right behind it.
                Some(key) => range.from = [key.as_slice(), &[0]].concat(),
            }
        }
        if let Some(id) = range.ids.front() {
            let order = id.as_bytes().map(|byte| if self.newest_first { !byte } else { byte });
            self.heads.push(Reverse((order, number)));
        }
        Ok(())
    }
}

/// Visits a range from its beginning or from its end.
fn walk<T: Tables>(
    tables: &T,
    backwards: bool,
    table: Table,
    (from, to): (&[u8], &[u8]),
    visit: &mut Visit<'_>,
) -> Result<(), TableError> {
    if backwards { tables.scan_back(table, from, to, visit) } else { tables.scan(table, from, to, visit) }
}

//! The ready pieces of many lanes in one order.
//!
//! Invariant: pieces come by order key and then by sequence number over all lanes (S1.21); no more is read of a lane than
//! may be claimed from it, and nothing of one that is not granted or has no ready piece.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};

use crate::id::{LaneId, WorkId};
use crate::index::{OrderKey, class, lane_range, rank_of};
use crate::rows;
use crate::tables::{TableError, Tables};
use crate::verbs::Grant;
use crate::volatile::Volatile;

/// The most keys that are read of one lane at a time.
const WINDOW: usize = 128;

/// The granted lanes, each with the keys that come next.
#[derive(Debug)]
pub(super) struct Merge {
    lanes: Vec<Window>,
    /// Permits that are left, by grant.
    permits: Vec<usize>,
    /// The next key of each lane that takes part.
    heads: BinaryHeap<Reverse<(u128, usize)>>,
    /// The lane whose head was taken last: its next key is looked up only when it is needed.
    drawn: Option<usize>,
}

#[derive(Debug)]
struct Window {
    grant: usize,
    keys: VecDeque<(OrderKey, WorkId)>,
    /// Where the next window begins; `None` behind the last.
    from: Option<OrderKey>,
    to: OrderKey,
}

/// A piece that stands first.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) key: OrderKey,
    pub(super) work: WorkId,
    pub(super) grant: usize,
}

impl Merge {
    /// Reads the first keys of every lane that is granted and has ready pieces.
    pub(super) fn new<T: Tables>(
        tables: &T,
        volatile: &Volatile,
        grants: &[Grant],
        limit: usize,
    ) -> Result<Self, TableError> {
        let mut merge = Self {
            lanes: Vec::new(),
            permits: grants.iter().map(|grant| grant.permits).collect(),
            heads: BinaryHeap::new(),
            drawn: None,
        };
        let mut seen = HashSet::<LaneId>::new();
        for (number, grant) in grants.iter().enumerate().filter(|(_, grant)| grant.permits > 0) {
            for lane in &grant.lanes {
                let ready = volatile.lanes().get(lane).map_or(0, |state| state.ready);
                // A lane that two grants name belongs to the first.
                if ready == 0 || !seen.insert(*lane) {
                    continue;
                }
                let (from, to) = lane_range(class::READY, *lane);
                merge.lanes.push(Window { grant: number, keys: VecDeque::new(), from: Some(from), to });
                merge.advance(tables, merge.lanes.len() - 1, limit)?;
            }
        }
        Ok(merge)
    }

    /// The next piece in order; at most `limit` more will be taken.
    pub(super) fn next<T: Tables>(&mut self, tables: &T, limit: usize) -> Result<Option<Head>, TableError> {
        if let Some(lane) = self.drawn.take() {
            self.advance(tables, lane, limit)?;
        }
        while let Some(Reverse((_, lane))) = self.heads.pop() {
            let window = &mut self.lanes[lane];
            if self.permits[window.grant] == 0 {
                continue;
            }
            if let Some((key, work)) = window.keys.pop_front() {
                self.drawn = Some(lane);
                return Ok(Some(Head { key, work, grant: window.grant }));
            }
        }
        Ok(None)
    }

    /// Takes a permit for a piece that starts.
    pub(super) fn take(&mut self, grant: usize) {
        self.permits[grant] = self.permits[grant].saturating_sub(1);
    }

    /// Puts the next key of a lane among the heads, and reads more keys where they are used up.
    fn advance<T: Tables>(&mut self, tables: &T, lane: usize, limit: usize) -> Result<(), TableError> {
        let window = &mut self.lanes[lane];
        let wanted = self.permits[window.grant].min(limit).min(WINDOW);
        if window.keys.is_empty()
            && wanted > 0
            && let Some(from) = window.from.take()
        {
            window.keys = rows::places(tables, &from, &window.to, wanted)?.into();
            if window.keys.len() == wanted {
                window.from = window.keys.back().map(|(key, _)| after(*key));
            }
        }
        if let Some((key, _)) = window.keys.front() {
            self.heads.push(Reverse((rank_of(key), lane)));
        }
        Ok(())
    }
}

/// The first key behind this one.
pub(super) fn after(mut key: OrderKey) -> OrderKey {
    for byte in key.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    key
}

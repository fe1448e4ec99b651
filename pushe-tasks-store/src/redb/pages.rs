//! Reads the trees of a redb file without redb: whatever is damaged, what stands beside it is still read.
//!
//! It knows the layout that redb 4 writes (file format 3): two commit slots, and trees whose branches hold the checksums of
//! their children. Only tables whose keys and values are byte strings are read, as those of the store are.
//!
//! Invariant: nothing that stands in the file makes it panic or loop. A page is followed only where a checksum vouches for
//! the way to it: that of the branch that points to it, or its own.

use std::io;

use redb::StorageBackend;
use xxhash_rust::xxh3::xxh3_128;

const PAGE: u64 = 4096;
pub(super) const HEADER: usize = 320;
/// Where the flags stand, and what they say.
const FLAGS_AT: usize = 9;
const PRIMARY: u8 = 1;
const UNCLOSED: u8 = 2;
const TWO_PHASES: u8 = 4;
const SLOTS_AT: [usize; 2] = [64, 192];
const SLOT: usize = 128;
/// Where the number of the commit stands in its slot.
const NUMBER_AT: usize = 104;
/// Pages of a region where the header does not say.
const MOST_REGION_PAGES: u64 = 1 << 20;
/// Deeper than any tree of a file that fits on a disk.
const DEEPEST: usize = 32;

/// Where a page is, and what its bytes hash to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pointer {
    number: u64,
    sum: u128,
}

/// What a walk through a table meets.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// An entry, key and value. Where its page is damaged, so may it be.
    Entry(&'a [u8], &'a [u8]),
    /// Entries that cannot be reached, behind the first key and up to the second.
    Lost(Option<&'a [u8]>, Option<&'a [u8]>),
    /// A page that is damaged; its entries follow, as far as they can be told apart.
    Damaged,
}

/// A table of the file.
#[derive(Clone, Debug)]
pub(super) struct TableRoot {
    pub(super) name: String,
    root: Option<Pointer>,
    /// Whether a checksum vouches for the root.
    sure: bool,
    pub(super) multimap: bool,
}

/// A commit that the file remembers: its master tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    number: u64,
    root: Option<Pointer>,
}

/// A redb file.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    disk: &'a dyn StorageBackend,
    len: u64,
    region_header: u64,
    region_data: u64,
    /// Those whose slot reads back, the newest first.
    pub(super) commits: Vec<Commit>,
    /// Whether the file was not closed in order.
    pub(super) unclosed: bool,
    /// What is wrong with the header's records of commits.
    pub(super) doubt: Option<Doubt>,
}

/// What is wrong with a header's records of commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// One of them does not read back. They share a sector, so that no power cut tears them.
    Unreadable,
    /// It names one that is older than the other, although it is not in the middle of a commit. A recovery that has taken a
    /// commit back leaves that too, until the next one: then the other is not whole.
    NotTheLast,
}

impl Doubt {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Unreadable => {
                "the header's record of a commit does not read back; if it was the last, that commit is lost"
            }
            Self::NotTheLast => "the header names a commit that is not the last",
        }
    }
}

/// What is wrong with the records of commits in this header, if anything is.
fn doubt(header: &[u8; HEADER]) -> Option<Doubt> {
    let named = usize::from(header[FLAGS_AT] & PRIMARY);
    let slots = SLOTS_AT.map(|at| Commit::read(&header[at..][..SLOT]));
    match (slots[named], slots[1 - named]) {
        (Some(named), Some(other)) => {
            let closed = header[FLAGS_AT] & UNCLOSED == 0;
            (closed && other.number > named.number).then_some(Doubt::NotTheLast)
        }
        _ => Some(Doubt::Unreadable),
    }
}

/// The two commits of a header, the one to look at first before the other. That is the newer one, as it is to redb, unless a
/// commit has two phases: then the one that the header names.
fn commits(header: &[u8; HEADER]) -> [Option<Commit>; 2] {
    let flags = header[FLAGS_AT];
    let named = usize::from(flags & PRIMARY);
    let mut slots = [named, 1 - named].map(|slot| Commit::read(&header[SLOTS_AT[slot]..][..SLOT]));
    let number = |slot: Option<Commit>| slot.map(|commit| commit.number);
    let unclosed_in_two_phases = flags & UNCLOSED != 0 && flags & TWO_PHASES != 0;
    if number(slots[1]) > number(slots[0]) && !unclosed_in_two_phases {
        slots.swap(0, 1);
    }
    slots
}

impl<'a> Pages<'a> {
    /// Reads the header. One that is damaged leaves fewer commits, or none.
    pub(super) fn open(disk: &'a dyn StorageBackend) -> io::Result<Self> {
        let len = disk.len()?;
        let mut header = [0; HEADER];
        let have = usize::try_from(len).unwrap_or(HEADER).min(HEADER);
        disk.read(0, &mut header[..have])?;
        let number = |at: usize| u64::from(u32_at(&header, at).unwrap_or(0));
        let (mut region_header, mut region_data) = (number(16), number(20));
        if number(12) != PAGE
            || region_header > MOST_REGION_PAGES
            || !(1..=MOST_REGION_PAGES).contains(&region_data)
        {
            (region_header, region_data) = (0, MOST_REGION_PAGES);
        }
        let commits = commits(&header).into_iter().flatten().collect();
        let unclosed = header[FLAGS_AT] & UNCLOSED != 0;
        Ok(Self { disk, len, region_header, region_data, commits, unclosed, doubt: doubt(&header) })
    }

    /// The tables of a commit, and whether all of them are known.
    pub(super) fn tables(&self, commit: Commit) -> (Vec<TableRoot>, bool) {
        let (mut found, mut whole, mut sure) = (Vec::new(), true, true);
        self.walk_from(commit.root, true, &mut |item| match item {
            Item::Entry(key, value) => match TableRoot::read(key, value, sure) {
                Some(root) => found.push(root),
                None => whole = false,
            },
            Item::Lost(..) => whole = false,
            Item::Damaged => (whole, sure) = (false, false),
        });
        (found, whole)
    }

    /// What could be lists of tables, wherever in the file they stand. No checksum vouches for them.
    pub(super) fn stray_lists(&self) -> impl Iterator<Item = Vec<TableRoot>> {
        let read = |at| {
            let mut page = [0; 4096];
            self.disk.read(at, &mut page).ok()?;
            let Some(Node::Leaf(leaf)) = Node::read(&page) else { return None };
            let roots = leaf.pairs.iter().map(|(key, value)| TableRoot::read(key, value, false));
            roots.collect::<Option<Vec<_>>>().filter(|roots| !roots.is_empty())
        };
        (PAGE..self.len).step_by(4096).filter_map(read)
    }

    /// Visits a table, in the order of its keys.
    pub(super) fn walk(&self, table: &TableRoot, visit: &mut dyn FnMut(Item<'_>)) {
        self.walk_from(table.root, table.sure, visit);
    }

    /// What is wrong with the header's records, beyond what a recovery leaves.
    pub(super) fn real_doubt(&self) -> Option<Doubt> {
        let taken_back = || self.commits.first().is_some_and(|newer| !self.is_whole(*newer));
        self.doubt.filter(|doubt| *doubt != Doubt::NotTheLast || !taken_back())
    }

    /// Whether every page of every table of the commit is whole.
    pub(super) fn is_whole(&self, commit: Commit) -> bool {
        let (tables, mut whole) = self.tables(commit);
        for table in tables.iter().filter(|table| !table.multimap) {
            self.walk(table, &mut |item| whole &= matches!(item, Item::Entry(..)));
        }
        whole
    }

    fn walk_from(&self, root: Option<Pointer>, sure: bool, visit: &mut dyn FnMut(Item<'_>)) {
        if let Some(root) = root {
            self.walk_page(root, sure, (None, None), DEEPEST, visit);
        }
    }

    /// Visits a page and what hangs on it. `sure` says that a checksum vouches for the pointer; else the page must.
    fn walk_page(
        &self,
        pointer: Pointer,
        sure: bool,
        (after, upto): (Option<&[u8]>, Option<&[u8]>),
        depth: usize,
        visit: &mut dyn FnMut(Item<'_>),
    ) {
        let lost = Item::Lost(after, upto);
        let Some(page) = self.page(pointer.number).filter(|_| depth > 0) else { return visit(lost) };
        let Some(node) = Node::read(&page) else { return visit(lost) };
        let whole = xxh3_128(&page[..node.used()]) == pointer.sum;
        if !whole && !sure {
            return visit(lost);
        }
        match node {
            Node::Leaf(entries) => {
                if !whole {
                    visit(Item::Damaged);
                }
                for (key, value) in entries.pairs {
                    visit(Item::Entry(key, value));
                }
            }
            Node::Branch(branch) => {
                let last = branch.children.len() - 1;
                for (at, child) in branch.children.iter().enumerate() {
                    // The keys of a damaged branch bound nothing.
                    let from = if whole && at > 0 { Some(branch.keys[at - 1]) } else { after };
                    let to = if whole && at < last { Some(branch.keys[at]) } else { upto };
                    self.walk_page(*child, whole, (from, to), depth - 1, visit);
                }
            }
        }
    }

    fn page(&self, number: u64) -> Option<Vec<u8>> {
        let order = number >> 59;
        if order > 20 {
            return None;
        }
        let (index, region) = (number & (0xf_ffff >> order), (number >> 20) & 0xf_ffff);
        let size = PAGE << order;
        let regions = region.checked_mul((self.region_header + self.region_data) * PAGE)?;
        let at = PAGE + regions + self.region_header * PAGE + index * size;
        if at.checked_add(size)? > self.len {
            return None;
        }
        let mut page = vec![0; usize::try_from(size).ok()?];
        if self.disk.read(at, &mut page).is_ok() {
            return Some(page);
        }
        // One sector that cannot be read does not cost the others of a long page.
        for (block, at) in page.chunks_mut(512).zip((at..).step_by(512)) {
            if self.disk.read(at, block).is_err() {
                block.fill(0);
            }
        }
        Some(page)
    }
}

impl Commit {
    fn read(slot: &[u8]) -> Option<Self> {
        let (body, sum) = slot.split_last_chunk::<16>()?;
        if xxh3_128(body) != u128::from_le_bytes(*sum) {
            return None;
        }
        let number = u64::from_le_bytes(*body.get(NUMBER_AT..)?.first_chunk()?);
        Some(Self { number, root: if body[1] == 0 { None } else { Some(Pointer::read(body, 8, 16)?) } })
    }
}

impl TableRoot {
    fn read(key: &[u8], value: &[u8], sure: bool) -> Option<Self> {
        let name = std::str::from_utf8(key).ok()?.to_owned();
        let multimap = match value.first()? {
            3 => false,
            4 => true,
            _ => return None,
        };
        let root = if *value.get(9)? == 0 { None } else { Some(Pointer::read(value, 10, 18)?) };
        Some(Self { name, root, sure, multimap })
    }
}

impl Pointer {
    fn read(bytes: &[u8], number_at: usize, sum_at: usize) -> Option<Self> {
        let number = u64::from_le_bytes(*bytes.get(number_at..)?.first_chunk()?);
        let sum = u128::from_le_bytes(*bytes.get(sum_at..)?.first_chunk()?);
        Some(Self { number, sum })
    }
}

/// A page that can be told apart.
enum Node<'p> {
    Leaf(Leaf<'p>),
    Branch(Branch<'p>),
}

struct Leaf<'p> {
    pairs: Vec<(&'p [u8], &'p [u8])>,
    used: usize,
}

struct Branch<'p> {
    children: Vec<Pointer>,
    keys: Vec<&'p [u8]>,
    used: usize,
}

impl<'p> Node<'p> {
    fn read(page: &'p [u8]) -> Option<Self> {
        let count = usize::from(u16::from_le_bytes(*page.get(2..)?.first_chunk()?));
        match *page.first()? {
            1 if count > 0 => Leaf::read(page, count).map(Self::Leaf),
            2 if count > 0 => Branch::read(page, count).map(Self::Branch),
            _ => None,
        }
    }

    const fn used(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.used,
            Self::Branch(branch) => branch.used,
        }
    }
}

impl<'p> Leaf<'p> {
    /// Two rows of ends, then keys, then values. Ends that make no sense cost the entries that they bound.
    fn read(page: &'p [u8], count: usize) -> Option<Self> {
        let start = 4 + 8 * count;
        let end = |row: usize, at: usize| usize::try_from(u32_at(page, 4 + 4 * (row * count + at))?).ok();
        let bound =
            |row: usize, at: usize, first: Option<usize>| if at == 0 { first } else { end(row, at - 1) };
        let keys_end = end(0, count - 1);
        let pair = |at: usize| {
            let key = page.get(bound(0, at, Some(start))?..end(0, at)?)?;
            Some((key, page.get(bound(1, at, keys_end)?..end(1, at)?)?))
        };
        let pairs = (0..count).filter_map(pair).collect();
        Some(Self { pairs, used: end(1, count - 1)?.min(page.len()) })
    }
}

impl<'p> Branch<'p> {
    fn read(page: &'p [u8], count: usize) -> Option<Self> {
        let (sums, numbers) = (8, 8 + 16 * (count + 1));
        let ends = numbers + 8 * (count + 1);
        let child = |at: usize| Pointer::read(page, numbers + 8 * at, sums + 16 * at);
        let children = (0..=count).map(child).collect::<Option<_>>()?;
        let end = |at: usize| usize::try_from(u32_at(page, ends + 4 * at)?).ok();
        let begin = |at: usize| if at == 0 { Some(ends + 4 * count) } else { end(at - 1) };
        // Where they are damaged the checksum says so, and nobody looks at them.
        let keys =
            (0..count).map(|at| page.get(begin(at)?..end(at)?)).map(Option::unwrap_or_default).collect();
        Some(Self { children, keys, used: end(count - 1)?.min(page.len()) })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

//! A disk in memory that fails as disks do, for tests and simulations.
//!
//! Invariant: the disk is a function of its seed, its faults and the calls made on it; it draws on no other randomness.
//!
//! It keeps what has been *written* (what reads see, the system's cache) apart from what is *durable*. A sync makes the
//! first into the second. A power cut loses each write since the last sync, or part of it in sectors of 512 bytes, or
//! nothing of it, as the seed says. A sync that fails leaves the cache as it is, takes it for clean, and forgets what was
//! to be written: the next sync succeeds and the bytes are still not on the disk. That is what Linux does.

mod handle;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::owner::Owner;

/// The unit that a power cut does not tear.
const SECTOR: usize = 512;

/// A call that a fault can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Asking for the length.
    Len,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Changing the length.
    SetLen,
    /// Syncing.
    Sync,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first call that fails, counted from 0 over all calls, or over those of one kind.
    pub at: u64,
    /// The kind of call; `None` for any.
    pub call: Option<Call>,
    /// How long it goes on.
    pub lasts: Lasts,
    /// The error.
    pub error: io::ErrorKind,
    /// What becomes of the call.
    pub effect: Effect,
}

/// What becomes of a call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A write goes half-way; a sync loses what it was to keep; other calls do nothing.
    Fails,
    /// It is carried out, and only the answer is wrong.
    CarriedOut,
}

impl Fault {
    /// The next call of this kind fails, once, with an error of the device.
    pub fn next(disk: &SimDisk, call: Call) -> Self {
        let at = disk.calls_of(call);
        Self { at, call: Some(call), lasts: Lasts::Once, error: io::ErrorKind::Other, effect: Effect::Fails }
    }
}

/// How long a fault goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// For one call.
    Once,
    /// For this many calls.
    For(u64),
    /// Until `heal`.
    Forever,
}

/// How locks behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// They keep others out.
    Work,
    /// They are not supported.
    Unsupported,
    /// They are granted to everyone, as some network file systems do.
    Pretend,
}

/// What stood in the cache and is not durable yet.
#[derive(Clone, Debug)]
enum Pending {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Debug)]
struct State {
    cache: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
    random: u64,
    calls: u64,
    calls_by_kind: BTreeMap<Call, u64>,
    faults: Vec<Fault>,
    /// Whether the call that just failed is carried out all the same.
    carried_out: bool,
    capacity: u64,
    reserve: u64,
    trace: u64,
    handle: u64,
    locks: Vec<(u64, u64, u64, bool)>,
    lock_kind: Locks,
    network: Option<String>,
    frozen_at: u64,
    owner: Option<Owner>,
    problem: Option<String>,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk; its power cuts draw on `seed`.
    pub fn new(seed: u64) -> Self {
        Self::from_image(Vec::new(), seed)
    }

    /// A disk that holds these bytes.
    pub fn from_image(image: Vec<u8>, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            cache: image.clone(),
            durable: image,
            pending: Vec::new(),
            random: seed,
            calls: 0,
            calls_by_kind: BTreeMap::new(),
            faults: Vec::new(),
            carried_out: false,
            capacity: u64::MAX,
            reserve: 0,
            trace: 0,
            handle: 0,
            locks: Vec::new(),
            lock_kind: Locks::Work,
            network: None,
            frozen_at: u64::MAX,
            owner: None,
            problem: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault; the first that matches a call decides.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// How many bytes the disk can hold.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Calls made so far, failed ones included.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Calls of one kind made so far.
    pub fn calls_of(&self, call: Call) -> u64 {
        self.state().calls_by_kind.get(&call).copied().unwrap_or(0)
    }

    /// A hash of every call with its bytes: equal runs have equal ones.
    pub fn trace_hash(&self) -> u64 {
        self.state().trace
    }

    /// How many bytes a process would find in it now.
    pub fn size(&self) -> u64 {
        self.state().cache.len() as u64
    }

    /// What a reader sees.
    pub fn image(&self) -> Vec<u8> {
        self.state().cache.clone()
    }

    /// What is durable beyond doubt.
    pub fn durable_image(&self) -> Vec<u8> {
        self.state().durable.clone()
    }

    /// Cuts the power: answers the disk as it is found afterwards, without faults, locks and cache.
    ///
    /// Each write since the last sync is there, or not, or in part: sector by sector, in any order. The disk itself is left
    /// as it is, so that many cuts can be tried from one run.
    #[must_use]
    pub fn after_power_cut(&self, seed: u64) -> Self {
        let state = self.state();
        let mut random = seed ^ state.random;
        let mut image = state.durable.clone();
        for pending in &state.pending {
            match pending {
                Pending::SetLen(len) => {
                    if below(&mut random, 2) == 0 {
                        image.resize(to_usize(*len), 0);
                    }
                }
                Pending::Write(offset, data) => match below(&mut random, 3) {
                    0 => {}
                    1 => put(&mut image, *offset, data),
                    _ => {
                        let mut at = 0;
                        while at < data.len() {
                            let place = to_usize(*offset) + at;
                            let end = data.len().min(at + SECTOR - place % SECTOR);
                            if below(&mut random, 2) == 0 {
                                put(&mut image, place as u64, &data[at..end]);
                            }
                            at = end;
                        }
                    }
                },
            }
        }
        let after = Self::from_image(image, random);
        {
            let mut new = after.state();
            new.owner.clone_from(&state.owner);
            new.capacity = state.capacity;
        }
        after
    }

    /// The disk as it is found after the process was killed: the system writes its cache out in time.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let state = self.state();
        let after = Self::from_image(state.cache.clone(), state.random);
        after.state().owner.clone_from(&state.owner);
        after
    }

    /// The disk as the next process finds it after this one was killed: the system lives on, and with it its cache, what
    /// waits to be written, and what the disk suffers from.
    #[must_use]
    pub fn for_next_process(&self) -> Self {
        let state = self.state();
        let after = Self::from_image(state.cache.clone(), state.random);
        {
            let mut new = after.state();
            new.durable.clone_from(&state.durable);
            new.pending.clone_from(&state.pending);
            new.owner.clone_from(&state.owner);
            (new.capacity, new.reserve) = (state.capacity, state.reserve);
            (new.calls, new.trace, new.lock_kind) = (state.calls, state.trace, state.lock_kind);
            new.calls_by_kind.clone_from(&state.calls_by_kind);
            new.faults.clone_from(&state.faults);
        }
        after
    }

    /// Flips one bit, in the cache and on the disk.
    pub fn flip_bit(&self, bit: u64) {
        let mut state = self.state();
        let (byte, mask) = (to_usize(bit / 8), 1 << (bit % 8));
        let State { cache, durable, .. } = &mut *state;
        for image in [cache, durable] {
            if let Some(byte) = image.get_mut(byte) {
                *byte ^= mask;
            }
        }
    }

    /// Lets the disk be one of a network, of this kind.
    pub fn set_network(&self, kind: &str) {
        self.state().network = Some(kind.to_owned());
    }

    /// How locks behave from now on.
    pub fn set_locks(&self, locks: Locks) {
        self.state().lock_kind = locks;
    }

    /// Stops the disk before the call with this number, over all calls: that one and all later ones fail and do nothing.
    /// What `after_power_cut` and `after_kill` answer then is what a stop at that call leaves.
    pub fn freeze_at(&self, call: u64) {
        self.state().frozen_at = call;
    }

    /// Whether a call has met the stop that `freeze_at` asked for.
    pub fn is_stopped(&self) -> bool {
        self.state().is_frozen()
    }

    /// Whether any fault could still meet a call, or room is limited.
    pub fn has_faults(&self) -> bool {
        let state = self.state();
        state.capacity != u64::MAX || state.faults.iter().any(|fault| state.may_meet(fault))
    }

    /// Puts other bytes on the disk, as one does that confirms what it then forgets.
    pub fn restore(&self, image: Vec<u8>) {
        let mut state = self.state();
        state.pending.clear();
        state.cache.clone_from(&image);
        state.durable = image;
    }

    /// Puts other bytes on the disk, and leaves the cache as it is: what syncs leave that failed without a word.
    pub fn restore_under_cache(&self, image: Vec<u8>) {
        let mut state = self.state();
        state.pending.clear();
        state.durable = image;
    }

    /// Lets go of all locks, as the system does for a process that was killed.
    pub fn forget_locks(&self) {
        self.state().locks.clear();
    }

    /// What `check_place` answers from now on.
    pub fn set_place_problem(&self, problem: Option<&str>) {
        self.state().problem = problem.map(str::to_owned);
    }
}

impl State {
    /// Counts a call and answers its fault, if one meets it.
    fn begin(&mut self, call: Call, at: u64, data: &[u8]) -> io::Result<()> {
        self.trace = xxh3_64_with_seed(data, self.trace ^ at.rotate_left(8) ^ call as u64);
        let any = self.calls;
        self.calls += 1;
        let of_kind = self.calls_by_kind.entry(call).or_default();
        let kind = *of_kind;
        *of_kind += 1;
        self.carried_out = false;
        if self.is_frozen() {
            return Err(io::Error::other("the simulated disk has stopped"));
        }
        let hit = self.faults.iter().find(|fault| {
            let number = match fault.call {
                None => any,
                Some(only) if only == call => kind,
                Some(_) => return false,
            };
            let length = match fault.lasts {
                Lasts::Once => 1,
                Lasts::For(calls) => calls,
                Lasts::Forever => u64::MAX,
            };
            number >= fault.at && number - fault.at < length
        });
        let Some(fault) = hit else { return Ok(()) };
        self.carried_out = fault.effect == Effect::CarriedOut;
        Err(io::Error::new(fault.error, "an injected fault"))
    }

    /// Whether a later call can meet the fault.
    fn may_meet(&self, fault: &Fault) -> bool {
        let calls = match fault.call {
            None => self.calls,
            Some(call) => self.calls_by_kind.get(&call).copied().unwrap_or(0),
        };
        let length = match fault.lasts {
            Lasts::Once => 1,
            Lasts::For(calls) => calls,
            Lasts::Forever => u64::MAX,
        };
        calls < fault.at.saturating_add(length)
    }

    /// Whether the call under way is past the stop.
    fn is_frozen(&self) -> bool {
        self.calls > self.frozen_at
    }

    fn room(&self, len: u64) -> io::Result<()> {
        if len > self.cache.len() as u64 && len.saturating_add(self.reserve) > self.capacity {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the simulated disk is full"));
        }
        Ok(())
    }
}

fn put(image: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let start = to_usize(offset);
    let end = start + data.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[start..end].copy_from_slice(data);
}

/// The `SplitMix64` generator: the next number below `limit`.
fn below(random: &mut u64, limit: u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % limit
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

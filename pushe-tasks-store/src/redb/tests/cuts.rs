//! Power cuts and kills: a stop at every call, and what is found afterwards.

use super::*;

/// Enqueues until the disk stops; answers what was acknowledged.
fn run(store: &mut RedbStore, from: u64, to: u64) -> BTreeSet<WorkId> {
    (from..to).filter(|n| enqueue(store, *n).is_ok()).map(id).collect()
}

#[test]
fn a_store_whose_creation_was_cut_off_is_created_anew() {
    let disk = SimDisk::new(1);
    drop(open_sim(&disk).unwrap());
    let calls = disk.calls();
    assert!(calls > 10, "creation makes {calls} calls");
    let mut anew = 0;
    for at in 0..=calls {
        for seed in 0..20 {
            let disk = SimDisk::new(seed);
            disk.freeze_at(at);
            let _ = open_sim(&disk);
            for found in [disk.after_power_cut(seed), disk.after_kill()] {
                let mut store =
                    open_sim(&found).unwrap_or_else(|error| panic!("call {at}, seed {seed}: {error}"));
                anew += usize::from(store.facts().findings.contains(&Finding::CreatedAnew));
                enqueue(&mut store, 1).unwrap();
                assert_eq!(ids(&mut store, &[]).len(), 1);
            }
        }
    }
    assert!(anew > 0, "no cut left half a creation");
}

#[test]
fn what_was_acknowledged_survives_a_cut_at_every_call() {
    let run_whole = || {
        let disk = SimDisk::new(1);
        let mut store = open_sim(&disk).unwrap();
        run(&mut store, 0, 8);
        drop(store);
        disk
    };
    let (calls, hash) = (run_whole().calls(), run_whole().trace_hash());
    assert_eq!(hash, run_whole().trace_hash(), "equal runs make equal calls");
    for at in 0..=calls {
        let disk = SimDisk::new(at);
        disk.freeze_at(at);
        let told = open_sim(&disk).map(|mut store| run(&mut store, 0, 8)).unwrap_or_default();
        for seed in 0..8 {
            for found in [disk.after_power_cut(seed), disk.after_kill()] {
                // Once more, within the recovery.
                found.freeze_at(seed * 3);
                let more = open_sim(&found).map(|mut store| run(&mut store, 50, 52)).unwrap_or_default();
                let again = found.after_power_cut(seed + 100);
                let mut store =
                    open_sim(&again).unwrap_or_else(|error| panic!("call {at}, seed {seed}: {error}"));
                let there = ids(&mut store, &[]);
                assert!(told.is_subset(&there), "call {at}, seed {seed}: lost {:?}", told.difference(&there));
                assert!(more.is_subset(&there), "call {at}, seed {seed}: lost {:?}", more.difference(&there));
                enqueue(&mut store, 99).unwrap();
            }
        }
    }
}

#[test]
fn a_kill_with_a_stale_cache_is_recovered_from_the_disk() {
    // A failed sync, then the process is killed before it can open the store anew: the next one finds the flag set, and a
    // cache that holds what the disk does not.
    let disk = SimDisk::new(3);
    let mut store = open_sim(&disk).unwrap();
    let told = run(&mut store, 0, 5);
    disk.inject(Fault { lasts: Lasts::Forever, ..Fault::next(&disk, Call::Sync) });
    let _ = enqueue(&mut store, 6);
    disk.heal();
    disk.forget_locks();
    std::mem::forget(store);
    let mut store = open_sim(&disk).unwrap();
    let more = run(&mut store, 10, 13);
    assert_eq!(more.len(), 3);
    let mut found = open_sim(&disk.after_power_cut(1)).unwrap();
    let there = ids(&mut found, &[]);
    assert!(told.is_subset(&there) && more.is_subset(&there), "{there:?}");
}

#[test]
fn a_creation_that_stands_in_the_cache_alone_is_begun_again() {
    let disk = SimDisk::new(1);
    let store = open_sim(&disk).unwrap();
    for below in [Vec::new(), vec![0; 64 << 10]] {
        let expected = if below.is_empty() { Finding::Created } else { Finding::CreatedAnew };
        let found = SimDisk::from_image(disk.image(), 1);
        found.restore_under_cache(below);
        let mut store = open_sim(&found).unwrap();
        assert_eq!(store.facts().findings, [expected]);
        enqueue(&mut store, 1).unwrap();
        drop(store);
        assert_eq!(ids(&mut open_sim(&found.after_power_cut(1)).unwrap(), &[]).len(), 1);
    }
    drop(store);
}

//! A disk that fails: every acknowledged transaction stays, every error tells the truth, and work goes on by itself.

use std::io::ErrorKind;

use super::*;

/// What became of each piece, as the caller was told.
#[derive(Debug, Default)]
struct Told {
    stored: BTreeSet<WorkId>,
    absent: BTreeSet<WorkId>,
    doubtful: BTreeSet<WorkId>,
    succeeded: BTreeSet<WorkId>,
    full: usize,
    undone: usize,
}

impl Told {
    fn enqueue(&mut self, store: &mut RedbStore, n: u64) {
        match enqueue(store, n) {
            Ok(_) => self.stored.insert(id(n)),
            Err(StoreError::Full) => {
                self.full += 1;
                self.absent.insert(id(n))
            }
            Err(StoreError::Undone(_) | StoreError::Failed(_)) => {
                self.undone += 1;
                self.absent.insert(id(n))
            }
            Err(StoreError::InDoubt(_)) => self.doubtful.insert(id(n)),
            Err(StoreError::Unsupported) => panic!("every store enqueues"),
        };
    }

    fn claim_and_succeed(&mut self, store: &mut RedbStore) {
        if let Ok(claimed) = claim(store, 1)
            && succeed(store, &claimed).is_ok()
        {
            self.succeeded.extend(claimed.iter().map(|attempt| attempt.work));
        }
    }

    /// Ten transactions of several kinds.
    fn script(&mut self, store: &mut RedbStore, from: u64) {
        for n in from..from + 4 {
            self.enqueue(store, n);
            self.claim_and_succeed(store);
        }
        self.enqueue(store, from + 4);
    }

    fn check(&self, store: &mut RedbStore, what: &str) {
        let there = ids(store, &[]);
        let lost: Vec<_> = self.stored.difference(&there).collect();
        assert!(lost.is_empty(), "{what}: acknowledged and lost: {lost:?}\n{:?}", store.facts());
        let phantoms: Vec<_> = self.absent.intersection(&there).collect();
        assert!(phantoms.is_empty(), "{what}: said to be absent, but there: {phantoms:?}");
        let done = ids(store, &[WorkState::Succeeded]);
        assert!(self.succeeded.is_subset(&done), "{what}: settled and lost");
        let lost = |finding: &Finding| matches!(finding, Finding::Lost { .. });
        assert!(!store.facts().findings.iter().any(lost), "{what}: {:?}", store.facts());
    }
}

/// How many calls the script makes without faults, from after the opening on.
fn calls_of_script() -> (u64, u64) {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    let opened = disk.calls();
    Told::default().script(&mut store, 0);
    (opened, disk.calls())
}

#[test]
fn an_error_at_any_call_loses_nothing_and_tells_the_truth() {
    let (first, last) = calls_of_script();
    let mut met = BTreeSet::new();
    let mut seen = Told::default();
    for at in first..last {
        for lasts in [Lasts::Once, Lasts::For(3), Lasts::For(12), Lasts::Forever] {
            for (error, effect) in [
                (ErrorKind::Other, Effect::Fails),
                (ErrorKind::StorageFull, Effect::Fails),
                (ErrorKind::Other, Effect::CarriedOut),
            ] {
                let what = format!("{error:?}, {effect:?} at {at}, {lasts:?}");
                let disk = SimDisk::new(at);
                let mut store = open_sim(&disk).unwrap();
                disk.inject(Fault { at, call: None, lasts, error, effect });
                let mut told = Told::default();
                told.script(&mut store, 0);
                met.insert(store.facts().health != StoreHealth::Healthy);
                disk.heal();
                told.script(&mut store, 100);
                let after: BTreeSet<_> = (100..105).map(id).collect();
                assert!(after.is_subset(&told.stored), "{what}: it does not work again: {told:?}");
                assert_eq!(store.facts().health, StoreHealth::Healthy, "{what}");
                told.check(&mut store, &what);
                if error == ErrorKind::Other {
                    assert_eq!(told.full, 0, "{what}");
                } else {
                    assert_eq!(told.undone, 0, "{what}");
                }
                seen.full += told.full;
                seen.undone += told.undone;
                seen.doubtful.extend(told.doubtful.iter());
                drop(store);
                // The disk itself, once all that is in the cache is gone.
                for seed in 0..2 {
                    let mut store = open_sim(&disk.after_power_cut(seed)).unwrap();
                    told.check(&mut store, &format!("{what}, cut {seed}"));
                }
            }
        }
    }
    assert!(seen.full > 0 && seen.undone > 0 && !seen.doubtful.is_empty(), "{seen:?}");
    assert!(met.contains(&true));
}

#[test]
fn after_a_sync_that_failed_the_store_is_built_on_what_the_disk_holds() {
    // The finding of RELIABILITY §2.2: a failed sync, a reopening, three commits, and the cache is gone.
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let mut store = open_sim(&disk).unwrap();
        let mut told = Told::default();
        told.script(&mut store, 0);
        disk.inject(Fault::next(&disk, Call::Sync));
        told.enqueue(&mut store, 50);
        assert_eq!((told.undone, told.doubtful.len()), (1, 0), "a recovery that read the disk knows");
        for n in 60..63 {
            told.enqueue(&mut store, n);
        }
        assert!(matches!(store.facts().findings.last(), Some(Finding::Reopened { .. })));
        let after = if seed % 2 == 0 { Some(store) } else { None };
        let mut found = open_sim(&disk.after_power_cut(seed)).unwrap();
        told.check(&mut found, "after the cut");
        drop(after);
    }
}

#[test]
fn bodies_live_on_through_a_reopening() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    for n in 0..3 {
        enqueue(&mut store, n).unwrap();
    }
    let running = claim(&mut store, 1).unwrap();
    disk.inject(Fault::next(&disk, Call::Sync));
    claim(&mut store, 1).unwrap_err();
    let mut rescued = crate::Rescued::default();
    let request = crate::RescueRequest::new(NOW, None);
    store.write(&mut |tx| rescued = tx.rescue(&request).unwrap()).unwrap();
    assert_eq!(rescued.orphans, [], "neither the body that lives nor the claim that was undone");
    succeed(&mut store, &running).unwrap();
    assert_eq!(ids(&mut store, &[WorkState::Succeeded]).len(), 1);
    assert_eq!(claim(&mut store, 9).unwrap().len(), 2);
}

#[test]
fn a_commit_that_failed_and_is_there_is_durable_and_its_bodies_live() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    enqueue(&mut store, 1).unwrap();
    disk.inject(Fault { effect: Effect::CarriedOut, ..Fault::next(&disk, Call::Sync) });
    let running = claim(&mut store, 1).expect("recovery read it from the disk");
    assert_eq!(running.len(), 1);
    assert!(matches!(store.facts().findings.last(), Some(Finding::Reopened { .. })), "{:?}", store.facts());
    let mut rescued = crate::Rescued::default();
    let request = crate::RescueRequest::new(NOW, None);
    store.write(&mut |tx| rescued = tx.rescue(&request).unwrap()).unwrap();
    assert_eq!(rescued.orphans, []);
    succeed(&mut store, &running).unwrap();
    assert_eq!(ids(&mut store, &[WorkState::Succeeded]).len(), 1);
}

#[test]
fn a_store_that_was_emptied_while_it_was_open_is_not_made_anew() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    enqueue(&mut store, 1).unwrap();
    disk.restore(Vec::new());
    disk.inject(Fault::next(&disk, Call::Sync));
    enqueue(&mut store, 2).unwrap_err();
    disk.restore(Vec::new());
    let error = enqueue(&mut store, 3).unwrap_err();
    assert!(matches!(&error, StoreError::Failed(text) if text.contains("emptied")), "{error:?}");
    assert!(disk.image().is_empty());
}

#[test]
fn a_store_that_another_opened_between_an_error_and_the_reopening_says_so() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    enqueue(&mut store, 1).unwrap();
    disk.inject(Fault {
        call: None,
        lasts: Lasts::Forever,
        at: disk.calls(),
        ..Fault::next(&disk, Call::Sync)
    });
    assert!(matches!(enqueue(&mut store, 2), Err(StoreError::InDoubt(_))));
    disk.heal();
    let mut other = open_sim(&disk).expect("a store that is not open holds no lock");
    enqueue(&mut other, 3).unwrap();
    let error = enqueue(&mut store, 4).unwrap_err();
    assert!(matches!(&error, StoreError::Failed(text) if text.contains("in use")), "{error:?}");
    assert!(matches!(store.facts().health, StoreHealth::Degraded(_)));
    drop(other);
    enqueue(&mut store, 4).unwrap();
    assert!(store.facts().findings.contains(&Finding::OpenedElsewhere), "{:?}", store.facts());
    assert!(ids(&mut store, &[]).is_superset(&BTreeSet::from([id(1), id(3), id(4)])));
}

#[test]
fn a_full_disk_refuses_new_work_and_lets_running_work_end() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    let mut told = Told::default();
    for n in 0..20 {
        told.enqueue(&mut store, n);
    }
    let running = claim(&mut store, 20).unwrap();
    disk.set_capacity(disk.image().len() as u64 + (1 << 20));
    let full = (100..10_000).find(|n| match enqueue_sized(&mut store, *n, 50_000) {
        Ok(_) => false,
        Err(StoreError::Full) => true,
        other => panic!("{other:?}"),
    });
    let full = full.expect("the disk fills");
    assert!(matches!(store.facts().health, StoreHealth::Degraded(_)), "{:?}", store.facts());
    for attempt in running {
        succeed(&mut store, &[attempt]).expect("the reserve makes room for what is to end");
        told.succeeded.insert(attempt.work);
    }
    assert!(matches!(store.facts().health, StoreHealth::Degraded(_)), "room is still short");
    told.absent.insert(id(full));
    told.check(&mut store, "while full");

    disk.set_capacity(u64::MAX);
    told.enqueue(&mut store, 50);
    assert_eq!(store.facts().health, StoreHealth::Healthy);
    assert!(disk.release_reserve().unwrap(), "the reserve was set aside again");
    told.check(&mut store, "with room again");
}

#[test]
fn the_reserve_on_a_real_disk_is_released_and_kept_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let reserve = directory.path().join("tasks.redb.reserve");
    let mut store = open(&path).unwrap();
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 1 << 20);
    assert!(store.medium.release_reserve().unwrap());
    assert!(!reserve.exists() && !store.medium.release_reserve().unwrap());
    store.short_of_room = true;
    enqueue(&mut store, 1).unwrap();
    assert!(reserve.exists());
}

#[test]
fn acknowledged_work_that_the_disk_did_not_keep_is_said_aloud() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    enqueue(&mut store, 1).unwrap();
    let before = disk.durable_image();
    enqueue(&mut store, 2).unwrap();
    enqueue(&mut store, 3).unwrap();
    // A disk that confirms and forgets.
    disk.restore(before);
    disk.inject(Fault::next(&disk, Call::Write));
    let _ = enqueue(&mut store, 4);
    enqueue(&mut store, 5).unwrap();
    let lost = Finding::Lost { acknowledged: 3, found: 1 };
    assert!(store.facts().findings.contains(&lost), "{:?}", store.facts().findings);
}

/// A store of many pieces, its image, and the pages that hold nothing but payloads and what stands around them.
fn image_and_payload_pages() -> (Vec<u8>, Vec<usize>) {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    for n in 0..200 {
        enqueue_sized(&mut store, n, 500).unwrap();
    }
    let claimed = claim(&mut store, 50).unwrap();
    succeed(&mut store, &claimed).unwrap();
    drop(store);
    let image = disk.image();
    let is_payload = |page: &usize| image[page * 4096..][..4096].windows(400).any(|run| run == [7; 400]);
    let pages = (1..image.len() / 4096).filter(is_payload).collect();
    (image, pages)
}

fn spoil(image: &mut [u8], page: usize, seed: u64) {
    for (at, byte) in image[page * 4096..][..4096].iter_mut().enumerate() {
        *byte = seed.wrapping_mul(0x9e37_79b9).to_le_bytes()[at % 4] ^ at.to_le_bytes()[0];
    }
}

/// Uses a store in every way; answers whether all went well.
fn use_all(store: &mut RedbStore) -> bool {
    let filter = Filter { states: vec![], tasks: vec![], after: None, limit: usize::MAX };
    let mut well = store.read(&mut |look| well_listed(look.list(&filter))).is_ok();
    well &= claim(store, 200).is_ok();
    well & enqueue(store, 1000).is_ok()
}

fn well_listed(list: Result<Vec<crate::WorkView>, crate::VerbError>) {
    // A page that does not read fails the verb, and the store says so as well.
    drop(list);
}

#[test]
fn damage_found_at_the_opening_is_an_error() {
    let (image, _) = image_and_payload_pages();
    let mut damaged = 0;
    for seed in 0..200_u64 {
        let mut rotten = image.clone();
        let pages = rotten.len() / 4096 - 1;
        spoil(&mut rotten, 1 + usize::try_from(seed).unwrap() * 7 % pages, seed);
        match open_sim(&SimDisk::from_image(rotten, seed)) {
            Err(OpenError::Damaged { .. }) => damaged += 1,
            Err(other) => panic!("{other:?}"),
            Ok(mut store) => assert!(use_all(&mut store), "the page held nothing: {:?}", store.facts()),
        }
    }
    assert!((1..200).contains(&damaged), "{damaged}");
}

#[test]
fn damage_met_by_an_open_store_is_an_error_and_no_panic() {
    let (image, payload_pages) = image_and_payload_pages();
    let (mut failed, mut blind) = (0, 0);
    for page in payload_pages {
        for seed in 0..5 {
            let disk = SimDisk::from_image(image.clone(), seed);
            let options = StoreOptions { cache_bytes: 0, ..StoreOptions::default() };
            let mut store = RedbStore::open_on(Box::new(disk.clone()), options, opening(1)).unwrap();
            let mut rotten = disk.image();
            spoil(&mut rotten, page, seed);
            disk.restore(rotten);
            // A transaction that only looks is broken by what it could not see.
            let mut seen = true;
            let filter = Filter { states: vec![], tasks: vec![], after: None, limit: usize::MAX };
            let looked = store.write(&mut |tx| seen = tx.list(&filter).is_ok());
            assert!(seen || looked.is_err());
            blind += usize::from(!seen);
            if !use_all(&mut store) {
                failed += 1;
                let health = &store.facts().health;
                assert!(
                    matches!(health, StoreHealth::Failed(text) if text.contains("damaged")),
                    "{health:?}"
                );
                assert!(matches!(enqueue(&mut store, 2000), Err(StoreError::Failed(_))));
            }
        }
    }
    assert!(failed > 10 && blind > 10, "{failed}, {blind}");
}

#[test]
fn a_panic_of_the_caller_goes_back_to_it_and_leaves_nothing() {
    let mut store = open_sim(&SimDisk::new(1)).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = store.write(&mut |tx| {
            tx.enqueue(&[work(1, 10)], NOW).unwrap();
            panic!("within the transaction");
        });
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"within the transaction"));
    enqueue(&mut store, 2).unwrap();
    assert_eq!(ids(&mut store, &[]), BTreeSet::from([id(2)]));
    assert_eq!(store.facts().findings, [Finding::Created], "nothing had to be opened anew");
}

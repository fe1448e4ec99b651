//! Tables of the application and scheduled work in one commit (S6.6).

use ::redb::{MultimapTableDefinition, ReadableTable as _, TableDefinition};

use super::*;

const NOTES: TableDefinition<'_, u64, &str> = TableDefinition::new("notes");
/// Named as a table of the store is.
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
const TAGS: MultimapTableDefinition<'_, &str, u64> = MultimapTableDefinition::new("tags");

/// Writes a note and schedules a piece, both with this number.
fn note_and_enqueue(store: &mut RedbStore, n: u64) -> Result<Option<Changes>, StoreError> {
    store.transact(&mut |tx, tables| {
        // What fails here fails the transaction.
        let noted = tables.open_table(NOTES).map(|mut notes| notes.insert(n, "note").map(drop));
        let _ = (noted, tx.enqueue(&[work(n, 10)], NOW));
        Verdict::Commit
    })
}

fn notes(store: &mut RedbStore) -> BTreeSet<WorkId> {
    let mut found = BTreeSet::new();
    let read = store.transact(&mut |_, tables| {
        let notes = tables.open_table(NOTES).unwrap();
        found = notes.iter().unwrap().map(|entry| id(entry.unwrap().0.value())).collect();
        Verdict::Commit
    });
    read.unwrap();
    found
}

#[test]
fn s6_6_a_note_and_its_work_are_one_commit_at_every_call() {
    let whole = || {
        let disk = SimDisk::new(1);
        let mut store = open_sim(&disk).unwrap();
        (0..4).for_each(|n| drop(note_and_enqueue(&mut store, n).unwrap()));
        disk
    };
    let calls = whole().calls();
    let mut some = 0;
    for at in 0..=calls {
        let disk = SimDisk::new(at);
        disk.freeze_at(at);
        let told: BTreeSet<_> = open_sim(&disk)
            .map(|mut store| (0..4).filter(|n| note_and_enqueue(&mut store, *n).is_ok()).map(id).collect())
            .unwrap_or_default();
        for seed in 0..4 {
            let mut store = open_sim(&disk.after_power_cut(seed)).unwrap();
            let there = ids(&mut store, &[]);
            assert_eq!(there, notes(&mut store), "call {at}, seed {seed}");
            assert!(told.is_subset(&there), "call {at}, seed {seed}");
            some += there.len();
        }
    }
    assert!(some > 0);
}

#[test]
fn s6_6_an_abort_leaves_nothing_of_either_kind() {
    let mut store = open_sim(&SimDisk::new(1)).unwrap();
    let aborted = store.transact(&mut |tx, tables| {
        tables.open_table(NOTES).unwrap().insert(1, "note").unwrap();
        tx.enqueue(&[work(1, 10)], NOW).unwrap();
        Verdict::Abort
    });
    assert_eq!(aborted.unwrap(), None);
    note_and_enqueue(&mut store, 2).unwrap().unwrap();
    assert_eq!((ids(&mut store, &[]), notes(&mut store)), ([id(2)].into(), [id(2)].into()));
    store.check().unwrap();
    assert_eq!(store.facts().findings, [Finding::Created], "nothing had to be opened anew");
}

#[test]
fn s6_6_a_panic_goes_back_to_its_caller_and_leaves_nothing() {
    for with_open_table in [false, true] {
        let mut store = open_sim(&SimDisk::new(1)).unwrap();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            store.transact(&mut |tx, tables| {
                let mut notes = tables.open_table(NOTES).unwrap();
                notes.insert(1, "note").unwrap();
                tx.enqueue(&[work(1, 10)], NOW).unwrap();
                if !with_open_table {
                    drop(notes);
                }
                panic!("within the transaction");
            })
        }));
        assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"within the transaction"));
        note_and_enqueue(&mut store, 2).unwrap().unwrap();
        assert_eq!((ids(&mut store, &[]), notes(&mut store)), ([id(2)].into(), [id(2)].into()));
        assert_eq!(store.facts().findings, [Finding::Created], "nothing had to be opened anew");
    }
}

#[test]
fn a_panic_that_a_closure_swallows_still_undoes_what_it_ran_through() {
    let mut store = open_sim(&SimDisk::new(1)).unwrap();
    let kept = store.transact(&mut |_, tables| {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            tables.open_table(NOTES).unwrap().insert(1, "half a thing").unwrap();
            let _open = tables.open_table(NOTES).unwrap();
            panic!("in the middle");
        }));
        Verdict::Commit
    });
    assert_eq!(kept.unwrap(), None);
    assert_eq!(notes(&mut store), BTreeSet::new());
}

#[test]
fn an_application_reaches_no_table_of_the_store() {
    let mut store = open_sim(&SimDisk::new(1)).unwrap();
    enqueue(&mut store, 1).unwrap();
    let own = store.transact(&mut |_, tables| {
        let mut records = tables.open_table(RECORDS).unwrap();
        assert_eq!(records.iter().unwrap().count(), 0, "a table of its own");
        records.insert([1_u8; 16].as_slice(), b"mine".as_slice()).unwrap();
        drop(records);
        let mut tags = tables.open_multimap_table(TAGS).unwrap();
        tags.insert("a", 1).unwrap();
        Verdict::Commit
    });
    assert!(own.unwrap().is_some());
    store.check().unwrap();
    assert_eq!(ids(&mut store, &[]), [id(1)].into());
    store
        .transact(&mut |_, tables| {
            assert!(tables.delete_table(RECORDS).unwrap());
            assert!(!tables.delete_table(RECORDS).unwrap());
            Verdict::Commit
        })
        .unwrap();
    assert_eq!(ids(&mut store, &[]), [id(1)].into());
}

#[test]
fn a_transaction_that_only_reads_costs_no_sync() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    note_and_enqueue(&mut store, 1).unwrap();
    let syncs = store.disk_counts().syncs;
    assert_eq!(notes(&mut store).len(), 1);
    assert_eq!(store.disk_counts().syncs, syncs);
}

#[test]
fn a_commit_that_fails_is_told_apart_and_the_store_goes_on() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    note_and_enqueue(&mut store, 1).unwrap();
    disk.inject(Fault::next(&disk, Call::Sync));
    assert!(matches!(note_and_enqueue(&mut store, 2), Err(StoreError::Undone(_))));
    disk.inject(Fault { error: std::io::ErrorKind::StorageFull, ..Fault::next(&disk, Call::Sync) });
    assert!(matches!(note_and_enqueue(&mut store, 3), Err(StoreError::Full)));
    disk.inject(Fault { lasts: Lasts::Forever, ..Fault::next(&disk, Call::Sync) });
    assert!(matches!(note_and_enqueue(&mut store, 4), Err(StoreError::InDoubt(_))));
    disk.heal();
    note_and_enqueue(&mut store, 5).unwrap().unwrap();
    assert_eq!(ids(&mut store, &[]), notes(&mut store));
}

#[test]
fn a_transaction_that_holds_a_note_alone_is_a_commit_of_its_own() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    let note = |store: &mut RedbStore, n: u64| {
        store.transact(&mut |_, tables| {
            let _ = tables.open_table(NOTES).map(|mut notes| notes.insert(n, "note").map(drop));
            Verdict::Commit
        })
    };
    let first = note(&mut store, 1).unwrap().unwrap().commit;
    disk.inject(Fault { effect: Effect::CarriedOut, ..Fault::next(&disk, Call::Sync) });
    let second = note(&mut store, 2).unwrap().unwrap().commit;
    assert_eq!(second, first + 1, "so that what became of it can be told");
    assert_eq!(notes(&mut store).len(), 2);
}

#[test]
fn a_table_that_is_leaked_fails_its_transaction_alone() {
    let mut store = open_sim(&SimDisk::new(1)).unwrap();
    let leaked = store.transact(&mut |tx, tables| {
        std::mem::forget(tables.open_table(NOTES).unwrap());
        tables.open_multimap_table(TAGS).unwrap().insert("a", 1).unwrap();
        tx.enqueue(&[work(1, 10)], NOW).unwrap();
        Verdict::Commit
    });
    assert!(matches!(leaked, Err(StoreError::Undone(_))), "{leaked:?}");
    note_and_enqueue(&mut store, 2).unwrap().unwrap();
    assert_eq!((ids(&mut store, &[]), notes(&mut store)), ([id(2)].into(), [id(2)].into()));
}

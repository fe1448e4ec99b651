//! Opening, opening again, and opening what somebody else has open.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use super::*;

fn holder(path: &Path) -> String {
    match open(path) {
        Err(OpenError::InUse { holder, .. }) => holder,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_stored_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let mut store = open(&path).unwrap();
    assert_eq!((store.facts().epoch, &store.facts().findings[..]), (1, &[Finding::Created][..]));
    let mut commits = Vec::new();
    for n in 0..20 {
        commits.push(enqueue(&mut store, n).unwrap().commit);
    }
    assert!(commits.is_sorted_by(|a, b| a < b), "{commits:?}");
    let counts = store.disk_counts();
    enqueue(&mut store, 20).unwrap();
    assert_eq!(store.disk_counts().syncs, counts.syncs + 1, "one sync for a commit");
    let claimed = claim(&mut store, 2).unwrap();
    succeed(&mut store, &claimed[..1]).unwrap();
    drop(store);

    let mut store = RedbStore::open(&path, StoreOptions::default(), opening(9)).unwrap();
    assert_eq!((store.facts().epoch, store.facts().uuid), (2, [1; 16]));
    assert_eq!(store.facts().findings, []);
    assert_eq!(store.facts().health, StoreHealth::Healthy);
    assert_eq!(ids(&mut store, &[]).len(), 21);
    assert_eq!(ids(&mut store, &[WorkState::Running]), BTreeSet::from([claimed[1].work]));
    assert!(enqueue(&mut store, 30).unwrap().commit > *commits.last().unwrap());
}

#[test]
fn paranoid_commits_sync_twice() {
    let disk = SimDisk::new(1);
    let options = StoreOptions { durability: Durability::Paranoid, ..StoreOptions::default() };
    let mut store = RedbStore::open_on(Box::new(disk), options, opening(1)).unwrap();
    let before = store.disk_counts().syncs;
    enqueue(&mut store, 1).unwrap();
    assert_eq!(store.disk_counts().syncs, before + 2);
}

#[test]
fn a_transaction_that_wrote_nothing_touches_no_disk() {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    enqueue(&mut store, 1).unwrap();
    let calls = disk.calls();
    let changes = store.write(&mut |_| ()).unwrap();
    assert_eq!(disk.calls(), calls);
    assert_eq!(enqueue(&mut store, 2).unwrap().commit, changes.commit + 1);
}

#[test]
fn an_empty_file_becomes_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    fs::write(&path, "").unwrap();
    enqueue(&mut open(&path).unwrap(), 1).unwrap();
    assert_eq!(ids(&mut open(&path).unwrap(), &[]).len(), 1);
}

#[test]
fn a_second_opener_in_this_process_is_told_who_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let mut store = open(&path).unwrap();
    let this = format!("another scheduler in this process {}", std::process::id());
    let text = holder(&path);
    assert!(text.starts_with(&this), "{text}");
    assert!(text.contains("`store tests`") && text.contains("since 2026-11-24 06:10:19 UTC"), "{text}");
    let link = directory.path().join("link.redb");
    fs::hard_link(&path, &link).unwrap();
    let text = holder(&link);
    assert!(text.starts_with(&this), "{text}");
    enqueue(&mut store, 1).expect("the holder is not disturbed");
    drop(store);
    assert_eq!(ids(&mut open(&path).unwrap(), &[]).len(), 1);
}

#[test]
fn a_second_opener_in_another_process_is_told_who_has_it() {
    if let Some(path) = std::env::var_os("PUSHE_HOLD") {
        let opening = Opening { program: "the holder".to_owned(), ..opening(1) };
        let _store = RedbStore::open(path, StoreOptions::default(), opening).unwrap();
        say("held");
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let name = "redb::tests::openings::a_second_opener_in_another_process_is_told_who_has_it";
    let mut child = child(name, "PUSHE_HOLD", &path);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("held")), "the child has not opened the store");

    let expected = format!("process {} (`the holder`), since 2026-11-24 06:10:19 UTC", child.id());
    assert_eq!(holder(&path), expected);
    let link = directory.path().join("link.redb");
    fs::hard_link(&path, &link).unwrap();
    assert!(holder(&link).starts_with(&format!("process {} (", child.id())), "a link has no note beside it");

    child.kill().unwrap();
    child.wait().unwrap();
    let store = open(&path).expect("the lock goes with its process");
    assert!(store.facts().findings.contains(&Finding::Recovered), "{:?}", store.facts());
}

#[test]
fn an_older_copy_in_the_place_of_the_store_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("tasks.redb"), directory.path().join("copy"));
    drop(open(&path).unwrap());
    fs::copy(&path, &copy).unwrap();
    for _ in 0..2 {
        drop(open(&path).unwrap());
    }
    fs::rename(&copy, &path).unwrap();
    assert_eq!(open(&path).unwrap().facts().findings, [Finding::OlderCopy { noted: 3, found: 1 }]);
    assert_eq!(open(&path).unwrap().facts().findings, [], "it is said once");

    fs::remove_file(&path).unwrap();
    let store = RedbStore::open(&path, StoreOptions::default(), opening(2)).unwrap();
    assert_eq!(store.facts().findings, [Finding::Created, Finding::Vanished { uuid: [1; 16] }]);
    assert_eq!(store.facts().uuid, [2; 16]);
    drop(store);

    let other = directory.path().join("other.redb");
    drop(RedbStore::open(&other, StoreOptions::default(), opening(3)).unwrap());
    fs::rename(&other, &path).unwrap();
    assert_eq!(open(&path).unwrap().facts().findings, [Finding::OtherStore { uuid: [2; 16] }]);
}

#[test]
fn a_file_that_is_deleted_or_replaced_is_never_a_second_store() {
    let directory = tempfile::tempdir().unwrap();
    let (path, aside) = (directory.path().join("tasks.redb"), directory.path().join("aside"));
    let mut store = open(&path).unwrap();
    enqueue(&mut store, 1).unwrap();
    fs::rename(&path, &aside).unwrap();
    let error = enqueue(&mut store, 2).unwrap_err();
    assert!(matches!(&error, StoreError::Failed(text) if text.contains("deleted or moved")), "{error:?}");
    assert!(!path.exists(), "nothing was put in its place");
    fs::File::create(&path).unwrap().write_all(b"another").unwrap();
    let error = enqueue(&mut store, 3).unwrap_err();
    assert!(matches!(&error, StoreError::Failed(text) if text.contains("another file")), "{error:?}");
    assert!(matches!(store.facts().health, StoreHealth::Failed(_)));
    assert_eq!(fs::read(&path).unwrap(), b"another");

    fs::rename(&aside, &path).unwrap();
    enqueue(&mut store, 4).expect("its file is back");
    assert_eq!(store.facts().health, StoreHealth::Healthy);
    assert_eq!(ids(&mut store, &[]), BTreeSet::from([id(1), id(4)]));
}

#[test]
fn a_store_that_is_newer_than_this_build_is_refused() {
    let disk = SimDisk::new(1);
    drop(open_sim(&disk).unwrap());
    let mut row = crate::wire::Writer::new(1);
    row.varint(7);
    put_fact(&disk, b"format", &row.seal(b"format"));
    let error = open_sim(&disk).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 7, known: 1, .. }), "{error:?}");

    put_fact(&disk, b"format", b"rubbish");
    let error = open_sim(&disk).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { detail, .. } if detail.contains("`format`")), "{error:?}");
}

/// Writes a fact of the store as another build might.
fn put_fact(disk: &SimDisk, key: &[u8], value: &[u8]) {
    use crate::tables::{Table, TablesMut as _};
    let backend = backend::Counted::new(disk.handle().unwrap().into(), Arc::default());
    let database = redb::Builder::new().create_with_backend(backend).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut tables = WriteTables::new(&transaction);
    tables.put(Table::Meta, key, value, &mut |_| ()).unwrap();
    tables.finish().unwrap();
    transaction.commit().unwrap();
}

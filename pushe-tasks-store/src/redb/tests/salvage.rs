//! What is got out of damaged files, and that what is not is told.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use super::rot::rich;
use super::*;
use crate::record::WorkRecord;
use crate::rows;
use crate::tables::{Table, Tables as _};
use crate::{Damage, Reason, RescueRequest, Salvaged, WorkView};

/// Salvages an image; answers what was found and the new store, which agrees with itself.
fn salvaged(image: &[u8]) -> Result<(Salvaged, RedbStore), OpenError> {
    let (from, to) = (SimDisk::from_image(image.to_vec(), 1), SimDisk::new(2));
    let result = super::super::salvage::salvage_into(&from, &to, &opening(9));
    assert!(from.image() == image, "the source is not changed");
    let found = result?;
    let sound = verify::verify_on(&to).unwrap();
    assert_eq!(sound.problems, [], "the new store is sound");
    assert_eq!((sound.records, sound.uuid), (found.records, Some([9; 16])));
    let mut store = open_sim(&to).unwrap();
    store.check().unwrap();
    store.write(&mut |tx| drop(tx.rescue(&rescue_request()).unwrap())).unwrap();
    store.check().unwrap();
    Ok((found, store))
}

/// A rescue in another boot than the one before, which charges nobody.
fn rescue_request() -> RescueRequest {
    RescueRequest::new(NOW, Some([3; 16]))
}

fn views(store: &mut RedbStore) -> BTreeMap<WorkId, WorkView> {
    let filter = Filter { states: Vec::new(), tasks: Vec::new(), after: None, limit: usize::MAX };
    let mut found = BTreeMap::new();
    store
        .read(&mut |look| found = look.list(&filter).unwrap().into_iter().map(|v| (v.record.id, v)).collect())
        .unwrap();
    found
}

/// The bytes of a row, as they stand in the file.
fn row(disk: &SimDisk, table: Table, key: &[u8]) -> Vec<u8> {
    let store = open_sim(&disk.after_kill()).unwrap();
    let (database, _) = store.database.as_ref().unwrap();
    let tables = ReadTables::new(database.begin_read().unwrap());
    tables.get(table, key, <[u8]>::to_vec).unwrap().unwrap()
}

/// Where these bytes stand, wherever they do.
fn places(image: &[u8], bytes: &[u8]) -> Vec<usize> {
    (0..image.len() - bytes.len()).filter(|at| image[*at..].starts_with(bytes)).collect()
}

/// Bends every copy of a row.
fn bend(image: &mut [u8], row: &[u8]) {
    let found = places(image, row);
    assert!(!found.is_empty());
    for at in found {
        image[at + row.len() / 2] ^= 0x10;
    }
}

fn tells(found: &Salvaged, work: WorkId, text: &str) -> bool {
    found.problems.iter().any(|problem| problem.work == Some(work) && problem.text.contains(text))
}

#[test]
fn a_store_that_is_whole_is_copied_whole_but_for_the_tables_of_the_application() {
    let disk = rich();
    let mut before = open_sim(&disk.after_kill()).unwrap();
    before.write(&mut |tx| drop(tx.rescue(&rescue_request()).unwrap())).unwrap();
    let (found, mut store) = salvaged(&disk.image()).unwrap();
    assert_eq!((found.problems.as_slice(), found.records), ([].as_slice(), 300));
    assert_eq!(found.app_tables, ["orders"]);
    assert!(!found.is_whole());
    assert_eq!(views(&mut store), views(&mut before));
    for n in 0..300 {
        let output = |store: &mut RedbStore| {
            let mut output = None;
            store.read(&mut |look| output = look.output(id(n)).unwrap()).unwrap();
            output
        };
        assert_eq!(output(&mut store), output(&mut before), "{n}");
    }
    enqueue(&mut store, 900).unwrap();
    assert_eq!(claim(&mut store, 20).unwrap().len(), 20, "it runs");
    store.check().unwrap();
}

#[test]
fn fault_18_a_damaged_record_is_kept_among_the_quarantined_and_what_stood_behind_it_goes_on() {
    let disk = rich();
    let mut image = disk.image();
    // The head of a queue of three, whose others wait for it.
    let head = (60..300).map(id).find(|n| {
        let record = WorkRecord::decode(*n, &row(&disk, Table::Records, n.as_bytes())).unwrap();
        record.state == WorkState::Enqueued && record.id_hash.is_some()
    });
    let head = head.unwrap();
    bend(&mut image, &row(&disk, Table::Records, head.as_bytes()));
    let (found, mut store) = salvaged(&image).unwrap();
    assert_eq!((found.records, found.without_record.as_slice()), (300, [head].as_slice()));
    assert!(tells(&found, head, "does not read back") && tells(&found, head, "its record is lost"));
    let all = views(&mut store);
    let kept = &all[&head];
    assert_eq!((kept.record.state, kept.record.reason), (WorkState::Quarantined, Some(Reason::Record)));
    let spec = kept.spec.as_ref().unwrap();
    assert_eq!(spec.envelope.payload, vec![7; 500]);
    let queue = |view: &&WorkView| view.spec.as_ref().is_ok_and(|other| other.task_id == spec.task_id);
    let waits = |view: &&WorkView| view.record.id != head && !view.record.state.is_finished();
    let behind: Vec<_> = all.values().filter(queue).filter(waits).collect();
    assert!(!behind.is_empty());
    assert_eq!(behind[0].record.state, WorkState::Enqueued, "{behind:?}");
    assert!(behind[1..].iter().all(|view| view.record.state == WorkState::Blocked));
}

#[test]
fn fault_18_a_piece_whose_payload_is_lost_is_told_and_quarantined_by_the_claim() {
    let disk = rich();
    let mut image = disk.image();
    let works = (200..300).map(id).filter(|n| {
        let record = WorkRecord::decode(*n, &row(&disk, Table::Records, n.as_bytes())).unwrap();
        record.state == WorkState::Enqueued
    });
    let work = works.min().unwrap();
    bend(&mut image, &row(&disk, Table::Specs, work.as_bytes()));
    let (found, mut store) = salvaged(&image).unwrap();
    assert_eq!((found.records, found.without_record.as_slice()), (300, [].as_slice()));
    assert!(tells(&found, work, "its payload is lost"), "{:?}", found.problems);
    claim(&mut store, 300).unwrap();
    let view = views(&mut store).remove(&work).unwrap();
    assert_eq!((view.record.state, view.record.reason), (WorkState::Quarantined, Some(Reason::Payload)));
    assert_eq!(view.spec, Err(Damage::Missing("spec")));
    store.check().unwrap();
}

#[test]
fn a_piece_of_which_only_its_place_is_left_is_named() {
    let disk = rich();
    let mut image = disk.image();
    for table in [Table::Records, Table::Specs] {
        bend(&mut image, &row(&disk, table, id(299).as_bytes()));
    }
    let (found, mut store) = salvaged(&image).unwrap();
    assert_eq!(found.records, 299);
    assert!(tells(&found, id(299), "an index names it"), "{:?}", found.problems);
    assert!(!views(&mut store).contains_key(&id(299)));
}

#[test]
fn outputs_and_error_texts_that_are_lost_are_told_and_their_work_stays() {
    let disk = rich();
    let mut image = disk.image();
    let mut all = open_sim(&disk.after_kill()).map(|mut store| views(&mut store)).unwrap();
    all.retain(|_, view| view.record.state.is_finished());
    let done = all.values().find(|view| view.record.state == WorkState::Succeeded).unwrap().record.id;
    let failed = all.values().find(|view| view.record.state == WorkState::Failed).unwrap().record.id;
    bend(&mut image, &row(&disk, Table::Outputs, done.as_bytes()));
    bend(&mut image, &row(&disk, Table::Errors, &rows::error_key(failed, 1)));
    let (found, mut store) = salvaged(&image).unwrap();
    assert_eq!(found.records, 300);
    assert!(tells(&found, done, "does not read back"));
    assert!(tells(&found, failed, "the error text of an attempt is lost"), "{:?}", found.problems);
    let after = views(&mut store);
    assert_eq!(after[&done].record, all[&done].record);
    assert_eq!(after[&failed].errors, []);
    assert!(!after[&failed].record.history[0].has_error);
}

#[test]
fn lost_counters_and_lanes_are_told_and_never_given_out_again() {
    let disk = rich();
    let mut image = disk.image();
    bend(&mut image, &row(&disk, Table::Meta, b"counters"));
    bend(&mut image, &row(&disk, Table::Lanes, &rows::lane_key(LaneId(1))));
    let (found, mut store) = salvaged(&image).unwrap();
    let told = |text: &str| found.problems.iter().any(|problem| problem.text.contains(text));
    assert!(told("the counters are lost"), "{:?}", found.problems);
    assert!(told("lane 1 are lost; its 300 pieces"), "{:?}", found.problems);
    enqueue(&mut store, 900).unwrap();
    store.check().unwrap();
    let all = views(&mut store);
    let new = &all[&id(900)].record;
    assert_eq!(new.lane, LaneId(2));
    assert!(all.values().all(|view| view.record.id == id(900) || view.record.sequence < new.sequence));
    assert!(all[&id(1)].lane.task.contains("damaged"), "{}", all[&id(1)].lane.task);
}

#[test]
fn a_newer_store_is_refused() {
    let disk = rich();
    let mut newer = crate::wire::Writer::new(1);
    newer.varint(crate::meta::STORE_FORMAT + 1);
    let newer = newer.seal(b"format");
    let mut image = disk.image();
    let old = row(&disk, Table::Meta, b"format");
    assert_eq!(old.len(), newer.len());
    for at in places(&image, &old) {
        image[at..at + newer.len()].copy_from_slice(&newer);
    }
    assert!(matches!(salvaged(&image), Err(OpenError::Newer { .. })));
}

/// Every piece is in the new store with what it was asked to do, or it is told of.
fn complete(image: &[u8], what: &str) -> bool {
    let (found, mut store) = match salvaged(image) {
        Ok(found) => found,
        Err(OpenError::Damaged { .. } | OpenError::Path { .. }) => return false,
        Err(other) => panic!("{what}: {other:?}"),
    };
    let all = views(&mut store);
    let mut missing = 0;
    for n in 0..300 {
        match all.get(&id(n)).map(|view| &view.spec) {
            Some(Ok(spec)) => assert!(spec.envelope.payload == vec![7; 500], "{what}: {n}"),
            Some(Err(_)) => {
                assert!(tells(&found, id(n), "payload is lost"), "{what}: {n}: {:?}", found.problems);
            }
            None => missing += 1,
        }
    }
    assert!(all.keys().all(|work| (0..300).any(|n| id(n) == *work)), "{what}: nothing else");
    let ranges = found.problems.iter().any(|problem| {
        ["cannot be reached", "cannot be found", "is damaged", "cannot be told apart"]
            .iter()
            .any(|text| problem.text.contains(text))
    });
    let named = (0..300).filter(|n| tells(&found, id(*n), "an index names it")).count();
    assert!(missing == 0 || ranges || named == missing, "{what}: {missing} of {named}: {:?}", found.problems);
    for work in &found.without_record {
        assert!(tells(&found, *work, "its record is lost"), "{what}");
    }
    true
}

#[test]
fn fault_19_whatever_is_damaged_the_rest_is_got_out_and_every_missing_piece_is_told() {
    let image = rich().image();
    let pages = image.len() / 4096;
    let mut opened = 0;
    for seed in 0..240_u64 {
        let mut rotten = image.clone();
        let page = usize::try_from(seed).unwrap() * 17 % (pages - 1) + 1;
        let other = usize::try_from(seed).unwrap() * 29 % (pages - 1) + 1;
        let bytes = page * 4096..(page + 1) * 4096;
        match seed % 6 {
            0 => rotten[bytes].fill(0),
            1 => rotten[bytes].fill(0xff),
            2 => rotten[bytes].iter_mut().enumerate().for_each(|(at, byte)| *byte ^= at.to_le_bytes()[0]),
            3 => rotten[page * 4096 + 512..page * 4096 + 1024].fill(0),
            4 => rotten.copy_within(other * 4096..(other + 1) * 4096, page * 4096),
            _ => {
                let kept = rotten[bytes.clone()].to_vec();
                rotten.copy_within(other * 4096..(other + 1) * 4096, page * 4096);
                rotten[other * 4096..(other + 1) * 4096].copy_from_slice(&kept);
            }
        }
        opened += u64::from(complete(&rotten, &format!("seed {seed}, page {page}")));
    }
    assert!(opened > 230, "{opened}");
}

#[test]
fn fault_17_a_truncated_store_gives_what_its_pages_still_hold() {
    let image = rich().image();
    for len in (4096..image.len()).step_by(20_000).chain([image.len() - 1]) {
        complete(&image[..len], &format!("length {len}"));
    }
    for len in [1, 100, 319, 4095] {
        assert!(!complete(&image[..len], &format!("length {len}")), "{len}");
    }
}

/// The pages that list the store's tables.
fn lists(image: &[u8]) -> Vec<usize> {
    let names = [&b"records"[..], b"specs", b"order"];
    let holds = |page: &usize| {
        let bytes = &image[page * 4096..(page + 1) * 4096];
        names.iter().all(|name| bytes.windows(name.len()).any(|part| part == *name))
    };
    (1..image.len() / 4096).filter(holds).collect()
}

#[test]
fn a_list_of_tables_that_is_lost_is_found_in_an_earlier_one() {
    let image = rich().image();
    let lists = lists(&image);
    let mut helped = 0;
    for list in &lists {
        let mut rotten = image.clone();
        rotten[list * 4096..(list + 1) * 4096].fill(0);
        let (found, mut store) = salvaged(&rotten).unwrap();
        if !found.problems.is_empty() {
            helped += 1;
            let earlier =
                found.problems.iter().any(|problem| problem.text.contains("the newest list of tables"));
            assert!(earlier, "{:?}", found.problems);
            assert_eq!(views(&mut store).len(), 300);
        }
    }
    assert!(helped > 0, "one of {lists:?} is the last");
    let mut rotten = image.clone();
    for list in lists {
        rotten[list * 4096..(list + 1) * 4096].fill(0);
    }
    assert!(matches!(salvaged(&rotten), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_header_that_is_lost_costs_nothing_but_a_word() {
    let image = rich().image();
    for (fill, len) in [(0, 512), (0, 4096), (0xa5, 512), (0xff, 4096)] {
        let mut rotten = image.clone();
        rotten[..len].fill(fill);
        let (found, mut store) = salvaged(&rotten).unwrap();
        assert_eq!((found.records, found.without_record.len()), (300, 0), "{:?}", found.problems);
        assert!(found.problems.len() <= 2 && !found.problems.is_empty(), "{:?}", found.problems);
        assert_eq!(views(&mut store).len(), 300);
    }
}

#[test]
fn a_header_that_names_the_wrong_commit_or_none_is_told() {
    // As a kill leaves it, with a last commit that only the header leads to.
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    (0..40).for_each(|n| drop(enqueue(&mut store, n).unwrap()));
    let unclosed = disk.after_kill().image();
    drop(store);
    let closed = disk.image();
    let named = |image: &[u8]| usize::from(image[9] & 1);

    let mut wrong = closed.clone();
    wrong[9] ^= 1;
    let told = |finding: &Finding| matches!(finding, Finding::HeaderDamaged { .. }) && !finding.is_ordinary();
    let mut store = open_sim(&SimDisk::from_image(wrong.clone(), 1)).unwrap();
    assert!(store.facts.findings.iter().any(told), "{:?}", store.facts.findings);
    assert_eq!(views(&mut store).len(), 40, "closing it was a commit of its own");
    let (found, mut store) = salvaged(&wrong).unwrap();
    assert!(found.problems[0].text.contains("not the last"), "{:?}", found.problems);
    assert_eq!(views(&mut store).len(), 40);

    // After a crash redb takes the newer one, whatever the header names.
    let mut wrong = unclosed.clone();
    wrong[9] ^= 1;
    let store = &mut open_sim(&SimDisk::from_image(wrong.clone(), 1)).unwrap();
    assert_eq!(views(store).len(), 40);
    let (found, mut store) = salvaged(&wrong).unwrap();
    assert_eq!((found.problems, views(&mut store).len()), (Vec::new(), 40));

    let mut lost = unclosed.clone();
    lost[[64, 192][named(&unclosed)] + 20] ^= 1;
    let mut store = open_sim(&SimDisk::from_image(lost.clone(), 1)).unwrap();
    assert_eq!(views(&mut store).len(), 39);
    assert!(store.facts.findings.iter().any(told), "{:?}", store.facts.findings);
    let (found, mut store) = salvaged(&lost).unwrap();
    assert!(found.problems[0].text.contains("that commit is lost"), "{:?}", found.problems);
    assert_eq!(views(&mut store).len(), 39);
}

#[test]
fn a_disk_that_is_full_says_so() {
    let (from, to) = (rich(), SimDisk::new(1));
    to.set_capacity(64 << 10);
    let result = super::super::salvage::salvage_into(&from, &to, &opening(9));
    let full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
    assert!(matches!(&result, Err(OpenError::Io { source, .. }) if full(source)), "{result:?}");
}

#[test]
fn on_files_nothing_is_left_after_a_failure_and_nothing_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let names = || {
        let entries = fs::read_dir(directory.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("new"));
        names
    };
    let from = path("tasks.redb");
    let mut store = open(&from).unwrap();
    enqueue(&mut store, 1).unwrap();
    let held = salvage(&from, path("new"), &opening(2));
    assert!(matches!(held, Err(OpenError::InUse { holder, .. }) if holder.contains("this process")));
    assert!(names().is_empty());
    drop(store);
    let before = fs::read(&from).unwrap();
    fs::write(path("diary"), "my diary").unwrap();
    for (from, to) in [
        (&from, &from),
        (&from, &path("diary")),
        (&path("diary"), &path("new")),
        (&path("none"), &path("new")),
    ] {
        assert!(matches!(salvage(from, to, &opening(2)), Err(OpenError::Path { .. })), "{from:?} {to:?}");
    }
    assert_eq!(fs::read(path("diary")).unwrap(), b"my diary");
    fs::write(path("cut"), &before[..3000]).unwrap();
    assert!(salvage(path("cut"), path("new"), &opening(2)).is_err());
    assert!(names().is_empty(), "{:?}", names());
    let mut mode = fs::metadata(&from).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&from, mode).unwrap();
    let found = salvage(&from, path("new"), &opening(2)).unwrap();
    assert_eq!((found.is_whole(), found.records), (true, 1));
    assert_eq!(names(), ["new"]);
    assert!(fs::read(&from).unwrap() == before);
    assert!(matches!(salvage(&from, path("new"), &opening(2)), Err(OpenError::Path { .. })), "not twice");
    let mut store = open(path("new")).unwrap();
    assert_eq!(claim(&mut store, 9).unwrap().len(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(path("new")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

//! Damaged files: what verifying says of them.

use std::fs;

use ::redb::TableDefinition;

use super::*;
use crate::{Policy, Verified};

/// A store with work of many kinds, closed in order, and the application's own table.
pub(super) fn rich() -> SimDisk {
    let disk = SimDisk::new(1);
    let mut store = open_sim(&disk).unwrap();
    for n in 0..300 {
        let mut piece = work(n, 500);
        if n % 3 == 0 {
            piece.unique = Some((format!("id {}", n / 9), Policy::Append));
        }
        store.write(&mut |tx| drop(tx.enqueue(&[piece.clone()], NOW).unwrap())).unwrap();
    }
    let running = claim(&mut store, 60).unwrap();
    let settle =
        |attempt: &Attempt, settlement| Settle { attempt: *attempt, at: NOW, settlement, body: Body::Ended };
    let settles: Vec<_> = running[..50]
        .iter()
        .enumerate()
        .map(|(n, attempt)| match n % 2 {
            0 => settle(attempt, Settlement::Succeeded { output: Some(vec![n.to_le_bytes()[0]; 40].into()) }),
            _ => settle(
                attempt,
                Settlement::Failed {
                    end: crate::AttemptEnd::Failed,
                    reason: crate::Reason::Fail,
                    error: format!("no. {n}"),
                },
            ),
        })
        .collect();
    store.write(&mut |tx| drop(tx.settle(&settles).unwrap())).unwrap();
    store
        .transact(&mut |_, tables| {
            let table = TableDefinition::<u64, &str>::new("orders");
            tables.open_table(table).unwrap().insert(1, "chairs").unwrap();
            crate::Verdict::Commit
        })
        .unwrap();
    drop(store);
    disk
}

fn verified(image: &[u8]) -> Verified {
    let disk = SimDisk::from_image(image.to_vec(), 1);
    let found = verify::verify_on(&disk).unwrap_or_else(|error| panic!("{error}"));
    assert!(disk.image() == image, "the file is not changed");
    found
}

#[test]
fn a_store_that_is_whole_is_sound() {
    let disk = rich();
    let found = verified(&disk.image());
    assert_eq!(found.problems, []);
    assert_eq!((found.records, found.uuid, found.epoch), (300, Some([1; 16]), Some(1)));
    assert_eq!(found.app_tables, ["orders"]);
    assert!(found.is_sound());
}

#[test]
fn a_store_that_was_cut_off_is_sound_whatever_the_cut_left() {
    let mut checked = 0;
    for at in (0..400).step_by(7) {
        let disk = SimDisk::new(at);
        disk.freeze_at(at);
        let told = open_sim(&disk)
            .map(|mut store| (0..30).filter(|n| enqueue(&mut store, *n).is_ok()).count())
            .unwrap_or_default();
        for seed in 0..4 {
            let image = disk.after_power_cut(seed).image();
            if told == 0 {
                // A creation that was cut off; there is nothing to look at.
                continue;
            }
            let found = verified(&image);
            let real = found
                .problems
                .iter()
                .filter(|problem| !problem.text.starts_with("the last commit is not whole"));
            assert_eq!(real.count(), 0, "{at}, {seed}: {:?}", found.problems);
            assert!(found.records >= told as u64);
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn fault_18_every_flipped_bit_that_matters_is_found() {
    let image = rich().image();
    let (mut found, mut quiet) = (0, 0);
    for seed in 0..400_u64 {
        let mut rotten = image.clone();
        let at = usize::try_from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (rotten.len() as u64 - 4096))
            .unwrap()
            + 4096;
        rotten[at] ^= 1 << (seed % 8);
        if verified(&rotten).is_sound() {
            // A page that nothing uses.
            let mut store = open_sim(&SimDisk::from_image(rotten, seed)).unwrap();
            store.check().unwrap();
            assert_eq!(ids(&mut store, &[]).len(), 300);
            quiet += 1;
        } else {
            found += 1;
        }
    }
    assert!(found > 50 && quiet > 0, "{found} {quiet}");
}

#[test]
fn fault_19_no_damage_makes_verifying_panic_or_change_the_file() {
    let image = rich().image();
    for seed in 0..150_u64 {
        let mut rotten = image.clone();
        let pages = rotten.len() / 4096;
        let page = usize::try_from(seed).unwrap() * 13 % pages;
        let bytes = &mut rotten[page * 4096..][..4096];
        match seed % 3 {
            0 => bytes.fill(0),
            1 => bytes.fill(0xff),
            _ => bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= at.to_le_bytes()[0]),
        }
        let disk = SimDisk::from_image(rotten.clone(), seed);
        let _ = verify::verify_on(&disk);
        assert!(disk.image() == rotten);
    }
    for len in [1, 100, 319, 4096, 5000, image.len() / 2, image.len() - 1] {
        let disk = SimDisk::from_image(image[..len].to_vec(), 1);
        assert!(!verify::verify_on(&disk).is_ok_and(|found| found.is_sound()), "{len}");
    }
}

#[test]
fn an_index_that_does_not_agree_with_the_records_is_found() {
    use crate::tables::{Table, TablesMut as _};
    let disk = rich();
    let backend = backend::Counted::new(disk.handle().unwrap().into(), Arc::default());
    let database = ::redb::Builder::new().create_with_backend(backend).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut tables = WriteTables::new(&transaction);
    let record = crate::record::WorkRecord::decode(
        id(299),
        &crate::tables::Tables::get(&tables, Table::Records, id(299).as_bytes(), <[u8]>::to_vec)
            .unwrap()
            .unwrap(),
    );
    let key = crate::index::order_key(&record.unwrap());
    tables.remove(Table::Order, &key, &mut |_| ()).unwrap();
    tables.finish().unwrap();
    transaction.commit().unwrap();
    drop(database);
    let found = verified(&disk.image());
    assert!(
        found.problems.iter().any(|problem| problem.text.contains("has no place")),
        "{:?}",
        found.problems
    );
}

#[test]
fn verify_on_a_file_needs_no_right_to_write_and_says_what_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let mut store = open(&path).unwrap();
    enqueue(&mut store, 1).unwrap();
    assert!(matches!(verify(&path), Err(OpenError::InUse { holder, .. }) if holder.contains("this process")));
    drop(store);
    let mut mode = fs::metadata(&path).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&path, mode).unwrap();
    let before = fs::read(&path).unwrap();
    let found = verify(&path).unwrap();
    assert_eq!((found.problems, found.records), (Vec::new(), 1));
    assert!(fs::read(&path).unwrap() == before);
    assert!(matches!(verify(directory.path().join("none")), Err(OpenError::Path { .. })));
    assert!(!directory.path().join("none").exists(), "nothing is made");
    fs::write(directory.path().join("diary"), "my diary").unwrap();
    assert!(matches!(verify(directory.path().join("diary")), Err(OpenError::Path { .. })));
}

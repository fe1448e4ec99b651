//! The source on a real directory, and the stored forms.

use super::*;
use crate::clock::SystemClock;

fn source(store: Option<PathBuf>) -> StorageSource {
    StorageSource::new(Arc::new(SystemClock::new()), store)
}

#[test]
fn a_store_in_memory_is_unknown_and_so_never_low() {
    let reading = source(None).snapshot(&StoragePlace::Store);
    assert_eq!(reading, Reading::unknown("the store is on no file system"));
    assert!(StorageNotLow.unknown("the store is on no file system").is_met());
}

#[test]
fn a_directory_that_is_not_there_is_unknown() {
    let reading = source(None).snapshot(&StoragePlace::Directory("/nonexistent/cache".into()));
    assert!(matches!(reading, Reading::Unknown(why) if why.contains("/nonexistent/cache")));
}

#[test]
fn a_refusal_of_the_store_counts_at_once_and_for_a_while() {
    let here = tempfile::tempdir().expect("a directory");
    let source = source(Some(here.path().to_owned()));
    let place = StoragePlace::Store;
    let elsewhere = StoragePlace::Directory(here.path().to_owned());
    source.refusals().tell(source.clock.mono());
    let Some(state) = source.snapshot(&place).known().copied() else {
        // Without a way to look there is nothing that a refusal could contradict.
        return;
    };
    assert!(state.low && state.refused);
    assert!(!StorageNotLow.check(&state, WallTime::from_millis(0)).is_met());
    assert!(source.snapshot(&elsewhere).known().is_some_and(|state| !state.refused));
    let long_ago = MonoTime::from_origin(Duration::ZERO);
    source.refused.send_replace(Some(long_ago));
    let (_, next) = source.look(&place);
    assert_eq!(next, long_ago.plus(REFUSED), "it is looked at again when the refusal ends");
}

#[test]
fn the_stored_forms_are_kept() {
    assert_eq!(StorageNotLow.encode(), [1]);
    assert_eq!(StorageNotLow::decode(&[1]), Ok(StorageNotLow));
    let named = StorageNotLow::at("/var/ä");
    assert_eq!(named.encode(), [&[1], "/var/ä".as_bytes()].concat());
    assert_eq!(DirectoryNotLow::decode(&named.encode()), Ok(named.clone()));
    assert_eq!(named.describe(), "storage not low: /var/ä");
    for bytes in [&[][..], &[1], &[2, b'/'], &[1, 0xff]] {
        assert!(DirectoryNotLow::decode(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_path_must_mean_the_same_after_a_restart() {
    assert_eq!(StorageNotLow::at("/var").verify(), Ok(()));
    let problem = StorageNotLow::at("cache").verify().expect_err("a relative path");
    assert!(problem.ends_with("; write it from the root on"), "{problem}");
}

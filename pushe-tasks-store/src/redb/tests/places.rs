//! Places that cannot hold a store are refused with what to do, and left as they are.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The problem that a place is refused with.
fn problem(path: &Path) -> String {
    match open(path) {
        Err(OpenError::Path { problem, .. }) => problem,
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn a_store_is_its_owners_alone_whatever_the_umask() {
    if let Some(path) = std::env::var_os("PUSHE_UMASK") {
        rustix::process::umask(rustix::fs::Mode::empty());
        open(path).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let name = "redb::tests::places::a_store_is_its_owners_alone_whatever_the_umask";
    assert!(child(name, "PUSHE_UMASK", &path).output().unwrap().status.success());
    for suffix in ["", ".owner", ".reserve"] {
        let file = directory.path().join(format!("tasks.redb{suffix}"));
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "nothing else is left");
}

#[test]
fn what_is_not_a_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("other"), "").unwrap();
    symlink(at("other"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    for (name, expected) in [
        ("dir", "name a file in it"),
        ("link", "name the file that it leads to"),
        ("dangling", "name the file that it leads to"),
        ("fifo", "name a file"),
        ("missing/tasks.redb", "create it"),
        ("other/tasks.redb", "not a directory"),
    ] {
        let problem = problem(&at(name));
        assert!(problem.contains(expected), "{name}: {problem}");
    }
    assert!(!at("nowhere").exists());
    assert_eq!(fs::metadata(at("other")).unwrap().len(), 0);
}

#[test]
fn a_link_that_appears_after_the_look_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (target, link) = (directory.path().join("target"), directory.path().join("link"));
    fs::write(&target, "").unwrap();
    symlink(&target, &link).unwrap();
    for error in [os::open(&link).unwrap_err(), os::open_existing(&link).unwrap_err()] {
        let error = file::failed(&link, error).to_string();
        assert!(error.contains("symbolic link"), "{error}");
    }
    assert!(os::create_new(&link).is_err());
}

#[test]
fn what_others_can_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("tasks.redb");
    set_mode(&inner, 0o777);
    let text = problem(&path);
    assert!(text.contains("chmod go-w") && text.contains("Directory::Shared"), "{text}");
    assert!(!path.exists());
    let shared = StoreOptions { directory: Directory::Shared, ..StoreOptions::default() };
    drop(RedbStore::open(&path, shared, opening(1)).unwrap());

    set_mode(&inner, 0o1777);
    drop(open(&path).expect("a sticky directory, like /tmp"));
    set_mode(&inner, 0o700);
    set_mode(&path, 0o666);
    assert!(problem(&path).contains("chmod go-w"));
    set_mode(&path, 0o644);
    open(&path).expect("others may read it where its owner has said so");
}

#[test]
fn files_of_another_kind_and_damaged_ones_are_left_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let note = directory.path().join("tasks.redb.owner");
    let mut store = open(&path).unwrap();
    for n in 0..50 {
        enqueue_sized(&mut store, n, 10_000).unwrap();
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let noted = fs::read(&note).unwrap();
    let mut marked = whole[..whole.len() / 4096 / 2 * 4096].to_vec();
    let mut no_mark = whole.clone();
    no_mark[..9].fill(0);
    let cases: [(&str, Vec<u8>, bool, &str); 7] = [
        ("text", b"my diary\n".to_vec(), false, "another kind"),
        ("long text", b"my diary\n".repeat(9000), false, "another kind"),
        ("many zeros", vec![0; 5 << 20], false, "zeros"),
        ("few zeros where a store was", vec![0; 1 << 20], true, "zeros"),
        ("a store without its mark", no_mark, false, "zeros"),
        ("half a store", marked.clone(), true, "damaged"),
        ("the start of a store", marked.drain(..100).collect(), true, "damaged"),
    ];
    for (name, bytes, with_note, expected) in cases {
        fs::write(&path, &bytes).unwrap();
        if with_note {
            fs::write(&note, &noted).unwrap();
        } else {
            let _ = fs::remove_file(&note);
        }
        let error = open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Path { .. } | OpenError::Damaged { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(fs::read(&path).unwrap() == bytes, "{name}: the file was changed");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(ids(&mut open(&path).unwrap(), &[]).len(), 50);
}

#[test]
fn a_file_system_that_cannot_be_written_is_named() {
    if let Some(path) = std::env::var_os("PUSHE_READ_ONLY") {
        for name in ["new.redb", "old.redb"] {
            let error = open(Path::new(&path).join(name)).unwrap_err();
            assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
        }
        say("refused");
        return;
    }
    let error = file::failed(Path::new("a"), std::io::ErrorKind::ReadOnlyFilesystem.into());
    assert!(matches!(error, OpenError::ReadOnly { .. }));

    let directory = tempfile::tempdir().unwrap();
    let name = "redb::tests::places::a_file_system_that_cannot_be_written_is_named";
    let test = child(name, "PUSHE_READ_ONLY", directory.path());
    let script = "mount -t tmpfs none \"$0\" && touch \"$0/old.redb\" && mount -o remount,ro \"$0\" && \
                  exec \"$1\" --exact \"$2\" --nocapture";
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(directory.path())
        .arg(test.get_program())
        .arg(name)
        .env("PUSHE_READ_ONLY", directory.path())
        .output();
    match output {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("refused") => {}
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("running 1 test") => {
            panic!("{}", String::from_utf8_lossy(&output.stderr))
        }
        // Mounting takes a right that not every machine gives.
        _ => assert!(std::env::var_os("PUSHE_REQUIRE_ALL").is_none(), "no mount of its own is possible here"),
    }
}

#[test]
fn locks_that_do_not_work_are_refused() {
    for (locks, expected) in
        [(Locks::Unsupported, "no file locks"), (Locks::Pretend, "keep a second opener out")]
    {
        let disk = SimDisk::new(1);
        disk.set_locks(locks);
        let error = open_sim(&disk).unwrap_err();
        assert!(matches!(&error, OpenError::Path { problem, .. } if problem.contains(expected)), "{error:?}");
        assert!(error.to_string().contains("local disk"), "{error}");
        assert_eq!(disk.image().len(), 0);
    }
}

#[test]
fn fault_22_a_network_file_system_is_refused_unless_one_process_is_promised() {
    let disk = SimDisk::new(1);
    disk.set_network("nfs");
    let error = open_sim(&disk).unwrap_err().to_string();
    assert!(error.contains("network file system (nfs)") && error.contains("Exclusion::Promised"), "{error}");
    assert_eq!(disk.image().len(), 0);
    let promised = StoreOptions { exclusion: Exclusion::Promised, ..StoreOptions::default() };
    for locks in [Locks::Work, Locks::Pretend, Locks::Unsupported] {
        disk.set_locks(locks);
        let mut store = RedbStore::open_on(Box::new(disk.clone()), promised.clone(), opening(1)).unwrap();
        enqueue(&mut store, 1).unwrap();
        if locks == Locks::Work {
            let second = RedbStore::open_on(Box::new(disk.clone()), promised.clone(), opening(1));
            assert!(matches!(second, Err(OpenError::InUse { .. })), "a lock that works still counts");
        }
    }
}

/// A store of 50 pieces whose file has been spoilt in this way.
fn spoilt(path: &Path, spoil: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut store = open(path).unwrap();
    for n in 0..50 {
        enqueue_sized(&mut store, n, 1000).unwrap();
    }
    drop(store);
    let mut bytes = fs::read(path).unwrap();
    spoil(&mut bytes);
    fs::write(path, &bytes).unwrap();
    bytes
}

type Spoil = fn(&mut Vec<u8>);

#[test]
fn fault_17_a_damaged_file_is_moved_aside_when_asked_for_and_never_deleted() {
    let aside = StoreOptions { on_damage: OnDamage::MoveAside, ..StoreOptions::default() };
    let cases: [(&str, Spoil); 4] = [
        ("half", |bytes| bytes.truncate(bytes.len() / 8192 * 4096)),
        ("zeros", |bytes| bytes.fill(0)),
        ("another mark", |bytes| bytes[..9].fill(b'x')),
        ("roots", |bytes| bytes[64..320].fill(9)),
    ];
    for (name, spoil) in cases {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tasks.redb");
        let bytes = spoilt(&path, spoil);
        let refused = open(&path).unwrap_err();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{name}: {refused:?}");
        fs::write(directory.path().join("tasks.redb.damaged-1"), "an older one").unwrap();
        let mut store = RedbStore::open(&path, aside.clone(), opening(2)).unwrap();
        let [Finding::Created, Finding::MovedAside { to, .. }] = &store.facts().findings[..] else {
            panic!("{name}: {:?}", store.facts())
        };
        assert!(to.ends_with("tasks.redb.damaged-2"), "{to}");
        assert!(fs::read(to).unwrap() == bytes, "{name}: nothing of it is lost");
        assert_eq!(fs::read(directory.path().join("tasks.redb.damaged-1")).unwrap(), b"an older one");
        enqueue(&mut store, 1).unwrap();
        drop(store);
        assert_eq!(ids(&mut RedbStore::open(&path, aside.clone(), opening(3)).unwrap(), &[]).len(), 1);
    }
}

#[test]
fn fault_17_what_nothing_tells_to_be_a_store_is_never_moved() {
    let aside = StoreOptions { on_damage: OnDamage::MoveAside, ..StoreOptions::default() };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("diary.txt");
    fs::write(&path, "my diary").unwrap();
    let refused = RedbStore::open(&path, aside, opening(1)).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Path { problem, .. } if problem.contains("another kind")),
        "{refused:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"my diary");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_store_that_is_open_is_not_moved_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let mut store = open(&path).unwrap();
    enqueue(&mut store, 1).unwrap();
    let file = StoreFile::open(&path, &StoreOptions::default()).unwrap();
    assert_eq!(file.move_aside(&StoreOptions::default()).unwrap(), None, "it is locked");
    drop(store);
    let other = directory.path().join("other");
    fs::rename(&path, &other).unwrap();
    fs::write(&path, "another opener's").unwrap();
    assert_eq!(file.move_aside(&StoreOptions::default()).unwrap(), None, "its place is taken");
    assert_eq!(fs::read(&path).unwrap(), b"another opener's");
}

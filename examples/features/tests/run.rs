//! Each program, run to its end; and the list of them, which is whole.

use std::path::Path;
use std::process::Command;

macro_rules! programs {
    ($($program:ident)*) => {
        const PROGRAMS: &[&str] = &[$(stringify!($program),)*];

        $(#[test]
        fn $program() {
            let output = Command::new(env!(concat!("CARGO_BIN_EXE_", stringify!($program)))).output().expect("it runs");
            assert!(output.status.success(), "{output:?}");
        })*
    };
}

programs! {
    concurrency delays explain keyed_data own_constraint periodic priorities results retries salvage steering stopping testing
    transact unique_ids
}

#[test]
fn every_program_is_run_and_has_its_line() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(here.join("../README.md")).expect("the list of programs");
    let files = std::fs::read_dir(here.join("src/bin")).expect("the programs");
    let mut names: Vec<_> = files.map(|file| file.expect("a program").path()).collect();
    names.sort();
    let names: Vec<_> =
        names.iter().map(|path| path.file_stem().expect("a name").to_string_lossy()).collect();
    assert_eq!(names, PROGRAMS);
    for name in names {
        assert!(lines.contains(&format!("| `{name}` |")), "`{name}` has no line in examples/README.md");
    }
}

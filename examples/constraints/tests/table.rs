//! The program, run for a bounded time.

use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_constraints")).args(words).output().expect("the program runs")
}

#[test]
fn every_constraint_has_its_row_and_its_reading() {
    let output = run(&["--once", "--reach", "127.0.0.1:1"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    for name in [
        "network: Connected",
        "network: Unmetered",
        "network: NotRoaming",
        "network: Metered",
        "network: TemporarilyUnmetered",
        "charging",
        "battery not low",
        "storage not low ",
        "storage not low: /tmp",
        "reach: 127.0.0.1:1",
        "between 09:00 and 17:00 on Mon, Tue, Wed, Thu, Fri",
        "not between 22:00 and 07:00",
    ] {
        let row = text.lines().find(|line| line.starts_with(name));
        let row = row.unwrap_or_else(|| panic!("no row for `{name}` in:\n{text}"));
        assert!(row.contains("  yes  ") || row.contains("  no  ") || row.contains("  no   "), "{row}");
        assert!(!row.contains("no reading yet"), "{row}");
    }
}

#[test]
fn it_ends_by_itself_after_the_time_it_is_given() {
    let output = run(&["--for", "2s"]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_is_written_wrongly_is_said() {
    for words in [&["--for", "soon"][..], &["--for"], &["--twice"]] {
        let output = run(words);
        let text = String::from_utf8(output.stderr).expect("text");
        assert!(!output.status.success() && text.contains("usage: constraints"), "{words:?}: {text}");
    }
    for words in [["--reach", "nonsense"], ["--reach", "::1:80"], ["--directory", "tmp"]] {
        let output = run(&words);
        let text = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.code() == Some(2) && text.contains("; write "), "{words:?}: {text}");
    }
}

//! The page `FAULTS.md` names a test for every fault, and every test that it names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The faults that the page has to speak of.
const FAULTS: std::ops::RangeInclusive<u32> = 1..=69;
/// Those whose features do not exist yet.
const LATER: [u32; 7] = [20, 21, 25, 35, 60, 61, 69];

/// Where the tests of each letter stand, from the root of the workspace.
const PLACES: [(&str, &[&str]); 4] = [
    ("S", &["pushe-tasks-store/src", "pushe-tasks-store/tests"]),
    ("P", &["pushe-tasks/src"]),
    ("T", &["tests/tests"]),
    ("Y", &["pushe-tasks-syntax/src"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(of: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(of) else { return };
    for entry in entries.map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, into);
        } else if entry.extension().is_some_and(|kind| kind == "rs") {
            into.push(entry);
        }
    }
}

/// The names of the tests in a source: functions under a test attribute, and the cases of the conformance suite.
fn tests_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let (mut is_test, mut lists_cases) = (false, false);
    for line in text.lines().map(str::trim) {
        lists_cases |= line.starts_with("macro_rules! __conformance_cases");
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = function(line) {
            if is_test {
                names.insert(name.to_owned());
            }
            is_test = false;
        } else if lists_cases {
            let case = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_';
            if !line.is_empty() && line.chars().all(case) {
                names.insert(line.to_owned());
            }
            lists_cases = !line.starts_with("///");
        } else if !line.starts_with("#[") {
            is_test = false;
        }
    }
    names
}

/// The name of the function that begins on this line.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(super) ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// The tests of each letter.
fn known() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut known = BTreeMap::new();
    for (letter, places) in PLACES {
        let mut files = Vec::new();
        for place in places {
            sources(&root().join(place), &mut files);
        }
        assert!(!files.is_empty(), "there are sources in {places:?}");
        let tests = files.iter().flat_map(|file| tests_in(&fs::read_to_string(file).unwrap())).collect();
        known.insert(letter, tests);
    }
    let text = fs::read_to_string(root().join("tests/src/bin/torture/main.rs")).unwrap();
    let commands = text.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split_once("\", "));
    known.insert("torture", commands.map(|(name, _)| name.to_owned()).collect());
    known
}

/// One row of the page: the fault, what is promised, and the tests as `(letter, name)`.
type Row = (u32, String, Vec<(String, String)>);

/// The rows of a page; what is written wrongly in it goes to `wrong`.
fn rows(page: &str, wrong: &mut Vec<String>) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let Ok(fault) = cells[0].parse::<u32>() else { continue };
        let [_, promise, named] = &cells[..] else {
            wrong.push(format!("fault {fault}: the row has not three cells"));
            continue;
        };
        let mut tests = Vec::new();
        for word in named.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.split_once(" `").and_then(|(letter, name)| Some((letter, name.strip_suffix('`')?))) {
                Some((letter, name)) => tests.push((letter.to_owned(), name.to_owned())),
                None => wrong.push(format!("fault {fault}: `{word}` is not written as a letter and a name")),
            }
        }
        rows.push((fault, (*promise).to_owned(), tests));
    }
    rows
}

/// What is wrong with a page.
fn judge(page: &str, known: &BTreeMap<&str, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    let rows = rows(page, &mut wrong);
    for fault in FAULTS.filter(|fault| !LATER.contains(fault)) {
        match rows.iter().filter(|row| row.0 == fault).collect::<Vec<_>>()[..] {
            [] => wrong.push(format!("fault {fault} has no row")),
            [(_, promise, tests)] => {
                if promise.is_empty() {
                    wrong.push(format!("fault {fault}: nothing is promised"));
                }
                if tests.is_empty() {
                    wrong.push(format!("fault {fault} has no test"));
                }
            }
            _ => wrong.push(format!("fault {fault} has two rows")),
        }
    }
    for (fault, _, tests) in &rows {
        for (letter, name) in tests {
            if !known.get(letter.as_str()).is_some_and(|tests| tests.contains(name)) {
                wrong.push(format!("fault {fault}: there is no {letter} `{name}`"));
            }
        }
    }
    wrong
}

#[test]
fn every_fault_has_a_test_and_every_named_test_is_there() {
    let page = fs::read_to_string(root().join("tests/FAULTS.md")).unwrap();
    let wrong = judge(&page, &known());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_that_leaves_something_out_is_refused() {
    let (page, known) = (fs::read_to_string(root().join("tests/FAULTS.md")).unwrap(), known());
    let check = |page: &str, said: &str| {
        let wrong = judge(page, &known);
        assert!(wrong.iter().any(|what| what.contains(said)), "it does not say `{said}`: {wrong:?}");
    };
    let row = page.lines().find(|line| line.starts_with("| 55 |")).unwrap();
    check(&page.replace(row, ""), "fault 55 has no row");
    check(&page.replace(row, &format!("{row}\n{row}")), "fault 55 has two rows");
    check(&page.replace(row, "| 55 | something | |"), "fault 55 has no test");
    check(&page.replace(row, "| 55 | | T `slow` |"), "fault 55: nothing is promised");
    check(&page.replace(row, "| 55 | something | T `a_test_that_nobody_wrote` |"), "there is no T");
    check(&page.replace(row, "| 55 | something | torture `pray` |"), "there is no torture `pray`");
    check(&page.replace(row, "| 55 | something | T fault_55 |"), "is not written as a letter and a name");
}

#[test]
fn only_tests_count_as_tests() {
    let text = "#[test]\nfn one() {\n}\nfn no_test() {}\n#[tokio::test(flavor = \"multi_thread\")]\n#[cfg(unix)]\nasync \
                fn two() {\n fn within() {}\n";
    assert_eq!(tests_in(text), BTreeSet::from(["one".to_owned(), "two".to_owned()]));
}

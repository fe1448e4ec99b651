//! The page of clauses and the tests that prove them: each clause that is not marked as later is named by a test, and no test
//! names a clause that the page does not have.
//!
//! A test names its clauses at the head of its name: `s4_6_..`, more of them as `s7_3_s9_3_..`, many as `s4_2_to_s4_9_..`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// A clause, such as S4.6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Clause(u32, u32);

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S{}.{}", self.0, self.1)
    }
}

impl fmt::Debug for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The clauses of the page, and whether each is marked as later.
///
/// A clause begins a line as `- **S4.6**`, with `*(later)*` behind it where nothing of it is built.
fn clauses(page: &str) -> BTreeMap<Clause, bool> {
    let mut clauses = BTreeMap::new();
    for line in page.lines() {
        let Some((number, text)) = line.strip_prefix("- **S").and_then(|rest| rest.split_once("**")) else {
            continue;
        };
        let clause = number
            .split_once('.')
            .and_then(|(section, clause)| Some(Clause(section.parse().ok()?, clause.parse().ok()?)));
        let clause = clause.unwrap_or_else(|| panic!("`S{number}` is no clause"));
        assert!(text.len() > 20, "{clause} says nothing");
        let twice = clauses.insert(clause, text.starts_with(" *(later)*"));
        assert_eq!(twice, None, "{clause} stands on the page twice");
    }
    clauses
}

/// The clauses that the name of a test begins with.
fn named(test: &str) -> Vec<Clause> {
    let mut parts = test.split('_').peekable();
    let mut named: Vec<Clause> = Vec::new();
    let mut range = false;
    loop {
        let section = parts.peek().and_then(|part| part.strip_prefix('s')?.parse().ok());
        let Some(section) = section else {
            // `to` leads to the end of a range; as the next word of the name it leads nowhere.
            if named.is_empty() || range || parts.next() != Some("to") {
                return named;
            }
            range = true;
            continue;
        };
        parts.next();
        let Some(number) = parts.next().and_then(|part| part.parse().ok()) else { return named };
        let clause = Clause(section, number);
        if let (true, Some(&Clause(first, from))) = (range, named.last()) {
            assert!(first == section && from < number, "`{test}`: no range");
            named.extend((from + 1..number).map(|between| Clause(section, between)));
        }
        named.push(clause);
        range = false;
    }
}

/// The functions of a file that are run as tests: those under `#[test]` or `#[tokio::test]` that nobody told to be ignored.
fn tests(source: &str) -> Vec<String> {
    let (mut tests, mut is_test) = (Vec::new(), false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") {
            is_test = false;
        } else if let Some((_, name)) = line.split_once("fn ").filter(|_| !line.starts_with("//")) {
            let name = name.split(['(', '<']).next().unwrap_or_default();
            if std::mem::take(&mut is_test) {
                tests.push(name.to_owned());
            }
        }
    }
    tests
}

/// The cases of the suite that every store passes: the list of them, where each stands on a line of its own.
fn cases() -> Vec<String> {
    let list = read(&root().join("pushe-tasks-store/src/conformance/mod.rs"));
    let is_case =
        |line: &&str| line.starts_with('s') && line.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    let cases: Vec<_> = list.lines().map(str::trim).filter(is_case).map(str::to_owned).collect();
    assert!(cases.len() > 100, "the list of cases is not found any more");
    cases
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// All tests of the workspace that name clauses, with the clauses that they name.
fn all_tests() -> BTreeMap<String, Vec<Clause>> {
    let mut files = Vec::new();
    let folders = [
        "pushe-tasks/src",
        "pushe-tasks-macros/src",
        "pushe-tasks-store/src",
        "pushe-tasks-store/tests",
        "pushe-tasks-syntax/src",
        "tests/src",
        "tests/tests",
    ];
    for folder in folders {
        sources(&root().join(folder), &mut files);
    }
    let of_files = files.iter().flat_map(|file| tests(&read(file)));
    let all = of_files.chain(cases()).map(|test| (named(&test), test));
    all.filter(|(clauses, _)| !clauses.is_empty()).map(|(clauses, test)| (test, clauses)).collect()
}

fn page() -> BTreeMap<Clause, bool> {
    clauses(&read(&root().join("pushe-tasks/SEMANTICS.md")))
}

#[test]
fn each_clause_that_is_built_is_named_by_a_test() {
    let page = page();
    let tests = all_tests();
    let proved: BTreeSet<Clause> = tests.values().flatten().copied().collect();
    let unproved: Vec<_> = page
        .iter()
        .filter(|(clause, later)| !**later && !proved.contains(clause))
        .map(|(clause, _)| clause)
        .collect();
    assert!(
        unproved.is_empty(),
        "no test names {unproved:?}: write one, or mark what is not built as *(later)*"
    );
    // So that a page or a folder that is not found cannot pass.
    assert!(page.len() >= 60 && tests.len() >= 200, "{} clauses, {} tests", page.len(), tests.len());
}

#[test]
fn no_test_names_a_clause_that_the_page_lacks() {
    let page = page();
    let all = all_tests();
    let unknown: Vec<_> =
        all.iter().filter(|(_, clauses)| clauses.iter().any(|clause| !page.contains_key(clause))).collect();
    assert!(unknown.is_empty(), "no such clauses: {unknown:?}");
}

#[test]
fn the_clauses_of_each_section_are_all_there() {
    let page = page();
    let sections: BTreeSet<u32> = page.keys().map(|clause| clause.0).collect();
    assert_eq!(sections, (1..=10).collect());
    for section in sections {
        let numbers: Vec<u32> =
            page.keys().filter(|clause| clause.0 == section).map(|clause| clause.1).collect();
        assert_eq!(
            numbers,
            (1..=numbers.len()).map(|number| u32::try_from(number).unwrap()).collect::<Vec<_>>(),
            "S{section}"
        );
    }
}

#[test]
fn a_page_is_read_as_it_says() {
    let page = "- **S1.1** something that is built today\n- **S1.2** *(later)* something for another day\n\
                - **S1.3** partly built (later: the rest of it)\n- **not** a clause";
    let expected = [(Clause(1, 1), false), (Clause(1, 2), true), (Clause(1, 3), false)];
    assert_eq!(clauses(page), expected.into());
}

#[test]
fn names_are_read_as_they_say() {
    let check = |test: &str, expected: &[(u32, u32)]| {
        let expected: Vec<_> = expected.iter().map(|&(section, clause)| Clause(section, clause)).collect();
        assert_eq!(named(test), expected, "{test}");
    };
    check("s4_6_append_runs_every_piece", &[(4, 6)]);
    check("s10_1_s9_3_permits", &[(10, 1), (9, 3)]);
    check("s4_2_to_s4_5_what_each_chooses", &[(4, 2), (4, 3), (4, 4), (4, 5)]);
    check("s2_5_to_the_end", &[(2, 5)]);
    check("s2_ends_early", &[]);
    check("settles_of_one_batch", &[]);
    check("i5_i7_random_verbs", &[]);
}

#[test]
fn only_what_is_run_counts_as_a_test() {
    let source = "#[test]\nfn s1_1_runs() {}\n\nfn s1_2_helper() {}\n#[tokio::test(start_paused = true)]\n\
                  async fn s1_3_runs_too() {}\n#[test]\n#[ignore = \"slow\"]\nfn s1_4_is_left_out() {}\n// fn s1_5_comment() {}";
    assert_eq!(tests(source), ["s1_1_runs", "s1_3_runs_too"]);
}

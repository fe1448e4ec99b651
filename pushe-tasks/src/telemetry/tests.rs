//! The tables of the page hold every name, and the code uses no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

const PAGE: &str = include_str!("../telemetry.rs");

/// The first cells of the table under a heading.
fn table(heading: &str) -> Vec<&'static str> {
    let lines = PAGE.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim);
    let mut under =
        lines.skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with("# "));
    let rows = under.by_ref().filter_map(|line| line.strip_prefix("| `")).collect::<Vec<_>>();
    rows.into_iter().filter_map(|row| row.split('`').next()).collect()
}

#[test]
fn every_name_stands_in_its_table_once() {
    assert_eq!(table("# Spans"), span::ALL);
    assert_eq!(table("# Fields"), field::ALL);
    assert_eq!(table("# Metrics"), metric::ALL);
    for names in [span::ALL, field::ALL, metric::ALL] {
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}

/// The fields that a call of a macro of `tracing` names, of the text behind its opening bracket.
fn fields(call: &str) -> Vec<String> {
    let end = call.find('"').unwrap_or(call.len());
    let parts = call[..end].split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| part.split(['=', ' ']).next().unwrap_or(part).trim_start_matches(['%', '?']).to_owned())
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn events_use_no_field_that_is_not_in_the_table() {
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
    let mut calls = 0;
    for text in &texts {
        for level in ["error", "warn", "info", "debug", "trace"] {
            for (at, start) in text.match_indices(&format!("tracing::{level}!(")) {
                let call = &text[at + start.len()..];
                for field in fields(call) {
                    calls += 1;
                    let line = call.lines().next().unwrap_or_default();
                    assert!(
                        field::ALL.contains(&&*field),
                        "`{field}` is not in the table of `telemetry.rs`: {line}"
                    );
                }
            }
        }
    }
    assert!(calls > 20, "the calls are no longer found: {calls}");
}

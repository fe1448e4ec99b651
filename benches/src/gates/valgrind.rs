//! Instructions and allocations a piece, from two runs under callgrind: what both share, such as opening the store, falls
//! out of their difference.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use crate::ours::Failure;

/// What one run took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cost {
    instructions: f64,
    allocations: f64,
}

/// Whether valgrind is here. Where it is not, this is said aloud, and it is an error where everything is required.
pub(super) fn is_here() -> Result<bool, Failure> {
    if Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(true);
    }
    if std::env::var("PUSHE_REQUIRE_ALL").is_ok_and(|value| value == "1") {
        return Err("valgrind is not here, and PUSHE_REQUIRE_ALL=1 asks for all gates".into());
    }
    writeln!(io::stderr(), "SKIPPED: instructions and allocations a piece, since valgrind is not here")?;
    Ok(false)
}

/// Instructions and allocations a piece of one kind of work.
pub(super) fn a_piece(kind: &str, few: u64, many: u64) -> Result<(f64, f64), Failure> {
    let (less, more) = (run(kind, few)?, run(kind, many)?);
    let pieces = (many - few) as f64;
    Ok(((more.instructions - less.instructions) / pieces, (more.allocations - less.allocations) / pieces))
}

fn run(kind: &str, count: u64) -> Result<Cost, Failure> {
    let place = tempfile::tempdir()?;
    let file = place.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["work", kind, &count.to_string()])
        .output()?;
    if !output.status.success() {
        return Err(format!("`work {kind}` failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    read(&file)
}

fn read(file: &Path) -> Result<Cost, Failure> {
    parse(&std::fs::read_to_string(file)?).ok_or_else(|| "callgrind wrote no summary".into())
}

/// Names are spelled out once, as `cfn=(7) malloc`, and are numbers after that.
fn parse(text: &str) -> Option<Cost> {
    let mut names = HashMap::new();
    let (mut called, mut cost) = (None, Cost::default());
    let mut seen = false;
    for line in text.lines() {
        let function = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn="));
        if let Some((number, name)) = function.and_then(|text| text.split_once(')')) {
            if !name.is_empty() {
                names.insert(number.to_owned(), name.trim().to_owned());
            }
            if line.starts_with("cfn=") {
                called = names.get(number).cloned();
            }
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let count: f64 = calls.split(' ').next()?.parse().ok()?;
            if called.as_deref().is_some_and(allocates) {
                cost.allocations += count;
            }
        } else if let Some(total) = line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")) {
            cost.instructions = total.split(' ').next()?.parse().ok()?;
            seen = true;
        }
    }
    seen.then_some(cost)
}

fn allocates(function: &str) -> bool {
    matches!(function, "malloc" | "calloc" | "realloc" | "posix_memalign" | "aligned_alloc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_allocator_are_counted_by_name_and_by_number() {
        let text = "fn=(1) main\n0 5\ncfn=(2) malloc\ncalls=3 0\n0 90\ncfn=(3) free\ncalls=9 0\n0 4\nfn=(2)\n0 9\n\
                    fn=(4) other\ncfn=(2)\ncalls=2 0\n0 60\ncfn=(5) calloc\ncalls=1 0\n0 7\ntotals: 175\n";
        assert_eq!(parse(text), Some(Cost { instructions: 175.0, allocations: 6.0 }));
        assert_eq!(parse("fn=(1) main\n"), None);
    }
}

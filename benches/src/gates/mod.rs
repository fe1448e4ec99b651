//! `gates`: what a change may not make dearer, counted and not timed, so that a busy machine does not matter.
//!
//! Invariant: a figure that repeats is held against the stored one and may be 5 % above it; one that depends on how threads
//! meet has a limit of its own. A change that raises a figure stores the new one and says why in its commit.

mod figures;
mod stored;
mod valgrind;
mod watched;
mod work;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::ours::Failure;

/// How far above the stored figure a figure may be.
const SLACK: f64 = 1.05;

/// What one gate has found.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) bound: Bound,
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// The stored figure.
    Stored,
    /// At most this.
    AtMost(f64),
    /// Exactly this.
    Exactly(f64),
}

/// Counts everything, and says what is above its bound.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let store = match args {
        [] => false,
        [flag] if flag == "--store" => true,
        _ => return Err("`gates` takes `--store` or nothing".into()),
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("gates.toml");
    let figures = figures::count()?;
    if store {
        stored::write(&file, &figures)?;
    }
    let known = stored::read(&file)?;
    let mut out = io::stdout().lock();
    let mut above = 0;
    for figure in &figures {
        let (holds, bound) = judge(figure, known.get(figure.name).copied());
        above += u32::from(!holds);
        let verdict = if holds { "ok" } else { "ABOVE" };
        writeln!(out, "{verdict:5} {:36} {:12.2}  {bound}", figure.name, figure.value)?;
    }
    if above > 0 {
        writeln!(
            out,
            "{above} above their bound: explain it in the commit that stores the new figures (`gates --store`)"
        )?;
    }
    Ok(if above == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The part of a gate that runs under valgrind.
pub(crate) fn work(args: &[String]) -> Result<ExitCode, Failure> {
    work::run(args).map(|()| ExitCode::SUCCESS)
}

fn judge(figure: &Figure, known: Option<f64>) -> (bool, String) {
    match (figure.bound, known) {
        (Bound::AtMost(most), _) => (figure.value <= most, format!("at most {most}")),
        (Bound::Exactly(wanted), _) => ((figure.value - wanted).abs() < 1e-9, format!("exactly {wanted}")),
        (Bound::Stored, Some(known)) => {
            (figure.value <= known * SLACK, format!("stored {known}, 5 % above is too much"))
        }
        (Bound::Stored, None) => (false, "no figure is stored".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_held_against_their_bounds() {
        let check = |value, bound, known, holds| {
            assert_eq!(
                judge(&Figure { name: "x", value, bound }, known).0,
                holds,
                "{value} {bound:?} {known:?}"
            );
        };
        check(105.0, Bound::Stored, Some(100.0), true);
        check(105.1, Bound::Stored, Some(100.0), false);
        check(1.0, Bound::Stored, None, false);
        check(25.0, Bound::AtMost(25.0), None, true);
        check(25.1, Bound::AtMost(25.0), Some(100.0), false);
        check(2.0, Bound::Exactly(2.0), None, true);
        check(1.99, Bound::Exactly(2.0), None, false);
    }
}

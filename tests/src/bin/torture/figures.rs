//! What a command found, in one line.
//!
//! Invariant: whatever is violated is counted here, and makes the command fail.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::arguments::Arguments;

/// So many violations are told in words; the rest are only counted.
const TOLD: u64 = 20;

/// The figures of one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) cycles: u64,
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) unexpected: u64,
    pub(crate) duplicated: u64,
    pub(crate) panics: u64,
    /// More to tell, each in a line before the last.
    pub(crate) notes: Vec<String>,
}

/// The kinds of violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wrong {
    /// Something acknowledged is not there.
    Lost,
    /// Something is there, or happened, that should not.
    Unexpected,
    /// A body ran again although no crash came between.
    Duplicated,
    /// A panic that the engine should have contained.
    Panic,
}

impl Figures {
    /// Counts a violation, and tells the first ones.
    pub(crate) fn wrong(&mut self, kind: Wrong, what: impl fmt::Display) {
        let count = match kind {
            Wrong::Lost => &mut self.lost,
            Wrong::Unexpected => &mut self.unexpected,
            Wrong::Duplicated => &mut self.duplicated,
            Wrong::Panic => &mut self.panics,
        };
        *count += 1;
        if self.violations() <= TOLD {
            say(&format!("WRONG in cycle {}: {kind:?}: {what}", self.cycles));
        }
    }

    pub(crate) fn violations(&self) -> u64 {
        self.lost + self.unexpected + self.duplicated + self.panics
    }

    /// Says the figures; the last line is the one that counts.
    pub(crate) fn end(&self, name: &str, arguments: &Arguments) -> ExitCode {
        for note in &self.notes {
            say(&format!("{name}: {note}"));
        }
        let Self { cycles, acknowledged, lost, unexpected, duplicated, panics, .. } = self;
        say(&format!(
            "{name}: seed {}, {:.1} s: {cycles} cycles, {acknowledged} acknowledged, {lost} lost, {unexpected} unexpected, \
             {duplicated} duplicated beyond what crashes allow, {panics} panics that escaped",
            arguments.seed,
            arguments.elapsed().as_secs_f64(),
        ));
        if *cycles < arguments.cycles {
            say(&format!("{name}: the time was up before {} cycles were done", arguments.cycles));
            return ExitCode::FAILURE;
        }
        if self.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Says a line to whoever runs the command.
pub(crate) fn say(line: &str) {
    // Where nobody listens, the exit code tells.
    let _ = writeln!(io::stdout(), "{line}");
}

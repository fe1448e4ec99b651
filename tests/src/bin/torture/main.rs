//! Breaks the store and the engine on purpose, over and over, and checks what they promise.
//!
//! `torture <command> [--seed N] [--cycles N] [--seconds N]`: equal seeds make equal choices; the last line that it writes
//! is one of figures, and it exits with 1 where anything was violated. `tests/TORTURE.md` tells what each command does.

mod application;
mod arguments;
mod corrupt;
mod figures;
mod fsync_fail;
mod harness;
mod kill;
mod ledger;
mod mount;
#[cfg(pushe_planted)]
mod planted;
mod power_cut;
mod sim;

use std::process::ExitCode;

use arguments::Arguments;
use figures::Figures;

/// What one command does; `None` where this machine cannot run it, which has been said aloud.
type Run = fn(&Arguments) -> Result<Option<Figures>, String>;

/// Name, cycles where the call names none, and what it does.
const COMMANDS: &[(&str, u64, Run)] = &[
    ("corrupt", 1_000, corrupt::run),
    ("fsync-fail", 1, fsync_fail::run),
    ("kill", 200, kill::run),
    ("power-cut", 40, power_cut::run),
    ("sim", 10_000, sim::run),
    #[cfg(pushe_planted)]
    ("planted", 1, planted::run),
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    if name == application::COMMAND {
        return application::main(words);
    }
    if name == corrupt::COMMAND {
        return corrupt::main(words);
    }
    let Some((name, cycles, run)) = COMMANDS.iter().find(|command| command.0 == name) else {
        let names: Vec<_> = COMMANDS.iter().map(|command| command.0).collect();
        figures::say(&format!("there is no command `{name}`; write one of {}", names.join(", ")));
        return ExitCode::from(2);
    };
    let arguments = match Arguments::read(words, *cycles) {
        Ok(arguments) => arguments,
        Err(problem) => {
            figures::say(&problem);
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(Some(figures)) => figures.end(name, &arguments),
        Ok(None) => ExitCode::SUCCESS,
        Err(problem) => {
            figures::say(&format!("{name}: {problem}"));
            ExitCode::FAILURE
        }
    }
}

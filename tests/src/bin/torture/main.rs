//! Tortures the store and the engine; each subcommand is a way to do so.
//!
//! `cargo run --release -p pushe-tasks-tests --bin torture -- <subcommand> [--seed <n>] [--cycles <n>]`

mod arguments;
mod sim;

/// A way to torture: its name, what it takes, and what it does.
type Subcommand = (&'static str, &'static str, fn(&[String]) -> Result<(), String>);

const SUBCOMMANDS: &[Subcommand] =
    &[("sim", "[--seed <n>] [--cycles <n>] [--seconds <n>] simulated crashes", sim::run)];

#[expect(clippy::print_stderr, reason = "it is a command")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    let Some((_, _, run)) = SUBCOMMANDS.iter().find(|(known, ..)| *known == name) else {
        eprintln!("expected one of these subcommands:");
        SUBCOMMANDS.iter().for_each(|(name, what, _)| eprintln!("  {name} {what}"));
        return std::process::ExitCode::from(2);
    };
    match run(&arguments[1..]) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            std::process::ExitCode::FAILURE
        }
    }
}

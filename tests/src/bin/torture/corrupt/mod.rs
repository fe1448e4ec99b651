//! `corrupt`: stores with known contents are damaged, opened by the engine, looked at and salvaged.
//!
//! Invariant: the damage is done and met in a child process: one that ends before it has said so counts as a panic that
//! escaped, and the next cycle goes on in another.

mod cycle;
mod damage;
mod said;
mod stock;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::figures::{Figures, Wrong};
use said::Said;

/// The hidden command that makes a process a child: seed, first cycle, and the first that is not its own.
pub(crate) const COMMAND: &str = "corrupt-batch";

/// Cycles that damage copies of one store, in one process.
const BATCH: u64 = 20;

/// So long a child may be silent.
const SILENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &Arguments) -> Result<Option<Figures>, String> {
    let (mut figures, mut counts) = (Figures::default(), BTreeMap::new());
    while figures.cycles < arguments.cycles && !arguments.is_late() {
        let until = (figures.cycles / BATCH + 1) * BATCH;
        batch(arguments.seed, until.min(arguments.cycles), &mut figures, &mut counts)?;
    }
    figures.notes = counts.iter().map(|(what, count)| format!("{count:>9}  {what}")).collect();
    Ok(Some(figures))
}

/// Runs one child, from the next cycle on.
fn batch(
    seed: u64,
    until: u64,
    figures: &mut Figures,
    counts: &mut BTreeMap<String, u64>,
) -> Result<(), String> {
    let first = figures.cycles;
    let mut process = Process::start(seed, first, until)?;
    let mut current = None;
    loop {
        match process.said.recv_timeout(SILENCE) {
            Ok(Said::Begin(cycle)) => {
                // Cycles are told by their number; the one under way is the next to be counted.
                figures.cycles = cycle;
                current = Some(cycle);
            }
            Ok(Said::Wrong(kind, text)) => figures.wrong(kind, text),
            Ok(Said::Count(what, count)) => *counts.entry(what).or_default() += count,
            Ok(Said::Known(pieces)) => figures.acknowledged += pieces,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                figures.wrong(Wrong::Unexpected, "the process says nothing any more");
                let _ = process.child.kill();
                break;
            }
        }
    }
    let status = process.child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        figures.cycles = until;
        return Ok(());
    }
    let Some(cycle) = current else { return Err(format!("a store could not be made: {status}")) };
    figures.wrong(Wrong::Panic, format_args!("the process ended with {status}"));
    figures.cycles = cycle + 1;
    Ok(())
}

/// A child.
struct Process {
    child: Child,
    said: mpsc::Receiver<Said>,
}

impl Process {
    fn start(seed: u64, first: u64, until: u64) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .arg(COMMAND)
            .args([seed, first, until].map(|number| number.to_string()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("a child does not start: {error}"))?;
        let out = BufReader::new(child.stdout.take().ok_or("a pipe was asked for")?);
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let unread = || Said::Wrong(Wrong::Unexpected, format!("a child said `{line}`"));
                if say.send(serde_json::from_str(&line).unwrap_or_else(|_| unread())).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, said })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child.
pub(crate) fn main(words: impl Iterator<Item = String>) -> ExitCode {
    let numbers: Result<Vec<u64>, _> = words.map(|word| word.parse()).collect();
    let Ok([seed, first, until]) = numbers.as_deref() else { return ExitCode::from(2) };
    said::watch_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let cycles = async {
        let stock = stock::Stock::make(*seed, *first / BATCH).await?;
        for cycle in *first..*until {
            said::tell(&Said::Begin(cycle));
            said::tell(&Said::Known(stock.pieces.len() as u64));
            cycle::run(&stock, *seed, cycle).await?;
        }
        Ok::<_, String>(())
    };
    match runtime.block_on(cycles) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            said::tell(&Said::Wrong(Wrong::Unexpected, problem));
            ExitCode::FAILURE
        }
    }
}

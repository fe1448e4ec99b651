//! The application from outside: started, heard, stopped at a moment of the parent's choice.
//!
//! Invariant: whatever the application has said is heard, however it was stopped; nothing is waited for without a bound.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, SystemClock};

use crate::application;
use crate::application::line::Line;
use crate::figures::{Figures, Wrong};
use crate::ledger::Ledger;

/// So long an application may be silent before that is held against it.
const SILENCE: Duration = Duration::from_secs(60);

/// A running application.
pub(crate) struct Application {
    child: Child,
    said: mpsc::Receiver<String>,
    clock: SystemClock,
}

/// Why the parent heard nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// What was waited for has come.
    Heard,
    /// The application has ended.
    Gone,
    /// It said nothing for too long.
    Silent,
}

impl Application {
    /// Starts one on this store; it schedules pieces from number `from` on, or only lets end what is stored.
    pub(crate) fn start(store: &Path, seed: u64, from: Option<u64>) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .arg(application::COMMAND)
            .arg(store)
            .arg(seed.to_string())
            .arg(from.map_or_else(|| "drain".to_owned(), |from| from.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("the application does not start: {error}"))?;
        let out = BufReader::new(child.stdout.take().ok_or("a pipe was asked for")?);
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, said, clock: SystemClock::new() })
    }

    /// Writes what it says into the ledger, until `enough` or the end.
    pub(crate) fn hear(
        &mut self,
        ledger: &mut Ledger,
        figures: &mut Figures,
        mut enough: impl FnMut(&Ledger, &Line) -> bool,
    ) -> Ended {
        loop {
            match self.said.recv_timeout(SILENCE) {
                Ok(text) => match text.parse() {
                    Ok(line) => {
                        ledger.note(&line, figures);
                        if enough(ledger, &line) {
                            return Ended::Heard;
                        }
                    }
                    Err(problem) => figures.wrong(Wrong::Unexpected, problem),
                },
                Err(RecvTimeoutError::Disconnected) => return Ended::Gone,
                Err(RecvTimeoutError::Timeout) => return Ended::Silent,
            }
        }
    }

    /// Goes on listening for this long.
    pub(crate) fn hear_for(&mut self, length: Duration, ledger: &mut Ledger, figures: &mut Figures) {
        let until = self.clock.mono().plus(length);
        loop {
            let left = until.since(self.clock.mono());
            if left.is_zero() {
                return;
            }
            match self.said.recv_timeout(left) {
                Ok(text) => note(&text, ledger, figures),
                Err(_) => return,
            }
        }
    }

    /// Stops it with SIGSTOP: nothing of it runs any more, and nothing ends.
    pub(crate) fn stop(&self) -> Result<(), String> {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::STOP)
            .map_err(|error| format!("it cannot be stopped: {error}"))
    }

    /// Kills it with SIGKILL, and hears what it had said.
    pub(crate) fn kill(mut self, ledger: &mut Ledger, figures: &mut Figures) -> Result<(), String> {
        self.child.kill().map_err(|error| format!("it cannot be killed: {error}"))?;
        self.child.wait().map_err(|error| error.to_string())?;
        while let Ok(text) = self.said.recv() {
            note(&text, ledger, figures);
        }
        Ok(())
    }

    /// Waits for its end, which is to be a success.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the application ended with {status}")) }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // Either fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn note(text: &str, ledger: &mut Ledger, figures: &mut Figures) {
    match text.parse() {
        Ok(line) => ledger.note(&line, figures),
        Err(problem) => figures.wrong(Wrong::Unexpected, problem),
    }
}

//! What the program shows: a line for each thing that happens, and below them a bar where a person looks on.
//!
//! Invariant: the lines are the same whether somebody looks on or not; `stored` is printed only for what is durable.

use std::collections::HashSet;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How wide the bar is.
const WIDTH: usize = 40;

/// The screen; clones speak of the same one.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    screen: Arc<Mutex<Screen>>,
}

#[derive(Debug)]
struct Screen {
    /// Whether there is somebody to draw a bar for.
    has_bar: bool,
    total: usize,
    figures: Figures,
    /// Whose attempts have failed.
    retried: HashSet<String>,
}

/// What came of the files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Stored by this run.
    pub(crate) stored: usize,
    /// Stored before this run.
    pub(crate) before: usize,
    /// Files that took more than one attempt.
    pub(crate) retried: usize,
    /// Given up.
    pub(crate) failed: usize,
}

impl Report {
    pub(crate) fn new(total: usize) -> Self {
        let (has_bar, figures, retried) = (io::stdout().is_terminal(), Figures::default(), HashSet::new());
        Self { screen: Arc::new(Mutex::new(Screen { has_bar, total, figures, retried })) }
    }

    /// The store says that this file was stored by an earlier run.
    pub(crate) fn stored_before(&self, path: &str) {
        let mut screen = self.lock();
        screen.figures.before += 1;
        screen.line("before", path, "stored by an earlier run");
    }

    /// The work is done, and the store knows.
    pub(crate) fn stored(&self, path: &str) {
        let mut screen = self.lock();
        screen.figures.stored += 1;
        screen.line("stored", path, "");
    }

    /// The work is given up.
    pub(crate) fn failed(&self, path: &str, why: &str) {
        let mut screen = self.lock();
        screen.figures.failed += 1;
        screen.line("failed", path, why);
    }

    /// One attempt has not worked, and another will be made.
    pub(crate) fn attempt_failed(&self, path: &str, attempt: u32, why: &dyn Display) {
        let mut screen = self.lock();
        if screen.retried.insert(path.to_owned()) {
            screen.figures.retried += 1;
        }
        screen.line("retry", path, &format!("attempt {attempt}: {why}"));
    }

    /// These files wait for something.
    pub(crate) fn waiting(&self, path: &str, others: usize, why: &str) {
        let and = if others == 0 { String::new() } else { format!("and {others} more: ") };
        self.lock().line("waiting", path, &format!("{and}{why}"));
    }

    /// Something that is about no file.
    pub(crate) fn say(&self, text: &str) {
        self.lock().print(text);
    }

    pub(crate) fn figures(&self) -> Figures {
        self.lock().figures
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        let mut screen = self.lock();
        screen.has_bar &= !screen.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    fn line(&mut self, what: &str, path: &str, more: &str) {
        let name = Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy());
        self.print(format!("{what:<8} {name:<20} {more}").trim_end());
    }

    /// Writes a line above the bar. A reader that has gone away is no reason to stop the work.
    fn print(&mut self, text: &str) {
        self.clear();
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}");
        if self.has_bar {
            let done = self.figures.stored + self.figures.before + self.figures.failed;
            let filled = WIDTH * done / self.total.max(1);
            let _ = write!(out, "[{:<WIDTH$}] {done}/{}", "#".repeat(filled), self.total);
        }
        let _ = out.flush();
    }

    /// Takes the bar from the screen; answers whether there was one.
    fn clear(&mut self) -> bool {
        if self.has_bar {
            let _ = write!(io::stdout(), "\r\x1b[K");
            let _ = io::stdout().flush();
        }
        self.has_bar
    }
}

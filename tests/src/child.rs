//! A second process: this test program, begun again with one test, which then plays the part it is given.
//!
//! Invariant: a child ends with its parent's handle, however the test ends.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::deadline::DEADLINE;

/// Tells a process that it is a child, and which path it works on.
pub const PATH: &str = "PUSHE_CHILD_PATH";
/// Begins each line that a child says; all others are the test harness's.
const SAYS: &str = "CHILD ";

/// The path that this process works on, where it is a child.
pub fn path() -> Option<PathBuf> {
    env::var_os(PATH).map(PathBuf::from)
}

/// Says a line to the parent.
///
/// # Panics
/// Where the parent is gone.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    // The harness leaves a line of its own unfinished.
    writeln!(out, "\n{SAYS}{line}").and_then(|()| out.flush()).expect("a parent that listens");
}

/// Blocks until the parent lets go.
pub fn wait_for_parent() {
    let _ = io::stdin().read(&mut [0]);
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Process {
    /// Begins this test program again with only `test`, whose child works on `path`.
    ///
    /// # Panics
    /// Where no process can be made.
    pub fn start(test: &str, path: &Path) -> Self {
        let program = env::current_exe().expect("the path of this test program");
        let mut child = Command::new(program)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(PATH, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            for line in lines.filter_map(|line| line.strip_prefix(SAYS).map(str::to_owned)) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, said }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it says.
    ///
    /// # Panics
    /// Where it ends or says nothing until the deadline.
    pub fn hear(&self) -> String {
        self.said.recv_timeout(DEADLINE).expect("a child that says what it does")
    }

    /// Kills it with SIGKILL and waits for its end.
    ///
    /// # Panics
    /// Where it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("a child that runs");
        self.child.wait().expect("the end of a child");
    }

    /// Waits for its end, however that comes, without letting go; answers whether its test passed.
    ///
    /// # Panics
    /// Where its end cannot be waited for.
    pub fn ended(mut self) -> bool {
        self.child.wait().expect("the end of a child").success()
    }

    /// Lets go and waits for its end.
    ///
    /// # Panics
    /// Where its test fails.
    pub fn finish(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("the end of a child").success(), "the child's test passes");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! The quickstart as a person meets it: killed half-way, stopped by a signal, and without a network.

#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use pushe_tasks_tests::netns::{Veth, in_netns, ip};
use tempfile::TempDir;

/// As many uploads run at once as the task allows.
const AT_ONCE: usize = 4;

/// Some files, and a store and a server's directory for them.
struct Scene {
    directory: TempDir,
    files: Vec<PathBuf>,
}

impl Scene {
    fn new(files: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let path = |number| directory.path().canonicalize().unwrap().join(format!("file-{number:02}.txt"));
        let files: Vec<_> = (0..files).map(path).collect();
        for file in &files {
            fs::write(file, content(file)).unwrap();
        }
        Self { directory, files }
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
        command.arg("--store").arg(self.directory.path().join("store/quickstart.redb"));
        command.arg("--received").arg(self.received()).args(options).args(&self.files);
        command
    }

    fn run(&self, options: &[&str]) -> Output {
        self.command(options).output().unwrap()
    }

    fn begin(&self, options: &[&str]) -> Running {
        let mut child = self.command(options).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    fn received(&self) -> PathBuf {
        self.directory.path().join("received")
    }

    /// The log of the server: the name of a file, and the status of the answer.
    fn requests(&self) -> Vec<(String, String)> {
        let log = fs::read_to_string(self.received().join("requests.log")).unwrap();
        let request = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let name = Path::new(words[0]).file_name().unwrap();
            (name.to_string_lossy().into_owned(), words[2].to_owned())
        };
        log.lines().map(request).collect()
    }

    fn assert_all_stored_once(&self) {
        for file in &self.files {
            let kept = self.received().join("files").join(file.strip_prefix("/").unwrap());
            assert_eq!(fs::read(kept).unwrap(), content(file), "{}", file.display());
        }
        let mut stored = BTreeMap::new();
        for (name, _) in self.requests().into_iter().filter(|(_, status)| status == "201") {
            *stored.entry(name).or_insert(0) += 1;
        }
        assert_eq!(stored.len(), self.files.len());
        assert!(stored.values().all(|times| *times == 1), "{stored:?}");
    }
}

fn content(file: &Path) -> Vec<u8> {
    file.to_string_lossy().repeat(300).into_bytes()
}

/// A quickstart that runs.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Reads up to the line that begins with this word for the `times`th time.
    fn wait_for(&mut self, word: &str, times: usize) -> Vec<String> {
        let mut seen = Vec::new();
        while seen.iter().filter(|line: &&String| line.starts_with(word)).count() < times {
            seen.push(self.lines.next().unwrap_or_else(|| panic!("no more lines after {seen:#?}")).unwrap());
        }
        seen
    }

    /// Kills it with no chance to do anything; answers what it had printed.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.map(Result::unwrap).collect()
    }

    /// Asks it to stop; answers its exit code and what it printed.
    fn interrupt(mut self) -> (Option<i32>, String) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let lines: Vec<_> = self.lines.map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), lines.join("\n"))
    }
}

/// The names of the files that were printed as stored.
fn stored(lines: &[String]) -> BTreeSet<String> {
    let name = |line: &String| line.strip_prefix("stored")?.split_whitespace().next().map(str::to_owned);
    lines.iter().filter_map(name).collect()
}

/// The first two numbers of the summary: stored now and before.
fn summary(output: &Output) -> (usize, usize) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find(|line| line.contains(" stored now, ")).unwrap();
    let numbers: Vec<usize> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn killed_half_way_it_goes_on_where_it_was() {
    let scene = Scene::new(30);
    let mut first = scene.begin(&["--network", "not-required"]);
    let mut lines = first.wait_for("stored", 12);
    lines.extend(first.kill());
    let confirmed = stored(&lines);
    assert!(confirmed.len() < 30, "it was over before it could be killed");
    let before = scene.requests().len();

    let second = scene.run(&["--network", "not-required"]);
    let (now, earlier) = summary(&second);
    assert_eq!(now + earlier, 30);
    assert!(earlier >= confirmed.len(), "{earlier} of {} are remembered", confirmed.len());
    scene.assert_all_stored_once();
    let requests = scene.requests();
    let sent_again: Vec<_> = requests[before..].iter().filter(|(name, _)| confirmed.contains(name)).collect();
    assert!(sent_again.is_empty(), "confirmed before the kill: {sent_again:?}");
    let repeated = requests.iter().filter(|(_, status)| status == "200").count();
    assert!(repeated <= AT_ONCE, "{repeated} were between response and commit, and {AT_ONCE} run at once");
    assert!(requests.iter().any(|(_, status)| status == "503"), "nothing was retried");

    assert_eq!(summary(&scene.run(&["--network", "not-required"])), (0, 30));
    assert_eq!(scene.requests().len(), requests.len(), "a third start sends nothing");
}

#[test]
fn a_signal_stops_it_in_order() {
    let scene = Scene::new(30);
    let mut first = scene.begin(&["--network", "not-required"]);
    first.wait_for("stored", 5);
    let (code, text) = first.interrupt();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Stopped in order."), "{text}");
    let (now, earlier) = summary(&scene.run(&["--network", "not-required"]));
    assert!(now > 0 && now + earlier == 30, "{now} and {earlier}");
    scene.assert_all_stored_once();
    let repeated = scene.requests().iter().filter(|(_, status)| status == "200").count();
    assert_eq!(repeated, 0, "what was stored is settled before the end");
}

#[test]
fn a_changed_file_is_sent_again() {
    let scene = Scene::new(2);
    let run = || summary(&scene.run(&["--network", "not-required"]));
    assert_eq!(run(), (2, 0));
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 33);
    fs::File::options().append(true).open(&scene.files[0]).unwrap().set_modified(later).unwrap();
    assert_eq!(run(), (1, 1));
}

#[test]
fn without_a_network_it_says_what_it_waits_for() {
    in_netns("without_a_network_it_says_what_it_waits_for", || {
        let scene = Scene::new(3);
        ip("link set lo up");
        let mut first = scene.begin(&[]);
        let lines = first.wait_for("waiting", 1);
        assert!(lines.concat().contains("file-00.txt"), "{lines:?}");
        assert!(lines.concat().contains("and 2 more: waits for network: Connected ("), "{lines:?}");
        let (code, text) = first.interrupt();
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("--network not-required"), "{text}");
        assert!(scene.requests().is_empty(), "nothing is sent without a network");
        assert_eq!(summary(&scene.run(&["--network", "not-required"])), (3, 0));
        scene.assert_all_stored_once();

        let scene = Scene::new(3);
        let mut waits = scene.begin(&[]);
        waits.wait_for("waiting", 1);
        let link = Veth::up("quick0", 1);
        ip(&format!("route add {}", link.default_route()));
        waits.wait_for("stored", 3);
        assert!(waits.child.wait().unwrap().success());
        scene.assert_all_stored_once();
    });
}

#[test]
fn wrong_arguments_are_refused() {
    let output = Scene::new(1).run(&["--netwrok", "connected"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown option `--netwrok`"));
}

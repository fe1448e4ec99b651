//! `annotated`: what `cargo check` takes for a crate of many annotated tasks, beside the same functions without the attribute.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use pushe_tasks_bench_protocol::now;

use crate::ours::Failure;

/// Checks of each crate, in turn; the fastest counts, since whatever else the machine does only adds.
const ROUNDS: usize = 5;

/// Targets: times the bare functions, and milliseconds a task beyond them.
const MOST_TIMES: f64 = 3.0;
const MOST_MILLIS: f64 = 10.0;

pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let tasks: usize = match args {
        [] => 1_000,
        [flag, count] if flag == "--tasks" => count.parse()?,
        _ => return Err("`annotated` takes `--tasks` and a number, or nothing".into()),
    };
    let place = tempfile::tempdir()?;
    let [annotated, bare] = ["annotated", "bare"].map(|name| place.path().join(name));
    write_crate(&annotated, tasks, "#[pushe_task(network = Connected, retry(max_attempts = 8))]\n")?;
    write_crate(&bare, tasks, "")?;
    let target = place.path().join("target");
    // Dependencies are checked once, and count for neither.
    for dir in [&annotated, &bare] {
        check(dir, &target)?;
    }
    let (mut of_annotated, mut of_bare) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        of_annotated = of_annotated.min(check(&annotated, &target)?);
        of_bare = of_bare.min(check(&bare, &target)?);
    }
    let (times, millis) = (of_annotated / of_bare, (of_annotated - of_bare) * 1e3 / tasks as f64);
    let met = times <= MOST_TIMES && millis <= MOST_MILLIS;
    writeln!(
        io::stdout(),
        "{tasks} tasks: cargo check {of_annotated:.2} s annotated, {of_bare:.2} s bare: {times:.2} times (at most {MOST_TIMES}), \
         {millis:.2} ms a task (at most {MOST_MILLIS}): {}",
        if met { "met" } else { "NOT MET" }
    )?;
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_crate(dir: &Path, tasks: usize, attribute: &str) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    std::fs::create_dir_all(dir.join("src"))?;
    let name = dir.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         pushe-tasks = {{ path = {:?} }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n",
        root.join("pushe-tasks").to_string_lossy()
    );
    std::fs::write(dir.join("Cargo.toml"), manifest)?;
    std::fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock"))?;
    let mut source = String::from(
        "#![allow(unused_imports)]\nuse pushe_tasks::prelude::*;\n\n#[derive(Debug, Serialize, Deserialize)]\npub struct Input \
         { pub album: String, pub path: String }\n\nasync fn put(path: &str) -> Result<u64, std::io::Error> {\n    \
         Ok(path.len() as u64)\n}\n",
    );
    for number in 0..tasks {
        write!(
            source,
            "\n{attribute}pub async fn upload_{number}(input: Input, State(bucket): State<String>, cx: TaskContext) -> \
             Result<u64, TaskError> {{\n    if input.album.is_empty() {{\n        return \
             Err(Fail::because(\"no album\").into());\n    }}\n    let _ = (bucket.len(), cx.attempt());\n    \
             Ok(put(&input.path).await?)\n}}\n"
        )?;
    }
    Ok(std::fs::write(dir.join("src/lib.rs"), source)?)
}

/// Seconds that one check takes after the source was touched.
fn check(dir: &Path, target: &Path) -> Result<f64, Failure> {
    let source = dir.join("src/lib.rs");
    let text = std::fs::read(&source)?;
    std::fs::write(&source, text)?;
    let begun = now();
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["check", "--quiet", "--offline", "--manifest-path"])
        .arg(dir.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(begun.elapsed().as_secs_f64())
    } else {
        Err("the generated crate does not check".into())
    }
}

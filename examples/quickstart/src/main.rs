//! The main job of pushe-tasks: uploads that wait for a network, run once for each file, are tried again when the server
//! refuses, and go on where they were after the program was killed.
//!
//! `cargo run -p quickstart` runs it on the documents of this repository; `-- --help` shows what else it takes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod arguments;
mod follow;
mod received;
mod report;
mod server;
mod upload;

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pushe_tasks::{
    CallError, ExistingWorkPolicy, NetworkType, Obstacle, Schedule, ScheduleError, TaskScheduler, WorkId,
    WorkState,
};

use crate::arguments::{Arguments, HELP};
use crate::follow::follow;
use crate::report::Report;
use crate::server::Server;
use crate::upload::{Document, Upload};

/// How long uploads may go on after the last file that was asked for has ended: those of an earlier command.
const GRACE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("quickstart: {problem}\nTry `quickstart --help`.");
            return ExitCode::from(2);
        }
    };
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("quickstart: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Uploads the files; answers whether all of them are stored.
async fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    if let Some(directory) = arguments.store.parent() {
        fs::create_dir_all(directory)?;
    }
    let report = Report::new(arguments.files.len());
    let server = Server::start(&arguments.received, arguments.latency).await?;
    let scheduler = TaskScheduler::builder(&arguments.store)
        .state(server)
        .state(report.clone())
        .stop_on_signals()
        .start()
        .await?;

    match schedule(arguments, &scheduler, &report).await {
        Ok(work) => follow(&scheduler, work, &report).await,
        Err(error) if is_stop(&*error) => {}
        Err(error) => return Err(error),
    }
    scheduler.shutdown(GRACE).await;

    report.end();
    let figures = report.figures();
    let left = arguments.files.len() - figures.stored - figures.before - figures.failed;
    report.say(&format!(
        "{} stored now, {} stored before, {} retried, {} failed, {left} left; the server's files are in {}",
        figures.stored,
        figures.before,
        figures.retried,
        figures.failed,
        arguments.received.display(),
    ));
    if left > 0 {
        report.say("Stopped in order. The work that is left is kept: run the same command again to go on.");
    } else if figures.before == arguments.files.len() {
        report.say(&format!(
            "There was nothing left to do. Delete {} and the server's files to begin anew.",
            arguments.store.display()
        ));
    }
    Ok(left + figures.failed == 0)
}

/// Schedules what has not succeeded yet; answers the unfinished work with its file.
async fn schedule(
    arguments: &Arguments,
    scheduler: &TaskScheduler,
    report: &Report,
) -> Result<Vec<(WorkId, String)>, Box<dyn Error>> {
    let (mut work, mut new) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        let document = Document { path: path.clone() };
        let id = Upload::OPTIONS.task_id(&document).expect("the attribute gives each upload an id");
        let upload = Upload::schedule(document);
        let upload = arguments.network.into_iter().fold(upload, Schedule::network);
        match scheduler.info(&*id).await {
            Ok(info) if info.state == WorkState::Succeeded && !has_changed(path, info.enqueued_at) => {
                report.stored_before(path);
            }
            // It goes on by itself. To schedule it again would start it anew if it ended just now.
            Ok(info) if !info.state.is_finished() => {
                if arguments.network == Some(NetworkType::NotRequired)
                    && waits_for_constraint(scheduler, info.id).await
                {
                    new.push(upload.policy(ExistingWorkPolicy::Replace));
                } else {
                    work.push((info.id, path.clone()));
                }
            }
            Ok(_) | Err(CallError::NotFound) => new.push(upload),
            Err(error) => return Err(error.into()),
        }
    }
    // All in one transaction, and thus all or nothing.
    let paths: Vec<_> = new.iter().map(|upload| upload.input().path.clone()).collect();
    let receipts = scheduler.schedule_many(new).await?;
    work.extend(receipts.iter().map(pushe_tasks::Receipt::id).zip(paths));
    Ok(work)
}

/// Whether a call was refused because a signal has come in between.
fn is_stop(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(CallError::Stopped))
        || matches!(error.downcast_ref(), Some(ScheduleError::ShuttingDown))
}

/// Whether a file was written to after its upload was scheduled. The store keeps milliseconds.
fn has_changed(path: &str, scheduled: SystemTime) -> bool {
    let millis = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| millis(modified) > millis(scheduled))
}

async fn waits_for_constraint(scheduler: &TaskScheduler, id: WorkId) -> bool {
    let is_constraint = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Constraint { .. });
    scheduler.explain(id).await.is_ok_and(|standing| standing.obstacles.iter().any(is_constraint))
}

//! The task: one file goes to the server.
//!
//! Invariant: every attempt of a piece of work sends the same key, so that the server can tell a repetition from new work.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use pushe_tasks::prelude::*;
use pushe_tasks::{FromTaskContext, MissingState, RetryOptions, StateMap, TaskOptions, WorkId};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::report::Report;
use crate::server::{LARGEST_FILE, Server, encode};

/// What an upload is given, and the task itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    /// The full path of the file.
    pub(crate) path: String,
}

/// Sends one file; the first answer that is no success makes the attempt fail, and the engine makes it again.
async fn upload(
    input: Upload,
    State(server): State<Server>,
    State(report): State<Report>,
    cx: TaskContext,
) -> Result<(), TaskError> {
    let sent = send(&input.path, server.address(), cx.work_id()).await;
    if let Err(error) = &sent {
        report.attempt_failed(&input.path, cx.attempt(), error);
    }
    sent
}

impl Task for Upload {
    const NAME: &'static str = "Upload";
    const OPTIONS: TaskOptions<Self> = TaskOptions::<Self>::new()
        .id_with(|input| Self::task_id(&input.path))
        .policy(ExistingWorkPolicy::Keep)
        .network(NetworkType::Connected)
        .retry(RetryOptions::new().delay(Duration::from_millis(200)).max_delay(Duration::from_secs(30)))
        .timeout(Duration::from_secs(60))
        .concurrency(4);
    type Input = Self;
    type Output = ();

    fn require(states: &StateMap) -> Result<(), MissingState> {
        State::<Server>::require(states)?;
        State::<Report>::require(states)
    }

    async fn perform(input: Self, context: TaskContext) -> Result<Outcome, TaskError> {
        let server = State::from_task_context(&context)?;
        let report = State::from_task_context(&context)?;
        upload(input, server, report, context).await.map(Outcome::Success)
    }
}

impl Upload {
    /// The id under which the upload of a file is unique, and found again at the next start.
    pub(crate) fn task_id(path: &str) -> String {
        format!("upload/{path}")
    }
}

/// Puts the file to the server as it is now.
async fn send(path: &str, server: SocketAddr, key: WorkId) -> Result<(), TaskError> {
    let file = match File::open(path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Fail::because("the file is gone").caused_by(error).into());
        }
        opened => opened?,
    };
    let length = file.metadata().await?.len();
    if length > LARGEST_FILE {
        return Err(
            Fail::because(format!("it has {length} bytes, and the server takes {LARGEST_FILE}")).into()
        );
    }
    let mut stream = TcpStream::connect(server).await?;
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: {server}\r\nIdempotency-Key: {key}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n",
        encode(&path_on_server(path))
    );
    stream.write_all(head.as_bytes()).await?;
    tokio::io::copy(&mut file.take(length), &mut stream).await?;
    stream.shutdown().await?;

    let mut answer = Vec::new();
    stream.take(1024).read_to_end(&mut answer).await?;
    judge(&String::from_utf8_lossy(&answer))
}

/// Says whether an answer is a success, and otherwise whether it makes sense to try again.
fn judge(answer: &str) -> Result<(), TaskError> {
    let status = answer.lines().next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    match status {
        Some(status) if status.starts_with('2') => Ok(()),
        Some(status) if status.starts_with('4') => Err(Fail::because(status.to_owned()).into()),
        Some(status) => Err(TaskError::new(status)),
        None => Err(TaskError::new("the server broke off")),
    }
}

/// The path as the server knows it: with `/` between its parts, and from the root.
fn path_on_server(path: &str) -> String {
    let parts = std::path::Path::new(path).components();
    let names = parts.filter_map(|part| match part {
        std::path::Component::Normal(name) => name.to_str(),
        _ => None,
    });
    names.fold(String::new(), |path, name| path + "/" + name)
}

#[cfg(test)]
mod tests {
    use pushe_tasks::Fate;

    use super::*;

    #[test]
    fn the_answer_decides() {
        let fate = |answer| judge(answer).map_err(|error| error.fate());
        assert_eq!(fate("HTTP/1.1 201 Created\r\n\r\n"), Ok(()));
        assert_eq!(fate("HTTP/1.1 503 Service Unavailable\r\n\r\n"), Err(Fate::Retry { after: None }));
        assert_eq!(fate("HTTP/1.1 400 Bad Request\r\n\r\n"), Err(Fate::Fail));
        assert_eq!(fate(""), Err(Fate::Retry { after: None }));
    }
}

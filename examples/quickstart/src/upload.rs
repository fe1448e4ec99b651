//! The task: one file goes to the server.
//!
//! Invariant: every attempt of a piece of work sends the same key, so that the server can tell a repetition from new work.

use std::io::ErrorKind;
use std::net::SocketAddr;

use pushe_tasks::prelude::*;
use pushe_tasks::{Fate, WorkId};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::report::Report;
use crate::server::{LARGEST_FILE, Server, encode};

/// What an upload is given: stored with the work, and read again by every attempt.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    /// The full path of the file.
    pub(crate) path: String,
}

/// Sends one file; the first answer that is no success makes the attempt fail, and the engine makes it again.
#[pushe_task(
    id = "upload/{path}",
    policy = Keep,
    network = Connected,
    retry(delay = "200ms", backoff = Exponential, max_delay = "30s"),
    timeout = "60s",
    concurrency = 4
)]
pub(crate) async fn upload(
    document: Document,
    State(server): State<Server>,
    State(report): State<Report>,
    cx: TaskContext,
) -> Result<(), TaskError> {
    let sent = send(&document.path, server.address(), cx.work_id()).await;
    if let Err(error) = &sent
        && error.fate() != Fate::Fail
    {
        report.attempt_failed(&document.path, cx.attempt(), error);
    }
    sent
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

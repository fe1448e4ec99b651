//! The server that takes the uploads: just enough HTTP/1.1, on loopback.
//!
//! Invariant: it reads no more than it has said it would, and answers success only for what is on disk.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::received::Received;

/// The most bytes of one file.
pub(crate) const LARGEST_FILE: u64 = 16 << 20;

/// The most bytes of a request before its content.
const LARGEST_HEAD: u64 = 16 << 10;

/// The most requests that are read at once.
const MOST_CONNECTIONS: usize = 16;

/// Where the uploads go. It is given to the tasks as a state and not stored with the work: the next start of the
/// program listens on another port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    address: SocketAddr,
}

impl Server {
    /// Begins to listen; the server ends with the program.
    pub(crate) async fn start(directory: &Path, latency: Duration) -> io::Result<Self> {
        let received = Arc::new(Received::open(directory)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(accept(listener, received, latency));
        Ok(Self { address })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, received: Arc<Received>, latency: Duration) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let received = Arc::clone(&received);
        tokio::spawn(async move {
            // A client that breaks off gets no answer; it will send again.
            let _ = serve(stream, received, latency).await;
            drop(place);
        });
    }
}

/// Reads one request, and answers it.
async fn serve(stream: TcpStream, received: Arc<Received>, latency: Duration) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let status = match read_head(&mut stream).await? {
        None => "400 Bad Request",
        Some(head) if head.length > LARGEST_FILE => "413 Content Too Large",
        Some(head) => {
            let mut content = Vec::new();
            (&mut stream).take(head.length).read_to_end(&mut content).await?;
            if content.len() as u64 != head.length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            pause(latency).await;
            let accepted =
                tokio::task::spawn_blocking(move || received.accept(&head.path, &head.key, &content));
            match accepted.await? {
                Ok(verdict) => verdict.status(),
                Err(_) => "500 Internal Server Error",
            }
        }
    };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server stands for another machine, which has its own time"
)]
async fn pause(latency: Duration) {
    tokio::time::sleep(latency).await;
}

/// What the server wants to know of a request.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    path: String,
    key: String,
    length: u64,
}

/// Reads up to the empty line; nothing where it is no request that this server takes.
async fn read_head(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<Head>> {
    let mut stream = stream.take(LARGEST_HEAD);
    let (mut request, mut key, mut length) = (String::new(), None, None);
    stream.read_line(&mut request).await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok();
            }
            Some((name, value)) if name.eq_ignore_ascii_case("idempotency-key") => {
                key = Some(value.trim().to_owned()).filter(|key| is_key(key));
            }
            _ => {}
        }
    }
    let path = match request.split_whitespace().collect::<Vec<_>>()[..] {
        ["PUT", path, "HTTP/1.1"] => decode(path),
        _ => None,
    };
    Ok(path.zip(key).zip(length).map(|((path, key), length)| Head { path, key, length }))
}

fn is_key(key: &str) -> bool {
    (1..=64).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Writes a path so that it can stand in a request.
pub(crate) fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decode(encoded: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(encoded.len()), encoded.bytes());
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            plain => plain,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_the_request() {
        for path in ["/a/b.md", "/ä ö/%41?#.md", "/a\nb"] {
            assert_eq!(decode(&encode(path)).as_deref(), Some(path));
        }
        assert_eq!(decode("/%4"), None);
        assert_eq!(decode("/%ff"), None);
    }

    #[tokio::test]
    async fn only_whole_requests_are_taken() {
        let check = async |text: &str, expected: Option<u64>| {
            let head = read_head(&mut text.as_bytes()).await.unwrap();
            assert_eq!(head.map(|head| head.length), expected, "{text}");
        };
        check("PUT /a HTTP/1.1\r\nIdempotency-Key: k-1\r\nContent-Length: 7\r\n\r\n", Some(7)).await;
        check("PUT /a HTTP/1.1\r\nIdempotency-Key: ../k\r\nContent-Length: 7\r\n\r\n", None).await;
        check("PUT /a HTTP/1.1\r\nContent-Length: 7\r\n\r\n", None).await;
        check("GET /a HTTP/1.1\r\nIdempotency-Key: k\r\nContent-Length: 7\r\n\r\n", None).await;
        check("PUT /a HTTP/1.1\r\nIdempotency-Key: k\r\nContent-Length: 7\r\n", None).await;
        check(&format!("PUT /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000)), None).await;
    }
}

//! A client as lean as can be: one kept connection over the unix socket, blocking. So that what is measured is the service.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

/// A kept connection.
pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
    /// A header line with a token, for pages: the socket alone is known to the API.
    token: String,
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub(crate) fn open(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the daemon listens");
        Self { stream: BufReader::new(stream), token: String::new() }
    }

    /// Shows a token with each request.
    pub(crate) fn known_as(self, token: &str) -> Self {
        Self { token: format!("Authorization: Bearer {token}\r\n"), ..self }
    }

    /// Sends a request and reads the whole answer. A path without a leading slash is taken under `/api/v1/`.
    ///
    /// # Panics
    /// When the connection breaks: in a benchmark there is nothing to be saved then.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
        let base = if path.starts_with('/') { "" } else { "/api/v1/" };
        let request = format!(
            "{method} {base}{path} HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("the connection holds");
        let (mut status, mut length) = (0, 0);
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("an answer");
            let text = line.trim_end();
            if let Some(rest) = text.strip_prefix("HTTP/1.1 ") {
                status = rest.split(' ').next().and_then(|word| word.parse().ok()).expect("a status");
            } else if let Some((_, value)) =
                text.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().expect("a length");
            } else if text.is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).expect("the whole answer");
        (status, answer)
    }

    /// Sends a request that must have one status, and reads JSON.
    ///
    /// # Panics
    /// When it has another.
    pub(crate) fn must(&mut self, method: &str, path: &str, body: &str, wanted: u16) -> Value {
        let (status, answer) = self.send(method, path, body);
        assert_eq!(status, wanted, "{method} {path}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }
}

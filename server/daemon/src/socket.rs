//! Requests to a running daemon through its unix socket, where root needs no token. Blocking and small: the commands that
//! use it make few requests each and must not start a runtime (`exec` has to stay a single thread).

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::explained;

const WAIT: Duration = Duration::from_secs(10);
/// How long what asks another host may take.
const FAR_WAIT: Duration = Duration::from_secs(60);
/// How long a file may be in the making before its first byte comes, and between two of its bytes.
const FILE_WAIT: Duration = Duration::from_secs(600);
/// Longest line of an answer's head, and longest head, in bytes.
const HEAD_MAX: u64 = 64 << 10;
/// How many of the objects in the way are named.
const BLOCKERS_MAX: usize = 8;

/// An answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// JSON body; null when there is none, a string when it is plain text.
    pub(crate) body: Value,
}

impl Answer {
    /// The problem's text, for people.
    pub(crate) fn problem(&self) -> String {
        let text = |key: &str| self.body.get(key).and_then(Value::as_str);
        let detail = text("detail").or_else(|| text("title")).unwrap_or("no further explanation");
        format!("the service answered {}: {detail}{}", self.status, self.blockers(detail))
    }

    /// What the problem says stands in the way, and its detail does not name: the first few, and how many more there are.
    fn blockers(&self, detail: &str) -> String {
        let is_named =
            |blocker: &&Value| blocker["name"].as_str().is_some_and(|name| detail.contains(&format!("`{name}`")));
        let all = self.body["blockers"].as_array().map_or(&[][..], Vec::as_slice);
        let blockers: Vec<&Value> = all.iter().filter(|blocker| !is_named(blocker)).collect();
        let named = |blocker: &&Value| {
            let kind = blocker["kind"].as_str().unwrap_or("object").replace('_', " ");
            let name = blocker["name"].as_str().or_else(|| blocker["id"].as_str()).unwrap_or("without a name");
            format!("{kind} `{name}`")
        };
        match blockers.as_slice() {
            [] => String::new(),
            some if some.len() <= BLOCKERS_MAX => {
                format!(": {}", some.iter().map(named).collect::<Vec<_>>().join(", "))
            }
            many => {
                let first = many[..BLOCKERS_MAX].iter().map(named).collect::<Vec<_>>().join(", ");
                format!(": {first} and {} more", many.len() - BLOCKERS_MAX)
            }
        }
    }

    /// After how long the same may be asked again, where there was only too much under way.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let said = self.body["facts"]["retry_after_seconds"].as_str().and_then(|text| text.parse().ok());
        said.filter(|_| self.status == 429).map(Duration::from_secs)
    }

    /// The body, if the status is the wanted one.
    ///
    /// # Errors
    /// Where it is another: the problem, and what would help.
    pub(crate) fn expected(self, status: u16) -> anyhow::Result<Value> {
        if self.status == status {
            return Ok(self.body);
        }
        match self.body["hint"].as_str().or_else(|| self.body["errors"][0]["hint"].as_str()) {
            Some(hint) => Err(explained(self.problem(), hint)),
            None => bail!(self.problem()),
        }
    }
}

/// Whether a daemon is at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It answers.
    Running,
    /// Nobody does.
    Absent,
    /// Only root may know.
    Hidden,
}

/// Looks for a daemon at a socket.
pub(crate) fn presence(socket: &Path) -> Presence {
    match UnixStream::connect(socket) {
        Ok(_) => Presence::Running,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Presence::Hidden,
        Err(_) => Presence::Absent,
    }
}

/// Whether a daemon answers at a socket.
pub(crate) fn daemon_runs(socket: &Path) -> bool {
    presence(socket) == Presence::Running
}

/// Sends one request without a body.
///
/// # Errors
/// When no daemon answers there, with what to do.
pub(crate) fn request(socket: &Path, method: &str, path: &str) -> anyhow::Result<Answer> {
    whole(send(socket, method, path, None, "", WAIT)?)
}

/// Sends one request with a JSON body.
///
/// # Errors
/// As [`request`].
pub(crate) fn request_with(socket: &Path, method: &str, path: &str, body: &Value) -> anyhow::Result<Answer> {
    whole(send(socket, method, path, Some(body), "", WAIT)?)
}

/// Sends one request whose answer may wait for another host.
///
/// # Errors
/// As [`request`].
pub(crate) fn request_far(socket: &Path, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
    whole(send(socket, method, path, body, "", FAR_WAIT)?)
}

/// Puts what must not be there yet; the answer is 412 where it is.
///
/// # Errors
/// As [`request`].
pub(crate) fn put_new(socket: &Path, path: &str, body: &Value) -> anyhow::Result<Answer> {
    whole(send(socket, "PUT", path, Some(body), "If-None-Match: *\r\n", WAIT)?)
}

/// All items of a list, page by page. `path` has a query already.
///
/// # Errors
/// As [`request`]; when the service refuses.
pub(crate) fn items(socket: &Path, path: &str) -> anyhow::Result<Vec<Value>> {
    let (mut all, mut next) = (Vec::new(), path.to_owned());
    loop {
        let mut page = request(socket, "GET", &next)?.expected(200)?;
        if let Value::Array(items) = page["items"].take() {
            all.extend(items);
        }
        let Some(token) = page["next_page_token"].as_str() else { return Ok(all) };
        next = format!("{path}&page_token={}", segment(token));
    }
}

fn whole(mut stream: UnixStream) -> anyhow::Result<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).context("the service did not answer in full")?;
    parse(&bytes)
}

/// Sends one request without a body, and writes the file that answers it with 200. Any other answer is returned.
///
/// # Errors
/// When no daemon answers there, when it did not send as many bytes as it said, and when they can't be written.
pub(crate) fn download(
    socket: &Path,
    method: &str,
    path: &str,
    into: &mut impl Write,
) -> anyhow::Result<Option<Answer>> {
    let mut stream = BufReader::new(send(socket, method, path, None, "", FILE_WAIT)?);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = stream.by_ref().take(HEAD_MAX).read_until(b'\n', &mut head).context("the service did not answer")?;
        if read == 0 || head.len() as u64 > HEAD_MAX {
            bail!("the answer is not HTTP");
        }
    }
    if !head.starts_with(b"HTTP/1.1 200 ") {
        stream.read_to_end(&mut head).context("the service did not answer in full")?;
        return parse(&head).map(Some);
    }
    let length = length(&head).context("the answer does not say how long it is")?;
    let written = std::io::copy(&mut stream.take(length), into).context("the file did not come through")?;
    if written != length {
        bail!("the file was cut off: {written} bytes came of {length}");
    }
    Ok(None)
}

fn length(head: &[u8]) -> Option<u64> {
    let lines = std::str::from_utf8(head).ok()?.lines();
    let (_, value) =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}

fn send(
    socket: &Path,
    method: &str,
    path: &str,
    body: Option<&Value>,
    header: &str,
    wait: Duration,
) -> anyhow::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).map_err(|error| {
        let help = match error.kind() {
            ErrorKind::PermissionDenied => "the socket is root's: run this as root",
            _ => "is the service running? start it with `netloom serve`, or name its --run-dir",
        };
        explained(format_args!("no service answers at {}: {error}", socket.display()), help)
    })?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(WAIT))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{kind}{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    Ok(stream)
}

fn parse(bytes: &[u8]) -> anyhow::Result<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("the answer is not HTTP")?;
    let head = std::str::from_utf8(&bytes[..end]).context("the answer is not HTTP")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer has no status")?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(&bytes[end + 4..])? } else { bytes[end + 4..].to_vec() };
    let is_text = head.to_ascii_lowercase().contains("content-type: text/plain");
    let body = match body.as_slice() {
        [] => Value::Null,
        text if is_text => Value::String(String::from_utf8_lossy(text).into_owned()),
        json => serde_json::from_slice(json).context("the answer is not JSON")?,
    };
    Ok(Answer { status, body })
}

/// Joins the chunks of RFC 9112, section 7.1.
fn unchunk(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").context("the answer was cut off")?;
        let size = std::str::from_utf8(&rest[..line])?.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).context("the answer has a bad chunk")?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Ok(whole);
        }
        // `size` is the other side's word: a sum could overflow, a comparison can't.
        if rest.len() < 2 || size > rest.len() - 2 {
            bail!("the answer was cut off");
        }
        whole.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

/// A text as one segment of a path: what isn't unreserved in RFC 3986 is percent-encoded.
pub(crate) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_chunked_answers_read_the_same() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
        let wanted = Answer { status: 200, body: serde_json::json!({"a": 1}) };
        assert_eq!(parse(whole).expect("whole"), wanted);
        assert_eq!(parse(chunked).expect("chunked"), wanted);
    }

    #[test]
    fn broken_answers_are_errors_not_panics() {
        for bytes in
            [&b""[..], b"HTTP/1.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"]
        {
            assert!(parse(bytes).is_err());
        }
    }

    #[test]
    fn only_where_too_much_is_under_way_it_is_said_when_to_ask_again() {
        let answer = |status, facts: Value| Answer { status, body: serde_json::json!({"facts": facts}) }.retry_after();
        let wait = serde_json::json!({"retry_after_seconds": "7"});
        assert_eq!(answer(429, wait.clone()), Some(Duration::from_secs(7)));
        assert_eq!(answer(409, wait), None);
        assert_eq!(answer(429, serde_json::json!({})), None);
    }

    #[test]
    fn what_stands_in_the_way_is_named_and_a_long_list_is_cut() {
        let problem = |count: usize| {
            let blockers: Vec<_> = (0..count)
                .map(|n| serde_json::json!({"kind": "sandbox", "id": "x", "name": format!("s{n}")}))
                .collect();
            Answer { status: 409, body: serde_json::json!({"detail": "no", "blockers": blockers}) }.problem()
        };
        assert_eq!(problem(0), "the service answered 409: no");
        assert_eq!(problem(2), "the service answered 409: no: sandbox `s0`, sandbox `s1`");
        let named = serde_json::json!({"detail": "`s0` is in the way", "blockers": [{"kind": "node", "name": "s0"}]});
        assert_eq!(Answer { status: 409, body: named }.problem(), "the service answered 409: `s0` is in the way");
        assert!(problem(BLOCKERS_MAX + 3).ends_with("sandbox `s7` and 3 more"), "{}", problem(BLOCKERS_MAX + 3));
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment("a/../b?c"), "a%2F..%2Fb%3Fc");
    }
}

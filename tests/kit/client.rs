//! HTTP as an ordinary client speaks it, with JSON at hand and messages that show the whole exchange.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::Client as Http;
use serde_json::Value;

use crate::namespace::Namespace;

/// A client of one daemon. A path without a leading slash is taken under `/api/v1/`.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    base: String,
    headers: Vec<(String, String)>,
}

impl Client {
    /// Over the unix socket, where root needs no token. Every request has a connection of its own, so that a restart of the
    /// daemon between two requests goes unnoticed.
    pub fn unix(socket: &Path) -> Self {
        let http = Http::builder()
            .unix_socket(socket)
            .timeout(Duration::from_secs(90))
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client can be made");
        Self { http, base: "http://127.0.0.1:8080".to_owned(), headers: Vec::new() }
    }

    /// As [`Self::unix`], for streams that never end.
    pub fn endless(socket: &Path) -> Self {
        let http = Http::builder().unix_socket(socket).timeout(None).build().expect("a client can be made");
        Self { http, base: "http://127.0.0.1:8080".to_owned(), headers: Vec::new() }
    }

    /// Over TCP, from inside a namespace.
    pub fn tcp(namespace: &Namespace, address: &str) -> Self {
        let http = namespace.inside(|| {
            Http::builder()
                .timeout(Duration::from_secs(60))
                .pool_max_idle_per_host(0)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("a client can be made")
        });
        Self { http, base: format!("http://{address}"), headers: Vec::new() }
    }

    /// The same client with one more header on every request.
    #[must_use]
    pub fn header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// Sends a request; an error is one of the transport, not a status.
    ///
    /// # Errors
    /// When no answer came: refused, reset, or out of time.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Answer, reqwest::Error> {
        let response = self.open(method, path, body)?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let text = String::from_utf8_lossy(&response.bytes()?).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { request: format!("{method} {path}"), status, headers, text, json })
    }

    /// Sends a request and leaves the body of the answer unread.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn open(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<reqwest::blocking::Response, reqwest::Error> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/api/v1/{path}") };
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some((kind, bytes)) = body {
            request = request.header("content-type", kind).body(bytes);
        }
        request.send()
    }

    /// Sends a request that must be answered.
    ///
    /// # Panics
    /// When no answer came.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<(&str, Vec<u8>)>) -> Answer {
        self.send(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: no answer: {error:?}"))
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    /// POST of a JSON document.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(("application/json", body.to_string().into_bytes())))
    }

    /// PUT of a JSON document.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, Some(("application/json", body.to_string().into_bytes())))
    }

    /// PATCH of a JSON Merge Patch.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.ask("PATCH", path, Some(("application/merge-patch+json", body.to_string().into_bytes())))
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, None)
    }

    /// Every item of a list, page after page.
    #[track_caller]
    pub fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page =
                token.as_ref().map_or_else(|| path.to_owned(), |token| format!("{path}{mark}page_token={token}"));
            let page = self.get(&page).is(200);
            items.extend(page["items"].as_array().expect("a page has items").iter().cloned());
            token = page["next_page_token"].as_str().map(str::to_owned);
            if token.is_none() {
                return items;
            }
        }
    }
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and path of the request.
    pub request: String,
    /// Status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub text: String,
    /// Body as JSON; null when it isn't JSON.
    pub json: Value,
}

impl Answer {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The JSON of an answer that must have this status.
    ///
    /// # Panics
    /// When it has another.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        self.json
    }

    /// The problem of an answer that must be one: status, code, and the shape that every problem has.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        self.check_problem();
        assert_eq!((self.status, self.json["code"].as_str()), (status, Some(code)), "{}: {}", self.request, self.text);
        self.json
    }

    /// The problem of an answer that must be one with this status, whatever its code.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn refused(self, status: u16) -> Value {
        self.check_problem();
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        self.json
    }

    /// Checks what every problem owes its reader: the media type (RFC 9457), the status repeated, a code, a title, a detail, the request's ID.
    ///
    /// # Panics
    /// When something is missing.
    #[track_caller]
    pub fn check_problem(&self) {
        let kind = self.header("content-type").unwrap_or_default();
        assert!(
            kind.starts_with("application/problem+json"),
            "{}: {} is {kind}: {}",
            self.request,
            self.status,
            self.text
        );
        let problem = &self.json;
        assert_eq!(problem["status"].as_u64(), Some(u64::from(self.status)), "{}: {problem}", self.request);
        for field in ["type", "title", "detail", "code", "request_id"] {
            let text = problem[field].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: the problem has no {field}: {problem}", self.request);
        }
    }
}

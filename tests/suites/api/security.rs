//! Who may ask: tokens, the socket's peer, names, other sites.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use netloom_tests::host::{LISTEN, macvlan};
use netloom_tests::{Client, Host, host};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn a_request_without_a_token_learns_nothing() {
    let host = host!();
    host.start();
    let tcp = host.tcp();
    for path in ["networks", "networks/missing", "nothing", "/metrics"] {
        let answer = tcp.get(path);
        assert!(answer.header("www-authenticate").is_some(), "{path}: {:?}", answer.headers);
        answer.problem(401, "unauthenticated");
    }
    for path in [
        "/healthz",
        "/readyz",
        "/problems",
        "/problems/unauthenticated",
        "/openapi.json",
        "/openapi-3.0.json",
        "/docs/",
    ] {
        assert_eq!(tcp.get(path).status, 200, "{path} is open");
    }
    assert_ne!(tcp.get("/ui").status, 200, "the dashboard asks for a login");
}

#[test]
fn the_admin_token_opens_everything_and_a_wrong_one_nothing() {
    let host = host!();
    host.start();
    let token = host.token();
    let mode = std::fs::metadata(host.data_dir().join("admin.token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the token is its owner's alone");
    let tcp = host.tcp();
    let bearer = |token: &str| tcp.header("authorization", &format!("Bearer {token}"));
    bearer(&token).get("networks").is(200);
    bearer(&token).post("networks", &macvlan("n", "10.110.0.0/24")).is(201);
    let mut wrong = token.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == 'a' { 'b' } else { 'a' });
    for bad in [wrong.as_str(), "", "x", "nlm_x_y", &"x".repeat(5000)] {
        let answer = bearer(bad).get("networks");
        assert!(matches!(answer.status, 401 | 431), "{bad}: {}", answer.text);
    }
    tcp.header("authorization", &format!("Basic {token}")).get("networks").problem(401, "unauthenticated");
    let actor = host.client().get("events?kinds=network.created").is(200)["items"][0]["actor"].clone();
    assert_ne!(actor, "socket:root", "the token's name is the actor: {actor}");
}

#[test]
fn a_secret_is_stored_nowhere_but_in_its_file() {
    let host = host!();
    host.start();
    let token = host.token();
    let secret = token.rsplit('_').next().unwrap().to_owned();
    host.stop();
    assert!(!host.log_text().contains(&secret), "not in the log");
    for entry in std::fs::read_dir(host.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name != "admin.token") && path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "not in {}", path.display());
        }
    }
}

#[test]
fn a_foreign_host_name_is_refused() {
    let host = host!();
    host.start();
    let tcp = host.tcp().header("authorization", &format!("Bearer {}", host.token()));
    for name in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"] {
        tcp.header("host", name).get("networks").problem(421, "host-not-allowed");
    }
    for name in ["localhost:8080", "127.0.0.1", "[::1]:8080"] {
        tcp.header("host", name).get("networks").is(200);
    }
}

#[test]
fn another_site_can_change_nothing() {
    let host = host!();
    host.start();
    let tcp = host.tcp().header("authorization", &format!("Bearer {}", host.token()));
    let body = macvlan("n", "10.110.0.0/24");
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://evil.example"),
        ("origin", "null"),
    ] {
        tcp.header(name, value).post("networks", &body).problem(403, "cross-site-request");
    }
    host.client().get("networks/n").problem(404, "resource-not-found");
    tcp.header("sec-fetch-site", "same-origin").post("networks", &body).is(201);
}

#[test]
fn the_socket_is_root_s_and_tells_others_apart() {
    let host = host!();
    host.start();
    let mode = std::fs::metadata(host.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let as_nobody = |socket: &str| {
        let line = format!(
            "setpriv --reuid 65534 --regid 65534 --clear-groups curl -sS -o /dev/null -w %{{http_code}} --unix-socket {socket} http://localhost/api/v1/networks"
        );
        host.net.try_run(&line)
    };
    // The directory above is the test's own and closed to others: opened here, so that the socket itself is what refuses.
    host.net.run(&format!("chmod 755 {} {}", host.dir().display(), host.run_dir().display()));
    let socket = host.socket().display().to_string();
    assert_ne!(as_nobody(&socket).code, 0, "the socket's mode keeps others out");
    host.net.run(&format!("chmod 666 {socket}"));
    assert_eq!(as_nobody(&socket).ok(), "401", "and a peer that isn't root needs a token");
}

#[test]
fn answers_carry_the_headers_that_keep_browsers_safe() {
    let host = host!();
    host.start();
    let answer = host.tcp().get("/ui/login");
    let policy = answer.header("content-security-policy").expect("a content security policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("referrer-policy").is_some());
}

#[test]
fn a_second_daemon_on_the_same_directories_is_refused() {
    let host = host!();
    host.start();
    let line = format!(
        "serve --listen 127.0.0.1:8081 --data-dir {} --run-dir {}",
        host.data_dir().display(),
        host.run_dir().display()
    );
    let said = host.netloom(&line).failed();
    assert!(said.contains("another") || said.contains("already") || said.contains("lock"), "{said}");
    Client::unix(&host.socket()).get("networks").is(200);
    let other = format!("serve --listen 127.0.0.1:8081 --data-dir {0}/d2 --run-dir {0}/r2", host.dir().display());
    let said = host.netloom(&other).failed();
    assert!(
        said.contains("another") || said.contains("already") || said.contains("namespace"),
        "one per network namespace: {said}"
    );
}

/// Starts a request over TCP that never gets to the end of its body.
fn unfinished(path: &str, headers: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&LISTEN.parse().expect("an address"), Duration::from_millis(200))?;
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"1\r\n{")?;
    Ok(stream)
}

#[test]
fn clients_that_send_no_end_of_a_body_take_nothing_from_root_at_the_socket() {
    // Each of them is a file here as well.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let scripts = tempfile::tempdir().unwrap();
    let limited = scripts.path().join("limited");
    let binary = env!("CARGO_BIN_EXE_netloom-under-test");
    std::fs::write(&limited, format!("#!/bin/sh\nulimit -n 512\nexec {binary} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&limited, std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = Host::new(&limited.to_string_lossy());
    host.start();
    host.macvlan("n", "10.110.0.0/24");
    let hanging = host.net.inside(|| {
        // Refused before anything else, and then read on, so that a client that is still writing gets its answer.
        let refused = "Sec-Fetch-Site: cross-site\r\n";
        let lengths =
            [format!("Content-Length: 1000\r\n{refused}"), format!("Transfer-Encoding: chunked\r\n{refused}")];
        // Some may find no place in the queue, once the daemon takes no more.
        let all = lengths.iter().cycle().take(600);
        all.filter_map(|headers| unfinished("/api/v1/networks", headers).ok()).collect::<Vec<_>>()
    });
    assert!(hanging.len() > 128, "{} connections are more than the daemon takes", hanging.len());
    let begin = Instant::now();
    for name in ["a", "b", "c"] {
        host.sandbox(name, "n");
        host.client().get("/readyz").is(200);
    }
    assert!(begin.elapsed() < Duration::from_secs(8), "root waited {:?}", begin.elapsed());
    let files = std::fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap().count();
    assert!(files < 400, "{files} of 512 files are taken");
    drop(hanging);
}

#[test]
fn a_body_has_to_come_within_seconds() {
    let host = host!();
    host.start();
    let token = format!("Authorization: Bearer {}\r\n", host.token());
    let cases = [
        ("/api/v1/networks", "Content-Length: 1000\r\n", token.as_str(), "408"),
        ("/api/v1/networks", "Transfer-Encoding: chunked\r\n", token.as_str(), "408"),
        ("/api/v1/networks", "Content-Length: 1000\r\n", "", "401"),
        ("/api/v1/networks", "Transfer-Encoding: chunked\r\n", "", "401"),
        ("/api/v1/networks", "Transfer-Encoding: chunked\r\nSec-Fetch-Site: cross-site\r\n", "", "403"),
        ("/nothing", "Transfer-Encoding: chunked\r\n", "", "404"),
        ("/ui/login", "Transfer-Encoding: chunked\r\nSec-Fetch-Site: same-origin\r\n", "", "4"),
    ];
    let streams: Vec<TcpStream> = host.net.inside(|| {
        cases.iter().map(|(path, length, token, _)| unfinished(path, &format!("{length}{token}")).unwrap()).collect()
    });
    let begin = Instant::now();
    for (mut stream, case) in streams.into_iter().zip(&cases) {
        let mut said = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // To its end: the connection is closed, whatever the client goes on to do.
        stream.read_to_string(&mut said).unwrap_or_else(|error| panic!("{case:?}: {error}, after {said}"));
        assert!(said.starts_with(&format!("HTTP/1.1 {}", case.3)), "{case:?}: {said}");
        assert_eq!(case.3 == "408", said.contains("body-timeout"), "{case:?}: {said}");
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

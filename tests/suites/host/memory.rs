//! What memory the service takes.

use netloom_tests::host;

#[test]
fn the_service_takes_no_huge_pages_whatever_the_host_gives_to_whoever_does_not_object() {
    let host = host!();
    host.start();
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    assert!(status.lines().any(|line| line == "THP_enabled:\t0"), "{status}");
}

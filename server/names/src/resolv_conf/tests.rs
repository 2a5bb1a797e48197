//! Tables: what a `resolv.conf` says, and what a sandbox's becomes.

use super::*;

/// A text with its nameservers, search domains and options.
type Case = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

#[test]
fn a_resolv_conf_is_read_as_the_c_library_does() {
    let cases: [Case; 9] = [
        ("", &[], &[], &[]),
        ("nameserver 1.1.1.1\nnameserver\t2606:4700::1111\n", &["1.1.1.1", "2606:4700::1111"], &[], &[]),
        ("nameserver 1.1.1.1 8.8.8.8\n", &["1.1.1.1"], &[], &[]),
        ("# nameserver 1.1.1.1\n; search a\nnameserver 127.0.0.53 # the stub\n", &["127.0.0.53"], &[], &[]),
        ("nameserver fe80::1%eth0\nnameserver one\nnameserver\n", &[], &[], &[]),
        ("search a.example b.example\nsearch c.example\n", &[], &["c.example"], &[]),
        ("search a.example\ndomain b.example\n", &[], &["b.example"], &[]),
        ("options edns0 trust-ad\noptions timeout:1\n", &[], &[], &["edns0", "trust-ad", "timeout:1"]),
        ("sortlist 10.0.0.0\nlookup file bind\r\nsearch a.example\r\n", &[], &["a.example"], &[]),
    ];
    for (text, nameservers, search, options) in cases {
        let conf = parse_resolv_conf(text);
        let addresses: Vec<String> = conf.nameservers.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, nameservers, "{text:?}");
        assert_eq!(conf.search, search, "{text:?}");
        assert_eq!(conf.options, options, "{text:?}");
    }
}

#[test]
fn three_nameservers_are_asked_on_port_53() {
    let conf = parse_resolv_conf("nameserver 10.0.0.1\nnameserver ::1\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n");
    let upstreams: Vec<String> = conf.upstreams().iter().map(ToString::to_string).collect();
    assert_eq!(upstreams, ["10.0.0.1:53", "[::1]:53", "10.0.0.3:53"]);
}

#[test]
fn a_sandbox_asks_its_resolver_with_the_hosts_search_and_options() {
    let head = "# Written by Netloom from the host's resolv.conf.\nnameserver 127.0.0.11\n";
    let cases = [
        ("", "options ndots:0\n"),
        ("nameserver 1.1.1.1\nnameserver ::1\n", "options ndots:0\n"),
        ("nameserver 1.1.1.1\nsearch a.example b.example\n", "search a.example b.example\noptions ndots:0\n"),
        ("search .\noptions edns0 trust-ad\n", "search .\noptions edns0 trust-ad ndots:0\n"),
        ("options ndots:2 edns0\n", "options ndots:2 edns0\n"),
        ("options ndots:many ndots ndots:-1 rotate\n", "options rotate ndots:0\n"),
    ];
    for (host, rest) in cases {
        assert_eq!(resolv_conf(host), format!("{head}{rest}"), "{host:?}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let written = parse_resolv_conf(&resolv_conf("nameserver 9.9.9.9\nsearch a.example\noptions edns0\n"));
    assert_eq!(written.nameservers, [IpAddr::V4(ADDRESS)]);
    assert_eq!(
        (written.search, written.options),
        (vec!["a.example".to_owned()], vec!["edns0".into(), "ndots:0".into()])
    );
}

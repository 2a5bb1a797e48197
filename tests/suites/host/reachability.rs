//! Who reaches whom, and as whom one is seen there, by packets: each option of a bridge network beside all others, IPv4 and IPv6.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use netloom_tests::{Echo, Host, Namespace, Snapshot, Value, ask_tcp, host, json};

/// Questions that are asked at once: most of them end by nobody answering.
const AT_ONCE: usize = 24;
/// How often somebody is asked who should answer: on a busy machine an answer may take longer than one waits.
const TRIES: u32 = 5;
/// The host's addresses towards its LAN and towards the outside, and what else a sandbox may leave with.
const HOST: [[&str; 2]; 2] = [["203.0.113.1", "198.51.100.1"], ["2001:db8::1", "2001:db8:1::1"]];
/// The one in the LAN, and the one outside.
const PEERS: [[&str; 2]; 2] = [["203.0.113.2", "198.51.100.2"], ["2001:db8::2", "2001:db8:1::2"]];
const CHOSEN: [&str; 2] = ["203.0.113.7", "2001:db8:7::7"];

/// What is looked at, in the order of the letters in [`OPTIONS`]. `closed` is a port of the sandbox that it does not publish, `open` one
/// that it does.
const WAYS: [&str; 11] = [
    "neighbour",
    "host",
    "LAN",
    "outside",
    "from LAN, closed",
    "from LAN, open",
    "from LAN, by the host's port",
    "other network",
    "from other network, closed",
    "from other network, open",
    "from host, closed",
];

/// Settings of a network, how it publishes a port by IPv4 and by IPv6, and what is expected over each: `.` nobody answers; else as whom one is
/// seen: `s` with one's own address, `h` with the host's on that link, `x` with the chosen one, `g` with another (the gateway's).
const OPTIONS: [(&str, [Port; 2], [&str; 2]); 12] = [
    ("{}", [Port::OfHost; 2], ["sshh..s...g"; 2]),
    (r#"{"inter_sandbox": false}"#, [Port::OfHost; 2], [".shh..s...g"; 2]),
    (r#"{"masquerade": false}"#, [Port::OfHost; 2], ["sss...s...g"; 2]),
    (r#"{"isolation": false}"#, [Port::OfHost; 2], ["sshh..s.ssg"; 2]),
    (r#"{"internal": true}"#, [Port::None; 2], ["s.........."; 2]),
    (r#"{"gateway_mode4": "routed", "gateway_mode6": "routed"}"#, [Port::Own; 2], ["sss..s...sg"; 2]),
    (
        r#"{"gateway_mode4": "routed", "gateway_mode6": "routed", "isolation": false}"#,
        [Port::Own; 2],
        ["sss..s..ssg"; 2],
    ),
    (r#"{"gateway_mode6": "routed"}"#, [Port::OfHost, Port::Own], ["sshh..s...g", "sss..s...sg"]),
    (r#"{"gateway_mode4": "routed"}"#, [Port::Own, Port::OfHost], ["sss..s...sg", "sshh..s...g"]),
    (r#"{"gateway_mode4": "isolated"}"#, [Port::None, Port::OfHost], ["s..........", "sshh..s...g"]),
    (r#"{"gateway_mode6": "isolated"}"#, [Port::OfHost, Port::None], ["sshh..s...g", "s.........."]),
    (
        r#"{"source_address4": "203.0.113.7", "source_address6": "2001:db8:7::7"}"#,
        [Port::OfHost; 2],
        ["ssxx..s...g"; 2],
    ),
];

#[derive(Clone, Copy, PartialEq)]
enum Port {
    None,
    OfHost,
    Own,
}

/// A question to be asked, and the answer that is expected.
struct Question {
    option: usize,
    way: usize,
    from: PathBuf,
    to: String,
    /// Who should answer, and how its letter is made of the address it saw.
    who: String,
    own: String,
    host: String,
    wanted: char,
}

impl Question {
    /// Asks; says what is wrong with the answer.
    fn ask(&self, family: usize) -> Option<String> {
        let tries = if self.wanted == '.' { 1 } else { TRIES };
        let said = (0..tries).find_map(|_| ask_tcp(&self.from, &self.to));
        let found = match said.as_deref().map(|said| said.split_once(' ').expect("a name and an address")) {
            None => '.',
            Some((name, _)) if name != self.who => '?',
            Some((_, seen)) if seen == self.own => 's',
            Some((_, seen)) if seen == self.host => 'h',
            Some((_, seen)) if seen == CHOSEN[family] => 'x',
            Some(_) => 'g',
        };
        let (settings, way, to, wanted) = (OPTIONS[self.option].0, WAYS[self.way], &self.to, self.wanted);
        (found != wanted).then(|| format!("{settings} {way} ({to}): {found} ({said:?}), not {wanted}"))
    }
}

/// The LAN knows the way to every sandbox through the host; who is outside knows none.
fn surroundings(host: &Host) -> Namespace {
    let outside = Namespace::new();
    host.net.run(&format!("ip link add parent1 type veth peer name wire1 netns {}", outside.pid()));
    host.net.run("ip link set parent1 addrgenmode none up");
    outside.run("ip link set wire1 addrgenmode none up");
    for (link, [four, six]) in [("parent0", [HOST[0][0], HOST[1][0]]), ("parent1", [HOST[0][1], HOST[1][1]])] {
        host.net.run(&format!("ip addr add {four}/24 dev {link}"));
        host.net.run(&format!("ip addr add {six}/64 dev {link} nodad"));
    }
    host.net.run(&format!("ip addr add {}/32 dev parent0", CHOSEN[0]));
    host.net.run(&format!("ip addr add {}/128 dev parent0 nodad", CHOSEN[1]));
    host.lan.run("ip addr add 203.0.113.2/24 dev wire0");
    host.lan.run("ip addr add 2001:db8::2/64 dev wire0 nodad");
    host.lan.run("ip route add 10.0.0.0/8 via 203.0.113.1");
    host.lan.run("ip route add fd00::/8 via 2001:db8::1");
    // Of another prefix than the link's other address: which of two alike the kernel takes for a source is its own affair.
    host.lan.run("ip route add 2001:db8:7::/64 via 2001:db8::1");
    outside.run("ip addr add 198.51.100.2/24 dev wire1");
    outside.run("ip addr add 2001:db8:1::2/64 dev wire1 nodad");
    outside.run("ip route add 203.0.113.0/24 via 198.51.100.1");
    outside.run("ip route add 2001:db8::/64 via 2001:db8:1::1");
    outside.run("ip route add 2001:db8:7::/64 via 2001:db8:1::1");
    outside
}

/// Makes a network of an option's settings with two sandboxes, the first of which publishes port 80.
fn network(host: &Host, number: usize) {
    let (settings, ports, _) = OPTIONS[number];
    let mut bridge: Value = serde_json::from_str(settings).expect("settings");
    let internal = bridge.as_object_mut().expect("an object").remove("internal");
    let pools = json!({"v4": {"subnet": subnet(0, number)}, "v6": {"subnet": subnet(1, number)}});
    let mut body = json!({"name": format!("n{number}"), "driver": "bridge", "bridge": bridge, "pools": pools});
    if let Some(internal) = internal {
        body["internal"] = internal;
    }
    host.client().post("networks", &body).is(201);
    let mut published = json!({});
    for (port, (key, any)) in ports.iter().zip([("four", "0.0.0.0"), ("six", "::")]) {
        match port {
            Port::None => {}
            Port::OfHost => published[key] = json!({"target": 80, "published": 8800 + number, "host_address": any}),
            Port::Own => published[key] = json!({"target": 80, "host_address": any}),
        }
    }
    for (name, ports) in [(format!("a{number}"), published), (format!("b{number}"), json!({}))] {
        let body = json!({"name": name, "networks": {format!("n{number}"): {"ports": ports}}});
        host.client().post("sandboxes", &body).is(201);
    }
}

fn subnet(family: usize, number: usize) -> String {
    if family == 0 { format!("10.{}.0.0/24", 100 + number) } else { format!("fd{}::/64", 10 + number) }
}

/// The addresses of a sandbox, IPv4 and IPv6.
fn addresses(host: &Host, sandbox: &str) -> [String; 2] {
    let found = host.client().get(&format!("sandboxes/{sandbox}")).is(200);
    let endpoint = found["status"]["endpoints"].as_object().unwrap().values().next().expect("an endpoint");
    ["address", "address6"].map(|field| endpoint[field].as_str().expect("an address").to_owned())
}

fn socket(address: &str, port: usize) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// The network that all are strangers to.
const OTHER: usize = OPTIONS.len();

fn questions(host: &Host, family: usize) -> Vec<Question> {
    let netns = |name: &str| host.net.outside(&host.netns(name));
    let (here, lan, c) = (host.net.path(), host.lan.path(), netns("c"));
    let peers = PEERS[family];
    let [towards_lan, towards_outside] = HOST[family];
    let stranger = &addresses(host, "c")[family];
    let mut questions = Vec::new();
    for (option, (_, _, wanted)) in OPTIONS.iter().enumerate() {
        let (name, neighbour) = (format!("a{option}"), &addresses(host, &format!("b{option}"))[family]);
        let (a, own) = (netns(&name), &addresses(host, &name)[family]);
        let ways: [(&PathBuf, String, &str, &str, &str); 11] = [
            (&a, socket(neighbour, 81), &format!("b{option}"), own, ""),
            (&a, socket(towards_lan, 9000), "host", own, ""),
            (&a, socket(peers[0], 9000), "lan", own, towards_lan),
            (&a, socket(peers[1], 9000), "outside", own, towards_outside),
            (&lan, socket(own, 81), &name, peers[0], ""),
            (&lan, socket(own, 80), &name, peers[0], ""),
            (&lan, socket(towards_lan, 8800 + option), &name, peers[0], ""),
            (&a, socket(stranger, 81), "c", own, ""),
            (&c, socket(own, 81), &name, stranger, ""),
            (&c, socket(own, 80), &name, stranger, ""),
            (&here, socket(own, 81), &name, "", ""),
        ];
        for ((way, (from, to, who, own, host)), wanted) in ways.into_iter().enumerate().zip(wanted[family].chars()) {
            let (from, own, host) = (from.clone(), own.to_owned(), host.to_owned());
            questions.push(Question { option, way, from, to, who: who.to_owned(), own, host, wanted });
        }
    }
    questions
}

#[test]
fn each_option_lets_through_what_it_says_and_nothing_else() {
    let host = host!();
    let outside = surroundings(&host);
    let before = Snapshot::of(&host);
    host.start();
    let pools = json!({"v4": {"subnet": subnet(0, OTHER)}, "v6": {"subnet": subnet(1, OTHER)}});
    host.client().post("networks", &json!({"name": "other", "driver": "bridge", "pools": pools})).is(201);
    host.sandbox("c", "other");
    (0..OPTIONS.len()).for_each(|number| network(&host, number));
    let servers = servers(&host, &outside);
    let mut wrong = Vec::new();
    for family in [0, 1] {
        let waiting: Mutex<VecDeque<Question>> = Mutex::new(questions(&host, family).into());
        let found = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(question) = { waiting.lock().unwrap().pop_front() } {
                        let wrong = question.ask(family);
                        found.lock().unwrap().extend(wrong);
                    }
                });
            }
        });
        wrong.extend(found.into_inner().unwrap());
    }
    assert!(wrong.is_empty(), "{} answers are others than expected:\n{}", wrong.len(), wrong.join("\n"));
    pings(&host);
    drop(servers);
    for number in 0..OPTIONS.len() {
        host.client().delete(&format!("networks/n{number}?cascade=endpoints")).is(204);
        for name in ["a", "b"] {
            host.client().delete(&format!("sandboxes/{name}{number}")).is(204);
        }
    }
    host.client().delete("sandboxes/c").is(204);
    Snapshot::of(&host).same_as(&before);
}

fn servers(host: &Host, outside: &Namespace) -> Vec<Echo> {
    let mut servers = Vec::new();
    let mut serve = |namespace: &Path, addresses: [&str; 2], port: usize, name: &str| {
        servers.extend(addresses.map(|address| Echo::start(namespace, &socket(address, port), name)));
    };
    serve(&host.net.path(), [HOST[0][0], HOST[1][0]], 9000, "host");
    serve(&host.lan.path(), [PEERS[0][0], PEERS[1][0]], 9000, "lan");
    serve(&outside.path(), [PEERS[0][1], PEERS[1][1]], 9000, "outside");
    let sandboxes = (0..OPTIONS.len()).flat_map(|number| [format!("a{number}"), format!("b{number}")]);
    for name in sandboxes.chain(["c".to_owned()]) {
        let namespace = host.net.outside(&host.netns(&name));
        let [four, six] = addresses(host, &name);
        let ports: &[usize] = if name.starts_with('a') { &[80, 81] } else { &[81] };
        ports.iter().for_each(|port| serve(&namespace, [&four, &six], *port, &name));
    }
    servers
}

/// Where nothing is translated a sandbox answers pings, so that one sees that the way is there; elsewhere it does not.
fn pings(host: &Host) {
    std::thread::scope(|scope| {
        for (number, (settings, ports, _)) in OPTIONS.iter().enumerate() {
            for (family, address) in addresses(host, &format!("a{number}")).into_iter().enumerate() {
                scope.spawn(move || {
                    let answered = host.lan.pings(&address);
                    assert_eq!(answered, ports[family] == Port::Own, "{settings}, to {address}");
                });
            }
        }
    });
}

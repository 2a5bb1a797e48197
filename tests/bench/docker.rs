//! Docker's own engine beside Netloom: networks made and removed, and a running container attached and detached, in turns with the same of a
//! sandbox. Both are asked over their unix sockets through one kept connection each, so that no command line's start is counted.
//!
//! The engine runs on a host of its own, with directories of its own, as the tests start it; it starts its containerd itself. The container reads
//! its standard input, which the engine holds: when that is gone, however it went, so is the container. Nothing here touches a Docker that
//! runs on the machine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use netloom_tests::firewalls::Docker;
use netloom_tests::{Client, Host, Value, json, until};

use crate::Plan;
use crate::figures::{Table, Times, verdict};
use crate::http::Connection;

/// The engine (Debian package docker.io), and what its containers run.
pub(crate) const ENGINE: &str = "/usr/sbin/dockerd";
pub(crate) const PROGRAM: &str = "/bin/cat";
/// How much faster Netloom is to be.
const GOAL: f64 = 10.0;
/// The control group of the container.
pub(crate) const GROUP: &str = "netloom-bench";

/// What is measured, of either.
#[derive(Default)]
struct Steps {
    /// A network is made.
    make: Times,
    /// Its first endpoint.
    first: Times,
    /// The removal of that.
    last: Times,
    /// The network is removed.
    remove: Times,
    /// A further network, which others use, is attached.
    attach: Times,
    /// And detached.
    detach: Times,
}

/// What ours and theirs are called, the figure, and whether the goal is about it.
type Row = (&'static str, &'static str, fn(&Steps) -> &Times, bool);
/// What is added up, and how.
type Sum = (&'static str, fn(&Steps) -> f64);

/// Measures and prints. The host's daemon has a sandbox `keeper` on a network already. What is attached to a network in use is another, `mover`: of
/// `keeper` there is still something to do when a network was taken from it a moment ago.
pub(crate) fn run(host: &Host, plan: &Plan) {
    let installed = Path::new(ENGINE).exists();
    let elsewhere = Host::new(&plan.netloom.to_string_lossy());
    let mut engine = installed.then(|| Engine::start(&elsewhere));
    host.bridge("used", "10.238.0.0/16");
    host.sandbox("user", "used");
    host.sandbox("mover", "n");
    let mut connection = Connection::open(&host.socket());
    let (mut ours, mut theirs) = (Steps::default(), Steps::default());
    for round in 0..plan.runs {
        for turn in [round % 2, (round + 1) % 2] {
            match &mut engine {
                _ if turn == 0 => netloom(&mut connection, round, &mut ours),
                Some(engine) => engine.once(round, &mut theirs),
                None => {}
            }
        }
    }
    let mut begun = Begun::default();
    if let Some(engine) = &mut engine {
        for round in 0..plan.runs.min(BEGUN_AT_MOST) {
            engine.begin(round, &mut begun);
            begin(&mut connection, round, &mut begun);
        }
    }
    let measured = engine.is_some();
    drop(engine);
    host.client().delete("sandboxes/user").is(204);
    host.client().delete("sandboxes/mover").is(204);
    host.client().delete("networks/used").is(204);
    print(plan, &ours, measured.then_some(&theirs));
    if measured {
        print_begun(&begun);
    }
}

fn print(plan: &Plan, ours: &Steps, theirs: Option<&Steps>) {
    let mut table = Table::new(&format!("Bridge networks beside Docker's engine, {} interleaved runs", plan.runs));
    let rows: [Row; 6] = [
        ("POST /networks (rows only)", "POST /networks/create", |steps| &steps.make, true),
        ("PATCH: its first endpoint (makes the bridge)", "connect: its first endpoint", |steps| &steps.first, false),
        ("PATCH: that endpoint detached", "disconnect: that endpoint", |steps| &steps.last, false),
        ("DELETE /networks", "DELETE /networks", |steps| &steps.remove, false),
        ("PATCH: attach to a network in use", "connect to a network in use", |steps| &steps.attach, true),
        ("PATCH: detach", "disconnect", |steps| &steps.detach, false),
    ];
    let faster = |theirs: f64, ours: f64| format!("Netloom is {:.1} x faster", theirs / ours);
    let met = |theirs: f64, ours: f64| verdict(theirs >= GOAL * ours, &format!("Netloom {GOAL} x faster"));
    for (own, other, times, goal) in rows {
        table.times(&format!("Netloom: {own}"), times(ours), "", "");
        if let Some(theirs) = theirs {
            let (a, b) = (times(theirs).p50(), times(ours).p50());
            let met = if goal { met(a, b) } else { String::new() };
            table.times(&format!("Docker: {other}"), times(theirs), &faster(a, b), &met);
        }
    }
    let Some(theirs) = theirs else {
        table.figure("Docker's engine", "NOT INSTALLED", "", "");
        return table.print();
    };
    // Netloom's network is on the host from its first endpoint on, Docker's at once: like is like only with both together.
    let sums: [Sum; 3] = [
        ("network made and first endpoint", |steps| steps.make.p50() + steps.first.p50()),
        ("last endpoint and network removed", |steps| steps.last.p50() + steps.remove.p50()),
        ("attach and detach", |steps| steps.attach.p50() + steps.detach.p50()),
    ];
    for (what, sum) in sums {
        let (a, b) = (sum(theirs), sum(ours));
        table.figure(&format!("{what}: Netloom / Docker"), &format!("{b:.1} / {a:.1} ms"), &faster(a, b), &met(a, b));
    }
    table.print();
}

/// An endpoint that comes with its sandbox or container. What the engine does for the network is what a start takes longer with one: it starts a
/// process besides, which Netloom doesn't.
#[derive(Default)]
struct Begun {
    sandbox: Times,
    container: Times,
    container_without: Times,
}

/// Rounds of [`Begun`]: each starts two processes.
const BEGUN_AT_MOST: usize = 60;

fn begin(connection: &mut Connection, round: usize, begun: &mut Begun) {
    let body = json!({"name": format!("n{round}"), "networks": {"used": {}}}).to_string();
    begun.sandbox.time(|| connection.must("POST", "sandboxes", &body, 201));
    connection.must("DELETE", &format!("sandboxes/n{round}"), "", 204);
}

fn print_begun(begun: &Begun) {
    let mut table = Table::new("An endpoint from the start, on a bridge network in use");
    let theirs = begun.container.p50() - begun.container_without.p50();
    let faster = theirs / begun.sandbox.p50();
    table.times("Netloom: POST /sandboxes, namespace included", &begun.sandbox, "", "");
    table.times("Docker: a container started on a network", &begun.container, "", "");
    table.times("Docker: the same without a network", &begun.container_without, "", "");
    let met = verdict(faster >= GOAL, &format!("Netloom {GOAL} x faster"));
    table.figure("the difference", &format!("{theirs:.1} ms"), &format!("Netloom is {faster:.1} x faster"), &met);
    table.print();
}

/// One round of ours: a network and a running sandbox's endpoint on it; then an endpoint on a network that is used already.
fn netloom(connection: &mut Connection, round: usize, steps: &mut Steps) {
    let name = format!("b{round}");
    let body = json!({"name": name, "driver": "bridge"}).to_string();
    let on = |network: &str| json!({"networks": {network: {}}}).to_string();
    let off = |network: &str| json!({"networks": {network: null}}).to_string();
    steps.make.time(|| connection.must("POST", "networks", &body, 201));
    steps.first.time(|| connection.must("PATCH", "sandboxes/keeper", &on(&name), 200));
    steps.last.time(|| connection.must("PATCH", "sandboxes/keeper", &off(&name), 200));
    steps.remove.time(|| connection.must("DELETE", &format!("networks/{name}"), "", 204));
    steps.attach.time(|| connection.must("PATCH", "sandboxes/mover", &on("used"), 200));
    steps.detach.time(|| connection.must("PATCH", "sandboxes/mover", &off("used"), 200));
}

/// The engine with three running containers: two that are attached and detached, as Netloom's, and one that uses a network.
struct Engine<'h> {
    host: &'h Host,
    client: Client,
    connection: Connection,
    docker: Docker<'h>,
}

impl<'h> Engine<'h> {
    fn start(host: &'h Host) -> Self {
        // The engine looks for control groups where they are on a host; the namespace's own /sys has none.
        host.net.run("mount -t cgroup2 none /sys/fs/cgroup");
        let docker = Docker::start(host);
        let socket = host.dir().join("docker/socket");
        let client = Client::unix(&socket);
        let image = image(host.dir());
        let tar = Some(("application/x-tar", image));
        let answer = client.send("POST", "/images/create?fromSrc=-&repo=bench&tag=1", tar).expect("the engine answers");
        answer.is(200);
        let mut engine = Self { host, client, connection: Connection::open(&socket), docker };
        for (network, name) in [("home", "keeper"), ("used", "user"), ("other", "mover")] {
            engine.network(network);
            engine.client.post(&format!("/containers/create?name={name}"), &container(network)).is(201);
            engine.client.post(&format!("/containers/{name}/start"), &json!({})).is(204);
            let state = engine.client.get(&format!("/containers/{name}/json")).is(200)["State"].clone();
            let said = engine.client.get(&format!("/containers/{name}/logs?stdout=1&stderr=1")).text;
            assert_eq!(state["Status"], "running", "{state} {said}");
        }
        engine
    }

    /// Starts a container on a network, and one without.
    fn begin(&mut self, round: usize, begun: &mut Begun) {
        for (network, times) in [("used", &mut begun.container), ("none", &mut begun.container_without)] {
            let name = format!("{network}{round}");
            self.client.post(&format!("/containers/create?name={name}"), &container(network)).is(201);
            let connection = &mut self.connection;
            times.time(|| connection.must("POST", &format!("/containers/{name}/start"), "", 204));
            self.client.delete(&format!("/containers/{name}?force=true")).is(204);
        }
    }

    fn network(&mut self, name: &str) {
        let body = json!({"Name": name, "Driver": "bridge", "CheckDuplicate": true}).to_string();
        self.connection.must("POST", "/networks/create", &body, 201);
    }

    /// The same round as Netloom's.
    fn once(&mut self, round: usize, steps: &mut Steps) {
        let name = format!("b{round}");
        let body = json!({"Container": "keeper"}).to_string();
        let moving = json!({"Container": "mover"}).to_string();
        let connect = |network: &str| format!("/networks/{network}/connect");
        let disconnect = |network: &str| format!("/networks/{network}/disconnect");
        steps.make.time(|| self.network(&name));
        let connection = &mut self.connection;
        steps.first.time(|| connection.must("POST", &connect(&name), &body, 200));
        steps.last.time(|| connection.must("POST", &disconnect(&name), &body, 200));
        steps.remove.time(|| connection.must("DELETE", &format!("/networks/{name}"), "", 204));
        steps.attach.time(|| connection.must("POST", &connect("used"), &moving, 200));
        steps.detach.time(|| connection.must("POST", &disconnect("used"), &moving, 200));
    }
}

impl Drop for Engine<'_> {
    /// The containers first, then the engine in good order, which ends its containerd. After a panic what is left of the engine's goes with the
    /// host's mount namespace, and the containers with it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for container in ["keeper", "user", "mover"] {
            self.client.delete(&format!("/containers/{container}?force=true")).is(204);
        }
        self.docker.end();
        let left = format!("pgrep -f '[c]ontainerd.*{}' || true", self.host.dir().display());
        until("the end of all that the engine started", Duration::from_secs(10), || {
            self.host.net.shell(&left).trim().is_empty().then_some(())
        });
        let _ = self.host.net.try_run(&format!("rmdir /sys/fs/cgroup/{GROUP}"));
    }
}

/// A container of the program, on a network.
pub(crate) fn container(network: &str) -> Value {
    json!({
        "Image": "bench:1", "Cmd": [PROGRAM], "OpenStdin": true,
        "HostConfig": {"NetworkMode": network, "CgroupParent": GROUP},
    })
}

/// A file system of one program and the libraries that it names, as an archive: nothing is fetched from anywhere.
pub(crate) fn image(dir: &Path) -> Vec<u8> {
    let root = dir.join("image");
    let libraries = Command::new("ldd").arg(PROGRAM).output().expect("libc-bin is installed").stdout;
    let libraries = String::from_utf8_lossy(&libraries).into_owned();
    for file in libraries.split_whitespace().filter(|word| word.starts_with('/')).chain([PROGRAM]) {
        let copy = root.join(&file[1..]);
        std::fs::create_dir_all(copy.parent().unwrap_or(&root)).expect("the directory is writable");
        std::fs::copy(file, &copy).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let output = Command::new("tar").arg("-C").arg(&root).args(["-cf", "-", "."]).output();
    output.expect("tar is installed").stdout
}

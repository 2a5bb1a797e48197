//! A host for one test: a thread in namespaces of its own, with a parent link and a wire to the outside.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use netloom_kernel::{Config, Kernel};
use netloom_model::assignment::NamespaceSource;
use netloom_model::network::MacvlanMode;
use netloom_model::plan::Refusal;
use netloom_model::{MacAddr, SandboxId};
use netloom_plan::marks::Marks;
use netloom_plan::object::{
    Address, Link, LinkKind, Namespace, Object, Observed, Operation, Place, Route, Scope, Sysctl,
};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

/// The network's router, on the outer end of the wire.
pub(crate) const ROUTER: &str = "192.168.122.1";

/// A host, its kernel handle, and a run directory.
pub(crate) struct Host {
    pub(crate) kernel: Kernel,
    pub(crate) run_dir: PathBuf,
    _temporary: tempfile::TempDir,
}

/// Runs a test on a fresh host; afterwards nothing may be left of what Netloom made.
pub(crate) fn on_a_host<F: Future<Output = ()>>(test: impl FnOnce(Host) -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("tests of the kernel run as root");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>)
            .expect("a private mount namespace");
        run("ip link set lo up");
        run("ip link add parent0 type veth peer name wire0");
        run("ip link set parent0 up");
        run("ip link set wire0 up");
        run(&format!("ip address add {ROUTER}/24 dev wire0"));
        run("ip -6 address add 2001:db8:122::1/64 dev wire0 nodad");
        let before = links();
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let run_dir = temporary.path().join("run");
        let config = Config { run_dir: run_dir.clone() };
        let kernel = Kernel::start(config).expect("the kernel can be spoken to");
        let host = Host { kernel, run_dir: run_dir.clone(), _temporary: temporary };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(test(host));
        assert_eq!(links(), before, "links of the host are left or gone");
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo is readable");
        let left: Vec<&str> = mounts.lines().filter(|line| line.contains(&*run_dir.to_string_lossy())).collect();
        assert!(left.is_empty(), "mounts are left: {left:?}");
        assert!(!run_dir.join("netns").exists(), "the directory of namespaces is left");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn links() -> Vec<String> {
    let mut names: Vec<String> =
        json("ip -j link").as_array().unwrap().iter().map(|link| text(&link["ifname"])).collect();
    names.sort();
    names
}

/// Runs a command in the calling thread's namespaces; answers what it says.
pub(crate) fn run(command: &str) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Runs a command that may fail.
pub(crate) fn output(command: &str) -> std::process::Output {
    let mut words = command.split_whitespace();
    Command::new(words.next().expect("a program")).args(words).output().expect("the program is installed")
}

/// Starts a command that goes on.
pub(crate) fn start(command: &str) -> Running {
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().expect("the program is installed"))
}

/// A process that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    pub(crate) fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command that answers JSON.
pub(crate) fn json(command: &str) -> Value {
    serde_json::from_str(&run(command)).expect("JSON")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A sandbox's ID for a small number.
pub(crate) fn id(number: u8) -> SandboxId {
    SandboxId::from_random([number; 16])
}

pub(crate) fn mac(number: u8) -> MacAddr {
    MacAddr([0x02, 0x42, 192, 168, 122, number])
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn namespace(sandbox: SandboxId) -> Object {
    let source = NamespaceSource::Made;
    Object::Namespace(Namespace { sandbox, name: "box".to_owned(), source })
}

pub(crate) fn loopback(sandbox: SandboxId, up: bool) -> Link {
    Link {
        place: Place::Sandbox(sandbox),
        name: "lo".to_owned(),
        kind: LinkKind::Loopback,
        mac: None,
        mtu: None,
        up,
        arp: true,
        owner: String::new(),
        marks: Marks::Whole,
    }
}

pub(crate) fn macvlan(place: Place, name: &str, number: u8) -> Link {
    Link {
        place,
        name: name.to_owned(),
        kind: LinkKind::Macvlan { parent: "parent0".to_owned(), mode: MacvlanMode::Bridge },
        mac: Some(mac(number)),
        mtu: Some(1500),
        up: true,
        arp: true,
        owner: format!("ept_{number}"),
        marks: Marks::Whole,
    }
}

pub(crate) fn address(place: Place, link: &str, address: &str, prefix_length: u8) -> Object {
    Object::Address(Address { place, link: link.to_owned(), address: ip(address), prefix_length, is_routed: true })
}

pub(crate) fn route(place: Place, destination: &str, gateway: Option<&str>, link: &str) -> Object {
    Object::Route(Route {
        place,
        destination: destination.parse().expect("a destination"),
        gateway: gateway.map(ip),
        link: link.to_owned(),
        source: None,
    })
}

pub(crate) fn sysctl(place: Place, path: &str, value: &str) -> Object {
    Object::Sysctl(Sysctl { place, path: path.to_owned(), value: value.to_owned() })
}

/// All objects of a sandbox with one endpoint, 192.168.122.`number`.
pub(crate) fn wanted(number: u8) -> Vec<Object> {
    let place = Place::Sandbox(id(number));
    vec![
        namespace(id(number)),
        sysctl(place, "net/ipv4/ip_forward", "0"),
        sysctl(place, "net/ipv4/conf/all/rp_filter", "2"),
        sysctl(place, "net/ipv6/conf/default/accept_ra", "0"),
        Object::Link(loopback(id(number), true)),
        Object::Link(macvlan(place, "eth0", number)),
        address(place, "eth0", &format!("192.168.122.{number}"), 24),
        address(place, "eth0", &format!("2001:db8:122::{number}"), 64),
        route(place, "0.0.0.0/0", Some(ROUTER), "eth0"),
        route(place, "::/0", Some("2001:db8:122::1"), "eth0"),
    ]
}

pub(crate) fn creations(objects: &[Object]) -> Vec<Operation> {
    objects.iter().cloned().map(Operation::Create).collect()
}

impl Host {
    /// Applies operations that all succeed.
    pub(crate) async fn apply(&self, operations: Vec<Operation>) {
        for (outcome, operation) in self.kernel.apply(operations.clone()).await.into_iter().zip(operations) {
            assert_eq!(outcome, Ok(()), "{operation:?}");
        }
    }

    /// Applies operations; answers the refusals' codes, `ok` where there is none.
    pub(crate) async fn codes(&self, operations: Vec<Operation>) -> Vec<String> {
        let outcomes = self.kernel.apply(operations).await;
        outcomes.into_iter().map(|outcome| outcome.err().map_or("ok".to_owned(), |refusal| refusal.code)).collect()
    }

    /// Applies one operation that is refused.
    pub(crate) async fn refused(&self, operation: Operation) -> Refusal {
        self.kernel.apply(vec![operation]).await.remove(0).expect_err("it is refused")
    }

    /// Makes a sandbox with one endpoint.
    pub(crate) async fn make(&self, number: u8) {
        self.apply(creations(&wanted(number))).await;
    }

    /// Removes a sandbox, its links first, as a plan has it.
    pub(crate) async fn remove(&self, number: u8) {
        let link = macvlan(Place::Sandbox(id(number)), "eth0", number);
        self.apply(vec![Operation::Delete(Object::Link(link)), Operation::Delete(namespace(id(number)))]).await;
    }

    pub(crate) async fn observe(&self, scope: Scope) -> Observed {
        self.kernel.observe(scope).await.expect("observing works").observed
    }

    /// A JSON command inside a sandbox.
    pub(crate) fn json_in(&self, number: u8, command: &str) -> Value {
        json(&format!("{} {command}", self.inside(number)))
    }

    /// A command inside a sandbox.
    pub(crate) fn run_in(&self, number: u8, command: &str) -> String {
        run(&format!("{} {command}", self.inside(number)))
    }

    pub(crate) fn inside(&self, number: u8) -> String {
        format!("nsenter --net={}", self.kernel.netns_path(id(number)).display())
    }
}

/// A scope over everything.
pub(crate) fn everything() -> Scope {
    Scope { everything: true, ..scope(&[]) }
}

/// A scope of sandboxes that were made.
pub(crate) fn scope(numbers: &[u8]) -> Scope {
    Scope {
        everything: false,
        sandboxes: numbers.iter().map(|number| (id(*number), NamespaceSource::Made)).collect::<BTreeMap<_, _>>(),
        host: false,
        overlay: None,
        firewall: false,
        only_there: BTreeSet::new(),
        publishers: BTreeSet::new(),
        published: BTreeSet::new(),
        sysctls: BTreeMap::new(),
        host_links: Vec::new(),
        marks: Vec::new(),
        owners: None,
    }
}

/// Whether an address answers ARP on the wire.
pub(crate) fn answers(address: &str) -> bool {
    output(&format!("arping -c 1 -w 1 -I wire0 {address}")).status.success()
}

//! Hearing of changes.

use std::collections::BTreeSet;
use std::time::Duration;

use netloom_kernel::{Heard, Notification};
use netloom_model::assignment::NamespaceSource;
use netloom_plan::object::{Key, Object, Observed, Place, Scope};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::host::{creations, id, macvlan, on_a_host, output, run, scope, start, sysctl, wanted};

async fn hears(heard: &mut UnboundedReceiver<Heard>, wanted: &Notification) -> bool {
    while let Ok(Some(Heard { what, .. })) = timeout(Duration::from_millis(500), heard.recv()).await {
        if what == *wanted {
            return true;
        }
    }
    false
}

async fn hush(heard: &mut UnboundedReceiver<Heard>) {
    while timeout(Duration::from_millis(100), heard.recv()).await.is_ok() {}
}

#[test]
fn a_change_inside_a_sandbox_is_heard_by_its_name() {
    on_a_host(async |host| {
        let mut heard = host.kernel.subscribe();
        host.make(2).await;
        hush(&mut heard).await;
        let changed = |what| Notification::Changed { place: Some(Place::Sandbox(id(2))), owner: None, what };
        host.run_in(2, "ip link set eth0 down");
        assert!(hears(&mut heard, &changed("link")).await);
        host.run_in(2, "ip address del 192.168.122.2/24 dev eth0");
        assert!(hears(&mut heard, &changed("address")).await);
        host.run_in(2, "ip link delete eth0");
        assert!(hears(&mut heard, &changed("link")).await);
        run("ip address add 192.0.2.77/24 dev wire0");
        assert!(hears(&mut heard, &Notification::HostChanged).await);
        hush(&mut heard).await;
        host.remove(2).await;
        let mut second = host.kernel.subscribe();
        assert!(second.recv().await.is_none());
    });
}

#[test]
fn a_sandbox_from_before_is_heard_after_the_first_look() {
    on_a_host(async |host| {
        host.make(2).await;
        let config = netloom_kernel::Config { run_dir: host.run_dir.clone() };
        let restarted = netloom_kernel::Kernel::start(config).expect("the kernel can be spoken to");
        let mut heard = restarted.subscribe();
        restarted.observe(crate::host::everything()).await.expect("observing works");
        hush(&mut heard).await;
        host.run_in(2, "ip link set eth0 down");
        let wanted = Notification::Changed { place: Some(Place::Sandbox(id(2))), owner: None, what: "link" };
        assert!(hears(&mut heard, &wanted).await);
        host.remove(2).await;
    });
}

#[test]
fn the_end_of_a_namespace_is_heard_by_its_name() {
    on_a_host(async |host| {
        let mut process = start("unshare --net sleep 60");
        let own = std::fs::read_link("/proc/thread-self/ns/net").expect("the own namespace");
        while std::fs::read_link(format!("/proc/{}/ns/net", process.pid())).expect("its namespace") == own {}
        let adoption = host.kernel.identify("/pid", None, Some(process.pid())).await.expect("it may be adopted");
        let mut asked = scope(&[]);
        asked.sandboxes.insert(id(2), NamespaceSource::Adopted(adoption));
        host.observe(asked).await;
        let mut heard = host.kernel.subscribe();
        hush(&mut heard).await;
        process.end();
        let wanted = Notification::Changed { place: Some(Place::Sandbox(id(2))), owner: None, what: "namespace" };
        assert!(hears(&mut heard, &wanted).await);
    });
}

/// Settings of the sandbox and of the host that the next test looks at.
const SETTINGS: [(bool, &str); 8] = [
    (true, "net/ipv4/ip_forward"),
    (true, "net/ipv4/conf/all/rp_filter"),
    (true, "net/ipv4/conf/eth0/forwarding"),
    (true, "net/ipv6/conf/eth0/accept_ra"),
    (true, "net/ipv6/conf/eth0/disable_ipv6"),
    (false, "net/ipv4/conf/wire0/forwarding"),
    (false, "net/ipv6/conf/wire0/accept_ra"),
    (false, "net/ipv6/conf/all/forwarding"),
];

#[test]
fn remembered_settings_are_what_they_are() {
    on_a_host(async |host| {
        let _heard = host.kernel.subscribe();
        host.make(2).await;
        let mut asked = scope(&[2]);
        asked.host = true;
        let place = |inside: bool| if inside { Place::Sandbox(id(2)) } else { Place::Host };
        for (inside, path) in SETTINGS {
            asked.sysctls.entry(place(inside)).or_default().insert(path.to_owned());
        }
        let cat = |inside: bool, path: &str| {
            let command = format!("cat /proc/sys/{path}");
            let command = if inside { format!("{} {command}", host.inside(2)) } else { command };
            Some(String::from_utf8_lossy(&output(&command).stdout).trim().to_owned()).filter(|value| !value.is_empty())
        };
        let real = || SETTINGS.map(|(inside, path)| cat(inside, path));
        let seen = async |asked: &Scope| {
            let observed = host.observe(asked.clone()).await;
            SETTINGS.map(|(inside, path)| match observed.ours.get(&Key::Sysctl(place(inside), path.to_owned())) {
                Some(Object::Sysctl(setting)) => Some(setting.value.clone()),
                _ => None,
            })
        };
        // As others see it that look at everything.
        let mut everything = asked.clone();
        everything.everything = true;
        seen(&everything).await;
        for (inside, change) in [
            (true, "sysctl -qw net.ipv4.ip_forward=1"),
            (true, "sysctl -qw net.ipv4.conf.all.forwarding=0"),
            (true, "sysctl -qw net.ipv4.conf.all.rp_filter=1"),
            (true, "sysctl -qw net.ipv6.conf.eth0.accept_ra=2"),
            (true, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1"),
            (true, "sysctl -qw net.ipv6.conf.all.disable_ipv6=0"),
            (true, "ip link set eth0 mtu 1000"),
            (true, "ip link set eth0 mtu 1500"),
            (true, "sysctl -qw net.ipv6.conf.eth0.accept_ra=0"),
            (false, "sysctl -qw net.ipv4.ip_forward=1"),
            (false, "sysctl -qw net.ipv4.ip_forward=0"),
            (false, "sysctl -qw net.ipv6.conf.wire0.accept_ra=2"),
            (false, "ip link set wire0 mtu 1000"),
            (false, "ip link set wire0 mtu 1500"),
            (false, "sysctl -qw net.ipv6.conf.wire0.accept_ra=0"),
            (false, "sysctl -qw net.ipv6.conf.all.forwarding=1"),
            (false, "ip link set wire0 name wire9"),
            (false, "ip link set wire9 name wire0"),
            (true, "ip link set eth0 down"),
            (true, "sysctl -qw net.ipv6.conf.default.accept_ra=1"),
            (true, "sysctl -qw net.ipv4.conf.eth0.forwarding=1"),
        ] {
            assert_eq!(seen(&asked).await, real(), "before {change}");
            if inside {
                host.run_in(2, change)
            } else {
                run(change)
            };
            assert_eq!(seen(&asked).await, real(), "after {change}");
        }
        // Through another mount of /proc nothing is heard: that one is read by who looks at everything.
        host.run_in(2, "unshare --pid --fork --mount-proc sysctl -qw net.ipv6.conf.eth0.accept_ra=1");
        let remembered = seen(&asked).await;
        assert_ne!(remembered, real(), "they are not read again");
        assert_eq!(seen(&everything).await, real());
        assert_eq!(seen(&asked).await, real());
        host.remove(2).await;
    });
}

#[test]
fn what_becomes_of_a_new_links_settings_is_found_a_moment_later_and_heard_from_then_on() {
    on_a_host(async |host| {
        let mut heard = host.kernel.subscribe();
        host.make(2).await;
        let place = Place::Sandbox(id(2));
        let [of_first, of_second, of_third] =
            ["eth0", "eth1", "eth2"].map(|link| format!("net/ipv6/conf/{link}/accept_ra"));
        let mut asked = scope(&[2]);
        asked.sysctls.insert(place, [of_first.clone(), of_second.clone(), of_third.clone()].into());
        host.observe(asked.clone()).await;
        let value = |observed: &Observed, path: &str| match observed.ours.get(&Key::Sysctl(place, path.to_owned())) {
            Some(Object::Sysctl(setting)) => Some(setting.value.clone()),
            _ => None,
        };
        let made = async |objects: &[Object]| {
            let operations = creations(objects);
            let (outcomes, look) = host.kernel.apply_and_observe(operations, asked.clone(), BTreeSet::new()).await;
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            look.expect("a look").observed
        };
        let changed = Notification::Changed { place: Some(place), owner: None, what: "setting" };
        hush(&mut heard).await;
        let set = sysctl(place, &of_third, "2");
        let seen = made(&[Object::Link(macvlan(place, "eth2", 4)), set]).await;
        assert_eq!(value(&seen, &of_third).as_deref(), Some("2"), "another than links inherit, set with the link");
        // What the kernel said of the link's making was taken in before the look.
        while heard.try_recv().is_ok() {}
        assert!(!hears(&mut heard, &changed).await, "it is as it was");
        let seen = made(&[Object::Link(macvlan(place, "eth1", 3))]).await;
        while heard.try_recv().is_ok() {}
        // Where nobody hears it.
        host.run_in(2, "unshare --pid --fork --mount-proc sysctl -qw net.ipv6.conf.eth1.accept_ra=2");
        let all = [&of_first, &of_second, &of_third].map(|path| value(&seen, path));
        assert_eq!(all, ["0", "0", "2"].map(|value| Some(value.to_owned())));
        assert!(hears(&mut heard, &changed).await);
        assert_eq!(value(&host.observe(asked.clone()).await, &of_second).as_deref(), Some("2"));
        hush(&mut heard).await;
        for link in ["eth1", "eth2"] {
            host.run_in(2, &format!("sysctl -qw net.ipv6.conf.{link}.accept_ra=1"));
            assert!(hears(&mut heard, &changed).await, "{link}");
            host.run_in(2, &format!("ip link delete {link}"));
        }
        host.remove(2).await;
    });
}

#[test]
fn what_becomes_of_a_new_namespaces_settings_is_found_whatever_becomes_of_what_links_get_there() {
    on_a_host(async |host| {
        let mut heard = host.kernel.subscribe();
        // The listeners begin to hear.
        host.observe(scope(&[])).await;
        let place = Place::Sandbox(id(2));
        let mut asked = scope(&[2]);
        let paths = ["default", "eth0"].map(|link| format!("net/ipv6/conf/{link}/accept_ra"));
        asked.sysctls.insert(place, paths.clone().into());
        let operations = creations(&wanted(2));
        let (outcomes, look) = host.kernel.apply_and_observe(operations, asked, BTreeSet::new()).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let ours = look.expect("a look").observed.ours;
        let read = paths.map(|path| ours.contains_key(&Key::Sysctl(place, path)));
        assert_eq!(read, [true, false], "nobody else was there");
        while heard.try_recv().is_ok() {}
        let both = "net.ipv6.conf.default.accept_ra=2 net.ipv6.conf.eth0.accept_ra=2";
        host.run_in(2, &format!("unshare --pid --fork --mount-proc sysctl -qw {both}"));
        let changed = Notification::Changed { place: Some(place), owner: None, what: "setting" };
        assert!(hears(&mut heard, &changed).await);
        host.remove(2).await;
    });
}

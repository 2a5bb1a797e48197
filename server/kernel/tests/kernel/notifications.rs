//! Hearing of changes.

use std::time::Duration;

use netloom_kernel::{Heard, Notification};
use netloom_model::assignment::NamespaceSource;
use netloom_plan::object::Place;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::host::{id, on_a_host, run, scope, start};

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

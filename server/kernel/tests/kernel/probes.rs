//! Packets on the wire.

use netloom_model::probe::{ProbeKind, ProbeReport, ProbeSpec};
use netloom_plan::object::{Object, Operation, Place};

use crate::host::{Host, ROUTER, creations, id, ip, mac, macvlan, namespace, on_a_host, run, start};

/// Waits as long as a loaded machine may need; where nobody answers, [`unanswered`] is quicker.
async fn probe(host: &Host, kind: ProbeKind, to: &str, port: Option<u16>) -> ProbeReport {
    send(host, kind, to, port, 3000).await
}

async fn unanswered(host: &Host, kind: ProbeKind, to: &str) -> ProbeReport {
    send(host, kind, to, None, 200).await
}

async fn send(host: &Host, kind: ProbeKind, to: &str, port: Option<u16>, within: u32) -> ProbeReport {
    let spec =
        ProbeSpec { from: "box".to_owned(), kind, to: to.to_owned(), port, count: Some(2), timeout_ms: Some(within) };
    host.kernel.probe(id(2), &spec, ip(to)).await.expect("it can be sent")
}

#[test]
fn arp_replies_come_with_the_neighbours_ethernet_address() {
    on_a_host(async |host| {
        host.make(2).await;
        host.make(3).await;
        for to in ["192.168.122.3", "2001:db8:122::3"] {
            let report = probe(&host, ProbeKind::Arp, to, None).await;
            assert_eq!((report.sent, report.received, report.interface.as_deref()), (2, 2, Some("eth0")), "{report:?}");
            assert!(report.replies.iter().all(|reply| reply.mac == Some(mac(3)) && reply.rtt_us > 0));
            assert_eq!(report.reason, None);
        }
        for (to, word) in [
            ("192.168.122.77", "nobody on the segment"),
            ("198.51.100.1", "not on the segment"),
            ("192.168.122.2", "own address"),
            ("2001:db8:122::77", "no neighbour advertisement"),
        ] {
            let report = unanswered(&host, ProbeKind::Arp, to).await;
            assert_eq!(report.received, 0);
            assert!(report.reason.as_deref().unwrap_or_default().contains(word), "{report:?}");
        }
        host.remove(2).await;
        host.remove(3).await;
        let spec = probe_spec();
        let gone = host.kernel.probe(id(2), &spec, ip(ROUTER)).await.expect_err("no sandbox");
        assert_eq!((gone.code.as_str(), gone.operation.as_str()), ("namespace-gone", "probe"));
    });
}

fn probe_spec() -> ProbeSpec {
    let to = ROUTER.to_owned();
    ProbeSpec { from: "box".to_owned(), kind: ProbeKind::Arp, to, port: None, count: None, timeout_ms: None }
}

#[test]
fn echo_requests_and_connections_are_answered_or_explained() {
    on_a_host(async |host| {
        host.make(2).await;
        host.make(3).await;
        for to in [ROUTER, "192.168.122.3", "192.168.122.2", "2001:db8:122::3"] {
            let report = probe(&host, ProbeKind::Icmp, to, None).await;
            assert_eq!((report.sent, report.received), (2, 2), "{report:?}");
            assert_eq!(report.replies[1].address.as_deref(), Some(to));
        }
        let silent = unanswered(&host, ProbeKind::Icmp, "192.168.122.77").await;
        assert_eq!(silent.received, 0);
        assert!(silent.reason.is_some());
        let refused = probe(&host, ProbeKind::Tcp, ROUTER, Some(9)).await;
        assert!(refused.reason.as_deref().unwrap_or_default().contains("nothing listens on port 9"), "{refused:?}");
        let listener = std::net::TcpListener::bind((ROUTER, 0)).expect("a port on the wire");
        let port = listener.local_addr().unwrap().port();
        let open = probe(&host, ProbeKind::Tcp, ROUTER, Some(port)).await;
        assert_eq!((open.sent, open.received), (2, 2), "{open:?}");
        host.remove(2).await;
        host.remove(3).await;
    });
}

#[test]
fn a_stranger_with_the_address_is_found_before_it_is_set() {
    on_a_host(async |host| {
        host.make(3).await;
        let place = Place::Sandbox(id(2));
        let link = Object::Link(macvlan(place, "eth0", 2));
        host.apply(creations(&[namespace(id(2)), link.clone()])).await;
        let asked = async |address| {
            let found = host.kernel.address_probe(id(2), "eth0", ip(address), mac(2)).await;
            found.expect("the probe can be sent")
        };
        let router: netloom_model::MacAddr =
            crate::host::json("ip -j link show wire0")[0]["address"].as_str().unwrap().parse().unwrap();
        assert_eq!(asked(ROUTER).await, Some(router));
        // A sibling on the same parent, which a probe from the parent would not see.
        assert_eq!(asked("192.168.122.3").await, Some(mac(3)));
        assert_eq!(asked("2001:db8:122::1").await, Some(router));
        assert_eq!(asked("2001:db8:122::3").await, Some(mac(3)));
        let began = std::time::Instant::now();
        assert_eq!(asked("192.168.122.77").await, None);
        assert!((240..600).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        assert_eq!(asked("2001:db8:122::77").await, None);
        let refusal = host.kernel.address_probe(id(2), "eth7", ip(ROUTER), mac(2)).await.expect_err("no such link");
        assert!(refusal.message.contains("address 192.168.122.1 on eth7"), "{}", refusal.message);
        host.apply(vec![Operation::Delete(link), Operation::Delete(namespace(id(2)))]).await;
        host.remove(3).await;
    });
}

#[test]
fn of_two_who_probe_for_one_address_at_once_never_both_get_it() {
    on_a_host(async |host| {
        run("ip link set wire0 arp on");
        let links: Vec<Object> = [2, 3].map(|n| Object::Link(macvlan(Place::Sandbox(id(n)), "eth0", n))).to_vec();
        let mut objects: Vec<Object> = [2, 3].map(|n| namespace(id(n))).to_vec();
        objects.extend(links.iter().cloned());
        host.apply(creations(&objects)).await;
        let probe = |n: u8| host.kernel.address_probe(id(n), "eth0", ip("192.168.122.50"), mac(n));
        let (second, third) = tokio::join!(probe(2), probe(3));
        // Whoever hears the other first gives way at once, and then the other may hear no more of it.
        let found = (second.expect("sent"), third.expect("sent"));
        assert_ne!(found, (None, None));
        assert!(found.0.is_none_or(|stranger| stranger == mac(3)) && found.1.is_none_or(|stranger| stranger == mac(2)));
        host.apply(links.into_iter().map(Operation::Delete).collect()).await;
        host.apply([2, 3].map(|n| Operation::Delete(namespace(id(n)))).to_vec()).await;
        drop(start("true"));
    });
}

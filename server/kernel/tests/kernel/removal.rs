//! Removing: proven, complete, and only what is ours.

use std::time::Instant;

use netloom_plan::object::{Object, Operation, Place};

use crate::host::{answers, creations, everything, id, macvlan, namespace, on_a_host, output, start, wanted};

#[test]
fn after_removal_the_address_is_silent_even_with_a_process_left_inside() {
    on_a_host(async |host| {
        host.make(2).await;
        let mut left_inside = start(&format!("{} sleep 60", host.inside(2)));
        while !output(&format!("nsenter --net=/proc/{}/ns/net ip link show eth0", left_inside.pid())).status.success() {
        }
        assert!(answers("192.168.122.2"));
        // Without the link's own removal in the list: what is inside goes first all the same.
        host.apply(vec![Operation::Delete(namespace(id(2)))]).await;
        assert!(!answers("192.168.122.2"));
        let links = crate::host::json(&format!("nsenter --net=/proc/{}/ns/net ip -j link", left_inside.pid()));
        assert_eq!(links.as_array().unwrap().len(), 1, "{links}");
        left_inside.end();
    });
}

#[test]
fn several_links_go_in_one_wait() {
    on_a_host(async |host| {
        let place = Place::Sandbox(id(2));
        let links: Vec<Object> = (2..10).map(|n| Object::Link(macvlan(place, &format!("eth{n}"), n))).collect();
        let mut objects = vec![namespace(id(2))];
        objects.extend(links.iter().cloned());
        host.apply(creations(&objects)).await;
        let began = Instant::now();
        host.apply(links.into_iter().map(Operation::Delete).collect()).await;
        // One by one they would take 20 ms each.
        assert!(began.elapsed().as_millis() < 120, "{:?}", began.elapsed());
        assert_eq!(host.json_in(2, "ip -j link").as_array().unwrap().len(), 1);
        host.apply(vec![Operation::Delete(namespace(id(2)))]).await;
    });
}

#[test]
fn a_link_that_went_with_its_parent_is_gone() {
    on_a_host(async |host| {
        crate::host::run("ip link add parent1 type veth peer name wire1");
        crate::host::run("ip link set parent1 up");
        let objects: Vec<Object> = wanted(2)
            .into_iter()
            .map(|mut object| {
                if let Object::Link(netloom_plan::object::Link {
                    kind: netloom_plan::LinkKind::Macvlan { parent, .. },
                    ..
                }) = &mut object
                {
                    "parent1".clone_into(parent);
                }
                object
            })
            .collect();
        host.apply(creations(&objects)).await;
        crate::host::run("ip link delete parent1");
        host.remove(2).await;
    });
}

#[test]
fn stale_files_are_used_and_swept() {
    on_a_host(async |host| {
        host.make(2).await;
        let path = host.kernel.netns_path(id(3));
        std::fs::write(&path, "").expect("a stale file");
        host.make(3).await;
        std::fs::write(host.kernel.netns_path(id(4)), "").expect("a stale file");
        let observed = host.observe(everything()).await;
        assert!(!observed.ours.contains_key(&netloom_plan::Key::Namespace(id(4))));
        assert!(!host.kernel.netns_path(id(4)).exists());
        host.remove(2).await;
        host.remove(3).await;
    });
}

#[test]
fn a_namespace_that_somebody_unmounted_is_simply_not_there() {
    on_a_host(async |host| {
        host.make(2).await;
        crate::host::run(&format!("umount {}", host.kernel.netns_path(id(2)).display()));
        assert!(host.observe(crate::host::scope(&[2])).await.ours.is_empty());
        // Its links go with it a little later; the Ethernet address is free only then.
        for _ in 0..100 {
            if host.codes(creations(&wanted(2))).await.iter().all(|code| code == "ok") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(host.json_in(2, "ip -j link show eth0")[0]["address"], "02:42:c0:a8:7a:02");
        host.remove(2).await;
    });
}

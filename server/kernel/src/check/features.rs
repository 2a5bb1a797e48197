//! Kernel features, tried in a namespace that goes with its thread.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{IpVlanMode, LinkMessage, MacVlanMode};
use netloom_model::MacAddr;
use netloom_plan::object::Senders;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use rtnetlink::{LinkBridge, LinkIpVlan, LinkMacVlan, LinkVeth, LinkVlan, LinkVxlan};

use super::{Check, nftables};
use crate::error::Failure;
use crate::message::{link, sender};
use crate::rtnl::{Request, Rtnl};

const PARENT: &str = "parent";

/// Tries all of them.
pub(super) fn all() -> Vec<Check> {
    // A thread of its own: the namespace it moves into is gone with it.
    std::thread::spawn(tried).join().unwrap_or_default()
}

fn tried() -> Vec<Check> {
    let name = "network namespaces";
    let mut rtnl = match unshare(CloneFlags::CLONE_NEWNET).map_err(Failure::from).and_then(|()| Rtnl::open()) {
        Ok(rtnl) => rtnl,
        Err(failure) => {
            let remedy = "run as root, with CAP_SYS_ADMIN; raise user.max_net_namespaces if it is 0";
            return vec![Check::bad(name, format!("can't be made: {}", failure.words()), remedy)];
        }
    };
    let mut checks = vec![Check::good(name, "can be made")];
    let veth = make(&mut rtnl, LinkVeth::new(PARENT, "peer").build());
    let bridge = make(&mut rtnl, LinkBridge::new("bridge").build());
    let parent = link::by_name(&mut rtnl, if veth.is_ok() { PARENT } else { "bridge" }).ok().flatten();
    let parent = parent.map_or(0, |link| link.index);
    let macvlan = make(&mut rtnl, LinkMacVlan::new("macvlan", parent, MacVlanMode::Bridge).build());
    let ipvlan = make(&mut rtnl, LinkIpVlan::new("ipvlan", parent, IpVlanMode::L2).build());
    let vlan = make(&mut rtnl, LinkVlan::new("vlan", parent, 2).build());
    let vxlan = make(&mut rtnl, LinkVxlan::new("vxlan", 4097).port(4789).build());
    let classifier = sender::keep_to(parent, MacAddr([2, 0, 0, 0, 0, 1]), Senders::default());
    let classifier = rtnl.execute(classifier.into()).into_iter().collect::<Result<(), Failure>>();
    checks.push(match &macvlan {
        Ok(()) => Check::good("kernel feature macvlan", "there, for macvlan networks"),
        Err(failure) => {
            Check::bad("kernel feature macvlan", missing(failure), "modprobe macvlan, or a kernel with CONFIG_MACVLAN")
        }
    });
    let others = [
        ("bridge", "bridge", bridge, "bridge and overlay networks"),
        ("veth", "veth", veth, "bridge and overlay networks"),
        ("vxlan", "vxlan", vxlan, "overlay networks"),
        ("cls_bpf", "-a sch_ingress cls_bpf", classifier, "overlay networks"),
        ("vlan", "8021q", vlan, "VLANs on a parent"),
        ("ipvlan", "ipvlan", ipvlan, "ipvlan networks, which can't be made yet"),
    ];
    for (feature, module, outcome, needed_by) in others {
        let name = format!("kernel feature {feature}");
        checks.push(match outcome {
            Ok(()) => Check::good(&name, format!("there, for {needed_by}")),
            Err(failure) => Check::warning(
                &name,
                format!("{}; needed by {needed_by}, by no other", missing(&failure)),
                format!("modprobe {module}, or a kernel that has it"),
            ),
        });
    }
    checks.push(nftables::support());
    checks
}

fn missing(failure: &Failure) -> String {
    match Errno::from_raw(failure.errno) {
        Errno::EOPNOTSUPP | Errno::ENODEV => "this kernel has it not".to_owned(),
        _ => format!("can't be used: {}", failure.words()),
    }
}

fn make(rtnl: &mut Rtnl, message: LinkMessage) -> Result<(), Failure> {
    rtnl.execute_one(Request { message: RouteNetlinkMessage::NewLink(message), flags: NLM_F_CREATE | NLM_F_EXCL })
}

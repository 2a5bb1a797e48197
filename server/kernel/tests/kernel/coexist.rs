//! Bridge networks beside firewalls of others: what those drop gets through by one rule among Docker's or is told of, and their tables are
//! otherwise as they were. Looked at with `iptables`, `nft` and packets.

use netloom_kernel::check::{self, Verdict};
use netloom_kernel::{Config, Notification, purge};
use netloom_model::assignment::{AssignedNetwork, AssignedSandbox, Assignment};
use netloom_model::condition::Condition;
use netloom_plan::object::{Observed, Operation};
use netloom_plan::{Compiled, Gates, Object, compile, diff};

use crate::bridge::{assignment, far_host, network, nothing_is_left, reaches, sandbox};
use crate::host::{Host, id, json, on_a_host, output, run, start};

/// `iptables` as Docker leaves it, of both families: its chains are empty, the policy is drop.
fn docker() {
    for program in ["iptables", "ip6tables"] {
        run(&format!("{program} -P FORWARD DROP"));
        run(&format!("{program} -N DOCKER-USER"));
        run(&format!("{program} -A DOCKER-USER -j RETURN"));
        run(&format!("{program} -I FORWARD -j DOCKER-USER"));
    }
}

/// What is in both families' tables, without what packets counted.
fn iptables() -> [String; 2] {
    ["iptables", "ip6tables"].map(|program| run(&format!("{program} -S")))
}

/// Whether frames within a bridge are filtered as if they were routed. What neighbours did not answer meanwhile is forgotten.
fn filter_bridged(host: &Host, on: u8) {
    for number in [2, 3].into_iter().filter(|number| host.kernel.netns_path(id(*number)).exists()) {
        host.run_in(number, "ip neigh flush dev eth0 nud all");
    }
    run(&format!("sysctl -qw net.bridge.bridge-nf-call-iptables={on} net.bridge.bridge-nf-call-ip6tables={on}"));
}

async fn look(host: &Host, assignment: &Assignment, gates: &Gates) -> (Compiled, Observed) {
    let facts = host.kernel.facts().await.unwrap();
    let mut wanted = compile(assignment, &facts, gates);
    let observed = host.kernel.observe(wanted.scope.clone()).await.unwrap().observed;
    wanted.admit(&observed);
    (wanted, observed)
}

/// Brings the kernel to an assignment; answers what was done, and what is remarkable then.
async fn converge_with(host: &Host, assignment: &Assignment, gates: &Gates) -> (Vec<Operation>, Vec<Condition>) {
    let (wanted, before) = look(host, assignment, gates).await;
    let operations = diff(&wanted, &before).operations;
    for outcome in host.kernel.apply(operations.clone()).await {
        outcome.unwrap_or_else(|refusal| panic!("{refusal}"));
    }
    let (wanted, after) = look(host, assignment, gates).await;
    assert_eq!(diff(&wanted, &after).operations, []);
    let conditions = wanted.observed_conditions(&after).into_iter().map(|(_, condition)| condition);
    (operations, conditions.filter(|condition| condition.kind == "FirewallBlocked").collect())
}

async fn converge(host: &Host, assignment: &Assignment) -> (Vec<Operation>, Vec<Condition>) {
    converge_with(host, assignment, &Gates::default()).await
}

fn on_rules(operations: &[Operation]) -> Vec<&Operation> {
    operations.iter().filter(|operation| matches!(operation.object(), Object::PassRule(_))).collect()
}

/// A network with two sandboxes, 2 and 3.
fn scene() -> (AssignedNetwork, Assignment) {
    let web = network(1);
    let both = assignment(&[&web], &[&sandbox(2, &web), &sandbox(3, &web)]);
    (web, both)
}

async fn leave(host: &Host, scene: &Assignment) {
    let mut gone = scene.clone();
    gone.networks.values_mut().for_each(|network| network.in_use = false);
    gone.sandboxes.values_mut().for_each(|sandbox: &mut AssignedSandbox| sandbox.deleting = true);
    converge(host, &gone).await;
}

/// What is reached: within the bridge over both families and both ways, and beyond the host.
fn reached(host: &Host) -> ([bool; 4], bool) {
    let within = [(2, "10.99.1.3"), (3, "10.99.1.2"), (2, "fd99:1::3"), (3, "fd99:1::2")];
    (within.map(|(from, to)| reaches(host, from, to)), reaches(host, 2, "203.0.113.2"))
}

#[test]
fn one_rule_in_dockers_chain_lets_everything_by_and_is_all_that_changes() {
    on_a_host(async |host| {
        let mut far = far_host();
        docker();
        let before = iptables();
        let (_, both) = scene();
        let hands_off = Gates { hands_off: true, ..Gates::default() };
        let (operations, conditions) = converge_with(&host, &both, &hands_off).await;
        assert_eq!(on_rules(&operations), Vec::<&Operation>::new());
        assert_eq!(iptables(), before, "hands off");
        assert!(conditions[0].message.contains("`iptables -I DOCKER-USER"), "{conditions:?}");
        filter_bridged(&host, 1);
        assert_eq!(reached(&host), ([false; 4], false), "Docker's policy drops, also within the bridge");
        filter_bridged(&host, 0);
        assert_eq!(reached(&host), ([true; 4], false));
        let (operations, conditions) = converge(&host, &both).await;
        assert_eq!(on_rules(&operations).len(), 2);
        assert_eq!(conditions, []);
        for bridged in [0, 1] {
            filter_bridged(&host, bridged);
            assert_eq!(reached(&host), ([true; 4], true), "with bridged frames filtered: {bridged}");
        }
        // `iptables` reads it, and nothing else came.
        let line = "-A DOCKER-USER -m mark --mark 0x40000/0x40000 -m comment --comment netloom -j ACCEPT\n";
        for (before, now) in before.iter().zip(iptables()) {
            assert!(now.contains(line) && now.replace(line, "") == *before, "{now}");
            assert!(now.contains(&format!("{line}-A DOCKER-USER -j RETURN")), "at the head: {now}");
        }
        let rules = json("nft -j list chain ip filter DOCKER-USER");
        let ours =
            rules["nftables"].as_array().unwrap().iter().find(|item| item["rule"]["comment"] == "netloom").unwrap();
        assert!(ours["rule"]["expr"].to_string().contains("counter"), "{ours}");
        leave(&host, &both).await;
        assert_eq!(iptables(), before, "as it was");
        run("ip link del uplink0");
        far.end();
        iptables_gone();
        nothing_is_left();
    });
}

/// Removes what the test set up.
fn iptables_gone() {
    for family in ["ip", "ip6"] {
        run(&format!("nft delete table {family} filter"));
    }
}

#[test]
fn whatever_somebody_does_to_the_rule_is_put_right_and_what_iptables_saved_is_known() {
    on_a_host(async |host| {
        docker();
        let (_, both) = scene();
        converge(&host, &both).await;
        let whole = iptables();
        for line in [
            "iptables -D DOCKER-USER 1",
            "iptables -F DOCKER-USER",
            "ip6tables -D DOCKER-USER -m mark --mark 0x40000/0x40000 -m comment --comment netloom -j ACCEPT",
            "iptables -A DOCKER-USER -m mark --mark 0x40000/0x40000 -m comment --comment netloom -j ACCEPT",
            "iptables -I DOCKER-USER -j RETURN",
        ] {
            run(line);
            let (operations, conditions) = converge(&host, &both).await;
            assert_eq!((on_rules(&operations).len(), conditions.len()), (1, 0), "{line}: {operations:?}");
            assert_eq!(run("iptables -S").matches("netloom").count(), 1, "{line}");
        }
        // Somebody's own rules stay, in front of ours, too; ones that resemble ours are theirs.
        let theirs = [
            "DOCKER-USER -s 198.51.100.0/24 -j DROP",
            "DOCKER-USER -m mark --mark 0x40000/0x40000 -j ACCEPT",
            "DOCKER-USER -m comment --comment netloom -j RETURN",
        ];
        for rule in &theirs[..2] {
            run(&format!("iptables -I {rule}"));
        }
        run(&format!("iptables -A {}", theirs[2]));
        assert_eq!(on_rules(&converge(&host, &both).await.0), Vec::<&Operation>::new());
        let saved = run("iptables-save");
        std::fs::write(host.run_dir.with_extension("saved"), &saved).unwrap();
        run(&format!("iptables-restore {}", host.run_dir.with_extension("saved").display()));
        assert_eq!(
            on_rules(&converge(&host, &both).await.0),
            Vec::<&Operation>::new(),
            "as iptables writes it: {saved}"
        );
        leave(&host, &both).await;
        let left = run("iptables -S");
        assert!(theirs.iter().all(|rule| left.contains(rule)), "{left}");
        assert_eq!(left.matches("netloom").count(), 1, "the one that returns is somebody else's: {left}");
        assert!(whole[1].contains("netloom") && !run("ip6tables -S").contains("netloom"));
        iptables_gone();
        nothing_is_left();
    });
}

#[test]
fn purge_takes_the_rule_out_and_leaves_the_rest() {
    on_a_host(async |host| {
        docker();
        let before = iptables();
        let (_, both) = scene();
        converge(&host, &both).await;
        let config = Config { run_dir: host.run_dir.clone() };
        let found = purge::find(&config).unwrap();
        let rules = found.iter().filter(|found| found.name.contains("DOCKER-USER")).count();
        assert_eq!(rules, 2, "{found:?}");
        // The table is this process's own, which a purge beside it can't remove.
        leave(&host, &both).await;
        run("nft insert rule ip filter DOCKER-USER meta mark and 0x40000 == 0x40000 counter accept comment netloom");
        assert_eq!(purge::remove(&config).unwrap(), []);
        assert_eq!(iptables(), before);
        iptables_gone();
        nothing_is_left();
    });
}

/// What is in the way, and the command between backquotes that the condition names.
fn command(conditions: &[Condition]) -> (String, String) {
    let [condition] = conditions else { panic!("one condition: {conditions:?}") };
    let command = condition.message.split('`').nth(1).expect("a command").to_owned();
    (condition.message.clone(), command)
}

#[test]
fn a_chain_that_drops_is_named_with_the_command_that_helps_and_the_command_helps() {
    on_a_host(async |host| {
        let mut far = far_host();
        let (web, both) = scene();
        run("nft add table inet filter");
        run("nft add chain inet filter forward { type filter hook forward priority 0 ; policy drop ; }");
        filter_bridged(&host, 1);
        let (message, help) = command(&converge(&host, &both).await.1);
        assert_eq!(help, "nft insert rule inet filter forward meta mark and 0x40000 == 0x40000 accept");
        assert!(
            message.contains("chain forward of table inet filter (family inet, hook forward, priority 0"),
            "{message}"
        );
        assert!(message.contains("nor each other"), "{message}");
        assert_eq!(reached(&host), ([false; 4], false));
        run(&help);
        assert_eq!(converge(&host, &both).await.1, []);
        for bridged in [0, 1] {
            filter_bridged(&host, bridged);
            assert_eq!(reached(&host), ([true; 4], true));
        }
        // Not at the head, and behind a jump: packets get to it.
        run("nft flush chain inet filter forward");
        run("nft add chain inet filter ours");
        run("nft add rule inet filter forward iifname nobody drop");
        run("nft add rule inet filter forward counter jump ours");
        assert_eq!(converge(&host, &both).await.1.len(), 1);
        run("nft add rule inet filter ours meta mark and 0x40000 != 0 accept");
        assert_eq!(converge(&host, &both).await.1, []);
        assert_eq!(reached(&host), ([true; 4], true));
        run("nft flush chain inet filter ours");
        run("nft chain inet filter forward { policy accept ; }");
        assert_eq!(converge(&host, &both).await.1, []);
        // A rule that drops at the end, as firewalld's rejects.
        run("nft add rule inet filter forward reject with icmpx type admin-prohibited");
        let (message, help) = command(&converge(&host, &both).await.1);
        assert!(message.contains("a rule at its end drops"), "{message}");
        run(&help);
        assert_eq!(converge(&host, &both).await.1, []);
        run("nft delete table inet filter");
        // Before our own chain, the mark is not there yet.
        run("nft add table ip early");
        run("nft add chain ip early gate { type filter hook forward priority -200 ; policy drop ; }");
        run("nft add rule ip early gate meta mark and 0x40000 == 0x40000 accept");
        let (message, _) = command(&converge(&host, &both).await.1);
        assert!(!reached(&host).1, "{message}");
        for help in message.split('`').skip(1).step_by(2) {
            run(help);
        }
        assert_eq!(converge(&host, &both).await.1, []);
        assert_eq!(reached(&host), ([true; 4], true));
        run("nft delete table ip early");
        leave(&host, &both).await;
        assert!(web.in_use);
        run("ip link del uplink0");
        far.end();
        nothing_is_left();
    });
}

#[test]
fn the_doctor_names_each_chain_and_what_becomes_of_it() {
    on_a_host(async |host| {
        let of = |name: &str| {
            let checks = check::run(&Config { run_dir: host.run_dir.clone() });
            checks.into_iter().find(|check| check.name == name).expect("a check")
        };
        docker();
        let beside_docker = of("foreign firewall chains");
        assert_eq!(beside_docker.verdict, Verdict::Good, "{beside_docker:?}");
        assert!(beside_docker.found.contains("chain FORWARD of table ip6 filter"), "{beside_docker:?}");
        assert!(beside_docker.found.contains("gets one rule in DOCKER-USER"), "{beside_docker:?}");
        run("nft add table inet firewalld");
        run("nft add chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; }");
        run("nft add rule inet firewalld filter_FORWARD ct state established,related accept");
        run("nft add rule inet firewalld filter_FORWARD reject with icmpx type admin-prohibited");
        let beside_both = of("foreign firewall chains");
        assert_eq!(beside_both.verdict, Verdict::Warning, "{beside_both:?}");
        assert!(beside_both.remedy.is_some_and(|remedy| remedy.contains("firewall-cmd")), "{}", beside_both.found);
        let legacy = of("tables of iptables-legacy");
        assert_eq!(legacy.verdict, Verdict::Good, "{legacy:?}");
        if output("iptables-legacy -S").status.success() {
            assert_eq!(of("tables of iptables-legacy").verdict, Verdict::Warning);
        } else {
            eprintln!("this kernel has no tables of iptables-legacy: that they are warned of is not tested");
        }
    });
}

#[test]
fn changes_to_chains_that_decide_are_heard_and_others_are_not() {
    on_a_host(async |host| {
        docker();
        let (_, both) = scene();
        let mut heard = host.kernel.subscribe();
        converge(&host, &both).await;
        run("iptables -N DOCKER");
        let mut said = async |line: &str| {
            while heard.try_recv().is_ok() {}
            run(line);
            // The next of these tells that all before it was heard.
            run("ip link add marker0 type bridge");
            let mut firewall = false;
            while let Ok(Some(one)) = tokio::time::timeout(std::time::Duration::from_secs(5), heard.recv()).await {
                firewall |= one.what == Notification::FirewallChanged;
                if one.what == Notification::HostChanged {
                    break;
                }
            }
            // Two sockets: what came through the other one is there by now, or comes in this time.
            while let Ok(Some(one)) = tokio::time::timeout(std::time::Duration::from_millis(300), heard.recv()).await {
                firewall |= one.what == Notification::FirewallChanged;
            }
            run("ip link del marker0");
            firewall
        };
        assert!(said("iptables -F DOCKER-USER").await);
        assert!(said("iptables -P FORWARD ACCEPT").await);
        assert!(said("iptables -I FORWARD -s 198.51.100.1 -j DROP").await);
        assert!(!said("nft add table inet late").await);
        assert!(said("nft add chain inet late gate { type filter hook forward priority 0 ; }").await);
        assert!(!said("iptables -A DOCKER -s 198.51.100.1 -j ACCEPT").await);
        assert!(!said("iptables -A INPUT -s 198.51.100.1 -j ACCEPT").await);
        run("nft delete table inet late");
        leave(&host, &both).await;
        iptables_gone();
        nothing_is_left();
    });
}

#[test]
fn a_table_that_only_its_owner_may_change_is_left_and_told_of() {
    on_a_host(async |host| {
        let mut owner = std::process::Command::new("nft")
            .arg("-i")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        use std::io::Write as _;
        let lines = "add table ip filter { flags owner; }\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n\
                     add chain ip filter DOCKER-USER\n";
        owner.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
        while !output("nft list chain ip filter DOCKER-USER").status.success() {}
        let (_, both) = scene();
        let (operations, conditions) = converge(&host, &both).await;
        assert_eq!((on_rules(&operations).len(), conditions.len()), (0, 1));
        leave(&host, &both).await;
        let _ = owner.kill();
        let _ = owner.wait();
        nothing_is_left();
    });
}

#[test]
fn others_who_change_their_rules_all_the_time_keep_nobody_from_anything() {
    on_a_host(async |host| {
        docker();
        run("iptables -N THEIRS");
        let busy = host.run_dir.with_extension("busy");
        std::fs::write(
            &busy,
            "while :; do nft add rule ip filter THEIRS counter; nft flush chain ip filter THEIRS; done",
        )
        .unwrap();
        let mut others: Vec<_> = (0..2).map(|_| start(&format!("sh {}", busy.display()))).collect();
        let (_, both) = scene();
        for _ in 0..10 {
            assert_eq!(on_rules(&converge(&host, &both).await.0).len(), 2);
            leave(&host, &both).await;
        }
        others.iter_mut().for_each(crate::host::Running::end);
        nothing_is_left_but_theirs();
        iptables_gone();
        nothing_is_left();
    });
}

/// None of our rules is among theirs.
fn nothing_is_left_but_theirs() {
    assert!(iptables().iter().all(|rules| !rules.contains("netloom")));
}

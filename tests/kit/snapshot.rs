//! All that a host has in its kernel, as independent programs see it, to compare before and after.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::host::Host;
use crate::lab::LabHost;
use crate::namespace::Namespace;
use crate::process::Said;

/// What a host has: sections of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    sections: BTreeMap<&'static str, Vec<String>>,
}

/// Settings that the kernel itself changes, or that can't be read.
const RESTLESS: &[&str] =
    &["nf_conntrack_count", "nf_conntrack_buckets", "net.netfilter.nf_hooks_lwtunnel", "stable_secret"];

impl Snapshot {
    /// Looks at links, addresses, routes, rules, nftables, settings and mounts of a host.
    pub fn of(host: &Host) -> Self {
        Self::of_machine(&host.net)
    }

    /// The same of any network and mount namespace.
    pub fn of_machine(net: &Namespace) -> Self {
        Self::look(|line| net.try_run(line), &net.run("awk {print$5} /proc/self/mountinfo"))
    }

    /// The same of a host of a lab; its mounts are those under its run directory.
    pub fn of_lab_host(host: &LabHost<'_>) -> Self {
        Self::look(|line| host.try_run(line), &host.mounts().join("\n"))
    }

    fn look(try_run: impl Fn(&str) -> Said, mounts: &str) -> Self {
        let run = |line: &str| try_run(line).ok();
        let json = |line: &str| -> Value { serde_json::from_str(&run(line)).expect("ip speaks JSON") };
        let mut sections = BTreeMap::new();
        sections.insert("links", links(&json("ip -j -d link")));
        sections.insert("addresses", addresses(&json("ip -j addr")));
        sections.insert("routes", lines(&run("ip -o route show table all"), &[]));
        sections.insert("routes6", lines(&run("ip -o -6 route show table all"), &[" expires "]));
        sections.insert("rules", lines(&run("ip rule"), &[]));
        sections.insert("nftables", lines(&run("nft list ruleset"), &[]));
        sections.insert("settings", lines(&try_run("sysctl -a -r ^net[.]").stdout, RESTLESS));
        sections.insert("mounts", lines(mounts, &[]));
        Self { sections }
    }

    /// Compares with a look before: nothing may have come, gone or changed.
    ///
    /// # Panics
    /// With every difference.
    #[track_caller]
    pub fn same_as(&self, before: &Self) {
        let differences = self.differences(before);
        assert!(differences.is_empty(), "the host differs from before:\n{}", differences.join("\n"));
    }

    /// Every line that came or went.
    pub fn differences(&self, before: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, now) in &self.sections {
            let then = &before.sections[name];
            differences.extend(then.iter().filter(|line| !now.contains(line)).map(|line| format!("- {name}: {line}")));
            differences.extend(now.iter().filter(|line| !then.contains(line)).map(|line| format!("+ {name}: {line}")));
        }
        differences
    }
}

fn lines(text: &str, without: &[&str]) -> Vec<String> {
    text.lines().filter(|line| !without.iter().any(|w| line.contains(w))).map(str::to_owned).collect()
}

// Without `operstate`, which the kernel brings up to date when it finds the time, up to a second later.
fn links(dump: &Value) -> Vec<String> {
    let fields = [
        "ifname",
        "link_type",
        "address",
        "mtu",
        "flags",
        "group",
        "master",
        "promiscuity",
        "allmulti",
        "ifalias",
        "linkinfo",
    ];
    let list = dump.as_array().expect("ip gives a list");
    let of = |link: &Value| fields.map(|f| format!("{f}={}", without_timers(&link[f]))).join(" ");
    list.iter().map(of).collect()
}

/// Without what runs down by itself.
fn without_timers(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let lasting = fields.iter().filter(|(name, _)| !name.ends_with("_timer"));
            Value::Object(lasting.map(|(name, value)| (name.clone(), without_timers(value))).collect())
        }
        other => other.clone(),
    }
}

fn addresses(dump: &Value) -> Vec<String> {
    let fields = ["family", "local", "prefixlen", "broadcast", "scope", "protocol"];
    let mut all = Vec::new();
    for link in dump.as_array().expect("ip gives a list") {
        for address in link["addr_info"].as_array().into_iter().flatten() {
            all.push(format!("{} {}", link["ifname"], fields.map(|f| format!("{f}={}", address[f])).join(" ")));
        }
    }
    all
}

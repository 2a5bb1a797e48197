//! What may be written of a swarm, of join tokens and of nodes.

use std::time::Duration;

use ipnet::IpNet;
use netloom_model::invalid::Code;
use netloom_model::name::{check_labels, check_name};
use netloom_model::net::Span;
use netloom_model::swarm::{
    DATA_PATH_PORTS, HEARTBEATS_MISSED, JoinTokenSpec, NodeSpec, SEGMENT_FENCE_MAX, SwarmRole, SwarmSpec,
};
use netloom_model::{Invalid, Timestamp};

use crate::error::Error;
use crate::validate::{Problems, pool};

/// Most subnets that overlay networks are cut from.
const POOLS_MAX: usize = 16;
/// Longest and shortest prefix of what is cut.
const SUBNET_SIZES: std::ops::RangeInclusive<u8> = 8..=29;
/// Length of the prefix of what is cut out of an IPv6 pool.
const SUBNET_SIZE6: u8 = 64;
/// Most ended tasks that are remembered.
const TASK_HISTORY_MAX: u32 = 1000;
/// Least and greatest validity of a certificate, in hours: up to ten years.
const VALIDITY_HOURS: std::ops::RangeInclusive<u32> = 1..=87_600;
/// Most uses of a join token, where they are counted.
const USES: std::ops::RangeInclusive<u32> = 1..=100_000;

/// Checks the settings of a swarm, but for where it listens.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn check(spec: &SwarmSpec, heartbeat: Duration) -> Result<(), Error> {
    let mut problems = Problems::default();
    if let Some(name) = &spec.name {
        problems.check(check_name("/name", name));
    }
    let size = spec.settings().subnet_size;
    within(&mut problems, "/subnet_size", spec.subnet_size, SUBNET_SIZES, "a prefix's length");
    within(&mut problems, "/data_path_port", spec.data_path_port, DATA_PATH_PORTS, "a port");
    within(&mut problems, "/task_history_limit", spec.task_history_limit, 0..=TASK_HISTORY_MAX, "a number of tasks");
    within(
        &mut problems,
        "/certificate_validity_hours",
        spec.certificate_validity_hours,
        VALIDITY_HOURS,
        "a number of hours",
    );
    // Zero is never; a node that misses three heartbeats is down, and not before shall its links be.
    let least = u32::try_from((heartbeat * HEARTBEATS_MISSED).as_secs()).unwrap_or(u32::MAX).max(1);
    within(
        &mut problems,
        "/segment_fence_seconds",
        spec.segment_fence_seconds.filter(|seconds| *seconds > 0),
        least..=SEGMENT_FENCE_MAX,
        "a number of seconds, 0 for never, or",
    );
    if let Some(pools) = &spec.default_address_pools {
        check_pools(&mut problems, pools, size);
    }
    problems.finish(())
}

fn within<T: PartialOrd + ToString + Copy>(
    problems: &mut Problems,
    pointer: &str,
    given: Option<T>,
    bounds: std::ops::RangeInclusive<T>,
    what: &str,
) {
    if let Some(given) = given.filter(|given| !bounds.contains(given)) {
        let message = format!("{what} from {} to {} is needed", bounds.start().to_string(), bounds.end().to_string());
        problems.add(Invalid::new(pointer, Code::OutOfRange, &given.to_string(), message));
    }
}

fn check_pools(problems: &mut Problems, texts: &[String], size: u8) {
    const POINTER: &str = "/default_address_pools";
    if texts.is_empty() || texts.len() > POOLS_MAX {
        let message = format!("there are 1 to {POOLS_MAX} default address pools");
        let refused = Invalid::new(POINTER, Code::OutOfRange, &texts.len().to_string(), message);
        problems.add(refused.hint("leave it out for 10.0.0.0/8"));
        return;
    }
    let mut known: Vec<IpNet> = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let pointer = format!("{POINTER}/{index}");
        let Some(net) = problems.check(pool::block(&pointer, text)) else { continue };
        let cut = if net.addr().is_ipv4() { size } else { SUBNET_SIZE6 };
        if net.prefix_len() > cut {
            let message = format!("no subnet of /{cut} can be cut out of it");
            problems.add(
                Invalid::new(&pointer, Code::OutOfRange, text, message)
                    .hint("give a larger pool, or another `subnet_size`"),
            );
        }
        if let Some(other) = known.iter().find(|other| Span::of(**other).overlaps(&Span::of(net))) {
            problems.add(Invalid::new(
                &pointer,
                Code::NotAllowedHere,
                text,
                format!("it overlaps {other}, which is given as well"),
            ));
        }
        known.push(net);
    }
}

/// Checks a join token; answers when it ends.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn check_token(spec: &JoinTokenSpec, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let mut problems = Problems::default();
    problems.check(check_name("/name", &spec.name));
    if spec.role == SwarmRole::Manager {
        let message = "a swarm whose store is SQLite has one manager, the host that made it";
        problems.add(
            Invalid::new("/role", Code::NotAvailable, spec.role.as_str(), message)
                .hint("make a token of role `worker`"),
        );
    }
    within(&mut problems, "/max_uses", spec.max_uses, USES, "a number of nodes");
    if let Some(labels) = &spec.node_labels {
        problems.check(check_labels("/node_labels", labels));
    }
    let end = spec.expires_at.as_deref().and_then(|text| problems.check(crate::tokens::ends_at(text, now)));
    problems.finish(end)
}

/// Checks what is written of a node.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_node(spec: &NodeSpec) -> Result<(), Error> {
    let mut problems = Problems::default();
    if let Some(labels) = &spec.labels {
        problems.check(check_labels("/labels", labels));
    }
    problems.finish(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_as_pools_are_elsewhere() {
        let with = |change: &dyn Fn(&mut SwarmSpec)| {
            let mut spec = SwarmSpec::default();
            change(&mut spec);
            check(&spec, Duration::from_secs(5))
                .err()
                .map(|error| error.errors.into_iter().map(|wrong| wrong.pointer).collect::<Vec<_>>())
        };
        let pools = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(with(&|_| ()), None);
        assert_eq!(with(&|spec| spec.default_address_pools = pools(&["10.0.0.0/8", "fd00:1::/48"])), None);
        for (texts, wrong) in [
            (&[][..], vec!["/default_address_pools"]),
            (&["10.0.0.1/8"], vec!["/default_address_pools/0"]),
            (&["10.0.0.0/8", "10.1.0.0/16"], vec!["/default_address_pools/1"]),
            (&["10.0.0.0/25", "127.0.0.0/8"], vec!["/default_address_pools/0", "/default_address_pools/1"]),
            (&["fd00::/80"], vec!["/default_address_pools/0"]),
        ] {
            let found = with(&|spec| spec.default_address_pools = pools(texts));
            assert_eq!(found, Some(wrong.into_iter().map(str::to_owned).collect()), "{texts:?}");
        }
        assert_eq!(with(&|spec| spec.subnet_size = Some(30)), Some(vec!["/subnet_size".to_owned()]));
        assert_eq!(with(&|spec| spec.data_path_port = Some(1023)), Some(vec!["/data_path_port".to_owned()]));
        assert_eq!(with(&|spec| spec.certificate_validity_hours = Some(0)).map(|wrong| wrong.len()), Some(1));
        let fence = |seconds| with(&|spec| spec.segment_fence_seconds = Some(seconds)).map(|wrong| wrong.len());
        assert_eq!([0, 14, 15, 3600, 3601].map(fence), [None, Some(1), None, None, Some(1)]);
        assert_eq!(with(&|spec| spec.name = Some("a b".to_owned())), Some(vec!["/name".to_owned()]));
    }
}

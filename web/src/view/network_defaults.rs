//! The settings of a network that are as they were written, or as they are by default: what holds of each, and whether somebody said so.
//!
//! What must not live here: what Netloom chooses, and what of it may differ from what there is (`network_config`).

use netloom_model::net::Family;
use netloom_model::network::{BridgeSpec, Driver, MacvlanSpec, Network, NetworkSpec, OverlaySpec};

use super::network_config::SettingRow;

/// Every such setting that the driver knows; first those of all drivers.
pub(crate) fn rows(network: &Network) -> Vec<SettingRow> {
    let spec = &network.spec;
    let mut rows = vec![
        word("internal", on(spec.internal), "off"),
        word("deletion_protection", on(spec.deletion_protection), "off"),
    ];
    match spec.driver {
        Driver::Bridge => rows.extend(bridge(spec)),
        Driver::Macvlan => rows.extend(spec.macvlan.iter().flat_map(macvlan)),
        Driver::Overlay => {
            let overlay = spec.overlay.clone().unwrap_or_default();
            rows.push(word("attachable", on(spec.attachable), "on"));
            rows.extend(self::overlay(&overlay));
        }
        Driver::Host | Driver::None | Driver::Ipvlan => {}
    }
    for (key, pool) in spec.pools.iter().flatten() {
        let reserved = pool.reserved.iter().flatten();
        rows.extend(reserved.map(|(name, block)| said(format!("pools.{key}.reserved.{name}"), block.clone())));
        rows.extend(pool.prefix_length.map(|length| said(format!("pools.{key}.prefix_length"), length.to_string())));
    }
    rows.extend(spec.managed_by.clone().map(|who| said("managed_by", who)));
    rows.extend(spec.description.clone().map(|text| said("description", text)));
    let texts = |name: &'static str, pairs: &Option<netloom_model::name::Labels>| {
        let pairs = pairs.iter().flatten();
        pairs.map(|(key, value)| said(format!("{name}.{key}"), value.clone())).collect::<Vec<_>>()
    };
    rows.extend(texts("labels", &spec.labels));
    rows.extend(texts("annotations", &spec.annotations));
    rows
}

fn bridge(spec: &NetworkSpec) -> Vec<SettingRow> {
    let BridgeSpec { managed, probe, inter_sandbox, masquerade, isolation, .. } =
        spec.bridge.clone().unwrap_or_default();
    let mut rows =
        vec![word("bridge.managed", on(managed), "on"), word("bridge.inter_sandbox", on(inter_sandbox), "on")];
    if managed == Some(false) {
        rows.push(word("bridge.probe", on(probe), "on"));
        return rows;
    }
    rows.push(word("bridge.isolation", on(isolation), "on"));
    rows.push(word("bridge.masquerade", on(masquerade), "on"));
    let families = [
        (Family::V4, "bridge.gateway_mode4", "bridge.source_address4"),
        (Family::V6, "bridge.gateway_mode6", "bridge.source_address6"),
    ];
    for (family, mode, source) in families {
        let bridge = spec.bridge.as_ref();
        let wanted = bridge.and_then(|bridge| bridge.gateway_mode(family)).map(|mode| mode.as_str().to_owned());
        rows.push(word(mode, wanted, spec.gateway_mode(family).as_str()));
        rows.extend(bridge.and_then(|bridge| bridge.source_address(family).cloned()).map(|from| said(source, from)));
    }
    rows
}

fn macvlan(spec: &MacvlanSpec) -> Vec<SettingRow> {
    let mut rows = vec![
        word("macvlan.mode", spec.mode.map(|mode| mode.as_str().to_owned()), "bridge"),
        word("macvlan.probe", on(spec.probe), "on"),
        word("macvlan.host_access", on(spec.host_access), "off"),
    ];
    rows.extend(spec.vlan_id.map(|vlan| said("macvlan.vlan_id", vlan.to_string())));
    rows
}

fn overlay(spec: &OverlaySpec) -> Vec<SettingRow> {
    vec![word("overlay.encrypted", on(spec.encrypted), "off")]
}

fn on(set: Option<bool>) -> Option<String> {
    set.map(|set| if set { "on" } else { "off" }.to_owned())
}

/// A setting that somebody said, or that is what it is by default.
fn word(name: &str, said: Option<String>, default: &str) -> SettingRow {
    match said {
        Some(value) => self::said(name, value),
        None => SettingRow::with(name, None, Some(default.to_owned()), ("=", "not said; default", "same")),
    }
}

fn said(name: impl Into<String>, value: String) -> SettingRow {
    SettingRow::with(name, Some(value.clone()), Some(value), ("=", "as wanted", "same"))
}

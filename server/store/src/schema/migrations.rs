//! The files of `migrations/sqlite`, compiled in, the oldest first.
//!
//! sqlx's own macro would find them by itself, but it has SQLite and its driver compiled a second time, for the compiler's use.

use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../migrations/sqlite/", $name, ".sql")))),*]
    };
}

/// Name and text of each.
const FILES: &[(&str, &str)] = files![
    "0001_init",
    "0002_orphans",
    "0003_ports",
    "0004_direct_ports",
    "0005_port_ends",
    "0006_spec_revision",
    "0007_tokens_audit",
    "0008_idempotency_key",
    "0009_plan",
    "0010_orders",
    "0011_swarm",
    "0012_attachment",
    "0013_joined_by",
    "0014_segment",
    "0015_overlay_mtu",
    "0016_fence_end",
    "0017_who_is_on_a_network",
    "0018_attachment_place",
    "0019_looked_up",
    "0020_sandboxes_of_the_swarm",
    "0021_why_it_was_refused",
    "0022_leases_of_a_node",
    "0023_found_by",
    "0024_keys_in_any_case",
    "0025_one_outcome",
    "0026_failed",
];

/// The schema's versions that this program knows.
pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let numbered = FILES.iter().zip(1..).map(|((name, text), version)| {
        let what = name.split_once('_').map_or(*name, |(_, what)| what).replace('_', " ");
        Migration::new(version, what.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(numbered.collect())
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_one_of_them_by_its_number() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/sqlite");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut there: Vec<String> = names.filter_map(|name| name.strip_suffix(".sql").map(str::to_owned)).collect();
        there.sort();
        assert_eq!(there, FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for ((name, _), version) in FILES.iter().zip(1..) {
            assert!(name.starts_with(&format!("{version:04}_")), "{name} is the {version}.");
        }
    }
}

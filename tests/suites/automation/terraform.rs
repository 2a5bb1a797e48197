//! The page for authors of providers: its tables have every property that can be written, with the document's word on it.

use std::collections::BTreeMap;

use netloom_tests::host;
use netloom_tests::provider::schema::Schema;

use crate::example;

/// Under which heading of the page a schema's properties stand, and what goes before their names there.
const TABLES: [(&str, &str, &str); 9] = [
    ("NetworkWrite", "Network", ""),
    ("PoolWrite", "Network", "pools.*."),
    ("BridgeWrite", "Network", "bridge."),
    ("MacvlanWrite", "Network", "macvlan."),
    ("OverlayWrite", "Network", "overlay."),
    ("SandboxWrite", "Sandbox", ""),
    ("AttachmentWrite", "Sandbox", "networks.*."),
    ("PortSpec", "Sandbox", "networks.*.ports.*."),
    ("LeaseWrite", "Reservation", ""),
];

#[test]
fn the_tables_for_authors_of_providers_say_what_the_document_says() {
    let host = host!();
    let schema = Schema::new(host.start().get("/openapi.json").is(200));
    let page = std::fs::read_to_string(example("terraform.md")).unwrap();
    let mut said = BTreeMap::new();
    for section in page.split("\n### ").skip(1) {
        let heading = section.lines().next().unwrap();
        for row in section.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert!(cells.len() > 4 && !cells[4].is_empty(), "{heading}: {row}");
            said.insert(format!("{heading} {}", cells[1].trim_matches('`')), cells[2].to_owned());
        }
    }
    let of = |property: &String| {
        let (of, name) = property.split_once('.').unwrap();
        let (_, heading, prefix) = TABLES.iter().find(|(schema, ..)| *schema == of).unwrap_or_else(|| panic!("{of}"));
        (format!("{heading} {prefix}{name}"), schema.mutability(property).to_owned())
    };
    assert_eq!(said, schema.writable().iter().map(of).collect());
}

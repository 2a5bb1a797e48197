//! What a network's *Configuration* says of what there is beside what is wanted. What must not live here: what other pages say (`facts`).

use askama::Template;
use netloom_model::condition::Condition;
use netloom_web::view::frame::Section;
use netloom_web::view::network_config::NetworkConfigPage;
use serde_json::json;

use crate::fixture::{frame, network};

#[test]
fn a_link_that_is_gone_or_down_is_not_called_as_wanted() {
    let shown = |reason: Option<&str>| {
        let conditions: Vec<Condition> = reason
            .map(|reason| Condition::new("ParentMissing", reason, "the host has no link par0"))
            .into_iter()
            .collect();
        let status = json!({"state": "failed", "reconciling": true, "interface": "par0", "conditions": conditions});
        let spec = json!({"name": "lan", "driver": "macvlan", "macvlan": {"parent": "par0"}});
        let network = network(9, spec, status);
        let page = NetworkConfigPage::new(frame("lan", Section::Networks), &network, Ok(&[])).render().expect("plain");
        let (_, row) = page.split_once("interface on this host").expect("a row");
        let (summary, rows) =
            (page.contains("differs from what is wanted"), row.split_once("</tr>").expect("its end").0);
        (summary, rows.to_owned())
    };
    let (differs, gone) = shown(Some("ParentMissing"));
    assert!(differs && gone.contains("missing") && !gone.contains("as wanted"), "{gone}");
    let (differs, down) = shown(Some("ParentDown"));
    assert!(differs && down.contains("par0, which is down") && !down.contains("as wanted"), "{down}");
    let (differs, there) = shown(None);
    assert!(!differs && there.contains("as wanted"), "{there}");
}

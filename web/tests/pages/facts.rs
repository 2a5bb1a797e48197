//! What single pages say of what they show. What must not live here: what holds for every page, and what takes a browser or a running service.

use askama::Template;
use netloom_model::condition::Condition;
use netloom_model::lease::{AddressState, Lease, LeaseKind, LeaseState, OwnerKind};
use netloom_web::view::address::AddressPage;
use netloom_web::view::frame::{Frame, Section, Viewer};
use netloom_web::view::login::LoginPage;

use crate::fixture::{PLAIN, every_page, frame, lease, report};

fn page(wanted: &str) -> String {
    every_page(&PLAIN).into_iter().find(|(name, _)| *name == wanted).expect("there").1
}

#[test]
fn events_name_their_object_once_and_link_only_to_what_is_there() {
    let events = page("events");
    assert!(events.contains("sandbox <a href=\"/ui/sandboxes/sbx_"), "{events}");
    assert!(events.contains("sandbox <code>gone1</code> deleted"), "{events}");
    assert_eq!(events.matches("gone1").count(), 1, "{events}");
    assert!(events.contains("reserved as <a href=\"/ui/addresses/192.168.122.9\">printer</a>"), "{events}");
}

#[test]
fn activity_leads_to_what_happened_lately() {
    let events = page("events");
    for back in ["10m", "1h", "24h", "7d"] {
        assert!(events.contains(&format!("from={back}\"")), "{back}: {events}");
    }
}

#[test]
fn a_past_holder_leads_to_its_history() {
    let address = page("address-free");
    assert_eq!(address.matches("href=\"/ui/activity?object=sbx_").count(), 1, "the deleted one");
    let (_, history) = address.split_once("<h2>History</h2>").expect("a history");
    assert_eq!(history.matches("href=\"/ui/sandboxes/sbx_").count(), 1, "the one that is there");
    assert!(address.contains("2026-01-31 10:25:00 UTC"), "{address}");
}

#[test]
fn an_address_at_a_moment_shows_the_state_of_that_moment() {
    let then = page("address-at");
    assert!(then.contains("taken then") && then.contains("2026-01-31 08:00:00 UTC"), "{then}");
    assert!(then.contains("Holder then") && !then.contains("keeps it out of use"), "{then}");
}

#[test]
fn nobody_is_offered_an_address_that_nobody_can_have() {
    for name in ["address-network", "address-broadcast"] {
        let page = page(name);
        assert!(page.contains(">unusable<") || page.contains("unusable</span>"), "{name}: {page}");
        assert!(
            page.contains("it is the network address of its subnet") && !page.contains("keeps it out of use"),
            "{name}: {page}"
        );
    }
    assert!(page("address-free").contains("keeps it out of use"));
}

#[test]
fn a_column_that_says_nothing_is_left_out() {
    assert!(!page("networks").contains(">Scope<"));
    assert!(page("networks").contains("managed by terraform: lab") && page("sandboxes").contains("managed by ci"));
    assert!(!page("networks-first").contains("managed by"));
}

#[test]
fn a_sandbox_is_shown_with_all_its_names() {
    let sandbox = page("sandbox");
    let named = |alias: &str| sandbox.contains(&format!("also called <span class=\"mono\">{alias}</span>"));
    assert!(named("arp") && named("arp.lab") && sandbox.matches("also called").count() == 2, "{sandbox}");
}

#[test]
fn addresses_of_a_stack_of_its_own_are_no_links() {
    let sandbox = page("sandbox");
    assert!(sandbox.contains("fe80::42:c0ff:fea8:7a02"));
    assert!(!sandbox.contains("/ui/addresses/fe80") && !sandbox.contains("/ui/addresses/127."), "{sandbox}");
}

#[test]
fn first_commands_set_the_token_that_they_use() {
    for name in ["overview-first", "networks-first", "sandboxes-first", "leases-first"] {
        assert!(page(name).contains("TOKEN=$(cat /var/lib/netloom/admin.token)\ncurl "), "{name}");
    }
    assert!(!page("leases-no-network").contains("key&#34;"), "there is no network to post to");
}

/// What a page says of one fact.
fn facts(page: &str, word: &str) -> String {
    let (_, rest) = page.split_once(&format!("<dt>{word}</dt><dd>")).expect("a fact of this name");
    rest.split_once("</dd>").expect("its value").0.to_owned()
}

#[test]
fn a_bridge_network_shows_its_switches() {
    let (made, unused) = (page("network-bridge"), page("network-bridge-unused"));
    assert_eq!(facts(&made, "Bridge on the host"), "br-web");
    for (name, mode) in [
        ("network-bridge", "nat, with masquerade"),
        ("network-bridge-routed", "routed"),
        ("network-bridge-source", "nat, source address 203.0.113.7"),
    ] {
        assert_eq!(facts(&page(name), "Gateway mode of IPv4"), mode, "{name}");
        assert!(!page(name).contains("Gateway mode of IPv6"), "{name} has no pool of it");
    }
    let unmanaged = page("network-bridge-unmanaged");
    assert_eq!(facts(&unmanaged, "Bridge of the host&#39;s, not managed"), "br0");
    assert_eq!(facts(&unmanaged, "Probe before use"), "off");
    assert!(!unmanaged.contains("Gateway mode") && !unmanaged.contains("Isolation"), "its owner's to say");
    assert_eq!(facts(&made, "Inter-sandbox traffic"), "off");
    assert_eq!(facts(&unused, "Inter-sandbox traffic"), "on");
    assert_eq!(facts(&unused, "Bridge on the host"), "named by Netloom");
    assert_eq!(facts(&page("network-bridge-named"), "Bridge on the host"), "nl-4f2a9c1d77e0b");
    assert!(unused.contains("when a sandbox is first attached") && unused.contains("bridge-1"), "{unused}");
    assert!(!page("network-predefined").contains("Gateway mode"));
}

/// What the page of an address says in its history, and before that.
fn address(state: AddressState, lease: Option<Lease>, at: &str) -> (String, String) {
    let (text, then) = ("192.168.122.4", at.parse().ok());
    let mut report = report(&PLAIN, text, state, lease);
    report.history.clear();
    let parsed = text.parse().expect("an address");
    let frame = frame(text, Section::Leases);
    let page = AddressPage::new(frame, parsed, &[report], &Default::default(), then, &Default::default());
    let page = page.render().expect("plain values");
    let (before, history) = page.split_once("<h2>History</h2>").expect("a history");
    (history.split_once("</section>").expect("its end").0.to_owned(), before.to_owned())
}

#[test]
fn the_history_says_who_has_an_address_whatever_the_state_of_the_lease() {
    use LeaseState::{Bound, Held, Orphaned, Quarantined, Releasing};
    for (state, kind, owner, words) in [
        (Bound, LeaseKind::Dynamic, OwnerKind::Sandbox, vec!["macvlan1", "<b>now</b></td>"]),
        (Bound, LeaseKind::Reserved, OwnerKind::Reservation, vec!["printer", "reservation", "<b>now</b></td>"]),
        (Bound, LeaseKind::Gateway, OwnerKind::Network, vec!["gateway", "<b>now</b></td>"]),
        (Bound, LeaseKind::Host, OwnerKind::Host, vec!["parent0", "of the host", "host&#39;s own", "<b>now</b></td>"]),
        (Held, LeaseKind::Dynamic, OwnerKind::Sandbox, vec!["macvlan1", "kept for it while it is stopped"]),
        (Releasing, LeaseKind::Dynamic, OwnerKind::Sandbox, vec!["macvlan1", "being let go"]),
        (Quarantined, LeaseKind::Dynamic, OwnerKind::Stranger, vec!["00:1b:21:aa:bb:cc", "stranger answers"]),
        (Orphaned, LeaseKind::Requested, OwnerKind::Sandbox, vec!["macvlan1", "its namespace is gone"]),
    ] {
        let (shown, before) = address(AddressState::Leased, Some(lease(&PLAIN, 4, kind, state, owner)), "");
        let word = if state == Bound { "taken" } else { state.as_str() };
        let (badge, _) = before.split_once("</h1>").expect("a heading").1.split_once("head-tools").expect("its end");
        assert!(badge.contains(&format!("</svg>{word}</span>")), "{state:?}: {badge}");
        assert!(!shown.contains("Nobody"), "{state:?} {kind:?}: {shown}");
        assert_eq!(before.contains("how it was heard"), state == Quarantined, "{before}");
        for word in words {
            assert!(shown.contains(word), "{state:?} {kind:?}: `{word}` is not in {shown}");
        }
    }
}

#[test]
fn what_is_wrong_with_who_has_an_address_and_that_the_host_has_it_too_is_told_beside_the_holder() {
    let text = "192.168.122.4";
    let held = lease(&PLAIN, 4, LeaseKind::Dynamic, LeaseState::Bound, OwnerKind::Sandbox);
    let mut report = report(&PLAIN, text, AddressState::Leased, Some(held));
    report.reason = Some("this host has the address, too, on link `dum0`".to_owned());
    report.conditions = vec![Condition::new("Fenced", "SegmentSilent", "the manager is silent, so `eth0` is down")];
    let parsed = text.parse().expect("an address");
    let frame = frame(text, Section::Leases);
    let page = AddressPage::new(frame, parsed, &[report], &Default::default(), None, &Default::default());
    let page = page.render().expect("plain values");
    assert_eq!(facts(&page, "Besides"), "this host has the address, too, on link <code>dum0</code>");
    for told in ["<strong>Fenced</strong>", "SegmentSilent", "the manager is silent, so <code>eth0</code> is down"] {
        assert!(page.contains(told), "`{told}` is not in {page}");
    }
    let plain = self::page("address");
    assert!(!plain.contains("Besides") && !plain.contains("class=\"notices\""), "{plain}");
}

#[test]
fn an_address_of_the_hosts_in_no_pool_has_its_holder_in_the_words_of_its_report() {
    let page = page("address-host");
    assert!(page.contains("</svg>the host&#39;s own</span>"), "{page}");
    let said = page.split_once("<dt>Holder</dt><dd>").expect("a holder").1.split_once("</dd>").expect("its end").0;
    assert!(said.contains("on link <code>parent0</code>"), "{said}");
}

#[test]
fn the_history_of_an_address_that_nobody_has_says_what_is_known() {
    for (state, at, words) in [
        (AddressState::Free, "", "Nobody is remembered to have had it."),
        (AddressState::Free, "2026-01-31T08:00:00.000Z", "Nobody is remembered to have had it by then."),
        (AddressState::Unusable, "", "Nobody can have it."),
        (AddressState::Unmanaged, "", "Nobody is remembered to have had it from Netloom."),
    ] {
        let (shown, _) = address(state, None, at);
        assert!(shown.contains(words), "{state:?}: {shown}");
    }
}

#[test]
fn the_hosts_own_addresses_are_called_so() {
    let host = page("address-host");
    assert!(host.contains("the host&#39;s own") && host.contains("parent0") && !host.contains("in no pool"), "{host}");
    assert!(page("address-unmanaged").contains("in no pool"), "nobody's");
    let leases = page("leases");
    assert!(leases.contains("parent0</span> <span class=\"kind\">of the host</span>"), "{leases}");
    assert!(leases.contains("host&#39;s own"), "{leases}");
}

#[test]
fn nothing_is_run_in_a_sandbox_whose_namespace_is_gone() {
    let gone = page("sandbox-orphaned");
    assert!(!gone.contains("netloom exec") && !gone.contains("/api/v1/probes"), "{gone}");
    for help in ["in 22 h", "/api/v1/sandboxes/adopted -X DELETE", "/api/v1/ipam/reclaim -X POST"] {
        assert!(gone.contains(help), "`{help}` is not in {gone}");
    }
    let running = page("sandbox");
    assert!(running.contains("netloom exec macvlan1 -- ip addr") && !running.contains("ipam/reclaim"), "{running}");
    assert!(!page("sandbox-stopped").contains("netloom exec"));
    let address = page("address-orphaned");
    assert!(address.contains("/api/v1/ipam/reclaim -X POST") && address.contains("ends <time"), "{address}");
    assert!(!page("address").contains("ipam/reclaim"));
}

#[test]
fn every_list_of_places_shows_their_ports_and_aliases() {
    for name in ["sandboxes", "sandbox"] {
        let page = page(name);
        for port in ["127.0.0.1:8088/tcp", "to port 80<", "203.0.113.7:20000-20099/udp", "to ports 5000-5099"] {
            assert!(page.contains(port), "{name}: `{port}` is not in {page}");
        }
    }
    let (on_network, of_spare) = (page("network-endpoints"), page("network-endpoints-ports"));
    assert!(on_network.contains("also called <span class=\"mono\">arp.lab</span>"), "{on_network}");
    assert!(of_spare.contains("203.0.113.7:20000-20099/udp") && of_spare.contains("to ports 5000-5099"), "{of_spare}");
    assert!(of_spare.contains(">Published ports</th>"), "{of_spare}");
}

#[test]
fn a_pools_use_is_told_in_words_and_letters_too() {
    for name in ["ipam", "overview", "network"] {
        let page = page(name);
        for (letter, words) in
            [("D", "dynamic"), ("K", "held"), ("G", "gateway"), ("H", "host&#39;s own"), ("Q", "quarantined")]
        {
            let class = if letter == "H" { "host" } else { words };
            let entry = format!("<span class=\"swatch m-{class}\" aria-hidden=\"true\">{letter}</span>{words} <b>");
            assert!(page.contains(&entry), "{name}: {entry}");
        }
        assert!(
            page.contains("addresses taken: 5 dynamic, 2 requested, 2 held, 2 reserved, 1 gateway, 1 host&#39;s own")
        );
        assert!(page.contains("</span>free <b>"), "{name}");
    }
    assert!(page("ipam").contains("</span>orphaned <b>1</b>"));
}

#[test]
fn drift_tells_netlooms_own_from_what_is_left_alone() {
    let drift = page("drift");
    let (ours, rest) = drift.split_once("<h2 id=\"foreign\">").expect("two tables");
    let (foreign, repairs) = rest.split_once("<h2 id=\"repairs\">").expect("repairs below");
    assert!(ours.contains("Netloom&#39;s, and differs") || ours.contains("Netloom's, and differs"), "{ours}");
    for word in ["3 things differ from what is wanted", ">eth0</span>", "</svg>missing<", "</svg>leftover<"] {
        assert!(ours.contains(word), "`{word}` is not in {ours}");
    }
    assert!(ours.contains(">0<span class=\"under\">wanted: 1</span>"), "{ours}");
    assert!(ours.contains("href=\"/ui/sandboxes/sbx_") && ours.contains("href=\"/ui/networks/net_"), "{ours}");
    assert!(!ours.contains("</svg>foreign<"), "{ours}");
    assert!(foreign.contains("1 thing is somebody else&#39;s and is left alone"), "{foreign}");
    assert!(foreign.contains("10.9.9.9/32 on eth0") && foreign.contains("</svg>foreign<"), "{foreign}");
    assert!(foreign.contains("href=\"/ui/sandboxes/sbx_"), "{foreign}");
    assert!(repairs.contains("eth0 was missing and was made again"), "{repairs}");
}

#[test]
fn no_drift_is_a_sentence_and_much_of_it_is_cut_with_a_word() {
    let none = page("drift-none");
    assert!(none.contains("Nothing differs: the kernel holds what is wanted"), "{none}");
    assert!(none.contains("Nothing has been put right lately.") && !none.contains("<table"), "{none}");
    let foreign = page("drift-foreign");
    assert!(!foreign.contains("id=\"ours\"") && !foreign.contains("Nothing differs"), "{foreign}");
    let many = page("drift-many");
    assert!(many.contains("51 things differ") && many.contains("Not shown: 1 more."), "{many}");
    assert_eq!(many.matches("<th scope=\"row\">").count(), 50);
}

#[test]
fn the_navigation_and_the_overview_lead_to_drift() {
    let leads = |page: &str, words: &str| page.contains(&format!("In the kernel <a href=\"/ui/drift\">{words}</a>."));
    let foreign = "1 thing is somebody else&#39;s and is left alone";
    let some = page("overview-drift");
    assert!(leads(&some, "3 things differ from what is wanted") && leads(&some, foreign), "{some}");
    assert!(some.contains("needs attention") && !some.contains("Every network and sandbox is as"), "{some}");
    assert!(leads(&page("overview-drift-one"), "1 thing differs from what is wanted"));
    let others = page("overview-drift-foreign");
    assert!(leads(&others, foreign) && others.contains("all is well"), "{others}");
    for name in ["overview", "overview-drift-none"] {
        let page = page(name);
        assert_eq!(page.matches("href=\"/ui/drift\"").count(), 1, "{name}: only in the navigation");
    }
}

#[test]
fn sandboxes_are_counted_by_the_state_they_are_in() {
    let overview = page("overview");
    let (_, card) = overview.split_once("<h2 id=\"f-sandboxes\">").expect("a card");
    let card = card.split_once("</section>").expect("its end").0;
    assert!(card.contains("<p class=\"big\">6</p>"), "{card}");
    for figure in [
        "<a href=\"/ui/sandboxes?state=running\">running</a></dt><dd>2<",
        "<a href=\"/ui/sandboxes?state=stopped\">stopped</a></dt><dd>1<",
        "<a href=\"/ui/sandboxes?state=failed\">failed</a></dt><dd>1<",
        "<a href=\"/ui/sandboxes?state=orphaned\">orphaned</a></dt><dd>1<",
        "<a href=\"/ui/sandboxes?state=pending\">pending</a></dt><dd>1<",
    ] {
        assert!(card.contains(figure), "`{figure}` is not in {card}");
    }
    let first = page("overview-first");
    assert!(!first.contains(">failed<") && !first.contains(">orphaned<"), "{first}");
    assert!(first.contains("Make a first network"), "nothing of anybody's is there");
}

#[test]
fn the_audit_shows_what_changed_and_only_who_manages_access_is_led_there() {
    let audit = page("audit");
    for fact in ["sandbox.update", "What changed", "denied", "/problems/forbidden", "uid:0", "/api/v1/audit"] {
        assert!(audit.contains(fact), "{fact}");
    }
    let mut frame = frame("x", Section::None);
    let led = |frame: &Frame| {
        let page = LoginPage::new(frame.clone(), "/ui", None, None);
        page.render().expect("it renders").contains("/ui/tokens")
    };
    assert!(led(&frame));
    frame.viewer.as_mut().expect("a viewer").role = "operator";
    assert!(!led(&frame));
}

#[test]
fn a_setting_that_nobody_said_has_its_default() {
    let config = page("network-config");
    for (setting, words) in [("internal", "not said; default"), ("deletion_protection", "not said; default")] {
        let (_, row) = config.split_once(&format!(">{setting}</th>")).unwrap_or_else(|| panic!("{setting}: {config}"));
        let row = row.split_once("</tr>").expect("its end").0;
        assert!(row.contains(words) && row.contains(">off<"), "{setting}: {row}");
    }
}

#[test]
fn a_node_that_is_not_heard_of_makes_nothing_look_well() {
    let health = page("network-health-matrix");
    assert!(health.contains("1 way is unknown: ") && !health.contains("No way is in trouble."), "{health}");
    assert!(
        health.contains("less than the network's"),
        "a way that only small packets get through is told below the matrix"
    );
    let endpoints = page("network-swarm-endpoints");
    assert!(endpoints.contains("running when last heard of"), "{endpoints}");
}

#[test]
fn an_address_of_the_past_has_its_whole_history_with_the_time_marked() {
    let then = page("address-at");
    let (_, history) = then.split_once("<h2>History</h2>").expect("a history");
    assert!(history.contains("class=\"asked\"") && history.contains("asked for"), "{history}");
    assert!(!then.contains("Neighbours") && !then.contains("contains this address now"), "{then}");
}

#[test]
fn cards_are_for_screens_and_buttons_are_not_printed() {
    let css = include_str!("../../static/app.css");
    let narrow = css.lines().filter(|line| line.contains("max-width: 52rem") && line.starts_with("@media"));
    assert!(
        narrow.clone().count() > 2 && narrow.into_iter().all(|line| line.contains("screen and")),
        "paper is narrow, too"
    );
    let print = css.split_once("@media print {").expect("rules for paper").1;
    assert!(print.lines().nth(2).is_some_and(|line| line.contains(" button,")), "{print:.300}");
}

#[test]
fn a_viewer_is_given_no_command_that_would_be_refused() {
    use netloom_control::command::Page;
    use netloom_web::view::sandboxes::SandboxesPage;

    let looks = |role: &'static str| {
        let mut frame = frame("Sandboxes", Section::Sandboxes);
        frame.viewer = Some(Viewer { name: "somebody".into(), role, can_leave: false });
        let none = Page { items: Vec::new(), next_page_token: None, seq: 0 };
        SandboxesPage::new(frame, Default::default(), &none, None).render().expect("plain values")
    };
    assert!(looks("operator").contains("Make a first sandbox"));
    assert!(!looks("viewer").contains("Make a first sandbox") && !looks("viewer").contains("-d &#39;"));
}

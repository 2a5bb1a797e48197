//! What the pages of a swarm say, and to whom they offer what. What must not live here: what holds for every page.

use crate::fixture::swarm::COMMAND;
use crate::fixture::{PLAIN, every_page};

fn page(wanted: &str) -> String {
    every_page(&PLAIN).into_iter().find(|(name, _)| *name == wanted).expect("there").1
}

#[test]
fn a_host_without_a_swarm_says_what_one_is_and_how_it_comes_to_one() {
    let none = page("swarm-none");
    for fact in ["netloom swarm init", "--advertise-addr ADDRESS", "netloom swarm join --token TOKEN MANAGER", "-X PUT"]
    {
        assert!(none.contains(fact), "`{fact}` is not in {none}");
    }
    assert!(none.contains("href=\"/api/v1/info\"") && !none.contains("href=\"/api/v1/swarm\""), "{none}");
    assert!(page("nodes-no-swarm").contains("in no swarm"));
}

#[test]
fn the_page_of_the_swarm_has_its_facts() {
    let swarm = page("swarm");
    for fact in [
        "</svg>manager</span>",
        "192.168.122.185:2377",
        "49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv",
        "UDP 4789",
        "10.0.0.0/8",
        "fd5a:77::/48",
        "90 days",
        "in 2 months",
        "<p class=\"big\">3</p>",
        "/api/v1/swarm -X PATCH",
    ] {
        assert!(swarm.contains(fact), "`{fact}` is not in {swarm}");
    }
    assert!(!page("swarm-read").contains("-X PATCH"), "who may not change it is not told how");
}

#[test]
fn a_worker_says_whether_it_hears_of_its_manager_and_what_works_meanwhile() {
    let (calm, cut_off) = (page("swarm-worker"), page("swarm-worker-cut-off"));
    assert!(calm.contains("worker, connected") && calm.contains("7 min ago") && !calm.contains("What works meanwhile"));
    for fact in ["worker, disconnected", "can&#39;t be reached", "heard of last", "7 min ago", "What works meanwhile"] {
        assert!(cut_off.contains(fact), "`{fact}` is not in {cut_off}");
    }
    let elsewhere = page("nodes-elsewhere");
    assert!(elsewhere.contains("<code>192.168.122.185</code>") && !elsewhere.contains("<table"), "{elsewhere}");
}

#[test]
fn a_secret_is_on_the_page_that_answers_and_on_no_other() {
    for (name, page) in every_page(&PLAIN) {
        assert_eq!(page.contains("SWMTKN-1-"), name == "join-made", "{name}");
    }
    let made = page("join-made");
    assert!(made.contains(&format!("data-copy tabindex=\"0\"><code>{COMMAND}</code>")), "{made}");
    assert!(made.contains("lets in 2 hosts") && made.contains("in 10 h") && made.contains("shown this once"), "{made}");
}

#[test]
fn tokens_are_listed_with_what_is_left_of_them() {
    let join = page("join");
    for fact in
        ["</svg>active<", "</svg>used up<", "</svg>expired<", "1 of 3", "1 of 1", "when revoked", "rack=Workshop"]
    {
        assert!(join.contains(fact), "`{fact}` is not in {join}");
    }
    assert_eq!((join.matches("/rotate\"").count(), join.matches("/revoke\"").count()), (4, 4));
}

#[test]
fn what_was_refused_stands_at_its_field_and_what_was_filled_in_stays() {
    let refused = page("join-refused");
    for field in ["name", "lifetime", "uses", "labels"] {
        let mark = format!("aria-invalid=\"true\" aria-describedby=\"{field}-refused\"");
        assert!(refused.contains(&mark) && refused.contains(&format!("id=\"{field}-refused\"")), "{field}: {refused}");
    }
    assert!(refused.contains(&format!("value=\"{}\"", PLAIN.text)) && refused.contains(">7 days<"), "{refused}");
    assert!(refused.contains("<option value=\"7d\" selected>"), "{refused}");
    let alert = refused.split_once("role=\"alert\"").expect("an alert").1.split_once("</section>").expect("its end").0;
    assert!(alert.contains("/role") && !alert.contains("/max_uses</code> <span"), "told once: {alert}");
    assert!(!page("join").contains("aria-invalid"));
}

#[test]
fn who_may_not_change_is_offered_no_form() {
    for name in ["join-read", "node-read", "node-asks-read"] {
        let page = page(name);
        let posts = page.matches("method=\"post\"").count();
        assert_eq!(posts, 2, "{name}: only those for the theme and to sign out");
        for offer in ["/rotate", "/revoke", "/remove", "netloom node"] {
            assert!(!page.contains(offer), "{name}: {offer}");
        }
    }
    assert!(page("node-asks-read").contains("An administrator can."));
}

#[test]
fn nodes_are_listed_with_where_they_stand_and_why() {
    let nodes = page("nodes");
    for fact in [
        "machine1</a> <span class=\"kind\">this host</span>",
        "</svg>down<",
        "</svg>unknown<",
        "</svg>drain<",
        "it has not reported since 2026-01-31 11:58:00 UTC",
        "asks to be let back in",
        "192.168.122.187",
    ] {
        assert!(nodes.contains(fact), "`{fact}` is not in {nodes}");
    }
    assert_eq!(nodes.matches("\"kind\">this host<").count(), 1);
    assert!(page("nodes-alone").contains("Add a first worker") && !nodes.contains("Add a first worker"));
}

#[test]
fn a_node_is_let_back_in_by_a_button_until_somebody_pressed_it() {
    let asks = page("node-asks");
    let form = "<input type=\"hidden\" name=\"readmit\" value=\"yes\"><button class=\"primary\" type=\"submit\">Let it back in";
    assert!(asks.contains(form) && asks.contains("ReadmissionPending"), "{asks}");
    let granted = page("node-let-in");
    assert!(granted.contains("It may come back") && !granted.contains("name=\"readmit\""), "{granted}");
    assert!(!page("node").contains("readmit"));
}

#[test]
fn a_node_is_removed_after_a_question_and_a_ready_one_after_a_second_word() {
    let node = page("node");
    assert!(node.contains("/remove\">Remove the node"), "{node}");
    assert!(
        !page("node-manager").contains("/remove") && page("node-manager").contains("the swarm ends when it leaves")
    );
    let (down, ready) = (page("node-remove"), page("node-remove-ready"));
    assert!(!down.contains("name=\"force\"") && down.contains("netloom node rm nod_"), "{down}");
    let word = "name=\"off\" type=\"checkbox\" value=\"yes\" aria-describedby=\"off-means\"> <label for=\"off\">Its host is off";
    assert!(
        down.contains(word) && down.contains("macvlan and bridge networks of the swarm are free at once"),
        "{down}"
    );
    assert!(!ready.contains("name=\"off\""), "one that reports is not off");
    assert!(ready.contains("name=\"force\" type=\"checkbox\" value=\"yes\" required"), "{ready}");
    assert!(ready.contains("netloom node rm --force nod_"), "{ready}");
}

#[test]
fn events_of_a_node_lead_to_it_while_it_is_there() {
    let down = page("node-down");
    let row = down.split_once("node.down").expect("the event").1.split_once("</li>").expect("its end").0;
    assert!(row.contains("href=\"/ui/nodes/nod_"), "{row}");
    assert!(down.contains("event-kind mono bad\">node.down") && down.contains("event-kind mono good\">node.joined"));
}

#[test]
fn the_front_page_of_a_manager_has_its_nodes_those_in_trouble_first() {
    let overview = page("overview-manager");
    let strip = overview.split_once("id=\"f-nodes\"").expect("a strip").1.split_once("</section>").expect("its end").0;
    assert!(strip.contains("2 of 6 ready") && strip.contains("</svg>asks to be let back in<"), "{strip}");
    let place = |name: &str| strip.find(&format!(">{name}</a>")).expect("in the strip");
    assert!(place("machine3") < place("machine1") && place("machine5") < place(PLAIN.text), "{strip}");
    assert!(overview.contains("<a href=\"/ui/swarm\">manager of a swarm</a>"), "{overview}");
    let many = page("overview-manager-many");
    assert!(many.contains("14 of 42 ready") && many.contains("<a href=\"/ui/nodes\">18 more</a>"), "{many}");
    let worker = page("overview-worker");
    assert!(worker.contains("worker of a swarm") && !worker.contains("f-nodes"), "{worker}");
    assert!(!page("overview").contains("of a swarm</a>"));
}

#[test]
fn ways_between_nodes_say_what_is_wrong_and_what_is_too_small() {
    let page = self::page("network-health");
    for said in
        ["not reached", "less than the network", "1.3 ms", "192.168.122.187", "1 way is not reached", "/ui/networks/"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(self::page("network-health-alone").contains("fewer than two nodes"));
}

#[test]
fn what_is_on_another_node_leads_to_what_is_known_of_it_and_to_that_node() {
    let node = "/ui/nodes/nod_";
    for name in ["address-elsewhere", "network-swarm-leases"] {
        let page = page(name);
        // Those beside it are this host's own.
        let page = page.split("class=\"neighbours").next().unwrap_or_default();
        assert!(page.contains(&format!("<a href=\"{node}")) && page.contains("silent since"), "{name}: {page}");
        assert!(page.contains("href=\"/ui/sandboxes/sbx_"), "{name}: {page}");
    }
    let leases = page("network-swarm-leases");
    assert!(leases.contains(">machine8<"), "one that was removed has no page");
    assert_eq!(leases.matches("href=\"/ui/sandboxes/").count(), 1, "nor has what was on it: {leases}");
    let all = page("network-swarm-endpoints");
    for fact in [
        "this host",
        "192.168.122.3",
        "02:42:c0:a8:7a:03",
        "</svg>stopped<",
        "</svg>unknown<",
        "running when last heard of",
        "/api/v1/swarm/endpoints?network=",
        "page_token=more",
    ] {
        assert!(all.contains(fact), "`{fact}` is not in {all}");
    }
    assert_eq!((all.matches("href=\"/ui/sandboxes/sbx_").count(), all.matches(node).count()), (3, 1), "{all}");
    assert!(page("network-swarm-endpoints-worker").contains("2 endpoints are on other nodes"));
    let (one, several) = (page("sandbox-away"), page("sandbox-away-several"));
    assert!(one.contains("02:42:c0:a8:7a:03") && one.contains("silent since") && !one.contains("called so"), "{one}");
    assert!(several.contains("called so") && several.matches("<h2 id=\"s-").count() == 3, "{several}");
}

#[test]
fn a_worker_calls_nothing_free_that_its_manager_may_have_given_away() {
    let worker = page("network-swarm-worker");
    assert!(worker.contains("what is free the manager knows") && worker.contains("not known here"), "{worker}");
    assert!(!worker.contains(" free<") && !worker.contains("m-free"), "{worker}");
    assert!(!page("address-elsewhere").contains("m-free"));
}

#[test]
fn no_choice_is_wider_than_a_narrow_screen() {
    for (name, page) in every_page(&PLAIN) {
        let options = page.split("<option").skip(1).filter_map(|rest| rest.split_once('>')?.1.split_once("</option>"));
        for (option, _) in options {
            assert!(option.chars().count() <= 36, "{name}: {option}");
        }
    }
}

//! Requests that schemathesis makes of the document, right ones and wrong ones, alone and one upon the other: each is answered as the
//! document says, and when all they made is removed nothing is left on the host.

use netloom_tests::host::LISTEN;
use netloom_tests::process::run;
use netloom_tests::tools::{command_in, repository};
use netloom_tests::{Client, Snapshot, host, json, loops, number};

/// Removes every sandbox and network but the predefined ones.
fn clear(client: &Client) {
    for sandbox in client.all("sandboxes?limit=1000") {
        client.delete(&format!("sandboxes/{}", sandbox["id"].as_str().unwrap())).is(204);
    }
    for network in client.all("networks?limit=1000") {
        if network["status"]["predefined"] != true {
            let path = format!("networks/{}", network["id"].as_str().unwrap());
            if network["deletion_protection"] == true {
                client.patch(&path, &json!({"deletion_protection": null})).is(200);
            }
            client.delete(&path).is(204);
        }
    }
}

#[test]
fn every_request_is_answered_as_the_document_says() {
    // So many examples for each operation and for chains of them, beside the 4,000 cases at the edges of every schema. `LOOPS=10` gives more than 20,000.
    let examples = loops(if number("LOOPS", 1) == 1 { 3 } else { 40 });
    let host = host!();
    let before = Snapshot::of(&host);
    let client = host.start();
    let (base_url, token) = (format!("http://{LISTEN}"), host.token());
    let mut tester = command_in(&host.net, "st");
    tester.env("SCHEMATHESIS_HOOKS", "schemathesis_hooks").env("PYTHONPATH", repository("tests/clients"));
    tester.env("BASE_URL", &base_url).env("TOKEN", &token);
    tester.args(["run", &format!("{base_url}/openapi.json"), "--no-color", "--continue-on-failure"]);
    tester.args(["--header", &format!("Authorization: Bearer {token}")]);
    // One worker: Python 3.11 does not compile in two threads at once without now and then a SystemError of its own.
    tester.args(["--max-examples", &examples.to_string(), "--workers", "1", "--request-timeout", "30"]);
    tester.args(["--generation-database", ":memory:", "--warnings", "off"]);
    // Rules between fields can't be said in a schema: what fits it may be refused. What does not fit it is refused by a check of the hooks'.
    // A DELETE that is a dry run, or still on its way, leaves the object there, which the tester takes for a fault.
    tester.args(["--exclude-checks", "positive_data_acceptance,negative_data_rejection,use_after_free"]);
    if let Ok(seed) = std::env::var("SEED") {
        tester.args(["--seed", &seed]);
    }
    let said = run(&mut tester).ok();
    let cases = said.lines().find(|line| line.contains(" generated")).unwrap_or_default();
    println!("{cases}");
    for phase in ["Coverage", "Fuzzing", "Stateful"] {
        assert!(said.contains(&format!("✅ {phase}")), "{phase} was not gone through:\n{said}");
    }

    assert_eq!(client.get("drift").is(200)["items"], json!([]));
    clear(&client);
    host.stop();
    assert!(!host.log_text().contains("panicked"), "{}", host.log_tail());
    Snapshot::of(&host).same_as(&before);
}

//! What later suites do to hosts: each fault of the kit does what it says, and can be taken back.

use netloom_tests::{json, lab, until};

#[test]
fn a_host_is_cut_off_and_healed_with_and_without_its_carrier() {
    let lab = lab!(2);
    let (one, two) = (lab.host(1), lab.host(2));
    let state = || one.json("ip -j link show eth0")[0]["operstate"].as_str().unwrap().to_owned();
    one.cut();
    assert!(!one.pings(&two.address) && state() == "UP", "nothing comes through, and nobody says so");
    one.heal();
    assert!(one.pings(&two.address));
    one.unplug();
    until("the carrier is lost", std::time::Duration::from_secs(5), || (state() != "UP").then_some(()));
    assert!(!two.pings(&one.address));
    one.plug_in();
    until("it is back", std::time::Duration::from_secs(5), || two.pings(&one.address).then_some(()));
    lab.netloom("lab down").ok();
}

#[test]
fn a_host_is_slow_for_a_while() {
    let lab = lab!(2);
    let (one, two) = (lab.host(1), lab.host(2));
    let round_trip = || {
        let said = one.run(&format!("ping -c 3 -i 0.3 -q {}", two.address));
        let figures = said.lines().last().unwrap().split('=').nth(1).unwrap().trim().to_owned();
        figures.split('/').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(round_trip() < 40.0);
    let delay = two.delay(std::time::Duration::from_millis(50));
    let slow = round_trip();
    assert!((100.0..1000.0).contains(&slow), "at least 50 ms each way: {slow}");
    drop(delay);
    assert!(round_trip() < 40.0);
    lab.netloom("lab down").ok();
}

#[test]
fn a_killed_daemon_a_wiped_run_directory_and_another_address_are_survived() {
    let lab = lab!(2);
    let mut one = lab.host(1);
    one.client().post("networks", &json!({"name": "web", "driver": "bridge"})).is(201);
    one.client().post("sandboxes", &json!({"name": "www", "networks": {"web": {}}})).is(201);
    one.kill();
    assert_eq!(lab.status()["hosts"][0]["state"], "stopped");
    one.wipe_run_dir();
    one.start();
    let sandbox = one.client().get("sandboxes/www").is(200);
    assert_eq!(sandbox["status"]["state"], "running", "{sandbox}");
    assert_eq!(one.try_in_sandbox("www", &format!("ping -c 2 -i 0.5 -W 1 {}", lab.host(2).address)).code, 0);

    one.change_address("192.168.122.200/24");
    assert!(lab.host(2).pings("192.168.122.200") && !lab.host(2).pings("192.168.122.185"));
    assert!(one.pings(&lab.host(2).address));

    // A fault in one daemon is in no other.
    one.stop();
    one.start_with("control.create.after_commit:kill");
    let body = json!({"name": "other", "networks": {"web": {}}}).to_string().into_bytes();
    assert!(one.client().send("POST", "sandboxes", Some(("application/json", body))).is_err(), "it was killed");
    until("its end", std::time::Duration::from_secs(10), || one.pid().is_none().then_some(()));
    one.start();
    let made = || (one.client().get("sandboxes/other").json["status"]["state"] == "running").then_some(());
    until("what was committed is made", std::time::Duration::from_secs(10), made);
    lab.netloom("lab down").ok();
}

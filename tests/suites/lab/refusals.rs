//! What is refused, with what helps.

use netloom_tests::lab;
use netloom_tests::process::run;

use super::{Machine, down};

#[test]
fn a_second_lab_in_the_same_place_is_refused() {
    let lab = lab!();
    let before = Machine::look(&lab);
    lab.netloom("lab --hosts 1 --no-join").ok();
    let said = lab.netloom("lab --hosts 3 --no-join").failed();
    assert!(said.contains("a lab of 1 host in") && said.contains("lab status") && said.contains("lab down"), "{said}");
    assert_eq!(lab.netloom("lab status").code, 0, "the first is as it was");
    assert!(lab.netloom("lab up").failed().contains("already"), "a spelling that people try");
    let slip = lab.netloom("lab dwon").failed();
    assert!(slip.contains("'down'") && !slip.contains("over the API"), "a slip is corrected: {slip}");
    down(&lab, &before);
}

#[test]
fn a_directory_that_is_no_labs_is_left_alone() {
    let lab = lab!();
    std::fs::create_dir(lab.dir()).unwrap();
    std::fs::write(lab.dir().join("mine"), "x").unwrap();
    for line in ["lab --hosts 1", "lab down", "lab status"] {
        let said = lab.netloom(line).failed();
        assert!(said.contains("not a lab's directory") && said.contains("mine"), "{line}: {said}");
    }
    std::fs::remove_file(lab.dir().join("mine")).unwrap();
    // An empty one is taken, and stays.
    lab.netloom("lab --hosts 1 --no-join").ok();
    lab.netloom("lab down").ok();
    assert_eq!(std::fs::read_dir(lab.dir()).unwrap().count(), 0);
}

#[test]
fn what_is_not_the_labs_stays_and_is_named() {
    let lab = lab!(1);
    std::fs::write(lab.dir().join("notes"), "x").unwrap();
    let said = lab.netloom("lab down").failed();
    assert!(said.contains("notes") && lab.dir().join("notes").exists(), "{said}");
    assert_eq!(std::fs::read_dir(lab.dir()).unwrap().count(), 1, "all else is gone");
}

#[test]
fn addresses_that_will_not_do_are_refused_before_anything_is_made() {
    let lab = lab!();
    let before = Machine::look(&lab);
    for (line, word) in [
        ("lab --address 10.1.0.1/24", "10.1.0.2"),
        ("lab --address 10.1.0.254/24 --hosts 2", "room for 1"),
        ("lab --address 10.1.0.9", "192.168.122.185/24"),
        ("lab --hosts 0", "1..=32"),
        ("lab status", "there is no lab"),
        ("lab start", "there is no lab"),
    ] {
        let said = lab.netloom(line).failed();
        assert!(said.contains(word), "{line}: {said}");
    }
    let long = lab.beside().join("x".repeat(90));
    assert!(lab.netloom(&format!("lab --dir {}", long.display())).failed().contains("too long"));
    let missing = lab.beside().join("no/such");
    assert!(lab.netloom(&format!("lab --dir {}", missing.display())).failed().contains("directory above"));
    Machine::look(&lab).same_as(&before);
}

#[test]
fn a_subnet_that_the_machine_has_a_route_to_is_passed_over_or_refused() {
    let lab = lab!();
    lab.machine.run("ip link add wire0 type veth peer name wire1");
    lab.machine.run("ip addr add 192.168.122.1/24 dev wire0");
    lab.machine.run("ip link set wire0 up");
    let before = Machine::look(&lab);
    let said = lab.netloom("lab --address 192.168.122.185/24").failed();
    assert!(said.contains("route to 192.168.122.0/24") && said.contains("--address"), "{said}");
    assert!(lab.netloom("lab --hosts 1 --no-join").ok().contains("192.168.123.185"));
    down(&lab, &before);
    assert!(lab.netloom("lab --hosts 2 --address 10.77.0.11/16").ok().contains("10.77.0.12"));
    down(&lab, &before);
}

#[test]
fn a_service_that_is_handed_no_socket_says_so() {
    let lab = lab!();
    let line = format!("serve --listen-stdin --data-dir {0}/data --run-dir {0}/run", lab.beside().display());
    let said = lab.netloom(&line).failed();
    assert!(said.contains("standard input is not a listening TCP socket") && said.contains("--listen"), "{said}");
}

#[test]
fn root_is_asked_for() {
    let lab = lab!();
    let binary = env!("CARGO_BIN_EXE_netloom-under-test");
    let copy = lab.beside().join("netloom");
    std::fs::copy(binary, &copy).unwrap();
    lab.machine.run(&format!("chmod -R a+rX {}", lab.beside().display()));
    let line = format!("--reuid 65534 --regid 65534 --clear-groups {} lab", copy.display());
    let said = run(lab.machine.command("setpriv").args(line.split_whitespace())).failed();
    assert!(said.contains("root") && said.contains("sudo"), "{said}");
}

#[test]
fn nobody_ends_the_lab_from_within() {
    let lab = lab!(1);
    let said = lab.netloom("lab exec host1 -- netloom-under-test lab down").failed();
    assert!(said.contains("leave it first"), "{said}");
    assert_eq!(lab.netloom("lab status").code, 0, "nothing was done");
    lab.netloom("lab down").ok();
}

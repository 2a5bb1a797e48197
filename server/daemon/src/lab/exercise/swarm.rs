//! From two hosts to a swarm: the same version, the command that the first prints, the other's joining, and what both then say.

use super::Ground;
use super::session::{Said, Session, Stopped};

/// Name of the further join token on a swarm that is there already.
const TOKEN: &str = "exercise";

/// What a join token's text begins with, and the lengths of its parts.
const TOKEN_START: &str = "SWMTKN-1-";
const DIGEST: usize = 50;
const SECRET: usize = 25;

/// The steps.
pub(super) fn steps(session: &mut Session, ground: &Ground) -> Result<(), Stopped> {
    versions(session, ground)?;
    let command = init(session, ground)?;
    let nodes = join(session, ground, &command)?;
    info(session, ground, nodes)
}

fn versions(session: &mut Session, ground: &Ground) -> Result<(), Stopped> {
    session.step("Both hosts show their version");
    let [one, other] = [&ground.first, &ground.second].map(|host| session.run(&session.on(host, "--version")));
    session.need("the versions agree", one.succeeded() && other.succeeded() && one.out == other.out)
}

/// The swarm on the first host; the command that lets others in, as it was printed.
fn init(session: &mut Session, ground: &Ground) -> Result<String, Stopped> {
    let (first, address) = (&ground.first, ground.first.address);
    let said = if ground.is_swarm {
        session.step(&format!(
            "{} manages a swarm already: a further join token prints the command for others",
            first.name
        ));
        session.note(
            "the lab joined its hosts; in one that was made with --no-join, `swarm init` and `swarm join` are done here",
        );
        let left = session.is_there(first, &format!("swarm/join-tokens/{TOKEN}"));
        let line = session.on(first, &format!("swarm token {} {TOKEN}", if left { "rotate" } else { "create" }));
        let said = session.run(&line);
        if said.succeeded() {
            let removal = session.on(first, &format!("swarm token revoke {TOKEN}"));
            session.made(removal, None, "the further join token is gone");
        }
        said
    } else {
        session.step(&format!("{} makes a swarm", first.name));
        let said = session.run(&session.on(first, &format!("swarm init --advertise-addr {address}")));
        session.need("a swarm is initialized", said.out.starts_with("Swarm initialized: current node ("))?;
        said
    };
    let command = command(&said.out).filter(|command| is_join(command, &format!("{address}:2377")));
    let wanted = format!(
        "the command for others is `swarm join --token {TOKEN_START}<{DIGEST} characters>-<{SECRET} characters> {address}:2377`"
    );
    session.need(&wanted, command.is_some())?;
    command.ok_or(Stopped)
}

/// The command for others in what was said, without the program's name.
fn command(said: &str) -> Option<String> {
    said.lines()
        .find_map(|line| line.trim().strip_prefix("netloom ").filter(|rest| rest.starts_with("swarm join")))
        .map(str::to_owned)
}

fn is_join(command: &str, manager: &str) -> bool {
    let words: Vec<&str> = command.split(' ').collect();
    let ["swarm", "join", "--token", token, at] = words.as_slice() else { return false };
    let parts = token.strip_prefix(TOKEN_START).and_then(|rest| rest.split_once('-'));
    *at == manager && parts.is_some_and(|(digest, secret)| digest.len() == DIGEST && secret.len() == SECRET)
}

/// The second host in the swarm; how many nodes that has then. In a lab of more hosts there are more.
fn join(session: &mut Session, ground: &Ground, command: &str) -> Result<usize, Stopped> {
    let (first, second) = (&ground.first, &ground.second);
    if ground.has_joined {
        session.step(&format!("{} is a worker of the swarm already", second.name));
    } else {
        session.step(&format!("{} joins the swarm with it", second.name));
        let said = session.run_until(&session.on(second, command), Said::succeeded);
        session.need("it joined as a worker", said.has_line("This node joined a swarm as a worker."))?;
    }
    let said = session.run_until(&session.on(first, "node ls"), |said| both_ready(said, ground));
    session.need("both are ready nodes", both_ready(&said, ground))?;
    Ok(said.out.lines().skip(1).count())
}

fn both_ready(said: &Said, ground: &Ground) -> bool {
    [&ground.first, &ground.second].iter().all(|host| {
        said.out.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&host.name.as_str()) && words.contains(&"Ready")
        })
    })
}

fn info(session: &mut Session, ground: &Ground, nodes: usize) -> Result<(), Stopped> {
    session.step("Both hosts say what they are");
    let one = session.run(&session.on(&ground.first, "swarm info"));
    let nodes = format!("Nodes: {nodes}");
    let other = session.run_until(&session.on(&ground.second, "swarm info"), |said| said.has_line(&nodes));
    let both = |wanted: &str| one.has_line(wanted) && other.has_line(wanted);
    for wanted in [
        "Swarm: active",
        "Managers: 1",
        &nodes,
        "Default Address Pool: 10.0.0.0/8",
        "SubnetSize: 24",
        "Data Path Port: 4789",
        "Task History Retention Limit: 5",
    ] {
        session.check(&format!("both say `{wanted}`"), both(wanted));
    }
    let same = |key: &str| one.value(key).is_some() && one.value(key) == other.value(key);
    session.check("the cluster ID is the same", same("ClusterID"));
    session.check("each has a node ID of its own", one.value("NodeID").is_some() && !same("NodeID"));
    let is_manager = (one.value("Is Manager"), other.value("Is Manager"));
    session.need(
        &format!("`Is Manager` is true on {} only", ground.first.name),
        is_manager == (Some("true"), Some("false")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_command_is_known_by_its_form() {
        let token = format!("{TOKEN_START}{}-{}", "0".repeat(DIGEST), "1".repeat(SECRET));
        let good = format!("swarm join --token {token} 192.0.2.1:2377");
        assert!(is_join(&good, "192.0.2.1:2377"));
        for bad in [
            format!("{good}8"),
            format!("{good} --force"),
            good.replace("-1-0", "-1-"),
            good.replace(" --token", ""),
            good.replace("SWMTKN", "TOKEN"),
        ] {
            assert!(!is_join(&bad, "192.0.2.1:2377"), "{bad}");
        }
        let said = format!("To add a worker:\n\n    netloom {good}\n");
        assert_eq!(command(&said), Some(good));
    }
}

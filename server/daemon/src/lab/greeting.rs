//! What is said when a lab was made: where everything is, and what to do next. Every line of it works as it is printed.

use super::directory::{Directory, Host, Record};
use super::{join, say};
use crate::cli::quoted;
use crate::socket;
use crate::table::table;

/// Says it. Each host's dashboard has a link to log in with.
pub(super) fn greet(directory: &Directory, record: &Record) {
    let head = ["HOST", "ADDRESS", "ROLE", "SOCKET", "DASHBOARD"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(record.hosts.iter().map(|host| row(directory, host))).collect();
    say(format_args!("\n{}", table(&rows)));
    let (path, flag) = (quoted(directory.path()), directory.flag());
    say(format_args!(
        "Log in      each link works once, for one hour; another: netloom login-link --run-dir {path}/HOST/run\n\
         Token       {path}/HOST/data/admin.token\n\
         Try         netloom lab exec{flag} host1                         a shell in host1\n\
         \x20           netloom lab exec{flag} host1 -- ping -c 3 {}\n\
         \x20           netloom lab exec{flag} host1 -- netloom token list   `netloom` asks host1's service there\n\
         \x20           netloom lab status{flag}",
        record.hosts.last().map_or("localhost", |host| &host.name),
    ));
    swarm(directory, record);
    say(format_args!("End         netloom lab down{flag}"));
}

fn row(directory: &Directory, host: &Host) -> [String; 5] {
    let socket = directory.host(&host.name).directories().socket();
    let link = socket::request(&socket, "POST", "/api/v1/login-links").ok();
    let link = link.and_then(|answer| answer.body["url"].as_str().map(str::to_owned));
    [
        host.name.clone(),
        host.address.to_string(),
        join::role(directory, host).unwrap_or_else(|| join::NO_ROLE.to_owned()),
        socket.display().to_string(),
        link.unwrap_or_else(|| host.url() + "/ui"),
    ]
}

/// What to do with a swarm of several hosts; how to make one where the lab was told not to.
fn swarm(directory: &Directory, record: &Record) {
    let flag = directory.flag();
    let [first, .., last] = record.hosts.as_slice() else { return };
    if join::role(directory, first).is_none() {
        say(format_args!(
            "Swarm       netloom lab exec{flag} host1 -- netloom swarm init   prints the command for the other hosts"
        ));
        return;
    }
    let post = |host: &Host, list: &str, body: &str| {
        let socket = directory.host(&host.name).directories().socket();
        format!(
            "curl -sS --unix-socket {} -H 'Content-Type: application/json' -d '{body}' http://localhost/api/v1/{list}",
            quoted(&socket)
        )
    };
    let network =
        post(first, "networks", r#"{"name":"far","driver":"overlay","pools":{"v4":{"subnet":"10.99.0.0/24"}}}"#);
    let near = post(first, "sandboxes", r#"{"name":"near","networks":{"far":{}}}"#);
    let away = post(last, "sandboxes", r#"{"name":"away","networks":{"far":{"address4":"10.99.0.99"}}}"#);
    say(format_args!(
        "Swarm       netloom lab exec{flag} host1 -- netloom node ls\n\
         Overlay     a network over the hosts, a sandbox on {} and one on {}, and a ping from one to the other:\n\
         \x20           {network}\n\
         \x20           {near}\n\
         \x20           {away}\n\
         \x20           netloom lab exec{flag} host1 -- netloom exec near -- ping -c 3 10.99.0.99\n\
         Exercise    netloom lab exercise{flag}   the like step by step, with what is to be seen",
        first.name, last.name,
    ));
}

//! Operations at random on networks of every kind: writes, damage by somebody else, SIGKILL amid a write. Fifty of them, or `LOOPS` times as
//! many. In between and at the end what was acknowledged, what the kernel has, what the leases say and what names resolve to are compared.
//!
//! `SEED` plays one run again, as far as chance decides it; a failure prints it, with what was done before.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use netloom_tests::dice::{Dice, seed};
use netloom_tests::{Client, Host, Snapshot, host, json, loops, until};

use crate::agreement::agree;

#[path = "random_operations/damage.rs"]
mod damage;
#[path = "random_operations/model.rs"]
mod model;
#[path = "random_operations/names.rs"]
mod names;
#[path = "random_operations/writes.rs"]
mod writes;

use model::{Model, Write};

const SOON: Duration = Duration::from_secs(30);
/// What was done last is printed with a failure: so many.
const PRINTED: usize = 40;

/// What happened, for whoever reads of a failure.
struct Diary {
    seed: u32,
    lines: Vec<String>,
}

impl Drop for Diary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = self.lines[self.lines.len().saturating_sub(PRINTED)..].join("\n");
            eprintln!("--- the last operations; SEED={} plays them again:\n{last}\n---", self.seed);
        }
    }
}

/// A run.
struct Run<'a> {
    host: &'a Host,
    client: Client,
    dice: Dice,
    writer: writes::Writer,
    model: Model,
    asked: names::Asked,
    diary: Diary,
    /// How many writes of each kind were accepted.
    accepted: BTreeMap<&'static str, u32>,
}

impl Run<'_> {
    fn tell(&mut self, what: String) {
        let number = self.diary.lines.len();
        self.diary.lines.push(format!("{number}: {what}"));
    }

    /// One write, and nothing else meanwhile.
    fn write(&mut self) {
        let Some((kind, write)) = self.writer.next(&self.model, &mut self.dice) else { return };
        self.send(kind, &write);
    }

    fn send(&mut self, kind: &'static str, write: &Write) {
        self.tell(format!("{kind}: {} {} {}", write.method, write.path, write.body));
        let (status, text) = write.send(&self.client).expect("the daemon is up");
        self.take(kind, write, status, &text);
    }

    /// Every write that is asked for here can be had: what was answered must be that it is.
    fn take(&mut self, kind: &'static str, write: &Write, status: u16, text: &str) {
        assert!(matches!(status, 200..=204), "{} {} {}: {status} {text}", write.method, write.path, write.body);
        self.model = self.model.with(write);
        *self.accepted.entry(kind).or_default() += 1;
    }

    /// A write that the daemon is killed in, or just before or after; somebody may use that nobody is there.
    fn killed_write(&mut self) {
        let Some((kind, write)) = self.writer.next(&self.model, &mut self.dice) else { return };
        let moment = Duration::from_micros(self.dice.below(60_000));
        self.tell(format!("killed after {moment:?} in {kind}: {} {} {}", write.method, write.path, write.body));
        let answer = std::thread::scope(|scope| {
            let sent = scope.spawn(|| write.send(&self.client));
            std::thread::sleep(moment);
            self.host.kill();
            sent.join().expect("it does not panic")
        });
        self.database();
        for _ in 0..self.dice.below(3) {
            let what = if self.dice.once_in(2) {
                damage::of_rules(self.host, &mut self.dice)
            } else {
                damage::on_host(self.host, &mut self.dice)
            };
            what.into_iter().for_each(|what| self.tell(format!("meanwhile {what}")));
        }
        self.host.start();
        self.calm();
        match answer {
            Some((status, text)) => self.take(kind, &write, status, &text),
            None => {
                let after = self.model.with(&write);
                if Model::read(&self.client) == after {
                    self.model = after;
                }
            }
        }
        assert_eq!(Model::read(&self.client), self.model, "after a kill in {write:?}: all of it, or nothing");
    }

    /// Waits until nothing is under way and what was broken is put right; what then still differs is for `agree` to tell.
    fn calm(&self) {
        let begin = Instant::now();
        let restless = || {
            let lists = [self.client.all("sandboxes?limit=1000"), self.client.all("networks?limit=1000")];
            lists.iter().flatten().any(|object| object["status"]["reconciling"] == true)
                // Nothing was found out where the kernel could not be read because it changes all the time.
                || self.client.get("drift").json["items"] != json!([])
        };
        while restless() && begin.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Everything is as it was acknowledged, in the kernel, in the store, and by name.
    fn check(&mut self) {
        let after = format!("operation {} (SEED={})", self.diary.lines.len(), self.diary.seed);
        self.calm();
        agree(self.host, &after);
        assert_eq!(Model::read(&self.client), self.model, "after {after}: what was acknowledged");
        for object in self.client.all("networks?limit=1000").into_iter().chain(self.client.all("sandboxes?limit=1000"))
        {
            let conditions = object["status"]["conditions"].as_array().expect("conditions");
            // One of the pools is small on purpose.
            let wrong = conditions.iter().find(|condition| condition["type"] != "PoolNearlyFull");
            assert_eq!(wrong, None, "after {after}: {object}");
        }
        names::resolve(self.host, &mut self.asked, &after);
    }

    /// What a database says that nobody has open fits together.
    fn database(&self) {
        let (data, run) = (self.host.data_dir(), self.host.run_dir());
        let said = self.host.netloom(&format!("doctor --data-dir {} --run-dir {}", data.display(), run.display())).ok();
        assert!(said.contains("free ranges and leases make up every pool"), "{said}");
    }

    fn remove_all(&self) {
        for name in self.model.sandboxes.keys() {
            self.client.delete(&format!("sandboxes/{name}")).is(204);
        }
        for name in self.model.networks.keys() {
            self.client.delete(&format!("networks/{name}")).is(204);
        }
    }
}

#[test]
fn random_operations() {
    let host = host!();
    // So that a link of the host's has to lend its forwarding.
    host.net.run("ip addr add 203.0.113.1/24 dev parent0");
    let before = Snapshot::of(&host);
    let (client, seed) = (host.start(), seed());
    let mut run = Run {
        host: &host,
        client: client.clone(),
        dice: Dice::new(seed),
        writer: writes::Writer::new(),
        model: Model::default(),
        asked: names::Asked::default(),
        diary: Diary { seed, lines: Vec::new() },
        accepted: BTreeMap::new(),
    };
    for network in writes::networks() {
        run.send("network", &Write::new("POST", "networks".to_owned(), network));
    }
    // Some sandboxes to begin with, so that there is always something to be broken and compared.
    while run.model.sandboxes.len() < 5 {
        let create = run.writer.create(&run.model, &mut run.dice).expect("a name is free");
        run.send("create", &create);
    }
    run.check();
    for _ in 0..loops(50) {
        match run.dice.below(12) {
            0 => run.killed_write(),
            1 => damage::of_links(&host, &mut run.dice).into_iter().for_each(|what| run.tell(what)),
            _ => run.write(),
        }
        if run.dice.once_in(15) {
            run.check();
        }
    }
    run.check();
    let accepted: u32 = run.accepted.values().sum();
    assert!(accepted > loops(50) / 2, "most of it was to be written: {:?}", run.accepted);
    run.remove_all();
    until("all is gone", SOON, || Snapshot::of(&host).differences(&before).is_empty().then_some(()));
    let events = client.all("events?limit=1000");
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"].as_u64(), Some(index as u64 + 1), "events have no gap after all this");
    }
}

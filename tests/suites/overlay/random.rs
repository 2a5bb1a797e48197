//! Attaches, detaches, stops and starts at random on three hosts, one of which is cut off, or its daemon dead, every now and then. Fifty of them, or
//! `LOOPS` times as many; in between and at the end all nodes must say the same.

use std::collections::BTreeSet;

use netloom_tests::dice::{Dice, seed};
use netloom_tests::{LabHost, json, loops};

use crate::agreement::agree;
use crate::kit::{NETWORK, ask_for, hosts, swarm};

/// Most sandboxes of one host.
const MOST: usize = 6;
/// The host that comes and goes.
const FLAPPING: usize = 2;

/// How the host that comes and goes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flap {
    There,
    Cut,
    Dead,
}

struct Run<'a> {
    hosts: &'a [LabHost<'a>],
    dice: Dice,
    flap: Flap,
    live: Vec<BTreeSet<String>>,
    made: u32,
    seed: u32,
}

#[test]
fn attachments_at_random_with_a_host_that_comes_and_goes() {
    let lab = hosts(3);
    let hosts = swarm(&lab);
    let seed = seed();
    let mut run = Run {
        hosts: &hosts,
        dice: Dice::new(seed),
        flap: Flap::There,
        live: vec![BTreeSet::new(); hosts.len()],
        made: 0,
        seed,
    };
    for count in 0..loops(50) {
        run.operation();
        if run.dice.once_in(6) {
            run.turn();
        }
        if count % 25 == 24 {
            run.whole(&format!("operation {count}"));
        }
    }
    run.whole("all operations");
    lab.netloom("lab down").ok();
}

impl Run<'_> {
    fn operation(&mut self) {
        let at = usize::try_from(self.dice.below(self.hosts.len() as u64)).unwrap();
        let host = &self.hosts[at];
        let away = if at == FLAPPING { self.flap } else { Flap::There };
        let own: Vec<String> = self.live[at].iter().cloned().collect();
        let Some(name) = self.dice.one_of(&own).cloned() else { return self.attach(at, away) };
        match (self.dice.below(5), away) {
            (_, Flap::Dead) => {}
            (0 | 1, _) if own.len() < MOST => self.attach(at, away),
            (0..=2, _) => {
                let answer = host.client().delete(&format!("sandboxes/{name}"));
                assert!(matches!(answer.status, 202 | 204), "{name} (SEED={}): {}", self.seed, answer.json);
                self.live[at].remove(&name);
            }
            (turn, _) => {
                let state = if turn == 3 { "stopped" } else { "running" };
                let answer = host.client().patch(&format!("sandboxes/{name}"), &json!({"desired_state": state}));
                assert!(matches!(answer.status, 200 | 202), "{name} (SEED={}): {}", self.seed, answer.json);
            }
        }
    }

    fn attach(&mut self, at: usize, away: Flap) {
        if away != Flap::There {
            return;
        }
        self.made += 1;
        let name = format!("s{}", self.made);
        let answer = ask_for(&self.hosts[at], &name, NETWORK);
        // A worker that comes back finds its manager within a few heartbeats.
        let refused = at == FLAPPING && answer.status == 409 && answer.json["code"] == "manager-unreachable";
        assert!(matches!(answer.status, 201 | 202) || refused, "{name} (SEED={}): {}", self.seed, answer.json);
        if !refused {
            self.live[at].insert(name);
        }
    }

    /// The host goes, or comes back.
    fn turn(&mut self) {
        let host = &self.hosts[FLAPPING];
        self.flap = match self.flap {
            Flap::There if self.dice.once_in(2) => {
                host.cut();
                Flap::Cut
            }
            Flap::There => {
                host.kill();
                Flap::Dead
            }
            Flap::Cut => {
                host.heal();
                Flap::There
            }
            Flap::Dead => {
                host.start();
                Flap::There
            }
        };
    }

    /// With all hosts there everything agrees, and what was acknowledged is there.
    fn whole(&mut self, after: &str) {
        if self.flap != Flap::There {
            self.turn();
        }
        let count = agree(self.hosts, &format!("{after} (SEED={})", self.seed));
        assert_eq!(count, self.live.iter().map(BTreeSet::len).sum::<usize>(), "{after} (SEED={})", self.seed);
    }
}

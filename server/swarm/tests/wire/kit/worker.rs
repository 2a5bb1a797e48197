//! Use cases of a member: of a worker, which notes what it hears, and of a manager, which says nothing to itself.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use netloom_control::members::{AskError, Member, Membership};
use netloom_model::facts::Facts;
use netloom_model::member::{Admission, Denied, Heartbeat, HeartbeatAnswer};
use netloom_model::replica::SwarmUpdate;
use netloom_swarm::{Cluster, Options};
use tokio::sync::watch;

use super::{Fake, authority, hello};

/// A worker's use cases.
pub struct Worker {
    pub memberships: watch::Sender<Option<Membership>>,
    pub news: watch::Sender<u64>,
    pub facts: Mutex<Facts>,
    pub heard: Mutex<Vec<HeartbeatAnswer>>,
    pub lost: Mutex<Vec<AskError>>,
    /// What it was told of the swarm's networks.
    pub told: Mutex<Vec<SwarmUpdate>>,
    pub holds: watch::Sender<u64>,
}

impl Worker {
    pub fn new(own: Membership) -> Arc<Self> {
        Arc::new(Self {
            memberships: watch::Sender::new(Some(own)),
            news: watch::Sender::new(0),
            facts: Mutex::default(),
            heard: Mutex::default(),
            lost: Mutex::default(),
            told: Mutex::default(),
            holds: watch::Sender::new(0),
        })
    }

    pub fn start(self: &Arc<Self>, options: Options) -> Cluster {
        crate::forwarded::start(Fake::new(authority()), self.clone(), self.memberships.subscribe(), options)
    }

    pub fn own(&self) -> Membership {
        self.memberships.borrow().clone().unwrap()
    }

    pub fn heard(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    pub fn lost(&self) -> Vec<AskError> {
        self.lost.lock().unwrap().clone()
    }
}

#[async_trait]
impl Member for Worker {
    async fn says(&self) -> Heartbeat {
        let facts = self.facts.lock().unwrap().clone();
        let node = self.own().node;
        Heartbeat {
            hello: hello(node),
            facts: Some(facts),
            subnets: Some(vec!["172.30.0.0/24".parse().expect("a subnet")]),
            attachments: Some(Vec::new()),
            released: Vec::new(),
            segment_fence_seconds: 60,
            ways: None,
        }
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    async fn heard(&self, answer: HeartbeatAnswer) {
        self.heard.lock().unwrap().push(answer);
    }

    async fn lost(&self, error: AskError) {
        self.lost.lock().unwrap().push(error);
    }

    async fn follows(&self, update: SwarmUpdate) -> Result<(), Denied> {
        let revision = update.revision;
        self.told.lock().unwrap().push(update);
        self.holds.send_replace(revision);
        Ok(())
    }

    fn holds(&self) -> watch::Receiver<u64> {
        self.holds.subscribe()
    }

    async fn renewed(&self, admission: Admission, key: String) -> Result<(), Denied> {
        self.memberships.send_modify(|own| {
            let own = own.as_mut().unwrap();
            own.valid = netloom_pki::validity(&admission.certificate).unwrap();
            (own.key, own.certificate) = (key, admission.certificate);
        });
        Ok(())
    }
}

/// The use cases of a host that is no worker: nothing is asked of them.
pub struct Silent;

impl Silent {
    pub fn new() -> Arc<Self> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Member for Silent {
    async fn says(&self) -> Heartbeat {
        panic!("a manager says nothing to itself")
    }
    async fn heard(&self, _: HeartbeatAnswer) {}
    async fn lost(&self, _: AskError) {}
    fn news(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
    async fn follows(&self, _: SwarmUpdate) -> Result<(), Denied> {
        panic!("a manager follows nobody")
    }
    fn holds(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
    async fn renewed(&self, _: Admission, _: String) -> Result<(), Denied> {
        panic!("control renews a manager's certificate")
    }
}

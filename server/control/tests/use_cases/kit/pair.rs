//! Two hosts of a swarm, each with a store of its own.

use std::time::Duration;

use futures_util::StreamExt;
use netloom_control::command::{JoinSwarm, PutSwarm, SwarmPut};
use netloom_control::members::{Manager, Member};
use netloom_control::{Config, Control, Precondition};
use netloom_model::swarm::SwarmSpec;

use super::Kit;
use super::wire::{FROM, peer};

/// A manager and a worker, between which everything is told as by the wire.
pub struct Pair {
    pub manager: Kit,
    pub worker: Kit,
    pub feed: tokio::task::JoinHandle<()>,
}

impl Pair {
    pub async fn new() -> Self {
        Self::with(Config::default).await
    }

    pub async fn with(config: impl Fn() -> Config) -> Self {
        let (manager, worker) = (Kit::with(config()).await, Kit::with(config()).await);
        let made = manager.control.put_swarm(manager.may(PutSwarm(SwarmSpec::default())), Precondition::None).await;
        let SwarmPut::Made(_, token) = made.expect("a swarm") else { panic!("there was one already") };
        let token = token.secret.reveal().to_owned();
        *worker.wire.manager.lock().unwrap() = Some(manager.control.clone());
        let command = JoinSwarm { token, manager: "192.168.122.185:2377".into(), address: None, availability: None };
        worker.control.join_swarm(worker.may(command)).await.expect("joined");
        let feed = follow(&manager.control, &worker.control);
        let pair = Self { manager, worker, feed };
        pair.until(async |pair: &Pair| pair.worker.network("ingress").await.is_ok()).await;
        pair
    }

    /// What the worker says to the manager every few seconds.
    pub async fn heartbeat(&self) {
        let own = self.worker.control.membership().borrow().clone().expect("a member");
        let said = self.worker.control.says().await;
        let answer = self.manager.control.heartbeat(peer(&own), said, FROM).await.expect("heard");
        self.worker.control.heard(answer).await;
    }

    pub async fn until(&self, is_so: impl AsyncFn(&Self) -> bool) {
        for _ in 0..200 {
            if is_so(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it did not come to be so");
    }
}

/// Tells a worker what its manager says, and the manager what the worker holds.
pub fn follow(manager: &Control, worker: &Control) -> tokio::task::JoinHandle<()> {
    let (manager, worker) = (manager.clone(), worker.clone());
    tokio::spawn(async move {
        let own = worker.membership().borrow().clone().expect("a member");
        let mut feed = Manager::feed(&manager, peer(&own)).await.expect("a member in good standing");
        let mut holds = worker.holds();
        loop {
            tokio::select! {
                update = feed.next() => match update {
                    Some(update) => worker.follow(update).await.expect("followed"),
                    None => return,
                },
                _ = holds.changed() => manager.held(&peer(&own), *holds.borrow_and_update()),
            }
        }
    })
}

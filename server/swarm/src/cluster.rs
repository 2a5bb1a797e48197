//! What follows the membership of this host: a listener while it manages a swarm, the loop of a worker while it is one, nothing otherwise.
//! Nothing of that needs a restart.

use std::sync::Arc;

use netloom_control::members::{Manager, Member, Membership};
use netloom_model::swarm::SwarmRole;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::forwarded::Api;
use crate::options::Options;
use crate::{follower, listener, worker};

/// The wire of this host, until it is stopped.
#[derive(Debug)]
pub struct Cluster(JoinHandle<()>);

impl Cluster {
    /// Begins to follow the membership. Needs a runtime.
    pub fn start(
        manager: Arc<dyn Manager>,
        member: Arc<dyn Member>,
        api: Arc<dyn Api>,
        memberships: watch::Receiver<Option<Membership>>,
        options: Options,
    ) -> Self {
        Self(tokio::spawn(follow((manager, api), member, memberships, options)))
    }

    /// Ends it: connections are cut. What control does for a node at that moment goes on.
    pub async fn stop(self) {
        self.0.abort();
        // An error means that it was ended.
        let _ = self.0.await;
    }
}

async fn follow(
    manager: (Arc<dyn Manager>, Arc<dyn Api>),
    member: Arc<dyn Member>,
    mut memberships: watch::Receiver<Option<Membership>>,
    options: Options,
) {
    loop {
        let own = memberships.borrow_and_update().clone();
        match own {
            Some(own) if own.role == SwarmRole::Manager => {
                listener::run(&manager, &mut memberships, own, &options).await;
            }
            Some(own) => {
                let follower = follower::run(&member, memberships.clone(), &options.waits);
                tokio::select! {
                    () = worker::run(&member, &mut memberships, own, &options) => {}
                    () = follower => {}
                }
            }
            None => {
                if memberships.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

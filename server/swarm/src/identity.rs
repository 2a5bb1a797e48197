//! What of a membership the wire begins anew for, when it changes: the rest is for control.

use netloom_control::members::Membership;
use tokio::sync::watch;

/// The membership, if it still is one of the same node, role and swarm.
pub(crate) fn same(now: Option<&Membership>, was: &Membership) -> Option<Membership> {
    now.filter(|now| (now.swarm, now.node, now.role) == (was.swarm, was.node, was.role)).cloned()
}

/// Waits until the membership is another one, or is spoken for with another certificate, or somewhere else.
pub(crate) async fn changed(memberships: &mut watch::Receiver<Option<Membership>>, was: &Membership) {
    let differs = |now: &Option<Membership>| {
        same(now.as_ref(), was).is_none_or(|now| now.certificate != was.certificate || now.manager != was.manager)
    };
    if memberships.wait_for(differs).await.is_err() {
        // Control is gone: the daemon stops, and ends this task.
        std::future::pending::<()>().await;
    }
}

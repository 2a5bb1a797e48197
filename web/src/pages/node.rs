//! `/ui/nodes/{node}`: one node; its availability is changed here, it is let back in and removed.

use actix_web::HttpResponse;
use actix_web::web::Form;
use netloom_control::command::{GetNode, ListEvents, ReadmitNode, RemoveNode, UpdateNode};
use netloom_control::{Error, Precondition};
use netloom_model::order::EventOrder;
use netloom_model::swarm::Node;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{existing, objects_of, swarm};
use crate::form::Sender;
use crate::view::confirm::ConfirmPage;
use crate::view::frame::Section;
use crate::view::link;
use crate::view::node::{NodePage, removal, removal_frame};
use crate::view::refusal::Refusal;
use crate::visit::{Visit, to};

/// How many of its latest events are shown.
const EVENTS: u32 = 20;

/// What the forms of a node's page send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Change {
    /// A word, which the use case knows or refuses.
    availability: Option<String>,
    readmit: Option<String>,
}

/// What the form that removes a node sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Removal {
    force: Option<String>,
    off: Option<String>,
}

/// The node.
pub async fn page(visit: Visit) -> HttpResponse {
    match swarm::not_here(&visit, "Node", Section::Nodes).await {
        Some(page) => page,
        None => visit.show(show).await,
    }
}

/// Changes its availability, or lets it back in.
pub async fn change(sender: Sender, given: Form<Change>) -> HttpResponse {
    let Err(failure) = done(&sender, given.into_inner()).await else {
        return to(&link::node(&sender.segment("node")));
    };
    match show(&sender).await {
        Ok(page) => {
            let refusal = sender.refusal(&failure);
            sender.refuse(&failure, &page.refused(refusal)).await
        }
        Err(_) => sender.fail(&failure).await,
    }
}

/// Asks before it is removed.
pub async fn ask_remove(visit: Visit) -> HttpResponse {
    match swarm::not_here(&visit, "Remove the node", Section::Nodes).await {
        Some(page) => page,
        None => visit.answer(ask(&visit, None).await).await,
    }
}

/// Removes it.
pub async fn remove(sender: Sender, given: Form<Removal>) -> HttpResponse {
    let Err(failure) = removed(&sender, &given).await else { return to("/ui/nodes") };
    match ask(&sender, Some(sender.refusal(&failure))).await {
        Ok(page) => sender.refuse(&failure, &page).await,
        Err(_) => sender.fail(&failure).await,
    }
}

/// The node that the path names.
pub(super) async fn get(visit: &Visit) -> Result<Node, Error> {
    visit.control.get_node(visit.authorize(GetNode(visit.segment("node")))?).await
}

async fn show(visit: &Visit) -> Result<NodePage, Error> {
    let node = get(visit).await?;
    let own = swarm::own(visit).await?.map_or(node.id, |swarm| swarm.status.node);
    let command = ListEvents {
        object: Some(node.id.to_string()),
        limit: Some(EVENTS),
        order: EventOrder::Latest,
        ..ListEvents::default()
    };
    let events = visit.control.list_events(visit.authorize(command)?).await?.items;
    let existing = existing(visit, objects_of(&events)).await?;
    let may_change = visit.may(&UpdateNode { node: node.id.to_string(), patch: Value::Null });
    let frame = visit.frame(&node.status.hostname, Section::Nodes);
    Ok(NodePage::new(frame, &node, own, &events, &existing, may_change))
}

async fn done(visit: &Visit, change: Change) -> Result<(), Error> {
    let node = visit.segment("node");
    if change.readmit.is_some() {
        visit.control.readmit_node(visit.authorize(ReadmitNode(node))?).await?;
    } else if let Some(availability) = change.availability {
        let command = UpdateNode { node, patch: json!({"availability": availability}) };
        visit.control.update_node(visit.authorize(command)?, Precondition::None).await?;
    }
    Ok(())
}

/// Whoever may not remove it is not asked.
async fn ask(visit: &Visit, refusal: Option<Refusal>) -> Result<ConfirmPage, Error> {
    let command = RemoveNode { node: visit.segment("node"), force: false, off: false };
    visit.authorize(command)?;
    let node = get(visit).await?;
    let frame = removal_frame(visit.frame("Remove the node", Section::Nodes), &node);
    let question = removal(&frame, &node);
    Ok(ConfirmPage::new(frame, question, refusal))
}

async fn removed(visit: &Visit, given: &Removal) -> Result<(), Error> {
    let (force, off) = (given.force.is_some(), given.off.is_some());
    let command = RemoveNode { node: visit.segment("node"), force, off };
    visit.control.remove_node(visit.authorize(command)?, Precondition::None).await?;
    Ok(())
}

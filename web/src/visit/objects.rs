//! The objects that a page or a parameter names: whether there is such a one, and how one that was removed ended. What must not live here: what an object is.

use netloom_control::command::{Command, GetNetwork, GetNode, GetSandbox, ListEvents};
use netloom_control::{Authorized, Error};
use netloom_model::event::{KINDS, ObjectKind};
use netloom_model::order::EventOrder;

use super::Visit;
use crate::view::frame::Section;
use crate::view::gone::Gone;

/// How many of the latest events are looked through for the end of an object.
const EVENTS: u32 = 50;
/// The kinds of objects that have a page of their own, by the segment of its path that names them.
pub(crate) const OBJECTS: [ObjectKind; 3] = [ObjectKind::Network, ObjectKind::Sandbox, ObjectKind::Node];

impl Visit {
    /// The object that the path names, of those that have a page.
    pub(super) fn named(&self) -> Option<(ObjectKind, String)> {
        let named = |kind: &ObjectKind| self.request.match_info().get(kind.as_str()).is_some();
        let kind = OBJECTS.into_iter().find(named)?;
        Some((kind, self.segment(kind.as_str())))
    }

    /// The end of an object, by its name or ID and perhaps its kind, where events tell of one; and whether another has its name since.
    pub(crate) async fn gone(&self, kind: Option<ObjectKind>, object: &str) -> Option<Gone> {
        let object = Some(object.to_owned());
        // By the kinds that tell of an end: what else has its name may have had many events since.
        let kinds = KINDS.iter().filter(|kind| Gone::is_told_by(kind)).map(|kind| (*kind).to_owned()).collect();
        let order = EventOrder::Latest;
        let command = ListEvents { object, kinds, limit: Some(EVENTS), order, ..ListEvents::default() };
        let events = self.control.list_events(self.authorize(command).ok()?).await.ok()?.items;
        let kinds = OBJECTS.into_iter().filter(|one| kind.is_none_or(|kind| kind == *one));
        let frame = self.bare_frame("", Section::None);
        let gone = kinds.filter_map(|kind| Gone::new(&frame, kind, &events)).next()?;
        let again = self.is_there(gone.kind(), gone.name()).await;
        Some(gone.again(again))
    }

    /// Whether there is an object of this kind that is called so.
    pub(crate) async fn is_there(&self, kind: ObjectKind, name: &str) -> bool {
        let name = name.to_owned();
        match kind {
            ObjectKind::Network => {
                self.found(GetNetwork(name), async |c| self.control.get_network(c).await.map(drop)).await
            }
            ObjectKind::Sandbox => {
                self.found(GetSandbox(name), async |c| self.control.get_sandbox(c).await.map(drop)).await
            }
            ObjectKind::Node => self.found(GetNode(name), async |c| self.control.get_node(c).await.map(drop)).await,
            _ => false,
        }
    }

    async fn found<C: Command>(&self, command: C, get: impl AsyncFn(Authorized<C>) -> Result<(), Error>) -> bool {
        match self.authorize(command) {
            Ok(command) => get(command).await.is_ok(),
            Err(_) => false,
        }
    }
}

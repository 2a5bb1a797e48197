//! Events: pages of them, and following them as they come. A cursor never skips silently: what is no longer kept is `cursor-expired`.

use std::collections::VecDeque;

use futures_util::stream;
use netloom_model::document::nearest;
use netloom_model::event::{Event, KINDS, is_under};
use netloom_model::{Invalid, StoreId, invalid::Code};
use netloom_store::{EventQuery, Store, events};
use tokio::sync::watch;

use crate::clock::now;
use crate::command::{ListEvents, Page, WatchEvents};
use crate::control::{Control, EventStream};
use crate::error::{Error, ErrorKind};
use crate::page;
use crate::principal::Authorized;
use crate::streams::Open;

/// How many events a stream reads at once.
const BATCH: u32 = 200;

/// Which kinds there are under these words. Refuses a word that no event's kind is under: an empty list would look like peace.
fn kinds_under(words: &[String]) -> Result<Vec<String>, Error> {
    let Some(unknown) = words.iter().find(|of| !KINDS.iter().any(|kind| is_under(kind, of))) else {
        let asked = KINDS.iter().filter(|kind| words.iter().any(|of| is_under(kind, of)));
        return Ok(asked.map(|kind| (*kind).to_owned()).collect());
    };
    let mut words: Vec<&str> = KINDS.iter().flat_map(|kind| [*kind, kind.split('.').next().unwrap_or(kind)]).collect();
    words.sort_unstable();
    words.dedup();
    let all = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let hint = match nearest(&words, unknown) {
        Some(near) => format!("did you mean `{near}`? There are {all}"),
        None => format!("there are {all}"),
    };
    Err(Invalid::new("?kinds", Code::NotFound, unknown, "no event is of this kind").hint(hint).into())
}

/// Events read in one snapshot, with the bounds of what is kept.
struct Read {
    events: Vec<Event>,
    oldest: u64,
    latest: u64,
}

/// Refuses to tell numbers that could be given out again, because the disk does not keep the events that have them. Where it still may, whoever
/// carries the answer waits for it, as for every answer.
fn surely(store: &Store) -> Result<(), Error> {
    store.not_kept().map_or(Ok(()), |error| Err(error.into()))
}

async fn read(store: &Store, query: EventQuery) -> Result<Read, Error> {
    let read = store.read(move |tx| {
        Box::pin(async move {
            let (oldest, latest) = events::bounds(tx).await?;
            let events = events::list(tx, &query).await?;
            Ok::<_, Error>(Read { events, oldest, latest })
        })
    });
    read.await
}

/// Refuses a cursor that points before the oldest event kept, or after the last one there is.
fn kept(after: u64, read: &Read) -> Result<(), Error> {
    let lost = after.saturating_add(1) < read.oldest;
    if !lost && after <= read.latest {
        return Ok(());
    }
    let detail = if lost {
        format!("events up to {} are no longer kept, and the cursor is {after}", read.oldest.saturating_sub(1))
    } else {
        format!("the cursor is {after}, and the last event is {}: it belongs to another history", read.latest)
    };
    Err(expired(detail, read.oldest))
}

fn expired(detail: String, oldest: u64) -> Error {
    Error::new(ErrorKind::Gone, "cursor-expired", detail)
        .fact("oldest", oldest)
        .hint("list the objects again, then go on from the `seq` of that list")
}

/// The number in a cursor: `<store>:<seq>`, or a bare number.
fn cursor(pointer: &str, text: &str, store: StoreId) -> Result<u64, Error> {
    let (of, seq) = text.rsplit_once(':').map_or((None, text), |(of, seq)| (Some(of), seq));
    let refused = || {
        let message = "a cursor is an event's `id`, or its number";
        Invalid::new(pointer, Code::Format, text, message).hint(format!("for example {store}:1"))
    };
    let seq: u64 = seq.parse().map_err(|_| refused())?;
    match of {
        None => Ok(seq),
        Some(of) => {
            let of: StoreId = of.parse().map_err(|_| refused())?;
            if of == store { Ok(seq) } else { Err(expired(format!("the cursor belongs to another store, {of}"), 0)) }
        }
    }
}

impl Control {
    /// Lists events by number. `next_page_token` of the page is the ID to pass as `since`, or of the latest first as `before`.
    ///
    /// # Errors
    /// A bad limit or cursor; `cursor-expired`.
    pub async fn list_events(&self, c: Authorized<ListEvents>) -> Result<Page<Event>, Error> {
        let (c, _) = c.into_parts();
        let limit = page::limit(c.limit)?;
        let store = &self.inner.store;
        let at =
            |pointer, text: &Option<String>| text.as_deref().map(|text| cursor(pointer, text, store.id())).transpose();
        let since = at("?since", &c.since)?;
        let query = EventQuery {
            after: since.unwrap_or(0),
            before: at("?page_token", &c.before)?,
            kinds: kinds_under(&c.kinds)?,
            object: c.object,
            actor: c.actor,
            request_id: c.request_id,
            from: c.from.map(|from| from.at(now())),
            until: c.until,
            order: c.order,
            limit: limit + 1,
        };
        let mut read = read(store, query).await?;
        if let Some(since) = since {
            kept(since, &read)?;
        }
        surely(store)?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = read.events.len() > most;
        read.events.truncate(most);
        let next_page_token = read.events.last().filter(|_| more).map(|event| event.id.clone());
        Ok(Page { items: read.events, next_page_token, seq: read.latest })
    }

    /// Where events are now: whoever reads the store after this and then follows from here misses none.
    pub fn cursor(&self) -> String {
        let store = &self.inner.store;
        format!("{}:{}", store.id(), *store.committed().borrow())
    }

    /// Follows events as they come.
    ///
    /// # Errors
    /// A bad cursor; `cursor-expired`, at the start or when the reader falls behind what is kept; `too-many-streams`.
    pub async fn watch_events(&self, c: Authorized<WatchEvents>) -> Result<EventStream, Error> {
        let (c, context) = c.into_parts();
        let open = self.inner.streams.open(context.principal.token)?;
        let store = self.inner.store.clone();
        let filter = EventQuery { kinds: kinds_under(&c.kinds)?, object: c.object, ..EventQuery::default() };
        // Listening starts before the first look, so that nothing falls between the two.
        let committed = store.committed();
        let first = read(&store, EventQuery { after: u64::MAX >> 1, limit: 1, ..EventQuery::default() }).await?;
        let after = match &c.since {
            None => first.latest,
            Some(text) => {
                let after = cursor("?since", text, store.id())?;
                kept(after, &first)?;
                after
            }
        };
        let follower = Follower { _open: open, store, committed, filter, after, ready: VecDeque::new() };
        Ok(Box::pin(stream::try_unfold(follower, Follower::next)))
    }
}

/// A reader of events, somewhere in the sequence.
struct Follower {
    /// As long as it reads, its stream is open.
    _open: Open,
    store: Store,
    committed: watch::Receiver<u64>,
    filter: EventQuery,
    /// Number of the last event that was looked at, whether or not the filter let it through.
    after: u64,
    ready: VecDeque<Event>,
}

impl Follower {
    async fn next(mut self) -> Result<Option<(Event, Self)>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some((event, self)));
            }
            self.committed.mark_unchanged();
            let query = EventQuery { after: self.after, limit: BATCH, ..self.filter.clone() };
            let read = read(&self.store, query).await?;
            kept(self.after, &read)?;
            // A number that a loss of power took back would be given to another event, which this reader would miss.
            self.store.durable().await?;
            let full = u32::try_from(read.events.len()).is_ok_and(|count| count == BATCH);
            self.after = match read.events.last() {
                Some(last) if full => last.seq,
                _ => read.latest,
            };
            self.ready.extend(read.events);
            // The writer is gone: no event will ever come.
            if self.ready.is_empty() && self.committed.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_and_those_of_other_stores_have_expired() {
        let (ours, theirs) = (StoreId::from_random([1; 16]), StoreId::from_random([2; 16]));
        assert_eq!(cursor("?since", "17", ours).expect("a number"), 17);
        assert_eq!(cursor("?since", &format!("{ours}:17"), ours).expect("ours"), 17);
        assert_eq!(cursor("?since", &format!("{theirs}:17"), ours).expect_err("theirs").code, "cursor-expired");
        for text in ["", "x", "-1", "sto_x:1", &format!("{ours}:")] {
            assert_eq!(cursor("?since", text, ours).expect_err("nonsense").kind, ErrorKind::Invalid, "{text}");
        }
    }

    #[test]
    fn cursors_outside_what_is_kept_are_refused() {
        let read = Read { events: Vec::new(), oldest: 10, latest: 20 };
        assert!(kept(9, &read).is_ok());
        assert!(kept(20, &read).is_ok());
        assert_eq!(kept(8, &read).expect_err("lost").facts["oldest"], "10");
        assert!(kept(21, &read).is_err());
    }
}

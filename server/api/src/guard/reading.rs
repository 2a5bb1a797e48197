//! The time that a client has for its body. Without one, whoever sends a head and then nothing would hold a connection
//! for ever, and needs no token for it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::Sleep;

/// How long a client may take to send a body, from the head on.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(10);

/// How long a body that was not read to its end is kept, see [`Reading::keep_rest`]: longer than an answer takes.
const KEPT: Duration = Duration::from_secs(5);

/// A request's body while the request is answered.
#[derive(Clone, Default)]
pub(crate) struct Reading {
    body: Rc<RefCell<Option<Payload>>>,
    late: Rc<Cell<bool>>,
}

impl Reading {
    /// Puts a bound on the body of a request; whoever reads it gets an error when the time is over.
    pub(crate) fn bound(request: &mut ServiceRequest) -> Self {
        let reading = Self::default();
        let body = request.take_payload();
        if !matches!(body, Payload::None) {
            *reading.body.borrow_mut() = Some(body);
            let until = Box::pin(tokio::time::sleep(BODY_WAIT));
            let bounded: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Bounded { reading: reading.clone(), until });
            request.set_payload(Payload::Stream { payload: bounded });
        }
        reading
    }

    /// Whether somebody waited for the body until the time was over.
    pub(crate) fn late(&self) -> bool {
        self.late.get()
    }

    /// Keeps a body that has not come to its end until the answer is out. The HTTP layer waits without a bound for the
    /// rest of a chunked body that was given up, and closes the connection after the answer when it was not.
    pub(crate) fn keep_rest(self) {
        let Some(mut body) = self.body.borrow_mut().take() else { return };
        loop {
            match body.next().now_or_never() {
                Some(Some(Ok(_))) => {}
                Some(_) => return,
                None => break,
            }
        }
        actix_web::rt::spawn(async move {
            tokio::time::sleep(KEPT).await;
            drop(body);
        });
    }
}

/// The body as the readers see it.
struct Bounded {
    reading: Reading,
    until: Pin<Box<Sleep>>,
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The time first: a client that sends byte after byte always has something to read.
        if self.until.as_mut().poll(context).is_ready() {
            self.reading.late.set(true);
            return Poll::Ready(Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))));
        }
        match self.reading.body.borrow_mut().as_mut() {
            Some(body) => body.poll_next_unpin(context),
            None => Poll::Ready(None),
        }
    }
}

//! Namespace IDs: small numbers by which one namespace names another.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};

use crate::error::Failure;
use crate::rtnl::{Request, Rtnl};

/// The ID that the socket's namespace has for the one behind `namespace`.
pub(crate) fn get(rtnl: &mut Rtnl, namespace: impl AsFd) -> Result<Option<i32>, Failure> {
    let answer = rtnl.ask(RouteNetlinkMessage::GetNsId(message(&namespace, None)))?;
    let RouteNetlinkMessage::NewNsId(answer) = answer else { return Ok(None) };
    Ok(id(&answer))
}

/// The ID that a message is about.
pub(crate) fn id(message: &NsidMessage) -> Option<i32> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NsidAttribute::Id(id) if *id >= 0 => Some(*id),
        _ => None,
    })
}

/// As [`get`], and gives one first where there is none.
pub(crate) fn ensure(rtnl: &mut Rtnl, namespace: impl AsFd) -> Result<i32, Failure> {
    if let Some(id) = get(rtnl, &namespace)? {
        return Ok(id);
    }
    // -1: any free one. Somebody else may have been first; then asking again gives theirs.
    let made = rtnl
        .execute_one(Request { message: RouteNetlinkMessage::NewNsId(message(&namespace, Some(-1))), flags: 0 })
        .err();
    match get(rtnl, &namespace)? {
        Some(id) => Ok(id),
        None => Err(made.unwrap_or(Failure { errno: libc::ENOENT, text: None })),
    }
}

/// The IDs that the socket's namespace has for others.
pub(crate) fn dump(rtnl: &mut Rtnl) -> Result<Vec<i32>, Failure> {
    let answer = rtnl.dump(&RouteNetlinkMessage::GetNsId(NsidMessage::default()))?;
    let id = |message: &RouteNetlinkMessage| match message {
        RouteNetlinkMessage::NewNsId(message) => id(message),
        _ => None,
    };
    Ok(answer.iter().filter_map(id).collect())
}

fn message(namespace: &impl AsFd, id: Option<i32>) -> NsidMessage {
    let mut message = NsidMessage::default();
    message.attributes = vec![NsidAttribute::Fd(namespace.as_fd().as_raw_fd().cast_unsigned())];
    message.attributes.extend(id.map(NsidAttribute::Id));
    message
}

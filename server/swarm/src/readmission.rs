//! A node whose certificate is out of date asks for a new one, with a signature by its old key. It gets one when an operator said so.

use netloom_control::members::{AskError, Member, Membership};
use netloom_model::member::{Admission, ReadmitRequest};

use crate::client::{checked, unusable};
use crate::link::Link;
use crate::options::Waits;
use crate::tls;

/// Asks once, and keeps what it gets.
///
/// # Errors
/// As the manager denies; when it can't be asked.
pub(crate) async fn ask(member: &dyn Member, own: &Membership, waits: &Waits) -> Result<(), AskError> {
    let broken = |error: netloom_pki::Error| AskError::Unreachable { manager: own.manager, reason: error.to_string() };
    let made = netloom_pki::request().map_err(broken)?;
    let signature = netloom_pki::sign(&own.key, made.csr.as_bytes()).map_err(broken)?;
    let request = ReadmitRequest {
        certificate: own.certificate.clone(),
        csr: made.csr,
        signature: data_encoding::BASE64.encode(&signature),
        hello: member.says().await.hello,
    };
    let config = tls::former_member(own).map_err(|error| unusable(own.manager, &error))?;
    let mut link = Link::open(own.manager, config, waits).await?;
    let admission: Admission = link.ask("readmit", &request).await?;
    checked(own.manager, &admission, &request.csr, |node| node == own.node)?;
    Ok(member.renewed(admission, made.key).await?)
}

//! What a certificate says of a node, and whether an authority issued it. Whether it is good *now* is the asker's to say: here is no clock.

use netloom_model::Timestamp;
use netloom_model::member::Peer;
use netloom_model::swarm::SwarmRole;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::AttributeTypeAndValue;

use crate::error::Error;

/// Whom a certificate, PEM, names.
///
/// # Errors
/// When it can't be read, or names no node.
pub fn read(pem: &str) -> Result<Peer, Error> {
    read_der(&der(pem)?)
}

/// Whom a certificate, DER, names.
///
/// # Errors
/// As [`read`].
pub fn read_der(der: &[u8]) -> Result<Peer, Error> {
    let certificate = parse(der)?;
    let subject = certificate.subject();
    let node = one("common name", subject.iter_common_name())?;
    let role = one("organisational unit", subject.iter_organizational_unit())?;
    let swarm = one("organisation", subject.iter_organization())?;
    let (begins_at, expires_at) = times(&certificate);
    Ok(Peer {
        node: node.parse().map_err(|error| Error::Subject(format!("{error}")))?,
        role: [SwarmRole::Manager, SwarmRole::Worker]
            .into_iter()
            .find(|known| known.as_str() == role)
            .ok_or_else(|| Error::Subject(format!("`{role}` is not a role")))?,
        swarm: swarm.parse().map_err(|error| Error::Subject(format!("{error}")))?,
        fingerprint: data_encoding::HEXLOWER.encode(&Sha256::digest(der)),
        begins_at,
        expires_at,
    })
}

/// From when to when a certificate, PEM, is good.
///
/// # Errors
/// When it can't be read.
pub fn validity(pem: &str) -> Result<(Timestamp, Timestamp), Error> {
    let der = der(pem)?;
    Ok(times(&parse(&der)?))
}

/// Checks that an authority (PEM) issued a node's certificate (PEM), good now or not.
///
/// # Errors
/// When it didn't, or one can't be read.
pub fn issued_by(certificate: &str, authority: &str) -> Result<(), Error> {
    let (leaf, ca) = (der(certificate)?, der(authority)?);
    let (leaf, ca) = (parse(&leaf)?, parse(&ca)?);
    if !ca.is_ca() || leaf.is_ca() || leaf.issuer().as_raw() != ca.subject().as_raw() {
        return Err(Error::Issuer);
    }
    leaf.verify_signature(Some(ca.public_key())).map_err(|_| Error::Issuer)
}

/// Whether a certificate (PEM) is for the key of a signing request (PEM).
pub fn is_for(certificate: &str, csr: &str) -> bool {
    let Ok(der) = der(certificate) else { return false };
    let Ok(certificate) = parse(&der) else { return false };
    let Some(Ok(csr)) = x509_parser::pem::Pem::iter_from_buffer(csr.as_bytes()).next() else { return false };
    let Ok((_, csr)) = X509CertificationRequest::from_der(&csr.contents) else { return false };
    certificate.public_key().raw == csr.certification_request_info.subject_pki.raw
}

/// The bytes of the one certificate in a PEM text.
///
/// # Errors
/// When there is none, more than one, or something else.
pub fn der(pem: &str) -> Result<Vec<u8>, Error> {
    let unreadable = |reason: &str| Error::unreadable("the certificate", reason);
    let mut blocks = x509_parser::pem::Pem::iter_from_buffer(pem.as_bytes());
    let Some(Ok(block)) = blocks.next() else { return Err(unreadable("it is not PEM")) };
    if block.label != "CERTIFICATE" {
        return Err(unreadable("it is something else"));
    }
    match blocks.next() {
        None => Ok(block.contents),
        Some(_) => Err(unreadable("there is more than one")),
    }
}

pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Error> {
    let unreadable = |reason: &dyn ToString| Error::unreadable("the certificate", reason.to_string());
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(unreadable(&"something follows it")),
        Err(error) => Err(unreadable(&error)),
    }
}

fn times(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
    (at(validity.not_before.timestamp()), at(validity.not_after.timestamp()))
}

fn one<'a>(what: &str, mut values: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> Result<&'a str, Error> {
    match (values.next(), values.next()) {
        (Some(value), None) => {
            value.as_str().map_err(|_| Error::Subject(format!("its subject's {what} is not a text")))
        }
        _ => Err(Error::Subject(format!("its subject has not one {what}"))),
    }
}

#[cfg(test)]
mod tests;

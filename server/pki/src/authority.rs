//! A swarm's certificate authority: made once with the swarm, it signs the certificates of the nodes.

use std::fmt;

use netloom_model::swarm::SwarmRole;
use netloom_model::{NodeId, SwarmId, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _,
    SerialNumber,
};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::certificate;
use crate::error::Error;

/// How long an authority is good for: 20 years, Docker's.
const YEARS_MILLIS: i64 = 20 * 365 * 24 * 3_600_000;

/// How far before its making an authority is good: clocks of nodes differ.
const SKEW_MILLIS: i64 = 3_600_000;

/// Common name of an authority's certificate.
const COMMON_NAME: &str = "netloom-ca";

/// Bytes of a point of the curve P-256, uncompressed.
const POINT_BYTES: usize = 65;

/// A certificate authority: its certificate and its private key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    /// The certificate, for everybody.
    pub certificate: String,
    /// The private key, for the manager's store alone.
    pub key: String,
}

/// The key is in no log.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Whom a certificate is issued to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The node: common name.
    pub node: NodeId,
    /// Its role: organisational unit.
    pub role: SwarmRole,
    /// The swarm: organisation.
    pub swarm: SwarmId,
}

impl Authority {
    /// Makes the authority of a new swarm, good from an hour before `now` for 20 years.
    ///
    /// # Errors
    /// When the system has no random numbers, or `now` is beyond the calendar.
    pub fn make(swarm: SwarmId, now: Timestamp) -> Result<Self, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(now.plus_millis(-SKEW_MILLIS), now.plus_millis(YEARS_MILLIS))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
        params.distinguished_name.push(DnType::OrganizationName, swarm.to_string());
        Ok(Self { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
    }

    /// The authority of these two texts, as they were kept.
    ///
    /// # Errors
    /// When one can't be read, or they don't belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, Error> {
        let authority = Self { certificate: certificate.to_owned(), key: key.to_owned() };
        let pair = authority.pair()?;
        let der = certificate::der(certificate)?;
        let parsed = certificate::parse(&der)?;
        if parsed.public_key().subject_public_key.data.as_ref() != pair.public_key_raw() {
            return Err(Error::KeyMismatch);
        }
        Ok(authority)
    }

    /// Issues a certificate for the key of a signing request, PEM. Nothing else in the request counts: it may ask for what it will.
    ///
    /// # Errors
    /// When the request can't be read, is not signed by its own key, or its key is of another kind; when the times are no validity.
    pub fn issue(&self, csr: &str, subject: &Subject, from: Timestamp, to: Timestamp) -> Result<String, Error> {
        let request = CertificateSigningRequestParams::from_pem(csr).map_err(|error| match error {
            rcgen::Error::InvalidCertificationRequestSignature => Error::Signature("the signing request"),
            other => Error::unreadable("the signing request", other),
        })?;
        let (key, raw) = (&request.public_key, request.public_key.der_bytes());
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 || raw.len() != POINT_BYTES {
            return Err(Error::KeyKind);
        }
        let mut params = params(from, to)?;
        params.subject_alt_names = CertificateParams::new([crate::SERVER_NAME.to_owned()])?.subject_alt_names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial(raw, from));
        params.distinguished_name.push(DnType::CommonName, subject.node.to_string());
        params.distinguished_name.push(DnType::OrganizationalUnitName, subject.role.as_str());
        params.distinguished_name.push(DnType::OrganizationName, subject.swarm.to_string());
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, self.pair()?)
            .map_err(|error| Error::unreadable("the authority's certificate", error))?;
        Ok(params.signed_by(key, &issuer)?.pem())
    }

    fn pair(&self) -> Result<KeyPair, Error> {
        KeyPair::from_pem(&self.key).map_err(|error| Error::unreadable("the authority's private key", error))
    }
}

fn params(from: Timestamp, to: Timestamp) -> Result<CertificateParams, Error> {
    let date = |at: Timestamp| OffsetDateTime::from_unix_timestamp(at.millis().div_euclid(1000)).ok();
    let (Some(begin), Some(end)) = (date(from), date(to)) else { return Err(Error::Validity(from, to)) };
    // X.509 has no other years.
    if begin >= end || begin.year() < 1950 || end.year() > 9999 {
        return Err(Error::Validity(from, to));
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = begin;
    params.not_after = end;
    Ok(params)
}

/// A serial number that no other certificate of the authority has: of the key and the beginning.
fn serial(key: &[u8], from: Timestamp) -> SerialNumber {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(from.millis().to_be_bytes());
    let mut bytes = hash.finalize()[..16].to_vec();
    // Positive, and of one length (RFC 5280, section 4.1.2.2).
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::from(bytes)
}

#[cfg(test)]
mod tests;

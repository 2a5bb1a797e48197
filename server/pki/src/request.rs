//! A node's new key with its signing request, and signatures by such keys.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey as _};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use crate::certificate;
use crate::error::Error;

/// A new key, and the request to certify it.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The private key, PEM: it leaves the node never.
    pub key: String,
    /// The certificate signing request, PEM.
    pub csr: String,
}

/// The key is in no log.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("csr", &self.csr).finish_non_exhaustive()
    }
}

/// Makes a new key, and a request to certify it. It names nobody: whom a certificate names is the authority's to say.
///
/// # Errors
/// When the system has no random numbers.
pub fn request() -> Result<Request, Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    Ok(Request { csr: params.serialize_request(&key)?.pem()?, key: key.serialize_pem() })
}

/// A signature by a private key (PEM) over some bytes.
///
/// # Errors
/// When the key can't be read.
pub fn sign(key: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let key = KeyPair::from_pem(key).map_err(|error| Error::unreadable("the private key", error))?;
    Ok(key.sign(bytes)?)
}

/// Checks a signature over some bytes by the key of a certificate (PEM).
///
/// # Errors
/// When it is not that key's, or the certificate can't be read.
pub fn verify(certificate: &str, bytes: &[u8], signature: &[u8]) -> Result<(), Error> {
    let der = certificate::der(certificate)?;
    let certificate = certificate::parse(&der)?;
    let key = certificate.public_key().subject_public_key.data.as_ref();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
        .verify(bytes, signature)
        .map_err(|_| Error::Signature("the request"))
}

#[cfg(test)]
mod tests {
    use netloom_model::swarm::SwarmRole;
    use netloom_model::{NodeId, SwarmId, Timestamp};

    use super::*;
    use crate::{Authority, Subject};

    #[test]
    fn only_the_certificates_own_key_signs_for_it() {
        let (swarm, now) = (SwarmId::from_random([1; 16]), Timestamp::from_millis(1_769_860_800_000));
        let authority = Authority::make(swarm, now).unwrap();
        let (own, other) = (request().unwrap(), request().unwrap());
        let subject = Subject { node: NodeId::from_random([2; 16]), role: SwarmRole::Worker, swarm };
        let certificate = authority.issue(&own.csr, &subject, now, now.plus_millis(3_600_000)).unwrap();
        let signature = sign(&own.key, b"let me in").unwrap();
        assert_eq!(verify(&certificate, b"let me in", &signature), Ok(()));
        for (bytes, signature) in [
            (&b"let me out"[..], signature.clone()),
            (b"let me in", sign(&other.key, b"let me in").unwrap()),
            (b"let me in", Vec::new()),
        ] {
            assert_eq!(verify(&certificate, bytes, &signature), Err(Error::Signature("the request")));
        }
        assert!(sign("no key", b"").is_err());
    }

    #[test]
    fn two_requests_have_two_keys() {
        let (one, two) = (request().unwrap(), request().unwrap());
        assert_ne!(one.key, two.key);
        assert_ne!(one.csr, two.csr);
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }
}

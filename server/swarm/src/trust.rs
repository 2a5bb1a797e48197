//! Whom a node takes for its manager: checked within the handshake, before it says anything.

use std::sync::Arc;

use netloom_model::SwarmId;
use netloom_model::swarm::SwarmRole;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

/// What the manager is known by.
#[derive(Debug, Clone)]
pub(crate) enum Anchor {
    /// Its authority's certificate has this digest, as the join token says.
    Digest(String),
    /// Its authority is this one, and the swarm this.
    Authority(CertificateDer<'static>, SwarmId),
}

/// What is wrong with the other side, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

/// Checks the manager's certificate.
#[derive(Debug)]
pub(crate) struct Trust {
    anchor: Anchor,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    pub(crate) fn new(anchor: Anchor, provider: Arc<CryptoProvider>) -> Self {
        Self { anchor, provider }
    }

    fn authority<'a>(&'a self, sent: &'a [CertificateDer<'a>]) -> Result<&'a CertificateDer<'a>, Error> {
        match &self.anchor {
            Anchor::Authority(authority, _) => Ok(authority),
            Anchor::Digest(digest) => sent
                .iter()
                .find(|certificate| netloom_pki::digest_der(certificate) == *digest)
                .ok_or_else(|| refused("its certificate authority is not the one that the join token is of")),
        }
    }
}

fn refused(why: &'static str) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refused(why)))))
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority(intermediates)?.clone().into_owned())?;
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|_| refused("its certificate authority's certificate can't be used"))?;
        let verified = chain.verify_server_cert(end_entity, &[], server_name, &[], now)?;
        // All nodes' certificates are of one authority and for one name: the role tells the manager from a node that plays it.
        let peer = netloom_pki::read_der(end_entity).map_err(|_| refused("its certificate does not name a node"))?;
        if peer.role != SwarmRole::Manager {
            return Err(refused("it is a worker of the swarm, not a manager"));
        }
        match &self.anchor {
            Anchor::Authority(_, swarm) if *swarm != peer.swarm => Err(refused("it is of another swarm")),
            _ => Ok(verified),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

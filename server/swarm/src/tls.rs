//! The two ends of TLS: version 1.3 alone, with ring, without resumption, which would outlive a certificate.

use std::sync::{Arc, LazyLock};

use netloom_control::members::Membership;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::trust::{Anchor, Trust};

/// What is spoken within.
const ALPN: &[u8] = b"http/1.1";

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// Key, certificate or authority of a membership can't be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the certificate or the key of this node can't be used: {0}")]
pub(crate) struct Unusable(String);

fn unusable(error: impl ToString) -> Unusable {
    Unusable(error.to_string())
}

/// The name that every node's certificate is for.
pub(crate) fn server_name() -> ServerName<'static> {
    ServerName::try_from(netloom_pki::SERVER_NAME).expect("the fixed name is a DNS name")
}

fn certificate(pem: &str) -> Result<CertificateDer<'static>, Unusable> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(unusable)
}

/// The node's certificate with its authority's, and the key.
fn identity(own: &Membership) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Unusable> {
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).map_err(unusable)?;
    Ok((vec![certificate(&own.certificate)?, certificate(&own.ca)?], key))
}

/// A manager's end. A client may come without a certificate, but not with one of another authority.
pub(crate) fn server(own: &Membership) -> Result<Arc<ServerConfig>, Unusable> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&own.ca)?).map_err(unusable)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), PROVIDER.clone())
        .allow_unauthenticated()
        .build()
        .map_err(unusable)?;
    let (chain, key) = identity(own)?;
    let mut config = ServerConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// A member's end, with its certificate.
pub(crate) fn member(own: &Membership) -> Result<Arc<ClientConfig>, Unusable> {
    let (chain, key) = identity(own)?;
    let end = client(anchor(own)?)?.with_client_auth_cert(chain, key).map_err(unusable)?;
    Ok(finished(end))
}

/// The end of a node whose certificate is out of date: it knows its manager, and shows nothing.
pub(crate) fn former_member(own: &Membership) -> Result<Arc<ClientConfig>, Unusable> {
    Ok(finished(client(anchor(own)?)?.with_no_client_auth()))
}

/// The end of a node that wants to join a manager whose authority has this digest.
pub(crate) fn joiner(digest: &str) -> Result<Arc<ClientConfig>, Unusable> {
    Ok(finished(client(Anchor::Digest(digest.to_owned()))?.with_no_client_auth()))
}

fn anchor(own: &Membership) -> Result<Anchor, Unusable> {
    Ok(Anchor::Authority(certificate(&own.ca)?, own.swarm))
}

fn client(anchor: Anchor) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, Unusable> {
    let trust = Trust::new(anchor, PROVIDER.clone());
    let builder = ClientConfig::builder_with_provider(PROVIDER.clone()).with_protocol_versions(&[&TLS13]);
    Ok(builder.map_err(unusable)?.dangerous().with_custom_certificate_verifier(Arc::new(trust)))
}

fn finished(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

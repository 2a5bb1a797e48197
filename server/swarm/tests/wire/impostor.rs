//! Somebody else at the manager's address: the secret is never said, whatever is shown. What an impostor got to read is looked at.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netloom_control::members::{AskError, Wire as _};
use netloom_model::swarm::SwarmRole;
use netloom_pki::Authority;
use netloom_swarm::Client;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::kit::{HOUR, SECRET, authority, issue, join_request, node, swarm};

/// A certificate and its key, PEM.
struct Shown {
    leaf: String,
    key: String,
    /// The authority's certificate that it sends along.
    ca: String,
}

/// What an impostor got to read: bytes as they came, and what it decrypted of them.
#[derive(Default)]
struct Read {
    raw: Mutex<Vec<u8>>,
    decrypted: Mutex<Vec<u8>>,
}

/// Shows this to whoever comes, and reads all that is said.
async fn impostor(shown: Shown) -> (SocketAddr, Arc<Read>) {
    let chain = [&shown.leaf, &shown.ca].map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
    let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.to_vec(), key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, read) = (listener.local_addr().unwrap(), Arc::new(Read::default()));
    let noted = read.clone();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut tls) = acceptor.accept(stream).await {
                let mut all = Vec::new();
                let _ = tokio::time::timeout(Duration::from_secs(1), tls.read_to_end(&mut all)).await;
                noted.decrypted.lock().unwrap().extend(all);
            }
        }
    });
    (at, read)
}

fn good(authority: &Authority, role: SwarmRole, millis: i64) -> Shown {
    let made = netloom_pki::request().unwrap();
    let leaf = issue(authority, &made.csr, node(9), role, millis);
    Shown { leaf, key: made.key, ca: authority.certificate.clone() }
}

/// A certificate of the authority's for another name.
fn of_another_name(authority: &Authority) -> Shown {
    let mut params = CertificateParams::new(["another-name".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, node(9).to_string());
    params.distinguished_name.push(DnType::OrganizationalUnitName, "manager");
    params.distinguished_name.push(DnType::OrganizationName, swarm().to_string());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key).unwrap()).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap().pem();
    Shown { leaf, key: key.serialize_pem(), ca: authority.certificate.clone() }
}

async fn join(at: SocketAddr, authority: &Authority) -> AskError {
    let digest = netloom_pki::digest(&authority.certificate).unwrap();
    let refused = Client::default().join(at, &digest, join_request(node(2)).0).await;
    // What was said in spite of all would have arrived by then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    refused.unwrap_err()
}

#[tokio::test]
async fn the_kit_reads_what_is_said_to_it() {
    let ours = authority();
    let (at, read) = impostor(good(&ours, SwarmRole::Manager, HOUR)).await;
    let digest = netloom_pki::digest(&ours.certificate).unwrap();
    let asking = tokio::spawn(async move { Client::default().join(at, &digest, join_request(node(2)).0).await });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    asking.abort();
    let decrypted = String::from_utf8_lossy(&read.decrypted.lock().unwrap()).into_owned();
    assert!(decrypted.contains(SECRET), "a good manager is told the secret: {decrypted:?}");
}

#[tokio::test]
async fn the_secret_is_never_said_to_an_impostor() {
    let (ours, theirs) = (authority(), authority());
    let mut with_our_ca = good(&theirs, SwarmRole::Manager, HOUR);
    with_our_ca.ca.clone_from(&ours.certificate);
    for (what, shown, word) in [
        ("another authority", good(&theirs, SwarmRole::Manager, HOUR), "authority"),
        ("our authority's certificate beside another's leaf", with_our_ca, "authority"),
        ("a worker of the swarm", good(&ours, SwarmRole::Worker, HOUR), "worker"),
        ("another name", of_another_name(&ours), "name"),
    ] {
        let (at, read) = impostor(shown).await;
        let error = join(at, &ours).await;
        assert!(
            matches!(&error, AskError::Impostor { manager, reason } if *manager == at && reason.contains(word)),
            "{what}: {error:?}"
        );
        assert_eq!(*read.decrypted.lock().unwrap(), Vec::<u8>::new(), "{what}");
    }
}

#[tokio::test]
async fn a_manager_out_of_date_is_told_nothing_either() {
    let ours = authority();
    let (at, read) = impostor(good(&ours, SwarmRole::Manager, -60_000)).await;
    let error = join(at, &ours).await;
    assert!(matches!(&error, AskError::Unreachable { reason, .. } if reason.contains("clock")), "{error:?}");
    assert!(read.decrypted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_said_in_the_clear_to_a_server_without_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, read) = (listener.local_addr().unwrap(), Arc::new(Read::default()));
    let noted = read.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).await.unwrap();
        noted.raw.lock().unwrap().extend(&bytes[..count]);
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = join(at, &authority()).await;
    assert!(matches!(&error, AskError::Impostor { reason, .. } if reason.contains("2377")), "{error:?}");
    let raw = read.raw.lock().unwrap().clone();
    assert!(!raw.is_empty() && !String::from_utf8_lossy(&raw).contains(SECRET));
}

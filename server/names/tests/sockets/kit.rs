//! A resolver that serves one sandbox, a client, and upstreams that say what a test wants.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use netloom_model::{NetworkId, SandboxId};
use netloom_names::{Directory, Entry, Options, Resolver, View};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn net(number: u8) -> NetworkId {
    NetworkId::from_random([number; 16])
}

pub(crate) fn sbx(number: u8) -> SandboxId {
    SandboxId::from_random([number; 16])
}

pub(crate) fn entry(network: u8, names: &[&str], addresses: &[&str]) -> Entry {
    Entry {
        network: net(network),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    }
}

pub(crate) fn view(networks: &[u8], subnets: &[&str]) -> View {
    View {
        networks: networks.iter().map(|number| net(*number)).collect(),
        subnets: subnets.iter().map(|subnet| subnet.parse().unwrap()).collect(),
        internal: false,
    }
}

/// Short enough for a test, long enough for a busy machine.
pub(crate) fn options() -> Options {
    Options { upstream_timeout: Duration::from_millis(600), ..Options::default() }
}

/// Both sockets on one port, as a sandbox has them.
pub(crate) fn sockets() -> (std::net::UdpSocket, std::net::TcpListener, SocketAddr) {
    for _ in 0..100 {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        // Another test may have the port for UDP.
        if let Ok(udp) = std::net::UdpSocket::bind(address) {
            return (udp, tcp, address);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// A resolver with sandbox 1 on network 1 (172.18.0.0/16), and where it answers.
pub(crate) struct Served {
    pub(crate) directory: Directory,
    pub(crate) resolver: Resolver,
    pub(crate) at: SocketAddr,
}

impl Served {
    pub(crate) fn start(upstreams: &[SocketAddr], options: Options) -> Self {
        let directory = Directory::default();
        let resolver = Resolver::start(directory.clone(), upstreams.to_vec(), options).unwrap();
        let (udp, tcp, at) = sockets();
        resolver.serve(sbx(1), view(&[1], &["172.18.0.0/16"]), udp, tcp).unwrap();
        Self { directory, resolver, at }
    }

    pub(crate) async fn ask(&self, name: &str, kind: RecordType) -> Message {
        ask(self.at, &question(name, kind)).await
    }

    /// Asks for addresses over UDP.
    pub(crate) async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.ask(name, RecordType::A).await.answers.iter().filter_map(|record| record.data.ip_addr()).collect()
    }
}

pub(crate) fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

/// Sends bytes as one datagram and waits for one.
pub(crate) async fn exchange(server: SocketAddr, wire: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    socket.send(wire).await.unwrap();
    let mut answer = vec![0; 65_535];
    let length = timeout(PATIENCE, socket.recv(&mut answer)).await.expect("an answer in time").unwrap();
    answer.truncate(length);
    answer
}

pub(crate) async fn ask(server: SocketAddr, message: &Message) -> Message {
    let answer = Message::from_vec(&exchange(server, &message.to_vec().unwrap()).await).unwrap();
    assert_eq!(answer.id, message.id);
    assert_eq!(answer.queries, message.queries);
    answer
}

pub(crate) async fn send_tcp(stream: &mut TcpStream, wire: &[u8]) {
    stream.write_u16(u16::try_from(wire.len()).unwrap()).await.unwrap();
    stream.write_all(wire).await.unwrap();
}

/// One message from a connection; `None` once it is closed.
pub(crate) async fn receive_tcp(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = timeout(PATIENCE, stream.read_u16()).await.expect("an answer in time").ok()?;
    let mut wire = vec![0; usize::from(length)];
    stream.read_exact(&mut wire).await.ok()?;
    Some(wire)
}

pub(crate) async fn ask_tcp(server: SocketAddr, message: &Message) -> Message {
    let mut stream = TcpStream::connect(server).await.unwrap();
    send_tcp(&mut stream, &message.to_vec().unwrap()).await;
    Message::from_vec(&receive_tcp(&mut stream).await.expect("an answer")).unwrap()
}

/// How an upstream was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Udp,
    Tcp,
}

/// What an upstream was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) over: Over,
    pub(crate) from: SocketAddr,
    pub(crate) wire: Vec<u8>,
}

/// A nameserver that answers each question with the messages that a function makes of it.
pub(crate) struct Upstream {
    pub(crate) at: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Upstream {
    pub(crate) fn start(answers: impl Fn(&[u8], Over) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        let (udp, tcp, at) = sockets();
        udp.set_nonblocking(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let (udp, tcp) = (UdpSocket::from_std(udp).unwrap(), TcpListener::from_std(tcp).unwrap());
        let (asked, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answers));
        let mut tasks = JoinSet::new();
        let (noted, answer) = (asked.clone(), answers.clone());
        tasks.spawn(async move {
            let mut buffer = vec![0; 65_535];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                let wire = buffer[..length].to_vec();
                noted.lock().unwrap().push(Asked { over: Over::Udp, from, wire: wire.clone() });
                for wire in answer(&wire, Over::Udp) {
                    udp.send_to(&wire, from).await.unwrap();
                }
            }
        });
        let noted = asked.clone();
        tasks.spawn(async move {
            while let Ok((mut stream, from)) = tcp.accept().await {
                let Some(wire) = receive_tcp(&mut stream).await else { continue };
                noted.lock().unwrap().push(Asked { over: Over::Tcp, from, wire: wire.clone() });
                for wire in answers(&wire, Over::Tcp) {
                    send_tcp(&mut stream, &wire).await;
                }
            }
        });
        Self { at, asked, _tasks: tasks }
    }

    /// One that answers every question for addresses with this one.
    pub(crate) fn with_address(address: &'static str) -> Self {
        Self::start(move |wire, _| vec![with(wire, |answer| add_address(answer, address))])
    }

    /// One that answers every question with this error.
    pub(crate) fn with_code(code: ResponseCode) -> Self {
        Self::start(move |wire, _| vec![with(wire, |answer| answer.metadata.response_code = code)])
    }

    pub(crate) fn silent() -> Self {
        Self::start(|_, _| Vec::new())
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// The answer to a question, finished by a function.
pub(crate) fn with(wire: &[u8], finish: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut answer = Message::from_vec(wire).unwrap().into_response();
    answer.metadata.recursion_available = true;
    finish(&mut answer);
    answer.to_vec().unwrap()
}

pub(crate) fn add_address(answer: &mut Message, address: &str) {
    let name = answer.queries[0].name().clone();
    answer.add_answer(Record::from_rdata(name, 300, RData::A(A::from_str(address).unwrap())));
}

/// Adds as many TXT records of about 110 bytes.
pub(crate) fn add_texts(answer: &mut Message, count: usize) {
    let name = answer.queries[0].name().clone();
    for number in 0..count {
        let text = TXT::new(vec![format!("{number:0>100}")]);
        answer.add_answer(Record::from_rdata(name.clone(), 300, RData::TXT(text)));
    }
}

//! Names: asked from inside a sandbox of its resolver at 127.0.0.11, over UDP, at a fixed rate and as fast as one client can; against a server
//! in the same namespace that sends back what it gets.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use netloom_tests::{Host, json};

use crate::Plan;
use crate::attach::from_clients;
use crate::figures::{Table, Times, verdict};

/// How many different names are asked for.
const NAMES: usize = 100;
/// Questions a second.
const RATE: u32 = 1000;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often each is measured.
const ROUNDS: u32 = 3;

/// A question, and what the right answer has at its end.
struct Question {
    bytes: Vec<u8>,
    address: Ipv4Addr,
}

/// Who is asked.
#[derive(Clone, Copy)]
enum Server {
    /// The resolver: its answer must have the address.
    Resolver,
    /// One that sends back what it gets.
    Echo(SocketAddr),
}

/// What came of it.
#[derive(Default)]
struct Asked {
    times: Times,
    asked: usize,
    right: usize,
    wrong: usize,
    took: Duration,
}

impl Asked {
    fn words(&self) -> String {
        let lost = self.asked - self.right - self.wrong;
        format!("p99 {:.3} ms; {lost} of {} lost, {} wrong", self.times.quantile(0.99), self.asked, self.wrong)
    }

    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.right).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = Host::started(&plan.netloom.to_string_lossy());
    host.bridge("n", "10.240.0.0/16");
    let names = || (0..NAMES).map(|i| format!("host{i}")).collect::<Vec<_>>();
    from_clients(&host, names(), |connection, name| {
        let body = json!({"name": name, "networks": {"n": {}}}).to_string();
        connection.must("POST", "sandboxes", &body, 201);
    });
    let mut questions = Vec::new();
    for name in names() {
        let sandbox = host.client().get(&format!("sandboxes/{name}")).is(200);
        let address = sandbox["status"]["endpoints"]["n"]["address"].as_str().context("it has an address")?.parse()?;
        questions.push(Question { bytes: question(&name), address });
    }
    let inside = host.net.outside(&host.netns("host0"));
    let seconds = if plan.runs < 100 { 1 } else { 5 };
    let mut results: BTreeMap<(bool, bool), Asked> = BTreeMap::new();
    netloom_tests::echo::inside(&inside, || -> anyhow::Result<()> {
        let echo = UdpSocket::bind("127.0.0.1:0")?;
        let at = echo.local_addr()?;
        let server = std::thread::spawn(move || send_back(&echo));
        for _ in 0..ROUNDS {
            for (resolver, server) in [(false, Server::Echo(at)), (true, Server::Resolver)] {
                offered(server, &questions, seconds, results.entry((resolver, true)).or_default())?;
                closed(server, &questions, seconds, results.entry((resolver, false)).or_default())?;
            }
        }
        UdpSocket::bind("127.0.0.1:0")?.send_to(&[], at)?;
        server.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(())
    })?;
    print(&results);
    Ok(())
}

fn print(results: &BTreeMap<(bool, bool), Asked>) {
    let mut table = Table::new(&format!("Names, asked from inside a sandbox over UDP, {NAMES} different ones"));
    let floor = [(false, true), (false, false)].map(|key| &results[&key]);
    let ours = [(true, true), (true, false)].map(|key| &results[&key]);
    let ratio = |server: usize| format!("{:.1} x the floor; ", ours[server].times.p50() / floor[server].times.p50());
    table.times(&format!("floor: {RATE} a second sent back"), &floor[0].times, &floor[0].words(), "");
    let all = ours[0].right == ours[0].asked;
    let met = verdict(all, &format!("{RATE} a second, none lost"));
    table.times(&format!("Netloom: {RATE} a second resolved"), &ours[0].times, &(ratio(0) + &ours[0].words()), &met);
    let most = |asked: &Asked| format!("{:.0} a second; {}", asked.rate(), asked.words());
    table.times("floor: one client, one at a time", &floor[1].times, &most(floor[1]), "");
    table.times("Netloom: one client, one at a time", &ours[1].times, &(ratio(1) + &most(ours[1])), "");
    table.print();
}

/// Asks at the fixed rate, whatever becomes of the answers: the next question waits for none.
fn offered(server: Server, questions: &[Question], seconds: u32, all: &mut Asked) -> anyhow::Result<()> {
    let socket = socket(server)?;
    let count = RATE * seconds;
    let sent: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
    let over = AtomicBool::new(false);
    let begin = Instant::now();
    let now = || u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let listener = scope.spawn(|| {
            let (mut heard, mut buffer) = (Asked::default(), [0; 512]);
            while heard.right + heard.wrong < sent.len() {
                match socket.recv(&mut buffer) {
                    Ok(length) => {
                        let id = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
                        let took = sent.get(id).map(|sent| now().saturating_sub(sent.load(Ordering::Acquire)));
                        heard.times.add(Duration::from_nanos(took.unwrap_or_default()));
                        heard.count(server, &buffer[..length], &questions[id % questions.len()]);
                    }
                    // A second without an answer after the last question: the rest is lost.
                    Err(_) if over.load(Ordering::Relaxed) => break,
                    Err(_) => {}
                }
            }
            heard
        });
        for number in 0..count {
            let due = Duration::from_secs(1) / RATE * number;
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            let id = u16::try_from(number)?;
            let at = usize::from(id);
            sent[at].store(now(), Ordering::Release);
            socket.send(&numbered(&questions[at % questions.len()], id))?;
        }
        over.store(true, Ordering::Relaxed);
        let heard = listener.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        all.asked += sent.len();
        all.add(heard);
        Ok(())
    })?;
    all.took += begin.elapsed();
    Ok(())
}

/// Asks one question after another, each when the one before was answered.
fn closed(server: Server, questions: &[Question], seconds: u32, all: &mut Asked) -> anyhow::Result<()> {
    let socket = socket(server)?;
    let begin = Instant::now();
    let (mut heard, mut buffer) = (Asked::default(), [0; 512]);
    for (number, question) in questions.iter().cycle().enumerate() {
        if begin.elapsed() >= Duration::from_secs(u64::from(seconds)) {
            break;
        }
        let [.., high, low] = number.to_be_bytes();
        let bytes = numbered(question, u16::from_be_bytes([high, low]));
        heard.asked += 1;
        let sent = Instant::now();
        socket.send(&bytes)?;
        if let Ok(length) = socket.recv(&mut buffer) {
            heard.times.add(sent.elapsed());
            heard.count(server, &buffer[..length], question);
        }
    }
    all.took += begin.elapsed();
    all.asked += heard.asked;
    all.add(heard);
    Ok(())
}

impl Asked {
    fn count(&mut self, server: Server, answer: &[u8], question: &Question) {
        let right = match server {
            Server::Echo(_) => answer[2..] == question.bytes[2..],
            // An answer, no error, one record; the address is the last of it.
            Server::Resolver => {
                answer[2] & 0x80 != 0
                    && answer[3] & 0x0f == 0
                    && answer[6..8] == [0, 1]
                    && answer.ends_with(&question.address.octets())
            }
        };
        if right { self.right += 1 } else { self.wrong += 1 }
    }

    fn add(&mut self, other: Self) {
        self.times.append(other.times);
        self.right += other.right;
        self.wrong += other.wrong;
    }
}

fn socket(server: Server) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(match server {
        Server::Resolver => SocketAddr::from(([127, 0, 0, 11], 53)),
        Server::Echo(at) => at,
    })?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Sends everything back, until something empty comes.
fn send_back(socket: &UdpSocket) -> anyhow::Result<()> {
    let mut buffer = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        socket.send_to(&buffer[..length], from)?;
    }
}

/// A question for a name's IPv4 address (RFC 1035), without a number yet.
fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.extend(name.as_bytes());
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

fn numbered(question: &Question, id: u16) -> Vec<u8> {
    let mut bytes = question.bytes.clone();
    bytes[..2].copy_from_slice(&id.to_be_bytes());
    bytes
}

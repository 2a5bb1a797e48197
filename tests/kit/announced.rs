//! What the kernel announces while something goes on. A write is announced also where it leaves all as it was, so that a quiet
//! kernel was not written to. Heard by `ip monitor` and `nft monitor`.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::host::Host;
use crate::until;

/// Who listens: the program's line, and how something is announced to it on purpose.
const EARS: [(&str, &str); 2] = [
    ("ip -o monitor link address route all-nsid", "ip route add unreachable 198.51.100.TRY table MARK"),
    ("nft monitor", "nft add table inet heard_MARK_TRY"),
];

/// What tells the beginning and the end in what is heard: numbers of routing tables that nobody has.
const BEGIN: &str = "470001";
const END: &str = "470002";

/// Those that listen on a host, and in the namespaces that it has a number for.
#[derive(Debug)]
pub struct Announced<'h> {
    host: &'h Host,
    ears: Vec<(Child, PathBuf, &'static str)>,
    /// How much each had heard before the beginning.
    before: Vec<usize>,
}

impl<'h> Announced<'h> {
    /// Begins to listen, once the kernel has nothing more to say of what was before: it tells the state of a new link up to a second late.
    ///
    /// # Panics
    /// When that can't be done.
    pub fn on(host: &'h Host) -> Self {
        let begin = |(line, mark): (&str, &'static str)| {
            let words: Vec<&str> = line.split(' ').collect();
            let path = host.dir().join(format!("announced.{}", words[0]));
            let heard = File::create(&path).expect("the directory is writable");
            let mut command = host.net.command(words[0]);
            command.args(&words[1..]).stdin(Stdio::null()).stdout(heard);
            (command.spawn().expect("iproute2 and nftables are installed"), path, mark)
        };
        let mut announced = Self { host, ears: EARS.map(begin).into(), before: Vec::new() };
        announced.mark(BEGIN);
        until("the kernel is quiet", Duration::from_secs(30), || {
            let heard = announced.heard();
            std::thread::sleep(Duration::from_millis(1200));
            (announced.heard() == heard).then_some(())
        });
        announced.before = announced.heard().iter().map(String::len).collect();
        announced
    }

    /// Everything that was announced since the beginning.
    ///
    /// # Panics
    /// When what is announced on purpose is not heard.
    pub fn until_now(&self) -> Vec<String> {
        self.mark(END);
        let since = self.heard().into_iter().zip(&self.before).map(|(text, before)| text[*before..].to_owned());
        let text = since.collect::<Vec<_>>().join("\n");
        let own = |line: &&str| {
            line.contains(BEGIN) || line.contains(END) || line.ends_with("(nft)") || line.trim().is_empty()
        };
        text.lines().filter(|line| !own(line)).map(str::to_owned).collect()
    }

    fn heard(&self) -> Vec<String> {
        self.ears.iter().map(|(_, path, _)| std::fs::read_to_string(path).expect("it is written to")).collect()
    }

    /// Announces something on purpose and waits until it is heard: what was announced before has been heard by then.
    fn mark(&self, mark: &str) {
        for (_, path, line) in &self.ears {
            let heard = || std::fs::read_to_string(path).unwrap_or_default().matches(mark).count();
            let (before, mut tries) = (heard(), 0);
            until("what is announced on purpose is heard", Duration::from_secs(10), || {
                tries += 1;
                let number = (before + tries).to_string();
                self.host.net.run(&line.replace("MARK", mark).replace("TRY", &number));
                std::thread::sleep(Duration::from_millis(50));
                (heard() > before).then_some(())
            });
        }
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        for (child, ..) in &mut self.ears {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

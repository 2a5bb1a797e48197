//! Programs that look and do damage: an eye that is not ours.

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Runs a command in the calling thread's namespaces; answers what it says.
pub(crate) fn run(command: &str) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Runs a command that may fail. Words in single quotes are one.
pub(crate) fn output(command: &str) -> Output {
    let mut command = parsed(command);
    command.output().expect("the program is installed")
}

fn parsed(command: &str) -> Command {
    let mut words = Vec::new();
    for (at, part) in command.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Starts a command that goes on.
pub(crate) fn start(command: &str) -> Running {
    let mut command = parsed(command);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().expect("the program is installed"))
}

/// A process that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command that answers JSON.
pub(crate) fn json(command: &str) -> Value {
    parse(&run(command))
}

pub(crate) fn parse(said: &str) -> Value {
    serde_json::from_str(said).expect("JSON")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

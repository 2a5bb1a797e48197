//! Running a program to its end, with all it said when it fails.

use std::process::{Command, Stdio};

/// What a program said.
#[derive(Debug, Clone)]
pub struct Said {
    /// The command line, for messages.
    pub command: String,
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// Standard output of a program that ended well.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "`{}` failed:\n{}{}", self.command, self.stdout, self.stderr);
        self.stdout
    }

    /// Both outputs of a program that ended badly.
    ///
    /// # Panics
    /// When it ended well.
    #[track_caller]
    pub fn failed(self) -> String {
        assert_ne!(self.code, 0, "`{}` should have failed, and said:\n{}", self.command, self.stdout);
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When it can't be started: a missing program is named.
#[track_caller]
pub fn run(command: &mut Command) -> Said {
    let line = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("`{line}` can't be started: {error}; is the program installed?"));
    Said {
        command: line,
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A program and its arguments out of one line, split at spaces: no quoting, no shell.
///
/// # Panics
/// When the line is empty.
pub fn words(line: &str) -> Vec<&str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(!words.is_empty(), "a command line needs a program");
    words
}

//! A wall clock of its own for a daemon, which a test sets forward and back while it runs, by Debian's libfaketime. The clocks that only ever go on, by
//! which the program measures how long something takes, are left alone, as they are when an operator or NTP sets a host's time.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where Debian has the library, by architecture.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];

/// A wall clock.
#[derive(Debug)]
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// One that goes right, kept in a directory.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn new(dir: &Path) -> Self {
        let clock = Self { file: dir.join("clock") };
        clock.ahead(Duration::ZERO);
        clock
    }

    /// Sets it so far ahead of the machine's.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn ahead(&self, by: Duration) {
        // Whole at any moment: a daemon reads it whenever it looks at the time.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("+{}s\n", by.as_secs())).expect("the directory is writable");
        std::fs::rename(&new, &self.file).expect("the directory is writable");
    }

    /// What a daemon is started with to go by it.
    ///
    /// # Panics
    /// Without the library.
    pub fn env(&self) -> Vec<(String, String)> {
        let library = LIBRARIES.iter().find(|path| Path::new(path).exists());
        let library = library.expect("libfaketime is installed (Debian package faketime)");
        let file = self.file.display().to_string();
        [
            ("LD_PRELOAD", *library),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

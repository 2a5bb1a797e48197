//! `netloom lab`: hosts on one machine, each a host of its own; and that nothing is left of them, wherever it was cut off.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "lab/cut_off.rs"]
mod cut_off;
#[path = "lab/exercise.rs"]
mod exercise;
#[path = "lab/faults.rs"]
mod faults;
#[path = "lab/hosts.rs"]
mod hosts;
#[path = "lab/joined.rs"]
mod joined;
#[path = "lab/refusals.rs"]
mod refusals;

use netloom_tests::{Lab, Snapshot};

/// All that a lab could leave on a machine: what is in the kernel, processes that run with the machine's mounts, files.
struct Machine {
    kernel: Snapshot,
    processes: Vec<String>,
    files: Vec<String>,
}

impl Machine {
    fn look(lab: &Lab) -> Self {
        // The holder, its `cat`, and what looks are told apart by being there both times.
        let processes = lab.machine.shell(
            "mine=$(readlink /proc/self/ns/mnt)
             for p in /proc/[0-9]*; do
                 [ \"$(readlink $p/ns/mnt 2>/dev/null)\" = \"$mine\" ] && tr '\\0' ' ' <$p/cmdline 2>/dev/null && echo
             done; true",
        );
        let named = |text: &str| text.lines().filter(|line| line.contains("netloom")).map(str::to_owned).collect();
        let files = std::fs::read_dir(lab.beside()).unwrap().map(|entry| entry.unwrap().path().display().to_string());
        Self { kernel: Snapshot::of_machine(&lab.machine), processes: named(&processes), files: files.collect() }
    }

    #[track_caller]
    fn same_as(&self, before: &Self) {
        self.kernel.same_as(&before.kernel);
        assert_eq!((&self.processes, &self.files), (&before.processes, &before.files), "processes and files as before");
    }
}

/// Removes the lab, and sees that the machine is as before.
#[track_caller]
fn down(lab: &Lab, before: &Machine) -> String {
    let said = lab.netloom("lab down").ok();
    Machine::look(lab).same_as(before);
    said
}

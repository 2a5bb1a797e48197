//! The daemon, as the suites run it: the same `main` as `netloom`, with the fault points live.
//! Nothing else may live here, or the suites would test something that isn't shipped.

/// Runs the daemon.
fn main() -> std::process::ExitCode {
    netloom_daemon::main()
}

//! The `netloom` program. Everything it does is in the library beside it, so that the tests can build the same program
//! with fault points.

use std::process::ExitCode;

fn main() -> ExitCode {
    netloom_daemon::main()
}

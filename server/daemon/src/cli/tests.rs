//! The command line as a whole, and the texts that it says.

use super::*;

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_terminal_of_80_columns_leaves_the_texts_as_they_are() {
    fn with_all_below(command: &clap::Command) -> Vec<clap::Command> {
        let below = command.get_subcommands().flat_map(with_all_below);
        std::iter::once(command.clone()).chain(below).collect()
    }
    let all = with_all_below(&Cli::command());
    for after in all.iter().filter_map(|command| command.get_after_help().map(ToString::to_string)) {
        for line in after.lines() {
            assert!(line.chars().count() <= 79, "{line}");
        }
    }
}

#[test]
fn what_was_given_is_given_on() {
    let directories = |data: &str, run: &str| Directories { data_dir: data.into(), run_dir: run.into() };
    assert_eq!(directories(DATA_DIR, RUN_DIR).flags(), "");
    assert_eq!(directories("/a b", "/r").flags(), " --data-dir '/a b' --run-dir /r");
}

#[test]
fn odd_paths_stay_one_word() {
    assert_eq!(quoted(Path::new("/a b")), "'/a b'");
    assert_eq!(quoted(Path::new("/var/lib/netloom")), "/var/lib/netloom");
}

#[test]
fn exec_keeps_the_commands_own_flags() {
    let cli = Cli::try_parse_from(["netloom", "exec", "macvlan1", "--", "ls", "-l", "--all"]).expect("parses");
    let Command::Exec(exec) = cli.command else { panic!("another command") };
    assert_eq!((exec.sandbox.as_str(), exec.command.len()), ("macvlan1", 3));
    let cli = Cli::try_parse_from(["netloom", "exec", "macvlan1", "ip", "-s", "addr"]).expect("without the dashes");
    let Command::Exec(exec) = cli.command else { panic!("another command") };
    assert_eq!(exec.command, ["ip", "-s", "addr"]);
}

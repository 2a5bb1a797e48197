//! `netloom token`: asks the running service to make, list and revoke tokens.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context as _;
use netloom_model::Timestamp;
use netloom_model::token::Token;
use serde_json::json;

use crate::cli::{self, TokenCommand};
use crate::explained;
use crate::socket::{self, segment};
use crate::table::table;

/// Runs the command.
///
/// # Errors
/// When no service answers, or it refuses.
pub(crate) fn run(options: &cli::Token) -> anyhow::Result<ExitCode> {
    match &options.command {
        TokenCommand::Create(create) => {
            let expires = create.expires.as_deref().map(|text| end(text, now())).transpose()?;
            make(&create.run.socket(), &create.name, &create.role, expires.as_deref())
        }
        TokenCommand::List(list) => show(&list.run.socket(), list.json),
        TokenCommand::Revoke(revoke) => take_away(&revoke.run.socket(), &revoke.token),
    }
}

fn make(socket: &Path, name: &str, role: &str, expires: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut spec = json!({"name": name, "role": role});
    if let Some(expires) = expires {
        spec["expires_at"] = expires.into();
    }
    let answer = socket::request_with(socket, "POST", "/api/v1/tokens", &spec)?;
    let made = answer.expected(201)?;
    let secret = made["secret"].as_str().context("the service's answer has no secret")?;
    println!("{secret}");
    let until = made["expires_at"].as_str().map_or_else(String::new, |end| format!(", until {end}"));
    eprintln!("token `{name}` of role {role}{until}: this is the only time that it is shown");
    Ok(ExitCode::SUCCESS)
}

fn show(socket: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut rows = vec![["NAME", "ROLE", "STATE", "EXPIRES", "LAST USED", "MADE BY", "ID"].map(str::to_owned)];
    for item in socket::items(socket, "/api/v1/tokens?limit=1000")? {
        if as_json {
            println!("{item}");
            continue;
        }
        let token: Token = serde_json::from_value(item).context("the service's answer can't be read")?;
        rows.push(row(token));
    }
    if !as_json {
        print!("{}", table(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(token: Token) -> [String; 7] {
    let never = || "never".to_owned();
    [
        token.spec.name,
        token.spec.role.as_str().to_owned(),
        token.status.state.as_str().to_owned(),
        token.spec.expires_at.unwrap_or_else(never),
        token.status.last_used_at.map_or_else(never, |at| at.to_string()),
        token.created_by,
        token.id.to_string(),
    ]
}

fn take_away(socket: &Path, token: &str) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/tokens/{}", segment(token));
    let shown = socket::request(socket, "GET", &path)?.expected(200)?;
    let name = shown["name"].as_str().unwrap_or(token);
    socket::request(socket, "DELETE", &path)?.expected(204)?;
    println!("token `{name}` is revoked");
    if name == "admin" {
        eprintln!(
            "  note: that was the token in admin.token, which opens nothing now; the next start of the service writes a new one"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The time of this host.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A time as the API takes it: what is given, or so long from now.
pub(crate) fn end(text: &str, now: Timestamp) -> anyhow::Result<String> {
    if text.parse::<Timestamp>().is_ok() {
        return Ok(text.to_owned());
    }
    let split = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(split);
    let seconds: i64 = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => 0,
    };
    let millis = number.parse::<i64>().ok().and_then(|number| number.checked_mul(seconds * 1000));
    // Beyond this a time has no form with four digits for the year.
    match millis {
        Some(millis) if (1..=1000 * 365 * 24 * 3_600_000).contains(&millis) => Ok(now.plus_millis(millis).to_string()),
        _ => Err(explained(
            format_args!("--expires {text} is neither a while nor a time"),
            "say 90d, 12h, 30m or 2w, or a time such as 2027-01-31T12:00:00Z",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_while_or_a_time() {
        let now = Timestamp::from_millis(1_769_860_800_000);
        assert_eq!(end("90d", now).expect("a while"), "2026-05-01T12:00:00.000Z");
        assert_eq!(end("2w", now).expect("a while"), "2026-02-14T12:00:00.000Z");
        assert_eq!(end("2027-01-31T12:00:00+02:00", now).expect("a time"), "2027-01-31T12:00:00+02:00");
        for bad in ["", "d", "0d", "-1d", "90", "90x", "tomorrow", "99999999999999999999d", "9999999999w"] {
            assert!(end(bad, now).is_err(), "{bad}");
        }
    }
}

//! The admin token's file: made at the first start, and made anew whenever it is missing or not the database's, so that a
//! lost token costs a restart and nothing else, and a restored database brings no token back that was replaced.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use netloom_control::{Control, ErrorKind};

/// Writes the token when the file is missing, or has one that the database doesn't know; returns whether it did. A token
/// that was there before no longer works then.
///
/// # Errors
/// When the store or the directory can't be written.
pub(crate) async fn ensure(control: &Control, path: &Path) -> anyhow::Result<bool> {
    match std::fs::read_to_string(path) {
        Ok(token) => match control.authenticate_token(token.trim(), "start").await {
            Err(error) if error.kind == ErrorKind::Unauthenticated => {
                tracing::warn!("the token in {} is not this database's: a new one is made", path.display());
            }
            Err(error) => return Err(error).context("cannot look the admin token up"),
            Ok(_) => return Ok(false),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        // Whatever it is, it is somebody's, and no reason not to start.
        Err(error) => {
            tracing::warn!("cannot read the admin token's file {}: {error}", path.display());
            return Ok(false);
        }
    }
    let access = control.first_access().await.context("cannot make the admin token")?;
    control.durable().await.context("cannot keep the admin token")?;
    write(path, &access.token).with_context(|| format!("cannot write the admin token to {}", path.display()))?;
    Ok(true)
}

/// Writes a file that only its owner reads, whole or not at all, also through a crash.
fn write(path: &Path, token: &str) -> std::io::Result<()> {
    let draft = path.with_extension("token.new");
    // A draft left by a crash may have any mode: the new one is made, never reused.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_file_is_its_owners_alone() {
        let path = std::env::temp_dir().join(format!("netloom-token-{}", std::process::id()));
        write(&path, "secret").expect("written");
        let mode = path.metadata().expect("there").permissions().mode();
        assert_eq!((mode & 0o777, std::fs::read_to_string(&path).expect("readable")), (0o600, "secret\n".to_owned()));
        write(&path, "another").expect("replaced");
        std::fs::remove_file(&path).expect("cleaned up");
    }
}

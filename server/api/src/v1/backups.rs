//! Backups: the database as a file, while the service runs.

use std::fs::File;
use std::io::{self, Read as _};

use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, post};
use futures_util::Stream;
use futures_util::stream::unfold;
use netloom_control::command::CreateBackup;

use super::State;
use crate::auth::Caller;
use crate::body::NoBody;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// The registered media type of SQLite files.
const MEDIA_TYPE: &str = "application/vnd.sqlite3";

/// Most bytes read at once.
const PIECE: usize = 256 << 10;

/// Makes a backup.
///
/// The answer is the database as of this moment, an SQLite file: every write that was answered before is in it. It has
/// all that the database has, hashes of secrets included. It is whole when it has as many bytes as `Content-Length` says.
/// `netloom backup` asks for one through the local socket, checks it, and gives it a name; `netloom restore` puts it back.
#[utoipa::path(tag = "service", responses((status = 200, description = "The database.", body = String, content_type = "application/vnd.sqlite3")))]
#[post("/backups")]
pub(crate) async fn backup_create(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    let backup = state.control.create_backup(caller.authorize(CreateBackup)?).await?;
    Ok(HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"netloom.db\""))
        .body(SizedStream::new(backup.length, pieces(backup.file))))
}

/// The rest of a file, piece by piece, each read when the connection takes it. A read that fails ends the answer short.
fn pieces(file: File) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    unfold(Some(file), |file| async {
        let mut file = file?;
        let read = web::block(move || {
            let mut piece = Vec::with_capacity(PIECE);
            (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
            Ok::<_, io::Error>((piece, file))
        });
        match read.await {
            Ok(Ok((piece, _))) if piece.is_empty() => None,
            Ok(Ok((piece, file))) => Some((Ok(Bytes::from(piece)), Some(file))),
            Ok(Err(error)) => Some((Err(error.into()), None)),
            Err(error) => Some((Err(error.into()), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use futures_util::TryStreamExt as _;

    use super::*;

    #[actix_web::test]
    async fn a_file_comes_whole() {
        let path = std::env::temp_dir().join(format!("netloom-pieces-{}", std::process::id()));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
        std::fs::remove_file(&path).expect("its name is not needed");
        let bytes: Vec<u8> = (0..PIECE * 2 + 7).map(|number| (number % 251) as u8).collect();
        file.write_all(&bytes).expect("written");
        file.rewind().expect("at its beginning");
        let read: Vec<Bytes> = pieces(file).try_collect().await.expect("read");
        assert!(read.len() == 3 && read.concat() == bytes);
    }
}

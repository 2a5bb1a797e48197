//! Every page, rendered of fixtures, held against the rules that all pages follow: no inline style or script, one heading,
//! landmarks, labels, links that lead somewhere, hostile names that stay text. And the palette's contrast, computed.
#![allow(clippy::too_many_lines)]

mod configuration;
mod facts;
mod fixture;
mod html;
mod palette;
mod structure;
mod swarm;
mod taken;

use std::path::Path;

/// Keeps the pages where a person or a browser test can look at them: `target/tmp/pages`, to be served from there.
#[test]
fn pages_are_kept_to_be_looked_at() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(folder.join("ui/static")).expect("a folder of our own");
    for (name, page) in fixture::every_page(&fixture::PLAIN) {
        std::fs::write(folder.join(format!("{name}.html")), page).expect("a file of our own");
    }
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("static")).expect("the static files") {
        let file = file.expect("a static file");
        std::fs::copy(file.path(), folder.join("ui/static").join(file.file_name())).expect("a copy");
    }
}

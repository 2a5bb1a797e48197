//! Tables as CSV (RFC 4180): how a cell and a line are written, and the answer, which is streamed page by page so that a list of any
//! length costs one page of memory. What must not live here: which lists there are and how they are filtered (`pages::csv`).

mod objects;
mod records;

use std::rc::Rc;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder, http::StatusCode};
use futures_util::stream;
use netloom_control::Error;
use netloom_control::command::{Page, PageRequest};
use serde::Serialize;

use crate::visit::Visit;

pub(crate) use objects::{EndpointLine, SandboxLine};
pub(crate) use records::{HoldingLine, SettingLine, TopologyLine, WayLine};

/// Rows that are read at once: the most that a page may have.
const AT_ONCE: u32 = 1000;

/// A column: its name, and its cell of a line.
pub(crate) type Column<T> = (&'static str, fn(&T) -> String);

/// A line of a table.
pub(crate) trait Tabular: Sized + 'static {
    /// The columns, in order.
    const COLUMNS: &'static [Column<Self>];
}

/// What a spreadsheet would take for a formula when a cell begins with it.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A cell: quoted where it needs it (also where a spreadsheet of another country would cut it: at `;` or a tab), and never a formula: a name may be anything, and a spreadsheet runs what begins like one.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(FORMULA) { "'" } else { "" };
    if text.contains([',', ';', '\t', '"', '\r', '\n']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

fn line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(text.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

fn head<T: Tabular>() -> String {
    line(T::COLUMNS.iter().map(|(name, _)| name))
}

fn lines<T: Tabular>(items: &[T]) -> String {
    items.iter().map(|item| line(T::COLUMNS.iter().map(|(_, cell)| cell(item)))).collect()
}

/// A value's text, or nothing.
fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Values that stand in one cell.
fn spaced<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
}

/// The word that the API has for a value.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// How far the answer is: what comes next, or that all was said.
enum Rest {
    From(PageRequest),
    Done,
}

impl Rest {
    fn after<T>(page: &Page<T>) -> Self {
        match &page.next_page_token {
            Some(token) => Self::From(PageRequest { limit: Some(AT_ONCE), token: Some(token.clone()) }),
            None => Self::Done,
        }
    }
}

/// Everything that `source` lists, from its beginning, as a file to be saved as `name.csv`. What is refused at once is a page as any other; where a
/// later page fails, the answer breaks off, which a client is told by the end that is missing.
pub(crate) async fn answer<T, F>(visit: Visit, name: &str, source: F) -> HttpResponse
where
    T: Tabular,
    F: AsyncFn(&Visit, PageRequest) -> Result<Page<T>, Error> + 'static,
{
    let first = match source(&visit, PageRequest { limit: Some(AT_ONCE), token: None }).await {
        Ok(page) => page,
        Err(failure) => return visit.fail(&failure).await,
    };
    let head = format!("{}{}", head::<T>(), lines(&first.items));
    let rest = Rest::after(&first);
    let shared = (Rc::new(visit), Rc::new(source));
    let body = stream::try_unfold((Some(head), rest), move |(ready, rest)| {
        let (visit, source) = shared.clone();
        async move {
            if let Some(text) = ready {
                return Ok::<_, Error>(Some((Bytes::from(text), (None, rest))));
            }
            let Rest::From(request) = rest else { return Ok(None) };
            let page = source(&visit, request).await?;
            Ok(Some((Bytes::from(lines(&page.items)), (None, Rest::after(&page)))))
        }
    });
    HttpResponseBuilder::new(StatusCode::OK)
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", file_name(name))))
        .streaming(body)
}

/// A name that every system takes for a file's.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_only_where_they_need_it() {
        for (text, wanted) in [
            ("", ""),
            ("10.0.0.1", "10.0.0.1"),
            ("a b", "a b"),
            ("a,b", "\"a,b\""),
            ("x;=1+1", "\"x;=1+1\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("zwölf", "zwölf"),
        ] {
            assert_eq!(cell(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        for (text, wanted) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "\"'\tx\""),
            ("\rx", "\"'\rx\""),
            ("=HYPERLINK(\"http://evil.test\",\"x\")", "\"'=HYPERLINK(\"\"http://evil.test\"\",\"\"x\"\")\""),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn lines_end_as_the_standard_says() {
        assert_eq!(line(["a", "", "b,c"]), "a,,\"b,c\"\r\n");
    }

    #[test]
    fn a_file_has_a_plain_name() {
        assert_eq!(file_name("web-leases"), "web-leases");
        assert_eq!(file_name("fd00::1\"; x=/y"), "fd00--1---x--y");
    }
}

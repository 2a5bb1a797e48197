//! `/ui/api`: the API's reference.

use actix_web::HttpResponse;
use actix_web::web::Data;
use netloom_control::Error;

use crate::Dashboard;
use crate::view::frame::Section;
use crate::view::reference::ReferencePage;
use crate::view::reference::document::Document;
use crate::view::reference::operation::OperationPage;
use crate::view::reference::schema::SchemaPage;
use crate::visit::Visit;

/// All operations and schemas.
pub async fn index(visit: Visit, dashboard: Data<Dashboard>) -> HttpResponse {
    let frame = visit.frame("API reference", Section::Api);
    visit.answer(read(&dashboard).map(|document| ReferencePage::new(frame, &document))).await
}

/// One operation.
pub async fn operation(visit: Visit, dashboard: Data<Dashboard>) -> HttpResponse {
    visit.answer(show_operation(&visit, &dashboard)).await
}

/// One schema.
pub async fn schema(visit: Visit, dashboard: Data<Dashboard>) -> HttpResponse {
    visit.answer(show_schema(&visit, &dashboard)).await
}

fn show_operation(visit: &Visit, dashboard: &Dashboard) -> Result<OperationPage, Error> {
    let id = visit.segment("operation");
    let document = read(dashboard)?;
    let title = document.title(&id).unwrap_or_default();
    OperationPage::new(visit.frame(title, Section::Api), &document, &id).ok_or_else(|| missing("operation", &id))
}

fn show_schema(visit: &Visit, dashboard: &Dashboard) -> Result<SchemaPage, Error> {
    let name = visit.segment("schema");
    let document = read(dashboard)?;
    SchemaPage::new(visit.frame(&name, Section::Api), &document, &name).ok_or_else(|| missing("schema", &name))
}

/// The document, read anew each time, a few milliseconds long: kept, it would take megabytes for ever.
fn read(dashboard: &Dashboard) -> Result<Document, Error> {
    Document::read(dashboard.openapi).map_err(|cause| {
        let detail = format!("the API's own document can't be read: {cause}");
        Error::new(netloom_control::ErrorKind::Internal, "internal", detail)
    })
}

fn missing(what: &str, name: &str) -> Error {
    let kind = netloom_control::ErrorKind::NotFound;
    Error::new(kind, "route-not-found", format!("the API has no {what} `{name}`"))
        .hint("see the list of all at /ui/api")
}

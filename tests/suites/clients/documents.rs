//! Both documents are what their version of OpenAPI takes, and every example fits its schema, by libraries that are none of ours.

use netloom_tests::process::run;
use netloom_tests::tools::{command, repository};

#[test]
fn both_documents_are_valid_and_so_are_their_examples() {
    let documents = ["openapi/netloom-v1.json", "openapi/netloom-v1-3.0.json"].map(repository);
    let said = run(command("python").arg(repository("tests/clients/documents.py")).args(&documents)).ok();
    for version in ["3.1.0", "3.0.3"] {
        assert!(said.contains(version), "{said}");
    }
}

#[test]
fn an_example_that_does_not_fit_is_found() {
    let host_dir = tempfile::tempdir().unwrap();
    for name in ["netloom-v1.json", "netloom-v1-3.0.json"] {
        let text = std::fs::read_to_string(repository("openapi").join(name)).unwrap();
        let (right, wrong) = (r#""state": "attached""#, r#""state": "lost""#);
        assert!(text.contains(right), "{name} has other examples now: change this test");
        let path = host_dir.path().join(name);
        std::fs::write(&path, text.replace(right, wrong)).unwrap();
        let said = run(command("python").arg(repository("tests/clients/documents.py")).arg(&path)).failed();
        assert!(said.contains("'lost' is not one of"), "{said}");
    }
}

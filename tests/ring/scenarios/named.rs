//! Tests that are named by others exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The names of the test functions in a source file.
fn tests_in(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    let mut names = BTreeSet::new();
    while let Some(line) = lines.next() {
        if line.trim() != "#[test]" {
            continue;
        }
        let declared = lines
            .find(|line| {
                assert!(
                    !line.trim_start().starts_with("#[ignore"),
                    "{}: an ignored test shows nothing",
                    path.display()
                );
                line.trim_start().starts_with("fn ")
            })
            .expect("a function follows");
        let name = declared.trim_start().trim_start_matches("fn ").split('(').next().expect("its name");
        names.insert(name.to_owned());
    }
    names
}

/// Where the sources of the tests are, unless this machine has the binary only.
fn sources() -> Option<&'static Path> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    sources.exists().then_some(sources)
}

/// The first of these tests that does not exist in its file.
fn missing<'a>(sources: &Path, paths: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut files = BTreeMap::new();
    paths.into_iter().find(|path| {
        let (file, test) = path.split_once("::").expect("a file and a test");
        !files.entry(file).or_insert_with(|| tests_in(&sources.join(file))).contains(test)
    })
}

/// Says that each test that is named exists in its file; `test` is who says so.
#[track_caller]
pub(super) fn all_exist<'a>(test: &str, paths: impl IntoIterator<Item = &'a str>) {
    match sources() {
        Some(sources) => assert_eq!(missing(sources, paths), None, "does not exist"),
        None => tests::skip::skip(test, &"the sources are not on this machine"),
    }
}

#[test]
fn a_test_that_does_not_exist_is_missed() {
    let Some(sources) = sources() else {
        tests::skip!("the sources are not on this machine");
    };
    let there = concat!("ring/scenarios/named.rs", "::a_test_that_does_not_exist_is_missed");
    // A function, and no test.
    let not = "ring/scenarios/named.rs::tests_in";
    assert_eq!(missing(sources, [there, not, there]), Some(not));
    assert_eq!(missing(sources, [there]), None);
}

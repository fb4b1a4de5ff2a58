//! The committed bindings against the headers that they are made from: everything is there, with the
//! compiler's values.
//!
//! `ci/bindings.sh --headers` prints what to put into `LINUX_HEADERS` for it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const AIO: &str = include_str!("../../aio-sys/src/bindings.rs");
const URING: &str = include_str!("../../uring-sys/src/bindings.rs");

const AIO_HEADERS: [&str; 1] = ["linux/aio_abi.h"];
const URING_HEADERS: [&str; 5] = [
    "linux/io_uring.h",
    "linux/io_uring/bpf_filter.h",
    "linux/io_uring/mock_file.h",
    "linux/io_uring/query.h",
    "linux/io_uring/zcrx.h",
];

/// Names that the generated files do not have, and why. Include guards are not among them: a macro without a
/// value has nothing to bind.
const ELSEWHERE: [(&str, &str); 1] = [("IORING_FILE_INDEX_ALLOC", "a typed constant of uring_sys::wide")];

/// Gives the directory of the pinned headers, or ends the test.
macro_rules! headers {
    () => {
        match env::var_os("LINUX_HEADERS") {
            Some(dir) => PathBuf::from(dir),
            None => {
                tests::skip!("LINUX_HEADERS is not set to what `ci/bindings.sh --headers` prints")
            }
        }
    };
}

/// Takes the comments out of C text and joins continued lines.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        plain.push_str(before);
        plain.push(' ');
        rest = comment.split_once("*/").expect("comments end").1;
    }
    plain.push_str(rest);
    plain.replace("\\\n", " ")
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The object-like macros with a value.
fn macros(text: &str) -> BTreeSet<String> {
    let defines = text.lines().filter_map(|line| line.trim_start().strip_prefix("#define"));
    let valued = defines.filter_map(|define| define.trim().split_once(|c| !is_word(c)));
    valued.filter(|(_, value)| !value.trim().is_empty()).map(|(name, _)| name.to_owned()).collect()
}

/// The enumerators of every `enum { }`.
fn enumerators(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(|l| l.to_owned() + "\n")
        .collect();
    let bodies = code.split("enum").skip(1).filter_map(|rest| {
        let (name, body) = rest.split_once('{')?;
        name.trim().chars().all(is_word).then(|| body.split('}').next().unwrap_or(body).to_owned())
    });
    bodies
        .flat_map(|body| {
            let names = body.split(',').map(|item| item.split('=').next().unwrap_or(item).trim().to_owned());
            names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
        })
        .collect()
}

/// The tags of the structs that are defined, not only named.
fn structs(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(3)
        .filter(|w| w[0] == "struct" && w[1].chars().all(is_word) && w[2].starts_with('{'))
        .map(|w| w[1].to_owned())
        .collect()
}

/// The names that a generated file declares with `keyword`.
fn bound(bindings: &str, keyword: &str) -> BTreeSet<String> {
    let lines = bindings.lines().filter_map(|line| line.strip_prefix("pub ")?.strip_prefix(keyword));
    lines.map(|line| line.trim_start().chars().take_while(|c| is_word(*c)).collect()).collect()
}

/// Asserts that everything in `headers` is bound, and returns how many constants that were.
fn assert_bound(bindings: &str, dir: &Path, headers: &[&str]) -> usize {
    let constants = bound(bindings, "const");
    let types = bound(bindings, "struct");
    let mut seen = 0;
    for header in headers {
        let path = dir.join(header);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = plain(&text);
        let elsewhere = |name: &String| ELSEWHERE.iter().any(|(other, _)| other == name);
        let wanted: BTreeSet<_> = macros(&text).union(&enumerators(&text)).cloned().collect();
        seen += wanted.len();
        let missing: Vec<_> = wanted.difference(&constants).filter(|name| !elsewhere(name)).collect();
        assert!(missing.is_empty(), "{header}: constants without a binding: {missing:?}");
        let wanted = structs(&text);
        let missing: Vec<_> = wanted.difference(&types).collect();
        assert!(missing.is_empty(), "{header}: structs without a binding: {missing:?}");
    }
    seen
}

#[test]
fn every_define_enumerator_and_struct_of_the_aio_header_is_bound() {
    let dir = headers!();
    assert_eq!(assert_bound(AIO, &dir, &AIO_HEADERS), 10);
}

#[test]
fn every_define_enumerator_and_struct_of_the_io_uring_headers_is_bound() {
    let dir = headers!();
    let seen = assert_bound(URING, &dir, &URING_HEADERS);
    assert!(seen >= 300, "the search has found {seen} names only: it is broken");
}

#[test]
fn every_rwf_flag_is_bound_in_both_crates() {
    let dir = headers!();
    let text = plain(&fs::read_to_string(dir.join("linux/fs.h")).expect("linux/fs.h"));
    let wanted: BTreeSet<_> = macros(&text).into_iter().filter(|name| name.starts_with("RWF_")).collect();
    assert!(wanted.contains("RWF_DONTCACHE"), "the search is broken: {wanted:?}");
    for bindings in [AIO, URING] {
        let bound = bound(bindings, "const");
        let missing: Vec<_> = wanted.difference(&bound).collect();
        assert!(missing.is_empty(), "without a binding: {missing:?}");
    }
}

#[test]
fn a_c_compiler_agrees_with_every_constant() {
    let dir = headers!();
    let extra = ["linux/version.h", "linux/fs.h", "linux/futex.h", "linux/openat2.h"];
    for (bindings, headers) in [(AIO, &AIO_HEADERS[..]), (URING, &URING_HEADERS[..])] {
        let mut program: String =
            extra.iter().chain(headers).map(|header| format!("#include <{header}>\n")).collect();
        program += "typedef unsigned long long word;\n";
        let mut checks = 0;
        for line in bindings.lines().filter_map(|line| line.strip_prefix("pub const ")) {
            let (name, value) = line.split_once(':').expect("a constant has a type");
            let value = value.split_once('=').expect("a constant has a value").1.trim().trim_end_matches(';');
            let suffix = if value.starts_with('-') { "LL" } else { "ULL" };
            program += &format!("_Static_assert((word)({name}) == (word)({value}{suffix}), \"{name}\");\n");
            checks += 1;
        }
        assert!(checks > 20, "the search is broken: {checks}");
        let file = tempfile::Builder::new().suffix(".c").tempfile().expect("a temporary file");
        fs::write(file.path(), program).expect("write to the temporary file");
        let output = Command::new("cc")
            .args(["-fsyntax-only", "-nostdinc", "-isystem"])
            .args([dir.as_path(), file.path()])
            .output()
            .expect("a C compiler, which Rust links with");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

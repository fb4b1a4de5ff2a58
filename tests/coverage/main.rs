//! Every constant of the kernel's interface against `uring`: a typed API uses it, or `exceptions.txt` says why not.
//!
//! A constant is used where the code of the crate names it: outside of comments, imports, static assertions and tests.
//! Tables of names are an API for some constants and not for others:
//!
//! - An operation is more than a number in the table of [`uring::Op`]: a constructor in `uring::op` has to make it.
//! - A register operation is more than a number in the table of `RegisterOp`: something has to call it.
//! - A set-up flag is more than a bit of [`uring::SetupFlags`], which says how a ring is: something has to ask for it.
//! - Features, flags of completions and flags that a caller hands over in a set of bits are used by being in the set.
//!
//! And the docs say of each operation and flag since which kernel it is there.

mod exceptions;
mod since;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use exceptions::Exceptions;
use tests::require;

const CODES: &str = "codes.rs";
const FEATURES: &str = "features.rs";
const OPERATIONS: &str = "op/";

/// The words that the code of each file of the crate says, by its path below `src`.
struct Crate(BTreeMap<String, Vec<String>>);

impl Crate {
    fn read() -> Self {
        let src = sources();
        let mut paths = Vec::new();
        find_sources(&src, &mut paths);
        let mut files = BTreeMap::new();
        let mut for_tests = Vec::new();
        for path in paths {
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let (code, test_modules) = source::code(&source::words(&text));
            // Where the modules of this file lie.
            let is_root = ["mod.rs", "lib.rs"].iter().any(|name| path.ends_with(name));
            let home = if is_root { path.with_file_name("") } else { path.with_extension("") };
            for_tests.extend(test_modules.iter().map(|module| home.join(module)));
            files.insert(path, code);
        }
        files.retain(|path, _| {
            !for_tests.iter().any(|module| path.starts_with(module) || path.with_extension("") == *module)
        });
        let below = |path: &Path| path.strip_prefix(&src).expect("found there").display().to_string();
        Self(files.into_iter().map(|(path, code)| (below(&path), code)).collect())
    }

    /// The names that the files say whose path satisfies `wanted`.
    fn names(&self, wanted: impl Fn(&str) -> bool) -> BTreeSet<&str> {
        self.0
            .iter()
            .filter(|(path, _)| wanted(path))
            .flat_map(|(_, code)| code)
            .map(String::as_str)
            .collect()
    }

    /// The operations that constructors make: each `Op::X`, and the one that `impl_x!(Type, X)` is asked for.
    fn made(&self) -> BTreeSet<&str> {
        let files = self.0.iter().filter(|(path, _)| path.starts_with(OPERATIONS));
        files
            .flat_map(|(_, code)| code.windows(6))
            .filter_map(|words| {
                let words: [&str; 6] = std::array::from_fn(|nr| words[nr].as_str());
                match words {
                    ["Op", ":", ":", op, ..] => Some(op),
                    [name, "!", "(", _, ",", op] if name.starts_with("impl_") => Some(op),
                    _ => None,
                }
            })
            .collect()
    }

    /// The constants of `all` that a typed API uses.
    fn used<'a>(&self, all: &'a BTreeSet<String>) -> BTreeSet<&'a str> {
        let outside_codes = self.names(|path| path != CODES);
        let outside_tables = self.names(|path| path != CODES && path != FEATURES);
        let made = self.made();
        let is_used = |name: &str| match name.strip_prefix("IORING_OP_") {
            Some(op) => made.contains(op),
            None if name.starts_with("IORING_SETUP_") => outside_tables.contains(name),
            None => outside_codes.contains(name),
        };
        all.iter().map(String::as_str).filter(|name| is_used(name)).collect()
    }
}

/// Where the crate's sources are, on the machine that this was built on.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("uring").join("src")
}

fn find_sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("an entry of a directory").path();
        if path.is_dir() {
            find_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The constants of the raw bindings.
fn constants() -> BTreeSet<String> {
    let sources =
        [include_str!("../../uring-sys/src/bindings.rs"), include_str!("../../uring-sys/src/wide.rs")];
    let lines = sources.iter().flat_map(|text| text.lines());
    let constants = lines.filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'));
    constants.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_constant_of_the_interface_is_used_or_excused() {
    require!(sources().is_dir(), "the sources of `uring` are elsewhere");
    let constants = constants();
    assert!(constants.len() > 300, "the search is broken: {} constants", constants.len());
    let exceptions = Exceptions::read();
    let used = Crate::read().used(&constants);
    let missing: Vec<_> =
        constants.iter().filter(|name| !used.contains(name.as_str()) && !exceptions.has(name)).collect();
    assert!(
        missing.is_empty(),
        "no typed API of `uring` uses these, and tests/coverage/exceptions.txt does not say why: {missing:#?}"
    );
}

#[test]
fn no_exception_is_used_or_unknown() {
    require!(sources().is_dir(), "the sources of `uring` are elsewhere");
    let constants = constants();
    let exceptions = Exceptions::read();
    let used = Crate::read().used(&constants);
    let used: Vec<_> = used.into_iter().filter(|name| exceptions.has(name)).collect();
    assert!(
        used.is_empty(),
        "a typed API of `uring` uses these: remove them from tests/coverage/exceptions.txt: {used:#?}"
    );
    let unknown = exceptions.unknown(&constants);
    assert!(
        unknown.is_empty(),
        "the bindings have none of these: remove them from tests/coverage/exceptions.txt: {unknown:#?}"
    );
}

#[test]
fn every_operation_and_flag_says_since_when() {
    require!(sources().is_dir(), "the sources of `uring` are elsewhere");
    let mut paths = Vec::new();
    find_sources(&sources(), &mut paths);
    let (mut undated, mut looked_at) = (Vec::new(), 0);
    for path in paths {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (found, nr) = since::undated(&text);
        undated.extend(found.iter().map(|name| format!("{}: {name}", path.display())));
        looked_at += nr;
    }
    assert!(looked_at > 200, "the search is broken: {looked_at} operations and flags");
    assert!(undated.is_empty(), "their docs do not say since which kernel they are there: {undated:#?}");
}

#[test]
fn the_search_tells_uses_from_tables() {
    let file = |path: &str, text: &str| (path.to_owned(), source::code(&source::words(text)).0);
    let files = Crate(
        [
            file("codes.rs", "NOP = IORING_OP_NOP, READ = IORING_OP_READ, IORING_REGISTER_FILES"),
            file("features.rs", "IORING_SETUP_CLAMP, IORING_FEAT_NODROP"),
            file("probe.rs", "IORING_OP_WRITE; Op::WRITE"),
            file("op/nop.rs", "fn new() { Sqe::new(Op::NOP) }"),
            file("op/send.rs", "impl_send!(Send, SEND, 6);"),
            file("ring/setup.rs", "IORING_SETUP_SQPOLL"),
        ]
        .into(),
    );
    let names = [
        "IORING_OP_NOP",
        "IORING_OP_READ",
        "IORING_OP_SEND",
        "IORING_OP_WRITE",
        "IORING_REGISTER_FILES",
        "IORING_SETUP_CLAMP",
        "IORING_SETUP_SQPOLL",
        "IORING_FEAT_NODROP",
    ];
    let names = names.map(str::to_owned).into();
    let used: Vec<_> = files.used(&names).into_iter().collect();
    assert_eq!(used, ["IORING_FEAT_NODROP", "IORING_OP_NOP", "IORING_OP_SEND", "IORING_SETUP_SQPOLL"]);
}

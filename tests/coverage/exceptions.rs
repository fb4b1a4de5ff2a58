//! The list of constants that no typed API uses, and why.

use std::collections::{BTreeMap, BTreeSet};

/// `exceptions.txt`: names, a line each, below the reason that they share, in brackets. A name that ends with `*` stands
/// for all that begin so.
pub(crate) struct Exceptions {
    names: BTreeMap<&'static str, &'static str>,
}

impl Exceptions {
    pub(crate) fn read() -> Self {
        Self::parse(include_str!("exceptions.txt"))
    }

    fn parse(text: &'static str) -> Self {
        let mut names = BTreeMap::new();
        let mut reason = "";
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(section) = line.strip_prefix('[') {
                reason = section.strip_suffix(']').expect("a reason ends with a bracket");
                continue;
            }
            assert!(!reason.is_empty(), "{line} stands below no reason");
            assert_eq!(names.insert(line, reason), None, "{line} stands there twice");
        }
        Self { names }
    }

    /// Whether the list has `name`, by itself or by its beginning.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.keys().any(|listed| matches(listed, name))
    }

    /// What stands for none of the constants.
    pub(crate) fn unknown(&self, constants: &BTreeSet<String>) -> Vec<&'static str> {
        let names = self.names.keys().copied();
        names.filter(|listed| !constants.iter().any(|name| matches(listed, name))).collect()
    }
}

fn matches(listed: &str, name: &str) -> bool {
    listed.strip_suffix('*').map_or(listed == name, |beginning| name.starts_with(beginning))
}

#[test]
fn names_and_their_beginnings_are_found_and_the_unknown_ones_are_told() {
    let list = Exceptions::parse("# a comment\n[why]\nA_ONE\nB_*\nC\n");
    assert!(list.has("A_ONE") && list.has("B_TWO") && !list.has("A_ONES") && !list.has("A_"));
    let constants = ["A_ONE", "B_TWO"].map(str::to_owned).into();
    assert_eq!(list.unknown(&constants), ["C"]);
}

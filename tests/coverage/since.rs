//! Since when: what the docs of `uring` have to say of each operation and of each flag.
//!
//! Of these the type of a request, the constant of a flag, and a function that names a constant of the kernel's, unless it
//! is the constructor `new`, which is as old as its type. (Codes of operations have it by the macro that declares them.)

use crate::source;

/// How names of the kernel's begin.
const KERNEL: [&str; 8] =
    ["IORING_", "IOSQE_", "IOU_", "IO_URING_", "ZCRX_", "BLOCK_URING_", "SOCKET_URING_", "RWF_"];

/// Which macro a line stands in.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Op,
    Bits,
    Nothing,
}

/// The items of a source whose docs do not say since when they are there, and how many there are that have to.
pub(crate) fn undated(text: &str) -> (Vec<String>, usize) {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let (mut inside, mut doc, mut is_in_doc) = (Inside::Nothing, String::new(), false);
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for (at, line) in lines.iter().enumerate() {
        let trimmed = line.trim();
        if is_in_doc || trimmed.starts_with("///") || trimmed.starts_with("#[doc") {
            doc += trimmed.trim_start_matches("///");
            // An attribute may take several lines.
            is_in_doc = (is_in_doc || trimmed.starts_with("#[doc")) && !trimmed.ends_with(']');
            continue;
        }
        if trimmed.starts_with("#[") {
            continue;
        }
        inside = match *line {
            "op! {" | "op128! {" => Inside::Op,
            "bits! {" => Inside::Bits,
            "}" => Inside::Nothing,
            _ => inside,
        };
        let name = match inside {
            Inside::Op => Some(trimmed).filter(|name| is_name(name)),
            Inside::Bits => trimmed.split_once(" = ").map(|(name, _)| name),
            Inside::Nothing => flag(trimmed).or_else(|| function(&lines[at..])),
        };
        if let Some(name) = name {
            looked_at += 1;
            if !is_dated(&doc) {
                found.push(name.to_owned());
            }
        }
        doc.clear();
    }
    (found, looked_at)
}

/// Whether docs say a version, also by a macro's parameter.
fn is_dated(doc: &str) -> bool {
    let says =
        |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit()) || rest.starts_with("\", $");
    ["since ", "Since ", "newer than "].iter().any(|word| doc.split(word).skip(1).any(says))
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The name of a constant that is the kernel's.
fn flag(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix("pub const ")?.split_once(':')?;
    (is_name(name) && rest.contains("uring_sys::")).then_some(name)
}

/// The name of a function that begins here, if its code names a constant of the kernel's.
fn function<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let first = lines[0].trim_start();
    let kinds = ["pub fn ", "pub unsafe fn ", "pub const fn ", "pub const unsafe fn "];
    let name = kinds.iter().find_map(|kind| first.strip_prefix(kind))?.split(['(', '<']).next()?;
    let end = format!("{}}}", &lines[0][..lines[0].len() - first.len()]);
    let len = lines.iter().position(|line| *line == end).unwrap_or(lines.len());
    let words = source::words(&lines[..len].join("\n"));
    let is_kernels = |word: &String| KERNEL.iter().any(|beginning| word.starts_with(beginning));
    (name != "new" && words.iter().any(is_kernels)).then_some(name)
}

#[test]
fn what_does_not_say_since_when_is_found() {
    let text = r#"
op! {
    /// Reads; see `read(2)`; since
    /// 5.6. The result is a count.
    Read
}

op! {
    /// Writes.
    Write
}

bits! {
    /// Flags, since 5.1.
    Flags(u8), prefix "IOSQE_";
    /// One.
    ONE = IOSQE_ONE,
    /// Two; newer than 6.18.
    TWO = IOSQE_TWO,
}

impl Read {
    /// Makes one.
    pub fn new() -> Self {
        IORING_OP_READ
    }

    /// Waits first.
    pub fn poll_first(mut self) -> Self {
        self |= IORING_RECVSEND_POLL_FIRST;
    }

    #[doc = concat!(
        "Is fixed, since ", $since, "."
    )]
    #[inline]
    pub fn fixed(mut self) -> Self {
        self |= IORING_RECVSEND_FIXED_BUF;
    }

    /// Asks nobody.
    pub fn name(&self) -> u64 {
        // Not IORING_A_FLAG.
        self.name
    }

    /// Durable.
    pub const DSYNC: Self = Self(uring_sys::RWF_DSYNC);
}
"#;
    let (found, looked_at) = undated(text);
    assert_eq!(found, ["Write", "ONE", "poll_first", "DSYNC"]);
    assert_eq!(looked_at, 7);
}

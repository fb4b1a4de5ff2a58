//! What a Rust source says in code: its words without comments, literals, imports, assertions and tests.

/// The words and signs of a source, in order.
pub(crate) fn words(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        at += match rest {
            ['/', '/', ..] => find(rest, &['\n']),
            ['/', '*', ..] => block_comment(rest),
            ['"', ..] => string(rest),
            ['\'', '\\', ..] => 3 + find(&rest[3..], &['\'']) + 1,
            ['\'', _, '\'', ..] => 3,
            // A lifetime.
            ['\'', ..] => 1,
            ['r', '"' | '#', ..] if raw_string(rest).is_some() => raw_string(rest).unwrap_or(1),
            ['b' | 'c', 'r', '"' | '#', ..] if raw_string(&rest[1..]).is_some() => 1,
            [c, ..] if is_word(*c) => {
                let len = rest.iter().take_while(|c| is_word(**c)).count();
                words.push(rest[..len].iter().collect());
                len
            }
            [c, ..] => {
                if !c.is_whitespace() {
                    words.push(c.to_string());
                }
                1
            }
            [] => unreachable!("there is a rest"),
        };
    }
    words
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Where `end` begins, or how long the text is.
fn find(text: &[char], end: &[char]) -> usize {
    text.windows(end.len()).position(|window| window == end).unwrap_or(text.len())
}

fn block_comment(text: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match text[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &[char]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of a raw string from its `r` on, if this is one.
fn raw_string(text: &[char]) -> Option<usize> {
    let hashes = text[1..].iter().take_while(|c| **c == '#').count();
    (text.get(1 + hashes) == Some(&'"')).then(|| {
        let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        let start = 2 + hashes;
        start + find(&text[start..], &end) + end.len()
    })
}

/// The words that make a program: without imports, static assertions and what is compiled for tests alone; and the
/// names of modules that are so.
pub(crate) fn code(words: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut test_modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < words.len() {
        let rest = &words[at..];
        let starts = |with: &[&str]| rest.len() >= with.len() && rest.iter().zip(with).all(|(a, b)| a == b);
        if starts(&["#", "[", "cfg", "("]) {
            let attribute = balanced(rest);
            if is_for_tests(&rest[..attribute]) {
                let item = item(&rest[attribute..]);
                let item_words = &rest[attribute..attribute + item];
                if let Some(module) = item_words.iter().position(|word| word == "mod") {
                    test_modules.extend(item_words.get(module + 1).cloned());
                }
                at += attribute + item;
            } else {
                at += attribute;
            }
        } else if starts(&["use"]) && !starts(&["use", "<"]) {
            at += item(rest);
        } else if rest[0].starts_with("const_assert") && rest.get(1).is_some_and(|next| next == "!") {
            at += balanced(rest);
        } else {
            kept.push(words[at].clone());
            at += 1;
        }
    }
    (kept, test_modules)
}

fn is_for_tests(attribute: &[String]) -> bool {
    let has = |name: &str| attribute.iter().any(|word| word == name);
    (has("test") || has("loom")) && !has("not")
}

/// How many words there are up to the end of the first bracket.
fn balanced(words: &[String]) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate() {
        match word.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 1 => return at + 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    words.len()
}

/// How many words an item has: it ends with a semicolon or a body.
fn item(words: &[String]) -> usize {
    let is_import = words[0] == "use";
    let mut at = 0;
    while at < words.len() {
        match words[at].as_str() {
            ";" => return at + 1,
            "{" if !is_import => return at + balanced(&words[at..]),
            "(" | "[" | "{" => at += balanced(&words[at..]),
            _ => at += 1,
        }
    }
    words.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        code(&words(text)).0.join(" ")
    }

    #[test]
    fn comments_and_literals_say_nothing() {
        assert_eq!(said("a // b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(said(r##"a "b \" c" r#"d " e"# br"f" 'g' '\'' '\u{7f}' b'h' i"##), "a b i");
        assert_eq!(said("fn f<'a>(x: &'a T)"), "fn f < a > ( x : & a T )");
    }

    #[test]
    fn imports_and_assertions_say_nothing() {
        assert_eq!(said("use a::{b, c}; pub(crate) use d; e"), "pub ( crate ) e");
        assert_eq!(said("fn f() -> impl T + use<'a> { b }"), "fn f ( ) - > impl T + use < a > { b }");
        assert_eq!(said("const_assert_eq!(A, B); c"), "; c");
    }

    #[test]
    fn what_is_for_tests_says_nothing() {
        assert_eq!(said("a #[cfg(test)] #[allow(x)] mod t { fn f() { b } } c"), "a c");
        assert_eq!(said("a #[cfg(all(test, loom))] fn f(x: T) -> [u8; 2] { b } c"), "a c");
        assert_eq!(said("a #[cfg(not(loom))] fn f() {}"), "a fn f ( ) { }");
        let (kept, modules) = code(&words("mod a; #[cfg(test)] mod b; mod c;"));
        assert_eq!((kept.len(), modules), (6, vec!["b".to_owned()]));
    }
}

//! Skips that are printed, and that [`REQUIRE_ALL`](require_all) turns into failures.

use std::fmt::Display;
use std::io::Write;

/// Says whether the tests run in a throw-away guest (`GUEST=1`), where global limits may be turned.
#[must_use]
pub fn in_guest() -> bool {
    is_set("GUEST")
}

/// Says whether each skip is a failure (`REQUIRE_ALL=1`).
#[must_use]
pub fn require_all() -> bool {
    is_set("REQUIRE_ALL")
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Prints `SKIP <test>: <reason>`; the caller returns.
///
/// The line goes to the standard error itself, not through the capture of the test harness, so that it is seen in a
/// passing run.
///
/// # Panics
/// With `REQUIRE_ALL=1`.
pub fn skip(test: &str, reason: &dyn Display) {
    assert!(!require_all(), "REQUIRE_ALL: {test} cannot run: {reason}");
    // A closed standard error is no reason to fail a test that has not run.
    let _ = writeln!(std::io::stderr(), "SKIP {test}: {reason}");
}

/// Prints `SKIP <test>: only in a guest: <reason>`; the caller returns. No failure with `REQUIRE_ALL=1`: the guests run it.
pub fn skip_outside_guests(test: &str, reason: &dyn Display) {
    // As in `skip`.
    let _ = writeln!(std::io::stderr(), "SKIP {test}: only in a guest (GUEST=1): {reason}");
}

/// Turns the path of an item inside a test function into the name under which the harness knows the test.
#[must_use]
pub fn harness_name(path: &'static str) -> &'static str {
    let path = path.split_once("::").map_or(path, |(_crate, rest)| rest);
    let path = path.strip_suffix("::here").unwrap_or(path);
    path.split_once("::{{closure}}").map_or(path, |(test, _)| test)
}

/// Gives the name of the test function in which it stands, as the harness knows it.
#[macro_export]
macro_rules! test_name {
    () => {{
        fn here() {}
        $crate::skip::harness_name(::std::any::type_name_of_val(&here))
    }};
}

/// Ends the test with `SKIP <test>: <reason>` (a panic with `REQUIRE_ALL=1`). Takes what `format!` takes.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        $crate::skip::skip($crate::test_name!(), &::std::format_args!($($reason)+));
        return;
    }};
}

/// Goes on if the condition holds, else skips: `require!(in_guest(), "turns a global limit")`.
#[macro_export]
macro_rules! require {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            $crate::skip!($($reason)+);
        }
    };
}

/// Goes on if the condition holds, else skips for what no kernel of a machine has that CI runs on, but one of the guests
/// has: `require_newer!(is_at_least(7, 0), "Linux 7.0")`. Never a failure.
#[macro_export]
macro_rules! require_newer {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            $crate::skip::skip_outside_guests($crate::test_name!(), &::std::format_args!($($reason)+));
            return;
        }
    };
}

/// Goes on in a guest, else ends the test with a printed skip that is never a failure:
/// `guest_only!("turns a global limit")`.
#[macro_export]
macro_rules! guest_only {
    ($($reason:tt)+) => {
        if !$crate::skip::in_guest() {
            $crate::skip::skip_outside_guests($crate::test_name!(), &::std::format_args!($($reason)+));
            return;
        }
    };
}

/// Unwraps an `Ok`, or skips with the error as the reason: `let disk = or_skip!(late::Disk::new(4096));`.
#[macro_export]
macro_rules! or_skip {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(reason) => $crate::skip!("{reason}"),
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_test_knows_its_name_also_inside_a_closure() {
        let expected = "skip::tests::a_test_knows_its_name_also_inside_a_closure";
        assert_eq!(crate::test_name!(), expected);
        let inside = || crate::test_name!();
        assert_eq!(inside(), expected);
    }
}

//! What would be unsound does not compile.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;
use std::rc::Rc;

use engine::Engine;
use engine::operation::Read;

/// Why the compiler cannot be asked here. None of these is a failure where everything is required.
fn reason_against() -> Option<&'static str> {
    if std::env::var("RUSTFLAGS").is_ok_and(|flags| flags.contains("sanitizer")) {
        return Some("the compiler that has sanitizers has other texts");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let there = Command::new(cargo).arg("--version").output().is_ok_and(|output| output.status.success());
    (!there).then_some("there is no compiler, as in a guest")
}

/// Compiles for types that are not `Send` only: for others it would be ambiguous which of the two is meant.
#[test]
fn an_engine_of_what_stays_in_its_thread_stays_there() {
    trait NotSend<A> {
        fn holds() {}
    }
    struct Send;
    impl<T> NotSend<()> for T {}
    impl<T: std::marker::Send> NotSend<Send> for T {}
    <Engine<Read<Rc<File>, Vec<u8>>> as NotSend<_>>::holds();
}

/// The texts are those of the stable compiler of the day: `TRYBUILD=overwrite` writes them down again.
#[test]
fn what_would_be_unsound_does_not_compile() {
    if let Some(reason) = reason_against() {
        // A closed standard error is no reason to fail.
        let _ = writeln!(std::io::stderr(), "SKIP {}: {reason}", tests::test_name!());
        return;
    }
    trybuild::TestCases::new().compile_fail("engine/compile_fail/*.rs");
}

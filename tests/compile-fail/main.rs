//! What would be unsound does not compile.
//!
//! A binary of its own: what is linked to each test that asks a compiler has types of its own, beside which those of
//! others are no longer inferred.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;
use std::rc::Rc;

use engine::Engine;
use engine::operation::Read;
use uring::Ring;

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
    trait NotSend<Reason> {
        fn holds() {}
    }
    impl<T: ?Sized> NotSend<()> for T {}
    impl<T: ?Sized + Send> NotSend<u8> for T {}
    <Engine<Read<Rc<File>, Vec<u8>>> as NotSend<_>>::holds();
}

/// As above: a ring may go to another thread, and two may not use it at once.
#[test]
fn a_ring_is_used_by_one_thread_at_a_time() {
    trait NotSync<Reason> {
        fn holds() {}
    }
    impl<T: ?Sized> NotSync<()> for T {}
    impl<T: ?Sized + Sync> NotSync<u8> for T {}
    fn is_send<T: Send>() {}
    <Ring as NotSync<_>>::holds();
    is_send::<Ring>();
}

/// The texts are those of the stable compiler of the day: `TRYBUILD=overwrite` writes them down again.
#[test]
fn what_would_be_unsound_does_not_compile() {
    if let Some(reason) = reason_against() {
        // A closed standard error is no reason to fail.
        let _ = writeln!(std::io::stderr(), "SKIP {}: {reason}", tests::test_name!());
        return;
    }
    let programs = trybuild::TestCases::new();
    programs.compile_fail("compile-fail/engine/*.rs");
    programs.compile_fail("compile-fail/ring/*.rs");
}

//! The program as its user runs it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(arguments);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn cases(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", stderr(output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// Makes the calls fail with EPERM in a child, as the seccomp profile of a container does.
fn forbid(command: &mut Command, calls: [libc::c_long; 2]) {
    // The distance to the last instruction, which is the refusal, shrinks from check to check.
    let check =
        |call: libc::c_long, distance| libc::sock_filter { code: 0x15, jt: distance, jf: 0, k: call as u32 };
    let value = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let refusal = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let filter = [
        value(0x20, 0),
        check(calls[0], 2),
        check(calls[1], 1),
        value(0x06, libc::SECCOMP_RET_ALLOW),
        value(0x06, refusal),
    ];
    let install = move || {
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: this option takes integers only.
        if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `program` names the instructions of `filter`, which outlives the call, and their number.
        if unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: the closure makes two system calls and touches nothing that a fork might have left locked.
    unsafe { command.pre_exec(install) };
}

#[test]
fn a_small_run_measures_and_verifies_every_case() {
    let chart = tempfile::NamedTempFile::new().unwrap();
    let path = chart.path().to_str().unwrap();
    let output =
        bench(&["--size", "1M", "-t", "0.02", "--depth", "1,8", "--json", "--plot", path]).output().unwrap();
    let cases = cases(&output);
    assert_eq!(cases.len(), 28);
    for case in &cases {
        match case["status"].as_str().unwrap() {
            "measured" => {
                assert!(case["ops"].as_u64().unwrap() > 0, "{case}");
                assert!(case["verified_bytes"].as_u64().unwrap() > 0, "{case}");
            }
            status => {
                assert_eq!(status, "unavailable", "{case}");
                eprintln!("not measured here: {case}");
            }
        }
    }
    assert!(std::fs::read_to_string(chart.path()).unwrap().starts_with("<svg"));
}

#[test]
fn a_forbidden_interface_is_a_reason_and_not_a_failure() {
    let mut command = bench(&["--size", "1M", "-t", "0.02", "--mode", "buffered", "--op", "read", "--json"]);
    forbid(&mut command, [libc::SYS_io_uring_setup, libc::SYS_io_setup]);
    for case in cases(&command.output().unwrap()) {
        // The engine has threads then.
        let measured = case["engine"] == "pread" || case["engine"] == "engine";
        assert_eq!(case["status"] == "measured", measured, "{case}");
        if !measured {
            let reason = case["reason"].as_str().unwrap();
            assert!(reason.contains("Operation not permitted"), "{reason}");
        }
    }
}

#[test]
fn a_users_file_is_only_read_until_writing_is_allowed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..=255).cycle().take(1 << 16).collect();
    std::fs::write(file.path(), &content).unwrap();
    let path = file.path().to_str().unwrap();
    let run = |more: &[&str]| {
        let arguments =
            [&[path, "-t", "0.02", "--json", "--mode", "buffered", "--engine", "pread,aio"], more].concat();
        bench(&arguments).output().unwrap()
    };
    assert!(!cases(&run(&[])).is_empty());
    let refused = run(&["--op", "write"]);
    assert!(!refused.status.success() && stderr(&refused).contains("--write"), "{}", stderr(&refused));
    assert_eq!(std::fs::read(file.path()).unwrap(), content);
    assert!(!cases(&run(&["--op", "write", "--write"])).is_empty());
    assert_ne!(std::fs::read(file.path()).unwrap(), content);
}

#[cfg(not(feature = "peers"))]
#[test]
fn rings_without_their_peers_say_what_to_build() {
    let output = bench(&["rings"]).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("--features peers"), "{}", stderr(&output));
}

#[cfg(feature = "peers")]
#[test]
fn rings_are_compared_with_liburing_in_each_scenario() {
    let output =
        bench(&["rings", "--runs", "1", "--rounds", "1", "--slice", "1", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scenarios = document["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len() + document["notes"].as_array().unwrap().len(), 10);
    for scenario in scenarios {
        assert_eq!(scenario["rings"][0]["name"], "liburing");
        assert_eq!(scenario["rings"][0]["ratio"]["median"], 1.0);
    }
}

#[test]
fn a_probe_names_the_alignment_of_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = bench(&["probe", file.path().to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(text.contains("fs.aio-max-nr: ") && text.contains("offsets and lengths"), "{text}");
}

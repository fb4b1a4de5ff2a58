//! The threads that do what would block.

use std::fs;

use tests::require;
use uring::op::ring::Nop;
use uring::ring::MaxWorkers;
use uring::{Capabilities, RegisterOp, Ring, SqeFlags};

use super::common::*;

/// The CPUs that the workers of the calling thread may run on, in words of the kernel.
fn cpus_of_workers(ring: &mut Ring) -> Vec<String> {
    assert_eq!(run(ring, Nop::new().flags(SqeFlags::ASYNC)), Ok(0));
    let name = format!("iou-wrk-{}", unsafe { libc::gettid() });
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    // Threads of other tests may end meanwhile.
    tasks
        .filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name))
        .filter_map(|task| {
            let status = fs::read_to_string(task.join("status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list"))?;
            Some(line.split_whitespace().nth(1)?.to_owned())
        })
        .collect()
}

/// CPUs that this thread may run on.
fn cpus() -> Vec<usize> {
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) }, 0);
    (0..1024).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

// What is set here belongs to a thread; each test has one.

/// By its number a kernel does not tell: from 5.10.162 on, 5.10 has the rings of 5.15.
fn knows(op: RegisterOp) -> bool {
    Capabilities::get().unwrap().supports_register(op)
}

#[test]
fn workers_run_where_they_are_told() {
    let cpus = cpus();
    require!(cpus.len() > 1, "two CPUs");
    let last = *cpus.last().unwrap();
    let mut ring = ring(4);
    if !knows(RegisterOp::REGISTER_IOWQ_AFF) {
        refused(ring.registrar().set_worker_cpus(&[last]), libc::EINVAL, "5.14");
        tests::skip!("Linux 5.14");
    }
    ring.registrar().set_worker_cpus(&[last]).unwrap();
    let bound = cpus_of_workers(&mut ring);
    assert!(!bound.is_empty() && bound.iter().all(|cpus| *cpus == last.to_string()), "{bound:?}");
}

#[test]
fn workers_run_anywhere_once_they_are_not_told_any_more() {
    let cpus = cpus();
    require!(cpus.len() > 1, "two CPUs");
    require!(knows(RegisterOp::REGISTER_IOWQ_AFF), "Linux 5.14");
    let mut ring = ring(4);
    ring.registrar().set_worker_cpus(&cpus[..1]).unwrap();
    // Those that there are already stay where they are.
    ring.registrar().clear_worker_cpus().unwrap();
    let free = cpus_of_workers(&mut ring);
    assert!(!free.is_empty() && free.iter().all(|list| *list != cpus[0].to_string()), "{free:?}");
}

#[test]
fn cpus_that_there_are_not_are_refused_or_left_out() {
    let mut ring = ring(4);
    refused(ring.registrar().set_worker_cpus(&[]), libc::EINVAL, "no CPU");
    refused(ring.registrar().set_worker_cpus(&[usize::MAX]), libc::EINVAL, "there is no CPU");
    require!(knows(RegisterOp::REGISTER_IOWQ_AFF), "Linux 5.14");
    // Whether or not the kernel takes those, workers do their work.
    for absent in [4000, (1 << 16) - 1] {
        let _ = ring.registrar().set_worker_cpus(&[absent]);
        assert!(!cpus_of_workers(&mut ring).is_empty());
    }
}

#[test]
fn limits_are_set_and_those_before_are_told() {
    let mut ring = ring(4);
    if !knows(RegisterOp::REGISTER_IOWQ_MAX_WORKERS) {
        refused(ring.registrar().max_workers(), libc::EINVAL, "5.15");
        tests::skip!("Linux 5.15");
    }
    let first = ring.registrar().max_workers().unwrap();
    assert!(first.bounded > 0 && first.unbounded > 0, "{first:?}");
    let limits = MaxWorkers { bounded: 1, unbounded: 2 };
    assert_eq!(ring.registrar().set_max_workers(limits).unwrap(), first);
    assert_eq!(ring.registrar().max_workers().unwrap(), limits);
    let one = MaxWorkers { bounded: 3, unbounded: 0 };
    assert_eq!(ring.registrar().set_max_workers(one).unwrap(), limits);
    assert_eq!(ring.registrar().max_workers().unwrap(), MaxWorkers { bounded: 3, unbounded: 2 });
    let absurd = MaxWorkers { bounded: u32::MAX, unbounded: 1 };
    refused(ring.registrar().set_max_workers(absurd), libc::EINVAL, "workers");
    for _ in 0..10 {
        assert_eq!(run(&mut ring, Nop::new().flags(SqeFlags::ASYNC)), Ok(0));
    }
    assert!(cpus_of_workers(&mut ring).len() <= 3 + 2);
}

use tests::{in_child, require_newer};
use uring::op::ring::Nop;
use uring::ring::{Filter, register_task_filter};
use uring::{Op, RegisterOp, Ring};

use crate::common::{ring, take};

/// A program that returns a constant.
fn always(answer: u32) -> [libc::sock_filter; 1] {
    const RET_K: u16 = 6;
    [libc::sock_filter { code: RET_K, jt: 0, jf: 0, k: answer }]
}

#[track_caller]
fn refused(result: uring::Result<()>, errno: i32) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains("program"), "{error}");
}

fn has_filters(ring: &Ring) -> bool {
    ring.probe().unwrap().supports_register(RegisterOp::REGISTER_BPF_FILTER) == Some(true)
}

fn answer(ring: &mut Ring) -> Result<u32, i32> {
    ring.push(Nop::new()).unwrap();
    take(ring, 1)[0].1
}

#[test]
fn a_program_lets_requests_pass_or_not() {
    let mut ring = ring(4);
    require_newer!(has_filters(&ring), "Linux 7.0");
    ring.registrar().register_filter(Filter::new(Op::NOP, &always(1))).unwrap();
    assert_eq!(answer(&mut ring), Ok(0));
    ring.registrar().register_filter(Filter::new(Op::NOP, &always(0))).unwrap();
    assert_eq!(answer(&mut ring), Err(libc::EACCES));
    ring.registrar().register_filter(Filter::new(Op::NOP, &always(1))).unwrap();
    assert_eq!(answer(&mut ring), Err(libc::EACCES), "each of them has to let it pass");
}

#[test]
fn a_program_may_refuse_what_has_none() {
    let mut ring = ring(4);
    require_newer!(has_filters(&ring), "Linux 7.0");
    ring.registrar().register_filter(Filter::new(Op::FSYNC, &always(1)).deny_rest()).unwrap();
    assert_eq!(answer(&mut ring), Err(libc::EACCES));
}

#[test]
fn a_thread_filters_all_rings_that_it_makes() {
    require_newer!(has_filters(&ring(4)), "Linux 7.0");
    in_child!(|| {
        let mut before = ring(4);
        register_task_filter(Filter::new(Op::NOP, &always(0))).unwrap();
        assert_eq!(answer(&mut ring(4)), Err(libc::EACCES));
        assert_eq!(answer(&mut before), Ok(0), "a ring that was there is not changed");
    });
}

#[test]
fn a_program_that_is_none_is_refused() {
    let ring = ring(4);
    refused(ring.registrar().register_filter(Filter::new(Op::NOP, &[])), libc::EINVAL);
    refused(ring.registrar().register_filter(Filter::new(Op::new(200), &always(1))), libc::EINVAL);
    refused(register_task_filter(Filter::new(Op::NOP, &[])), libc::EINVAL);
    if !has_filters(&ring) {
        refused(ring.registrar().register_filter(Filter::new(Op::NOP, &always(1))), libc::EINVAL);
    }
}

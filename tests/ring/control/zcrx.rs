use std::ptr;

use uring::ring::{Registrar, Zcrx, ZcrxArea, ZcrxEvents};
use uring::{Cqe32, Error, Ring, Sqe};

use crate::common::ring;

const NO_INTERFACE: u32 = 0x7fff_ffff;

#[track_caller]
fn errno<T: std::fmt::Debug>(result: Result<T, Error>) -> i32 {
    let error = result.unwrap_err();
    assert!(error.to_string().contains("queue") || error.to_string().contains("copies"), "{error}");
    error.raw_os_error().expect("an errno")
}

fn ask(registrar: Registrar<'_>) -> i32 {
    let area = ZcrxArea::Memory { start: ptr::null_mut(), len: 4096 };
    let zcrx = Zcrx::new(NO_INTERFACE, 0, 8, area).events(ZcrxEvents::new(1).copy());
    // No memory at all: the kernel refuses before it would use any.
    errno(unsafe { registrar.register_zcrx(&zcrx, ptr::null_mut(), 4096) })
}

#[test]
fn a_queue_of_no_interface_is_refused() {
    assert_eq!(ask(ring(4).registrar()), libc::EINVAL, "a ring of the wrong kind");
    if let Ok(ring) = Ring::<Sqe, Cqe32>::builder(4).single_issuer().defer_taskrun().build() {
        let errno = ask(ring.registrar());
        assert!([libc::EINVAL, libc::EFAULT, libc::ENODEV, libc::EPERM].contains(&errno), "errno {errno}");
    }
}

#[test]
fn what_is_no_queue_is_neither_controlled_nor_shared() {
    let ring = ring(4);
    let registrar = ring.registrar();
    let refused = [libc::EINVAL, libc::ENXIO, libc::EOPNOTSUPP];
    assert!(refused.contains(&errno(registrar.flush_zcrx(77))));
    assert!(refused.contains(&errno(registrar.export_zcrx(77))));
    assert!(refused.contains(&errno(registrar.arm_zcrx_event(77, ZcrxEvents::new(0).copy()))));
    let errno = errno(registrar.import_zcrx(std::os::fd::AsFd::as_fd(&ring)));
    assert!([libc::EINVAL, libc::EBADF, libc::EPERM].contains(&errno), "errno {errno}");
}

use std::time::Duration;

use tests::kernel::is_at_least;
use tests::require;
use uring::Ring;
use uring::ring::{Napi, NapiTracking};

use crate::common::ring;

const BRIEF: Duration = Duration::from_micros(50);

#[track_caller]
fn refused<T: std::fmt::Debug>(result: uring::Result<T>, errno: i32) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains("poll") || error.to_string().contains("queue"), "{error}");
}

#[test]
fn what_waits_poll_is_set_and_told_when_it_changes() {
    require!(is_at_least(6, 9), "Linux 6.9");
    let ring = ring(4);
    let first = Napi::new(BRIEF).prefer_busy_poll(true);
    let before = ring.registrar().register_napi(first).unwrap();
    assert_eq!(before, Napi::new(Duration::ZERO).tracking(inactive_at_first()));
    assert_eq!(ring.registrar().register_napi(Napi::new(Duration::from_micros(70))).unwrap(), first);
    assert_eq!(ring.registrar().unregister_napi().unwrap(), Napi::new(Duration::from_micros(70)));
}

/// Before 6.13 there was one way only.
fn inactive_at_first() -> NapiTracking {
    if is_at_least(6, 13) { NapiTracking::Inactive } else { NapiTracking::Dynamic }
}

#[test]
fn queues_are_added_and_removed_by_name() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let ring = ring(4);
    refused(ring.registrar().add_napi_id(1), libc::EINVAL);
    ring.registrar().register_napi(Napi::new(BRIEF).tracking(NapiTracking::Static)).unwrap();
    // Numbers of queues begin past those of processors.
    refused(ring.registrar().add_napi_id(1), libc::EINVAL);
    refused(ring.registrar().remove_napi_id(1 << 20), libc::ENOENT);
    ring.registrar().add_napi_id(1 << 20).unwrap();
    refused(ring.registrar().add_napi_id(1 << 20), libc::EEXIST);
    ring.registrar().remove_napi_id(1 << 20).unwrap();
}

#[test]
fn a_ring_that_polls_disks_does_not_poll_networks() {
    require!(is_at_least(6, 9), "Linux 6.9");
    let ring: Ring = Ring::builder(4).iopoll().build().unwrap();
    refused(ring.registrar().register_napi(Napi::new(BRIEF)), libc::EINVAL);
}

#[test]
fn an_older_kernel_polls_no_networks() {
    if !is_at_least(6, 9) {
        refused(ring(4).registrar().register_napi(Napi::new(BRIEF)), libc::EINVAL);
    }
}

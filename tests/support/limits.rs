//! Resource limits of a child process.

/// Sets the soft limit of a resource (`libc::RLIMIT_FSIZE`, …) of this process.
///
/// Inside [`in_child!`](crate::in_child!) only, so that no other test feels it.
///
/// # Panics
/// Outside such a child, or if the system refuses.
pub fn set(resource: libc::__rlimit_resource_t, soft: u64) {
    assert!(crate::child::active(), "limits only inside in_child!");
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call that fills it.
    let got = unsafe { libc::getrlimit(resource, &raw mut limit) };
    assert_eq!(got, 0, "getrlimit: {}", std::io::Error::last_os_error());
    limit.rlim_cur = soft.min(limit.rlim_max);
    // SAFETY: `limit` outlives the call, which only reads it.
    let set = unsafe { libc::setrlimit(resource, &raw const limit) };
    assert_eq!(set, 0, "setrlimit: {}", std::io::Error::last_os_error());
}

/// Ignores a signal in this process, for example `libc::SIGXFSZ` before a limit on file sizes is reached.
///
/// # Panics
/// Outside a child of [`in_child!`](crate::in_child!), or if the system refuses.
pub fn ignore(signal: libc::c_int) {
    assert!(crate::child::active(), "dispositions only inside in_child!");
    // SAFETY: `SIG_IGN` is a valid disposition for every signal that can be ignored; others fail, which is checked.
    let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
    assert_ne!(before, libc::SIG_ERR, "signal: {}", std::io::Error::last_os_error());
}

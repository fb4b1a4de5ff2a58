//! Compiles what `bench rings` runs of liburing, with the feature `peers`; without it does nothing, and needs
//! no C compiler.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "peers")]
    liburing::run();
}

#[cfg(feature = "peers")]
mod liburing {
    /// The loops, over the inlines of liburing's header.
    const SOURCE: &str = "src/compare/rings/liburing.c";

    /// Where `io_uring_sqe_set_data64` is from.
    const OLDEST: &str = "2.2";

    pub(super) fn run() {
        println!("cargo::rerun-if-changed={SOURCE}");
        // Another one than the system's (2.15 is up to three per cent faster than Debian's 2.3): PKG_CONFIG_PATH, and
        // LIBURING_STATIC=1 for what is in no path of the dynamic linker.
        let mut config = pkg_config::Config::new();
        config.atleast_version(OLDEST);
        let library = config.cargo_metadata(false).probe("liburing").unwrap_or_else(|error| {
            panic!("liburing {OLDEST} or newer is not there; install liburing-dev and pkg-config: {error}")
        });
        // What programs are compiled with, whatever Cargo's profile is; its debug information would cost C a register.
        cc::Build::new()
            .file(SOURCE)
            .includes(&library.include_paths)
            .opt_level(2)
            .force_frame_pointer(false)
            .warnings(true)
            .compile("bench_liburing");
        // Now, so that a linker that takes libraries as they are needed comes to it after the loops.
        config.cargo_metadata(true).probe("liburing").expect("it was there just now");
        println!("cargo::rustc-env=LIBURING_VERSION={}", library.version);
    }
}

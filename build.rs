//! The one bindgen driver, linked into both `-sys` crates.
//!
//! Without the feature `bindgen` it does nothing: the crate compiles the committed `src/bindings.rs`. With
//! the feature it binds what the crate's `wrapper.h` includes, from the headers of this machine or of
//! `LINUX_HEADERS=<dir>` (the result of the kernel's `make headers_install`), into `OUT_DIR/bindings.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "bindgen")]
    generate::run();
}

#[cfg(feature = "bindgen")]
mod generate {
    use std::env;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::exit;

    use bindgen::callbacks::{DeriveInfo, IntKind, MacroParsingBehavior, ParseCallbacks};

    /// The headers whose every name is bound. A pattern, not a path, so that the directory's characters do
    /// not matter.
    const FILES: &str = r".*/linux/(aio_abi|io_uring|io_uring/[a-z_]+)\.h";
    /// What the interfaces use from headers that hold much more.
    const TYPES: &str = "open_how|futex_waitv";
    const VARS: &str = "RWF_.*|RESOLVE_.*|OPENAT2_.*|FUTEX2_.*|FUTEX_WAITV_MAX|LINUX_VERSION_CODE";

    pub(super) fn run() {
        println!("cargo::rerun-if-changed=wrapper.h");
        println!("cargo::rerun-if-changed=src/bindings.rs");
        println!("cargo::rerun-if-env-changed=LINUX_HEADERS");

        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        let headers = env::var_os("LINUX_HEADERS").map(PathBuf::from);

        let mut builder = bindgen::builder()
            .header("wrapper.h")
            .allowlist_file(FILES)
            .allowlist_type(TYPES)
            .allowlist_var(VARS)
            // Macros that are built on casts (RWF_*) or on enumerators (IOSQE_*) need a compiler's help. Its
            // scratch files must not land in the package.
            .clang_macro_fallback()
            .clang_macro_fallback_build_dir(&out)
            .prepend_enum_name(false)
            .derive_default(true)
            .use_core()
            .wrap_unsafe_ops(true)
            .generate_comments(false)
            // The formatter is pinned by Cargo.lock, unlike the rustfmt of the day.
            .formatter(bindgen::Formatter::Prettyplease)
            .parse_callbacks(Box::new(Abi))
            .parse_callbacks(Box::new(bindgen::CargoCallbacks::new().rerun_on_header_files(true)));
        if let Some(dir) = &headers {
            let dir = dir.to_str().unwrap_or_else(|| fail("LINUX_HEADERS is not UTF-8"));
            builder = builder.clang_args(["-nostdinc", "-isystem", dir]);
        }

        let source = match &headers {
            Some(dir) => format!("the headers in LINUX_HEADERS={}", dir.display()),
            None => "the headers of this machine".to_owned(),
        };
        let text = builder
            .generate()
            .unwrap_or_else(|error| fail(&format!("bindgen refuses {source}: {error}")))
            .to_string();
        if let Ok(committed) = fs::read_to_string("src/bindings.rs")
            && let Err(reason) = not_older(&text, &committed)
        {
            fail(&format!(
                "{source} {reason}. Point LINUX_HEADERS at newer ones (`make headers_install`), or leave the \
                 feature `bindgen` off: the committed bindings need no header at all"
            ));
        }
        write(&out.join("bindings.rs"), &text);
    }

    /// Checks that the new bindings come from headers at least as new as those of the committed ones.
    ///
    /// The version decides if the headers have one (`linux/version.h`), the names that they declare if not.
    fn not_older(new: &str, committed: &str) -> Result<(), String> {
        let Some(floor) = version(committed) else {
            return Ok(());
        };
        let floor_name = dotted(floor);
        if let Some(found) = version(new) {
            if found >= floor {
                return Ok(());
            }
            let found = dotted(found);
            return Err(format!(
                "are those of Linux {found}, and the committed bindings have the ABI of Linux {floor_name}"
            ));
        }
        let missing: Vec<&str> = names(committed)
            .filter(|name| *name != "LINUX_VERSION_CODE" && !names(new).any(|other| other == *name))
            .collect();
        match missing.last() {
            None => Ok(()),
            Some(last) => Err(format!(
                "have no linux/version.h, and lack {} names that the committed bindings have from Linux \
                 {floor_name}, {last} for one",
                missing.len()
            )),
        }
    }

    /// Iterates over the constants and types that a generated file declares.
    fn names(text: &str) -> impl Iterator<Item = &str> {
        text.lines().filter_map(|line| {
            let line = line.strip_prefix("pub ")?;
            let (kind, rest) = line.split_once(' ')?;
            let name = rest.split([':', ' ', '<', '(', ';']).next()?;
            // Anonymous types are numbered in order of appearance: their names say nothing.
            (["const", "struct", "union", "type"].contains(&kind) && !name.contains("bindgen_ty"))
                .then_some(name)
        })
    }

    /// Reads `LINUX_VERSION_CODE` out of a generated file.
    fn version(text: &str) -> Option<u32> {
        let line = text.lines().find(|line| line.starts_with("pub const LINUX_VERSION_CODE:"))?;
        line.rsplit(' ').next()?.trim_end_matches(';').parse().ok()
    }

    fn dotted(code: u32) -> String {
        format!("{}.{}", code >> 16, code >> 8 & 0xff)
    }

    fn write(path: &Path, text: &str) {
        if let Err(error) = fs::write(path, text) {
            fail(&format!("{}: {error}", path.display()));
        }
    }

    fn fail(message: &str) -> ! {
        println!("cargo::error={message}");
        exit(1)
    }

    /// What the headers cannot say in a way that bindgen understands.
    #[derive(Debug)]
    struct Abi;

    impl ParseCallbacks for Abi {
        fn will_parse_macro(&self, name: &str) -> MacroParsingBehavior {
            // `~0U` would come out as the signed -1: `src/wide.rs` declares it.
            if name == "IORING_FILE_INDEX_ALLOC" {
                return MacroParsingBehavior::Ignore;
            }
            MacroParsingBehavior::Default
        }

        fn int_macro(&self, name: &str, _value: i64) -> Option<IntKind> {
            // Types that the header states and the value alone does not show.
            match name {
                "IORING_OFF_PBUF_SHIFT" => None,
                "IORING_ZCRX_AREA_MASK" => Some(IntKind::U64),
                _ => name.starts_with("IORING_OFF_").then_some(IntKind::U64),
            }
        }

        fn add_derives(&self, info: &DeriveInfo<'_>) -> Vec<String> {
            // bindgen thinks that a trailing `big_cqe[]` forbids a copy of the 16 bytes before it.
            if info.name == "io_uring_cqe" {
                return vec!["Clone".to_owned(), "Copy".to_owned()];
            }
            Vec::new()
        }
    }
}

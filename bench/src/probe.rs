//! What this kernel offers.

use std::ffi::c_long;
use std::fs::{self, File};
use std::mem::offset_of;
use std::path::Path;
use std::process::ExitCode;
use std::ptr;

use aio_sys::{AIO_RING_INCOMPAT_FEATURES, AIO_RING_MAGIC, aio_context_t, aio_ring};
use anyhow::Context;
use uring::{Features, Op, Probe, RegisterOp, SetupFlags, URingContext};

use crate::cli::ProbeOptions;
use crate::report::Host;
use crate::target::{self, alignment::Alignment};

/// Columns of a list of names.
const COLUMNS: usize = 3;

pub(crate) fn run(options: &ProbeOptions) -> anyhow::Result<ExitCode> {
    let host = Host::here();
    println!("Linux {}, {}, {} CPUs", host.kernel, host.architecture, host.cpus);
    rings();
    aio();
    if let Some(path) = &options.file {
        file(path)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rings() {
    heading("io_uring");
    setting("kernel.io_uring_disabled", "/proc/sys/kernel/io_uring_disabled");
    let probed = URingContext::new(1).and_then(|ring| Ok((ring.probe()?, ring.setup_flags())));
    match probed {
        Ok((probe, flags)) => {
            println!("  a plain context gets: {flags:?}");
            print(&probe);
        }
        Err(error) => println!("  not available: {error}"),
    }
}

fn print(probe: &Probe) {
    let ops = Op::ALL.iter().map(|op| (u32::from(op.code()), name(op.name()), Some(probe.supports(*op))));
    list("Operations, IORING_OP_*", ops);
    let registers =
        RegisterOp::ALL.iter().map(|op| (op.code(), name(op.name()), probe.supports_register(*op)));
    list("Register operations, IORING_*", registers);
    let known = probe.setup_flags();
    let flags = SetupFlags::NAMES.iter();
    let flags = flags
        .map(|(flag, name)| (flag.bits().trailing_zeros(), *name, known.map(|known| known.contains(*flag))));
    list("Set-up flags, IORING_SETUP_*, by bit", flags);
    let named = SetupFlags::NAMES.iter().fold(0, |bits, (flag, _)| bits | flag.bits());
    strangers(known.map_or(0, SetupFlags::bits) & !named);
    let features = Features::NAMES.iter();
    let has = |feature: Features| Some(probe.features().contains(feature));
    list(
        "Features, IORING_FEAT_*, by bit",
        features.map(|(bit, name)| (bit.bits().trailing_zeros(), *name, has(*bit))),
    );
    let named = Features::NAMES.iter().fold(0, |bits, (feature, _)| bits | feature.bits());
    strangers(probe.features().bits() & !named);
}

fn name(name: Option<&'static str>) -> &'static str {
    name.unwrap_or("unnamed")
}

/// Prints names in columns, to be read from top to bottom.
fn list(title: &str, entries: impl Iterator<Item = (u32, &'static str, Option<bool>)>) {
    let entries: Vec<_> = entries.collect();
    let count = |answer| entries.iter().filter(|(_, _, found)| *found == answer).count();
    println!("\n  {title}: {} of {}", count(Some(true)), entries.len());
    if count(None) > 0 {
        println!("  (? = the kernel does not say; Linux 6.18 and newer do)");
    }
    let lines = entries.len().div_ceil(COLUMNS);
    for line in 0..lines {
        let mut text = String::new();
        for (code, name, answer) in entries[line..].iter().step_by(lines) {
            let answer = match answer {
                Some(true) => "yes",
                Some(false) => "no",
                None => "?",
            };
            text.push_str(&format!("  {code:>4} {name:<24} {answer:<3}"));
        }
        println!("{}", text.trim_end());
    }
}

/// Bits that the kernel has and this program has no name for.
fn strangers(bits: u32) {
    if bits != 0 {
        println!("  and bits without a name here: {bits:#x}");
    }
}

fn aio() {
    heading("kernel AIO");
    setting("fs.aio-nr (in use, all processes)", "/proc/sys/fs/aio-nr");
    setting("fs.aio-max-nr", "/proc/sys/fs/aio-max-nr");
    match aio::AioContext::new(1) {
        Ok(_) => match ring_is_mapped() {
            Some(true) => println!("  completions are read from the mapped ring, without a system call"),
            Some(false) => {
                println!("  the ring is of an unknown kind: completions are taken by io_getevents")
            }
            None => {}
        },
        Err(error) => println!("  not available: {error}"),
    }
}

/// Whether a context's handle is the address of a completion ring that can be read.
fn ring_is_mapped() -> Option<bool> {
    let mut context: aio_context_t = 0;
    // SAFETY: `context` is 0 and lives through the call.
    if unsafe { aio_sys::io_setup(1, &mut context) } != 0 {
        return None;
    }
    let ring = ptr::with_exposed_provenance::<u32>(context as usize);
    let field = |offset: usize| {
        // SAFETY: the address is mapped, as found below, and both fields lie in the header, on the ring's
        // first page. They are constant once the context exists.
        unsafe { ring.wrapping_byte_add(offset).read() }
    };
    // Where a system call is emulated the handle may be anything: the kernel is asked whether it is an
    // address.
    let mapped = is_mapped(context)
        && field(offset_of!(aio_ring, magic)) == AIO_RING_MAGIC
        && field(offset_of!(aio_ring, incompat_features)) == AIO_RING_INCOMPAT_FEATURES;
    // SAFETY: the context is the one made above and nothing is in flight in it.
    unsafe { aio_sys::io_destroy(context) };
    Some(mapped)
}

/// Asks for the page's residency, which fails for an address where nothing is mapped.
fn is_mapped(address: aio_context_t) -> bool {
    let mut residency = 0_u8;
    let page = address as usize & !(page_size() - 1);
    // SAFETY: `mincore` only looks at the range, and writes one byte for its single page.
    let status = unsafe { libc::mincore(ptr::with_exposed_provenance_mut(page), 1, &mut residency) };
    status == 0
}

fn page_size() -> usize {
    // SAFETY: `sysconf` has no preconditions.
    let size: c_long = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

fn file(path: &Path) -> anyhow::Result<()> {
    let named = || path.display().to_string();
    let file = File::open(path).with_context(named)?;
    let alignment = Alignment::of(&file).with_context(named)?;
    heading(&format!("direct I/O on {} ({})", path.display(), target::file_system(&file)?));
    let show = |what: &str, bytes: Option<u32>| match bytes {
        Some(0) => println!("  {what}: no direct I/O"),
        Some(bytes) => println!("  {what}: multiples of {bytes} bytes"),
        None => println!("  {what}: the kernel does not say"),
    };
    show("memory", alignment.memory);
    show("offsets and lengths", alignment.offset);
    if alignment.from_sector_size {
        println!("    (the sector size, BLKSSZGET)");
    }
    show("offsets and lengths of reads", alignment.read_offset);
    match alignment.atomic_write {
        Some((smallest, largest @ 1..)) => println!("  atomic writes: {smallest} to {largest} bytes"),
        Some(_) => println!("  atomic writes: none"),
        None => println!("  atomic writes: the kernel does not say"),
    }
    Ok(())
}

fn heading(text: &str) {
    println!("\n{text}");
}

fn setting(name: &str, path: &str) {
    let value = fs::read_to_string(path);
    println!("  {name}: {}", value.as_deref().map_or("not there", str::trim));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_an_error_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let error = file(&directory.path().join("absent")).unwrap_err();
        assert!(format!("{error:#}").contains("absent"), "{error:#}");
    }

    #[test]
    fn an_address_where_nothing_lies_is_not_mapped() {
        assert!(!is_mapped(0));
        let here = Box::new(0);
        assert!(is_mapped((&raw const *here).expose_provenance() as aio_context_t));
    }
}

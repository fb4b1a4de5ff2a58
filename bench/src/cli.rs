//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::case::{EngineKind, Mode, Op};

/// Measure random file I/O through pread, Linux AIO and io_uring, checking every byte.
///
/// Without TARGET a file of 256 MiB is made in the temporary directory, read, written, and gone at the end.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) run: RunOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print what this kernel offers, and what a file asks of direct I/O
    Probe(ProbeOptions),
    /// Run one operation N times and nothing else, for an instruction counter
    Micro(MicroOptions),
    /// Compare AioContext with libaio (loaded at run time), in alternating slices of one process
    Compare(CompareOptions),
    /// Compare URingContext with liburing, io-uring and rustix in the same manner (needs --features peers)
    Rings(RingsOptions),
    /// Compare the engine's futures with other ways for a task to read a file, in the same manner
    Futures(CompareOptions),
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// A regular file or an unused block device; only read, unless --write is given
    pub(crate) target: Option<PathBuf>,

    /// Allow writing to TARGET: whatever it holds is DESTROYED
    #[arg(long, requires = "target")]
    pub(crate) write: bool,

    /// Bytes per operation
    #[arg(long, short, value_name = "BYTES", default_value = "4k", value_parser = size)]
    pub(crate) block_size: u64,

    /// Requests that AIO and io_uring keep in flight (list)
    #[arg(long, short, value_name = "N", value_delimiter = ',', default_value = "1,32", value_parser = depth)]
    pub(crate) depth: Vec<usize>,

    /// Seconds per case (default: up to 1, and at most a minute in total)
    #[arg(long, short = 't', value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,

    /// Interfaces to measure (list)
    #[arg(long, short, value_enum, value_delimiter = ',', default_value = "pread,aio,uring,engine")]
    pub(crate) engine: Vec<EngineKind>,

    /// Ways to open the file (list)
    #[arg(long, short, value_enum, value_delimiter = ',', default_value = "buffered,direct")]
    pub(crate) mode: Vec<Mode>,

    /// Operations (list; default: read, and write where writing is allowed)
    #[arg(long, short, value_enum, value_delimiter = ',')]
    pub(crate) op: Vec<Op>,

    /// Bytes of the target to use (default: 256M; of a given TARGET all, at most 1G if it is written)
    #[arg(long, short, value_name = "BYTES", value_parser = size)]
    pub(crate) size: Option<u64>,

    /// Where to make the file, if no TARGET is given
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "target")]
    pub(crate) dir: Option<PathBuf>,

    /// Seed of content and offsets
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Print JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,

    /// Also draw latencies and IOPS
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeOptions {
    /// A file or block device to ask for its direct-I/O alignment
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MicroOptions {
    #[arg(long, value_enum)]
    pub(crate) engine: MicroEngine,

    #[arg(long, value_enum)]
    pub(crate) op: MicroOp,

    /// Operations queued and waited for together
    #[arg(long, value_parser = depth, default_value = "1")]
    pub(crate) batch: usize,

    /// Operations in total, rounded up to whole batches
    #[arg(long, default_value_t = 100_000)]
    pub(crate) ops: u64,

    /// File to read from (default: 1 MiB in the temporary directory)
    #[arg(long)]
    pub(crate) file: Option<PathBuf>,

    /// io_uring: defer completion work to the waiting thread and register the file
    #[arg(long)]
    pub(crate) defer: bool,

    /// Engine: add each operation anew, instead of again where it is
    #[arg(long)]
    pub(crate) anew: bool,
}

/// What `micro` does it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MicroEngine {
    /// pread(2), one at a time
    Pread,
    /// Kernel AIO, `aio::AioContext`
    Aio,
    /// `io_uring`, `uring::URingContext`
    Uring,
    /// `io_uring`, `uring::Ring`
    Ring,
    /// The safe engine, `engine::Engine`
    Engine,
}

/// What `micro` does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MicroOp {
    /// Nothing (io_uring only)
    Nop,
    /// Read 4 KiB at a random block of the file
    Read,
}

#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// Requests in flight (list)
    #[arg(long, short, value_name = "N", value_delimiter = ',', default_value = "1,32", value_parser = depth)]
    pub(crate) depth: Vec<usize>,

    #[command(flatten)]
    pub(crate) slices: SliceOptions,
}

#[derive(Debug, Args)]
pub(crate) struct RingsOptions {
    /// Operations (list)
    #[arg(long, short, value_enum, value_delimiter = ',', default_value = "nop,read")]
    pub(crate) op: Vec<MicroOp>,

    /// Operations queued and waited for together (list; default: 1, 8 and 32 that do nothing, 1 and 32 reads)
    #[arg(long, short, value_name = "N", value_delimiter = ',', value_parser = depth)]
    pub(crate) batch: Vec<usize>,

    /// Ways to make the ring (list)
    #[arg(long, value_enum, value_delimiter = ',', default_value = "plain,best")]
    pub(crate) flags: Vec<RingFlags>,

    /// Runs; each has all the rounds and comes to one ratio
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,

    #[command(flatten)]
    pub(crate) slices: SliceOptions,

    /// Print JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a ring is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RingFlags {
    /// As the library does unless told otherwise
    Plain,
    /// For one thread, with deferred work, registered ring and registered file
    Best,
}

#[derive(Debug, Args)]
pub(crate) struct SliceOptions {
    /// Rounds; each runs every peer for one slice, in random order
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Milliseconds per slice
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) slice: u64,

    /// Where to make the file
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) dir: Option<PathBuf>,
}

impl SliceOptions {
    pub(crate) fn slice(&self) -> Duration {
        Duration::from_millis(self.slice)
    }
}

#[cfg(feature = "peers")]
impl MicroOp {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nop => "nop",
            Self::Read => "read",
        }
    }
}

#[cfg(feature = "peers")]
impl RingFlags {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Best => "best",
        }
    }
}

/// Parses a number of bytes: `4096`, `4k`, `256MiB`, `1G`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return Err(format!("unknown unit {unit:?}: use k, M, G or T")),
    };
    let number: u64 = number.parse().map_err(|_| "not a number of bytes".to_owned())?;
    match number.checked_mul(1 << shift) {
        Some(0) => Err("must not be 0".to_owned()),
        Some(bytes) if i64::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err("more than a file can hold".to_owned()),
    }
}

fn depth(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(depth @ 1..=32768) => Ok(depth),
        _ => Err("a depth is a number from 1 to 32768".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && seconds <= 86400.0 => Ok(duration),
        _ => Err("a duration is more than 0 and at most 86400 seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(line: &[&str]) -> Result<RunOptions, clap::Error> {
        Cli::try_parse_from([&["bench"], line].concat()).map(|cli| cli.run)
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("4k"), Ok(4096));
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert!(size("0").is_err());
        assert!(size("4x").is_err());
        assert!(size("-1").is_err());
        assert!(size("9999999T").is_err());
    }

    #[test]
    fn no_argument_means_everything_at_depths_1_and_32() {
        let options = run(&[]).unwrap();
        assert_eq!(options.depth, [1, 32]);
        assert_eq!(options.block_size, 4096);
        assert_eq!(
            options.engine,
            [EngineKind::Pread, EngineKind::Aio, EngineKind::Uring, EngineKind::Engine]
        );
        assert_eq!(options.mode, [Mode::Buffered, Mode::Direct]);
        assert!(options.target.is_none() && !options.write && !options.json);
    }

    #[test]
    fn lists_take_commas() {
        let options =
            run(&["--engine", "aio,uring", "--depth", "1,4,16", "--mode", "direct", "-t", "0.5"]).unwrap();
        assert_eq!(options.engine, [EngineKind::Aio, EngineKind::Uring]);
        assert_eq!(options.depth, [1, 4, 16]);
        assert_eq!(options.mode, [Mode::Direct]);
        assert_eq!(options.duration, Some(Duration::from_millis(500)));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            ["--depth", "0"],
            ["--depth", "40000"],
            ["--duration", "-1"],
            ["--duration", "nan"],
            ["--op", "erase"],
        ] {
            assert!(run(&line).is_err(), "{line:?}");
        }
        assert!(run(&["--write"]).is_err(), "writing needs a target");
        assert!(run(&["--dir", "/var/tmp", "file"]).is_err(), "a directory is for the file made here");
    }

    #[test]
    fn subcommands_have_their_own_options() {
        let line = [
            "bench", "micro", "--engine", "uring", "--op", "nop", "--batch", "32", "--ops", "12800",
            "--defer",
        ];
        let Some(Command::Micro(options)) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not micro");
        };
        assert_eq!((options.engine, options.op), (MicroEngine::Uring, MicroOp::Nop));
        assert_eq!((options.batch, options.ops, options.defer), (32, 12800, true));
    }
}

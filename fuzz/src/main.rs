//! Throws broken bytes at every decoder. See `fuzz/README.md`.

mod batches;
#[path = "../../crates/protocol/tests/dispatch/mod.rs"]
mod dispatch;
mod mutate;
mod targets;
#[path = "../../crates/protocol/tests/wire/mod.rs"]
mod wire;

use std::collections::HashSet;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use targets::Target;
use wire::{Encoded, Source};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// An input that takes longer hangs the broker.
const INPUT_TIME_MAX: Duration = Duration::from_secs(1);
/// Inputs that are kept for further mutation.
const CORPUS_MAX: usize = 20_000;
/// Outcomes that are told apart.
const OUTCOMES_MAX: usize = 200_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["replay", target, version, hex] => replay(target, version, hex),
        [seconds] => parse(seconds).and_then(|seconds| fuzz(seconds, default_seed())),
        [seconds, seed] => parse(seconds).and_then(|seconds| fuzz(seconds, parse(seed)?)),
        _ => Err("usage: fuzz/run [SECONDS [SEED]] | fuzz/run replay TARGET VERSION HEX".to_owned()),
    };
    match result {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

/// Another run tries other inputs; the seed is printed.
fn default_seed() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

fn fuzz(seconds: u64, seed: u64) -> Result<String, String> {
    println!("fuzzing for {seconds} s with seed {seed}");
    let mut run = Run::new(seed);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        run.step()?;
    }
    Ok(run.report())
}

/// An input that led to something new.
struct Kept {
    target: usize,
    version: i16,
    input: Encoded,
}

struct Run {
    targets: Vec<Target>,
    source: Source,
    corpus: Vec<Kept>,
    outcomes: HashSet<(usize, i16, String)>,
    pairs: HashSet<(usize, i16)>,
    tried: u64,
    accepted: u64,
    memory_max: usize,
}

impl Run {
    fn new(seed: u64) -> Run {
        Run {
            targets: Target::all(),
            source: Source(seed),
            corpus: Vec::new(),
            outcomes: HashSet::new(),
            pairs: HashSet::new(),
            tried: 0,
            accepted: 0,
            memory_max: 0,
        }
    }

    /// Tries a fresh seed, broken, or an input that was kept, broken further.
    fn step(&mut self) -> Result<(), String> {
        let (target, version, seed) = self.choose();
        let other = match self.corpus.len() {
            0 => &[],
            len => &self.corpus[self.source.below(len)].input.bytes[..],
        };
        // One in ten stays whole: what is valid must be read.
        let input = if self.source.one_in(10) {
            seed.bytes.clone()
        } else {
            mutate::mutate(&seed, other, &mut self.source)
        };
        let (outcome, memory) = attempt(&self.targets[target], version, &input)?;
        self.tried += 1;
        self.accepted += u64::from(outcome.starts_with("ok"));
        self.memory_max = self.memory_max.max(memory);
        self.pairs.insert((target, version));
        self.keep(target, version, outcome, Encoded { bytes: input, lengths: seed.lengths });
        Ok(())
    }

    fn choose(&mut self) -> (usize, i16, Encoded) {
        if !self.corpus.is_empty() && self.source.one_in(2) {
            let kept = &self.corpus[self.source.below(self.corpus.len())];
            let copy = Encoded { bytes: kept.input.bytes.clone(), lengths: kept.input.lengths.clone() };
            return (kept.target, kept.version, copy);
        }
        // Batches are the last of hundreds of targets, but there is more in them than in most.
        let last = self.targets.len() - 1;
        let target = if self.source.one_in(15) { last } else { self.source.below(self.targets.len()) };
        let version = self.targets[target].random_version(&mut self.source);
        let seed = self.targets[target].seed(version, &mut self.source);
        (target, version, seed)
    }

    fn keep(&mut self, target: usize, version: i16, outcome: String, input: Encoded) {
        if self.outcomes.len() >= OUTCOMES_MAX || !self.outcomes.insert((target, version, outcome)) {
            return;
        }
        let kept = Kept { target, version, input };
        if self.corpus.len() < CORPUS_MAX {
            self.corpus.push(kept);
        } else {
            let place = self.source.below(CORPUS_MAX);
            self.corpus[place] = kept;
        }
    }

    fn report(&self) -> String {
        format!(
            "{} inputs for {} targets in {} versions: {} accepted, {} different outcomes, {} kept for mutation; at most {} KiB for one input",
            self.tried,
            self.targets.len(),
            self.pairs.len(),
            self.accepted,
            self.outcomes.len(),
            self.corpus.len(),
            self.memory_max / 1024
        )
    }
}

/// Tries one input; its outcome and the memory it took, or what promise it broke and how to repeat it.
fn attempt(target: &Target, version: i16, input: &[u8]) -> Result<(String, usize), String> {
    ALLOCATOR.reset_peak_usage();
    let (before, started) = (ALLOCATOR.current_usage(), Instant::now());
    let result = catch_unwind(AssertUnwindSafe(|| target.run(version, input)));
    let took = started.elapsed();
    let memory = ALLOCATOR.peak_usage().saturating_sub(before);
    let failure = match result {
        Ok(Ok(_)) if took > INPUT_TIME_MAX => format!("took {took:?}"),
        Ok(Ok(_)) if memory > target.memory_max(input.len()) => format!("took {memory} bytes of memory"),
        Ok(Ok(outcome)) => return Ok((outcome, memory)),
        Ok(Err(broken)) => broken,
        Err(_) => "panicked".to_owned(),
    };
    let hex = input.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let name = target.name();
    Err(format!("{name} v{version} {failure}\nrepeat it with: fuzz/run replay {name} {version} {hex}"))
}

fn replay(name: &str, version: &str, hex: &str) -> Result<String, String> {
    let targets = Target::all();
    let target = targets.iter().find(|target| target.name() == name).ok_or(format!("no target `{name}`"))?;
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let input: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    let (outcome, memory) = attempt(target, parse(version)?, &input.ok_or("the input is not hexadecimal")?)?;
    Ok(format!("{outcome}; {memory} bytes of memory"))
}

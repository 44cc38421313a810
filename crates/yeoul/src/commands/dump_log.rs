//! `yeoul dump-log`: what is in the files of a log, as with `kafka-dump-log`.

mod batches;
mod indexes;
mod producers;
mod segment;
mod transactions;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use storage::files::{names, snapshot};

use super::internal_topics::Coordinator;
use crate::failure::{Failure, say};
use crate::progress::{Watched, Work};
use segment::{Contents, Decoder};

const EXAMPLES: &str = "\
  yeoul dump-log --print-data-log --files /data/flights-0/00000000000000000000.log
  yeoul dump-log --files /data/flights-0/00000000000000000000.index,/data/flights-0/00000000000000000042.snapshot
  yeoul dump-log --cluster-metadata-decoder --files /data/__cluster_metadata-0/00000000000000000000.log
  yeoul dump-log --offsets-decoder --files /data/__consumer_offsets-7/00000000000000000000.log";

/// What a decoder is where none is named.
const STRING_DECODER: &str = "org.apache.kafka.tools.api.StringDecoder";

/// Tells what is in segments, indexes and snapshots of a log.
#[derive(Args, Debug, Default)]
#[command(help_template = super::HELP, before_help = EXAMPLES)]
pub struct DumpLogArgs {
    /// The files: .log, .index, .timeindex, .txnindex, .snapshot or .checkpoint
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    files: Vec<PathBuf>,
    /// Tell the keys and values of records
    #[arg(long)]
    print_data_log: bool,
    /// Tell of every record, not only of batches
    #[arg(long)]
    deep_iteration: bool,
    /// Leave out what is not key or value, with --print-data-log
    #[arg(long)]
    skip_record_metadata: bool,
    /// Look only at so many bytes from the front of a segment
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<usize>,
    /// The largest batch that is looked for behind an entry of an index
    #[arg(long, value_name = "BYTES", default_value_t = 5 * 1024 * 1024)]
    max_message_size: usize,
    /// Tell only what is wrong with an index
    #[arg(long)]
    verify_index_only: bool,
    /// Tell only whether an index can be used
    #[arg(long)]
    index_sanity_check: bool,

    /// Keys are: StringDecoder, IntegerDecoder or LongDecoder
    #[arg(long, value_name = "CLASS", num_args = 0..=1, default_missing_value = STRING_DECODER, help_heading = "Records are")]
    key_decoder_class: Option<String>,
    /// Values are: StringDecoder, IntegerDecoder or LongDecoder
    #[arg(long, value_name = "CLASS", num_args = 0..=1, default_missing_value = STRING_DECODER, help_heading = "Records are")]
    value_decoder_class: Option<String>,
    /// Of __consumer_offsets
    #[arg(long, help_heading = "Records are")]
    offsets_decoder: bool,
    /// Of __transaction_state
    #[arg(long, help_heading = "Records are")]
    transaction_log_decoder: bool,
    /// Of __cluster_metadata
    #[arg(long, help_heading = "Records are")]
    cluster_metadata_decoder: bool,
    /// Of __share_group_state
    #[arg(long, help_heading = "Records are")]
    share_group_state_decoder: bool,
    /// Of __remote_log_metadata
    #[arg(long, help_heading = "Records are")]
    remote_log_metadata_decoder: bool,
}

/// Tells of each file; then what does not fit together in them.
pub fn run(args: &DumpLogArgs) -> Result<(), Failure> {
    if args.files.is_empty() {
        return Err(Failure::Usage("Missing required argument \"[files]\"".to_owned()));
    }
    let contents = args.contents()?;
    let work = Work::of("dumping files", args.files.len());
    let mut out = BufWriter::new(Watched::output(io::stdout().lock(), work));
    let mut faults = Vec::new();
    for file in &args.files {
        writeln!(out, "Dumping {}", file.display())?;
        faults.extend(dump(args, &contents, file, &mut out)?);
        out.get_mut().work.add(1);
    }
    out.flush()?;
    faults.iter().for_each(|fault| say(format_args!("{fault}")));
    Ok(())
}

impl DumpLogArgs {
    fn contents(&self) -> Result<Contents, Failure> {
        let decoder = |class: &Option<String>| class.as_deref().map_or(Ok(Decoder::Text), Decoder::parse);
        let key = decoder(&self.key_decoder_class)?;
        let of_topic = self.decoder_of_topic();
        let is_decoded =
            of_topic.is_some() || self.key_decoder_class.is_some() || self.value_decoder_class.is_some();
        let decoder = match of_topic {
            Some(of_topic) => of_topic,
            None => decoder(&self.value_decoder_class)?,
        };
        let with_data = self.print_data_log || is_decoded;
        Ok(Contents {
            key,
            value: decoder,
            with_data,
            with_records: with_data || self.deep_iteration,
            without_metadata: self.skip_record_metadata,
        })
    }

    /// The decoder of one of the cluster's own topics; the first that is asked for, in the order of Kafka's tool.
    fn decoder_of_topic(&self) -> Option<Decoder> {
        let decoders = [
            (self.offsets_decoder, Decoder::Coordinator(Coordinator::Group)),
            (self.transaction_log_decoder, Decoder::Coordinator(Coordinator::Transaction)),
            (self.cluster_metadata_decoder, Decoder::Metadata),
            (self.remote_log_metadata_decoder, Decoder::RemoteLog),
            (self.share_group_state_decoder, Decoder::Coordinator(Coordinator::Share)),
        ];
        decoders.into_iter().find(|(is_asked_for, _)| *is_asked_for).map(|(_, decoder)| decoder)
    }
}

/// Tells of a file by what its name says it is. Returns a line for each thing that does not fit.
fn dump(
    args: &DumpLogArgs,
    contents: &Contents,
    file: &Path,
    out: &mut impl Write,
) -> Result<Vec<String>, Failure> {
    let name = name_of(file);
    let is = |suffix: &str| name.ends_with(suffix);
    if is(names::LOG) || is(names::CHECKPOINT) {
        let start = first_line(name).map_err(|why| at(file, &why))?;
        writeln!(out, "{start}")?;
        let bytes = read(file)?;
        return segment::dump(file, &bytes, args.max_bytes, contents, out);
    }
    if is(names::TIME_INDEX) || is(names::OFFSET_INDEX) {
        let asked = indexes::Asked {
            sanity_only: args.index_sanity_check,
            verify_only: args.verify_index_only,
            message_bytes_max: args.max_message_size,
        };
        return indexes::dump(file, is(names::TIME_INDEX), asked, out);
    }
    if is(names::PRODUCER_SNAPSHOT) {
        return producers::dump(file, out);
    }
    if is(names::TRANSACTION_INDEX) {
        return transactions::dump(file, out);
    }
    out.flush()?;
    say(format_args!("Ignoring unknown file {}", file.display()));
    Ok(Vec::new())
}

/// What a segment or a snapshot is, by its name.
fn first_line(name: &str) -> Result<String, String> {
    if name == snapshot::BOOTSTRAP {
        return Ok("KRaft bootstrap snapshot".to_owned());
    }
    if !name.ends_with(names::CHECKPOINT) {
        return Ok(format!("Log starting offset: {}", offset_in(name)?));
    }
    let snapshot = names::snapshot_in(name)
        .map(|(end_offset, epoch)| format!("Snapshot end offset: {end_offset}, epoch: {epoch}"));
    snapshot.ok_or_else(|| "the name says no offset and epoch".to_owned())
}

/// The offset that a file's name begins with.
fn offset_in(name: &str) -> Result<i64, String> {
    let front = name.split('.').next().unwrap_or_default();
    front.parse().map_err(|_| format!("the name says no offset: `{front}`"))
}

fn name_of(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Lines under a title, where there are any.
fn titled(mut lines: Vec<String>, title: impl FnOnce() -> String) -> Vec<String> {
    if !lines.is_empty() {
        lines.insert(0, title());
    }
    lines
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| at(file, &error))
}

fn at(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format_args!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_introduced_by_what_its_name_says() {
        let told = |name| first_line(name).unwrap();
        assert_eq!(told("00000000000000000042.log"), "Log starting offset: 42");
        assert_eq!(told("42.log"), "Log starting offset: 42");
        assert_eq!(told("bootstrap.checkpoint"), "KRaft bootstrap snapshot");
        assert_eq!(told("00000000000000008229-0000000002.checkpoint"), "Snapshot end offset: 8229, epoch: 2");
        assert!(first_line("x.log").is_err() && first_line("8229.checkpoint").is_err());
    }
}

//! Writes the codec and the protocol's tables from `schemas/` into `OUT_DIR`.
//!
//! The notation of the tables is described in `schemas/README.md`.

#[path = "build/errors.rs"]
mod errors;
#[path = "build/field.rs"]
mod field;
#[path = "build/messages.rs"]
mod messages;
#[path = "build/schema.rs"]
mod schema;
#[path = "build/structs.rs"]
mod structs;
#[path = "build/tables.rs"]
mod tables;

use schema::{Kind, Message};

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let schemas =
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says it")).join("../../schemas");
    println!("cargo::rerun-if-changed={}", schemas.display());
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    write(&out, "api_keys.rs", tables::api_keys(&read(&schemas, "api_keys.tsv")));
    write(&out, "error_codes.rs", tables::error_codes(&read(&schemas, "error_codes.tsv")));
    write(&out, "messages.rs", generate(&schemas));
}

/// The enums over messages that a key tells apart: file, kind, name, documentation, and what variants leave out of names.
const ENUMS: &[(&str, Kind, &str, &str, &str)] = &[
    ("messages", Kind::Request, "RequestKind", "A request of any API.", "Request"),
    ("messages", Kind::Response, "ResponseKind", "A response of any API.", "Response"),
    ("metadata-records", Kind::Metadata, "MetadataRecord", "A record of `__cluster_metadata`.", "Record"),
    ("tiering-records", Kind::Metadata, "RemoteLogRecord", "A record of `__remote_log_metadata`.", "Record"),
    ("group-records", Kind::CoordinatorKey, "CoordinatorRecordKey", "A key in `__consumer_offsets`.", "Key"),
    (
        "group-records",
        Kind::CoordinatorValue,
        "CoordinatorRecordValue",
        "A value in `__consumer_offsets`.",
        "Value",
    ),
    ("share-records", Kind::CoordinatorKey, "ShareRecordKey", "A key in `__share_group_state`.", "Key"),
    (
        "share-records",
        Kind::CoordinatorValue,
        "ShareRecordValue",
        "A value in `__share_group_state`.",
        "Value",
    ),
    (
        "transaction-records",
        Kind::CoordinatorKey,
        "TransactionRecordKey",
        "A key in `__transaction_state`.",
        "Key",
    ),
    (
        "transaction-records",
        Kind::CoordinatorValue,
        "TransactionRecordValue",
        "A value in `__transaction_state`.",
        "Value",
    ),
];

const FILES: &[&str] = &[
    "messages",
    "metadata-records",
    "group-records",
    "transaction-records",
    "share-records",
    "tiering-records",
    "quorum",
];

fn generate(schemas: &Path) -> String {
    let files: Vec<(&str, Vec<Message>)> =
        FILES.iter().map(|name| (*name, schema::parse(&read(schemas, &format!("{name}.txt"))))).collect();
    let modules: String = files.iter().map(|(_, messages)| messages::modules(messages)).collect();
    let enums = ENUMS.iter().map(|(file, kind, name, doc, suffix)| {
        let of_file = files.iter().filter(|(known, _)| known == file).flat_map(|(_, messages)| messages);
        let chosen: Vec<&Message> = of_file.filter(|message| message.kind == *kind).collect();
        messages::keyed_enum(name, doc, suffix, &chosen)
    });
    modules + &enums.collect::<String>()
}

fn read(schemas: &Path, name: &str) -> String {
    let path = schemas.join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn write(out: &Path, name: &str, text: String) {
    let path = out.join(name);
    fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

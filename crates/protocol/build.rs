//! Writes the codec and the protocol's tables from `schemas/` into `OUT_DIR`.
//!
//! The notation of the tables is described in `schemas/README.md`.

#[path = "build/tables.rs"]
mod tables;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    println!("cargo::rerun-if-changed={}", schemas.display());
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    write(&out, "api_keys.rs", tables::api_keys(&read(&schemas, "api_keys.tsv")));
    write(&out, "error_codes.rs", tables::error_codes(&read(&schemas, "error_codes.tsv")));
}

fn read(schemas: &Path, name: &str) -> String {
    let path = schemas.join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn write(out: &Path, name: &str, text: String) {
    let path = out.join(name);
    fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

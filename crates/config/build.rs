//! Turns the tables of settings in `schemas/` into `static` rows.
//!
//! `settings.tsv` and `settings-yeoul.tsv`: scope, name, type, default, valid values, importance, update mode (broker) or the
//! broker settings that a topic setting falls back to, and `internal`. `settings-docs.tsv`: scope, name, `acts` where Yeoul
//! acts on the setting, and what it is for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

const SCOPES: [(&str, &str); 5] = [
    ("broker", "Broker"),
    ("topic", "Topic"),
    ("group", "Group"),
    ("client-metrics", "ClientMetrics"),
    ("quota-user-client", "Quota"),
];

type Docs = BTreeMap<(String, String), (bool, String)>;

fn main() {
    let schemas =
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says it")).join("../../schemas");
    let files = ["settings.tsv", "settings-yeoul.tsv", "settings-docs.tsv"];
    for file in files {
        println!("cargo::rerun-if-changed={}", schemas.join(file).display());
    }
    let [settings, own, docs] = files.map(|file| rows(&schemas.join(file)));
    let docs = docs.into_iter().map(doc).collect();
    let mut all: Vec<Vec<String>> = settings.into_iter().chain(own).collect();
    all.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    fs::write(out.join("settings.rs"), generate(&all, docs)).expect("OUT_DIR can be written");
}

/// The lines of a table after its heading, cut at the tabs.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn doc(row: Vec<String>) -> ((String, String), (bool, String)) {
    let [scope, name, acts, text] = <[String; 4]>::try_from(row).expect("four columns of documentation");
    ((scope, name), (acts == "acts", text))
}

fn generate(all: &[Vec<String>], mut docs: Docs) -> String {
    let mut code = String::new();
    for (scope, variant) in SCOPES {
        let constant = scope.to_uppercase().replace('-', "_");
        let _ = writeln!(code, "static {constant}: &[Setting] = &[");
        for row in all.iter().filter(|row| row[0] == scope) {
            let doc = docs.remove(&(row[0].clone(), row[1].clone()));
            code += &setting(variant, row, doc);
        }
        code += "];\n";
    }
    assert!(docs.is_empty(), "documentation of unknown settings: {:?}", docs.keys());
    code
}

fn setting(scope: &str, row: &[String], doc: Option<(bool, String)>) -> String {
    let (acts, doc) = doc.unwrap_or_else(|| panic!("nothing says what {} is for", row[1]));
    let (update, synonyms) =
        if scope == "Topic" { ("PerTopic".into(), row[6].as_str()) } else { (update(&row[6]), "") };
    format!(
        "Setting {{ scope: Scope::{scope}, name: {:?}, kind: Kind::{}, default: {}, bounds: {}, importance: \
         Importance::{}, update: Update::{update}, synonyms: &{:?}, internal: {}, acts: {acts}, doc: {doc:?} }},\n",
        row[1],
        camel(&row[2]),
        preset(&row[2], &row[3]),
        bounds(&row[1], &row[4]),
        camel(&row[5]),
        synonyms.split(',').filter(|name| !name.is_empty()).collect::<Vec<_>>(),
        row[7] == "internal",
    )
}

fn camel(words: &str) -> String {
    words.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

fn update(mode: &str) -> String {
    if mode.is_empty() { "PerTopic".into() } else { camel(mode) }
}

fn preset(kind: &str, default: &str) -> String {
    match default {
        "(required)" => "Preset::Required".into(),
        "null" => "Preset::Null".into(),
        "\"\"" => "Preset::Value(\"\")".into(),
        list if kind == "list" => format!("Preset::Value({:?})", unbracketed(list).replace(", ", ",")),
        class if kind == "class" => format!("Preset::Value({:?})", class.trim_start_matches("class ")),
        value => format!("Preset::Value({value:?})"),
    }
}

fn unbracketed(list: &str) -> &str {
    list.trim_start_matches('[').trim_end_matches(']')
}

/// Lists that Kafka refuses when they are empty, which the table does not say.
const NEVER_EMPTY: [&str; 4] = ["log.dir", "log.dirs", "listeners", "controller.listener.names"];

fn bounds(name: &str, valid: &str) -> String {
    if NEVER_EMPTY.contains(&name) {
        return "Bounds::NonEmpty".into();
    }
    match valid {
        "" | "non-null string" | "non-empty list" => "Bounds::Any".into(),
        "non-empty string" => "Bounds::NonEmpty".into(),
        "[1,...,9] or -1" => "Bounds::GzipLevel".into(),
        replicas if replicas.starts_with("[partitionId]") => "Bounds::ThrottledReplicas".into(),
        reset if reset.contains("by_duration") => "Bounds::OffsetReset".into(),
        folded if folded.starts_with("(case insensitive) ") => words("OneOfIgnoringCase", &folded[19..]),
        range if range.contains("...") => span(unbracketed(range)),
        list => words("OneOf", list),
    }
}

fn words(bounds: &str, list: &str) -> String {
    format!("Bounds::{bounds}(&{:?})", unbracketed(list).split(", ").collect::<Vec<_>>())
}

fn span(range: &str) -> String {
    let (min, max) = range.split_once("...").expect("a range has three dots");
    let side = |text: &str| Some(text.trim_matches(',')).filter(|text| !text.is_empty()).map(str::to_owned);
    format!("Bounds::Range {{ min: {:?}, max: {:?} }}", side(min), side(max))
}

//! All messages as Rust: a module each, and enums over those that are told apart by a key.

use crate::schema::{Kind, Message};
use crate::structs;

/// A module for each message, and their names beside each other.
pub fn modules(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        let module = snake(&message.name);
        text += &format!(
            "/// `{}` and the structs inside it.\npub mod {module} {{\nuse super::*;\n",
            message.name
        );
        for def in &message.structs {
            text += &structs::generate(message, def);
        }
        text += &traits(message);
        text += &format!("}}\npub use {module}::{};\n", message.name);
    }
    text
}

fn traits(message: &Message) -> String {
    let (name, key) = (&message.name, message.key.unwrap_or_default());
    let mut text = format!(
        "impl Message for {name} {{\nconst NAME: &'static str = {name:?};\nconst MIN_VERSION: i16 = {};\n\
         const MAX_VERSION: i16 = {};\nconst FLEXIBLE_FROM: Option<i16> = {:?};\n}}\n",
        message.versions.min, message.versions.max, message.flexible_from
    );
    match message.kind {
        Kind::Request => {
            let response = response_name(message);
            text += &format!(
                "impl Request for {name} {{\nconst API_KEY: ApiKey = ApiKey({key});\ntype Response = super::{response};\n}}\n"
            );
        }
        Kind::Metadata | Kind::CoordinatorKey | Kind::CoordinatorValue => {
            text += &format!("impl Record for {name} {{\nconst KEY: i16 = {key};\n}}\n");
        }
        Kind::Response | Kind::Header | Kind::Data => {}
    }
    text
}

fn response_name(request: &Message) -> String {
    request.name.strip_suffix("Request").map(|stem| format!("{stem}Response")).expect("a request is named so")
}

/// An enum over messages that are told apart by a key, with a decoder by key.
pub fn keyed_enum(name: &str, doc: &str, suffix: &str, messages: &[&Message]) -> String {
    let variants: Vec<(String, &Message)> = messages
        .iter()
        .filter(|message| !message.versions.is_empty())
        .map(|message| (message.name.strip_suffix(suffix).unwrap_or(&message.name).to_owned(), *message))
        .collect();
    let each = |line: &dyn Fn(&str, &Message) -> String| -> String {
        variants.iter().map(|(variant, message)| line(variant, message)).collect()
    };
    let text = format!(
        "/// {doc}\n#[derive(Clone, Debug, PartialEq)]\npub enum {name} {{\n{}}}\nimpl {name} {{\n{}{}}}\n{}",
        each(&|variant, message| format!(
            "/// Key {}.\n{variant}({}),\n",
            message.key.unwrap_or(0),
            message.name
        )),
        keyed_decoder(name, &each),
        keyed_methods(&each),
        each(&|variant, message| format!(
            "impl From<{0}> for {name} {{\nfn from(message: {0}) -> {name} {{ {name}::{variant}(message) }}\n}}\n",
            message.name
        )),
    );
    text
}

type Each<'a> = dyn Fn(&dyn Fn(&str, &Message) -> String) -> String + 'a;

fn keyed_decoder(name: &str, each: &Each<'_>) -> String {
    format!(
        "/// Reads the message of this key.\n\
         pub fn decode(key: i16, r: &mut Reader, version: i16) -> Result<Self, DecodeError> {{\nOk(match key {{\n{}\
         _ => return Err(DecodeError::UnknownKey {{ name: {name:?}, key }}),\n}})\n}}\n",
        each(&|variant, message| format!(
            "{} => Self::{variant}(Message::decode(r, version)?),\n",
            message.key.unwrap_or_default()
        ))
    )
}

fn keyed_methods(each: &Each<'_>) -> String {
    format!(
        "/// Writes the message, without its key and version.\n\
         pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{\nmatch self {{\n{}}}\n}}\n\
         /// The key that tells the message from the others.\npub fn key(&self) -> i16 {{\nmatch self {{\n{}}}\n}}\n\
         /// Kafka's name of the message.\npub fn name(&self) -> &'static str {{\nmatch self {{\n{}}}\n}}\n\
         /// The first and the last version of the message of this key.\n\
         pub fn versions(key: i16) -> Option<VersionRange> {{\nlet (min, max) = match key {{\n{}_ => return None,\n}};\n\
         Some(VersionRange {{ min, max }})\n}}\n",
        each(&|variant, _| format!("Self::{variant}(message) => message.encode(w, version),\n")),
        each(&|variant, message| format!("Self::{variant}(_) => {},\n", message.key.unwrap_or_default())),
        each(&|variant, message| format!("Self::{variant}(_) => {:?},\n", message.name)),
        each(&|_, message| format!(
            "{} => ({}, {}),\n",
            message.key.unwrap_or_default(),
            message.versions.min,
            message.versions.max
        )),
    )
}

/// `KRaftVersionRecord` becomes `k_raft_version_record`.
pub fn snake(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

//! The tables of messages in `schemas/`, as far as a reader needs them that knows messages only by name. Pure.

use std::iter::Peekable;
use std::str::Lines;
use std::sync::LazyLock;

/// A file of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Metadata,
    Groups,
    Transactions,
    Shares,
    Messages,
}

impl Table {
    /// Its messages, read when they are first asked for.
    fn messages(self) -> &'static [Message] {
        static METADATA: LazyLock<Vec<Message>> =
            LazyLock::new(|| parse(include_str!("../../../../../schemas/metadata-records.txt")));
        static GROUPS: LazyLock<Vec<Message>> =
            LazyLock::new(|| parse(include_str!("../../../../../schemas/group-records.txt")));
        static TRANSACTIONS: LazyLock<Vec<Message>> =
            LazyLock::new(|| parse(include_str!("../../../../../schemas/transaction-records.txt")));
        static SHARES: LazyLock<Vec<Message>> =
            LazyLock::new(|| parse(include_str!("../../../../../schemas/share-records.txt")));
        static MESSAGES: LazyLock<Vec<Message>> =
            LazyLock::new(|| parse(include_str!("../../../../../schemas/messages.txt")));
        match self {
            Table::Metadata => &METADATA,
            Table::Groups => &GROUPS,
            Table::Transactions => &TRANSACTIONS,
            Table::Shares => &SHARES,
            Table::Messages => &MESSAGES,
        }
    }

    /// The message of this kind and key, as a metadata record.
    pub fn message(self, kind: &str, key: i16) -> Option<&'static Message> {
        self.messages().iter().find(|message| message.kind == kind && message.key == Some(key))
    }
}

fn parse(table: &'static str) -> Vec<Message> {
    table.split("\n\n").map(|block| Message::parse(block.trim_start())).collect()
}

/// Versions from one to another, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    min: i16,
    max: i16,
}

impl Versions {
    const NONE: Versions = Versions { min: 0, max: -1 };

    /// `3+`, `1-2`, `0` or `none`.
    fn parse(text: &str) -> Versions {
        let number = |text: &str| text.parse().unwrap_or(-1);
        match (text.strip_suffix('+'), text.split_once('-')) {
            (Some(min), _) => Versions { min: number(min), max: i16::MAX },
            (None, Some((min, max))) => Versions { min: number(min), max: number(max) },
            (None, None) if text == "none" => Versions::NONE,
            (None, None) => Versions { min: number(text), max: number(text) },
        }
    }

    /// Whether a version is one of these.
    pub fn contains(self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }
}

/// A field of a message or of a struct in it.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: &'static str,
    /// As in the table: `i32`, `[string]`, the name of a struct.
    pub kind: &'static str,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<(u32, Versions)>,
    /// What it is where nobody says, where the table names that.
    default: Option<&'static str>,
    /// Those of its struct, where that is its own.
    pub fields: Vec<Field>,
}

impl Field {
    /// Whether a value in JSON is what the field is where nobody says.
    pub fn is_default(&self, value: &str) -> bool {
        match self.default {
            Some("null") => value == "null",
            Some(default) if default != "None" => value == default,
            _ => matches!(value, "0" | "false" | "\"\"" | "[]" | "\"AAAAAAAAAAAAAAAAAAAAAA\""),
        }
    }
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    kind: &'static str,
    key: Option<i16>,
    pub name: &'static str,
    pub versions: Versions,
    pub flexible: Versions,
    pub fields: Vec<Field>,
    structs: Vec<Field>,
}

impl Message {
    /// The message of this name among those that are sent.
    pub fn of_name(name: &str) -> Option<&'static Message> {
        Table::Messages.messages().iter().find(|message| message.name == name)
    }

    fn parse(block: &'static str) -> Message {
        let mut lines = block.lines().peekable();
        let head = lines.next().unwrap_or_default();
        let word = |name: &str| head.split(' ').find_map(|word| word.strip_prefix(name));
        let versions = |name: &str| word(name).map_or(Versions::NONE, Versions::parse);
        let all = parse_fields(&mut lines, 2);
        let (structs, fields) = all.into_iter().partition(|field| field.kind == "struct");
        Message {
            kind: head.split(' ').next().unwrap_or_default(),
            key: word("key=").and_then(|key| key.parse().ok()),
            name: head.split(' ').nth(1).unwrap_or_default(),
            versions: versions("versions="),
            flexible: versions("flexible="),
            fields,
            structs,
        }
    }

    /// The fields of a struct: the field's own, or those that several fields share.
    pub fn struct_of<'a>(&'a self, field: &'a Field) -> Option<&'a [Field]> {
        if !field.fields.is_empty() {
            return Some(&field.fields);
        }
        let name = field.kind.trim_start_matches('[').trim_end_matches(']');
        self.structs.iter().find(|it| it.name == name).map(|it| it.fields.as_slice())
    }
}

fn parse_fields(lines: &mut Peekable<Lines<'static>>, indent: usize) -> Vec<Field> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut fields: Vec<Field> = Vec::new();
    while let Some(line) = lines.peek() {
        match depth(line) {
            here if here < indent => break,
            here if here > indent => {
                let inner = parse_fields(lines, here);
                if let Some(field) = fields.last_mut() {
                    field.fields = inner;
                }
            }
            _ => {
                fields.push(parse_field(line.trim_start()));
                lines.next();
            }
        }
    }
    fields
}

fn parse_field(line: &'static str) -> Field {
    let mut words = line.split(' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let versions = Versions::parse(words.next().unwrap_or_default());
    let attribute = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name));
    let tag = attribute("tag=").and_then(|tag| tag.split_once('@'));
    let (name, kind) = if first == "struct" { (second, first) } else { (first, second) };
    Field {
        name,
        kind,
        versions,
        nullable: attribute("nullable=").map_or(Versions::NONE, Versions::parse),
        default: attribute("default="),
        tag: tag.and_then(|(number, versions)| Some((number.parse().ok()?, Versions::parse(versions)))),
        fields: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_by_its_key_and_its_name() {
        let record = Table::Metadata.message("metadata", 3).unwrap();
        assert_eq!(record.name, "PartitionRecord");
        assert_eq!(record.fields[0].name, "partition_id");
        assert!(record.flexible.contains(0));
        let group = Table::Groups.message("coordinator-value", 2).unwrap();
        let members = group.fields.last().unwrap();
        assert_eq!(members.kind, "[MemberMetadata]");
        assert_eq!(group.struct_of(members).unwrap()[0].name, "member_id");
        assert_eq!(Message::of_name("VotersRecord").unwrap().name, "VotersRecord");
        assert!(!group.flexible.contains(3) && group.flexible.contains(4));
    }

    #[test]
    fn a_default_is_known_by_the_table_or_by_the_type() {
        let transaction = Table::Transactions.message("coordinator-value", 0).unwrap();
        let is_default = |name: &str, value: &str| {
            transaction.fields.iter().find(|field| field.name == name).unwrap().is_default(value)
        };
        assert!(is_default("next_producer_id", "-1") && !is_default("next_producer_id", "0"));
        assert!(is_default("client_transaction_version", "0"));
        assert!(is_default("transaction_timeout_ms", "0") && !is_default("transaction_timeout_ms", "-1"));
    }

    #[test]
    fn versions_are_told_by_their_bounds() {
        assert!(Versions::parse("2+").contains(7) && !Versions::parse("2+").contains(1));
        assert!(Versions::parse("1-2").contains(2) && !Versions::parse("1-2").contains(3));
        assert!(Versions::parse("0").contains(0) && !Versions::parse("none").contains(0));
    }
}

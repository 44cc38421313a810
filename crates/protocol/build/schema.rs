//! Reads the tables of messages: text in, [`Message`]s out.

/// Versions from `min` to `max`, both inclusive; none if `max` lies below `min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub min: i16,
    pub max: i16,
}

impl Range {
    const NONE: Range = Range { min: 0, max: -1 };

    fn parse(text: &str) -> Range {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{text}` is no version"));
        if text == "none" {
            return Range::NONE;
        }
        match (text.strip_suffix('+'), text.split_once('-')) {
            (Some(min), _) => Range { min: number(min), max: i16::MAX },
            (None, Some((min, max))) => Range { min: number(min), max: number(max) },
            (None, None) => Range { min: number(text), max: number(text) },
        }
    }

    pub fn intersect(self, other: Range) -> Range {
        Range { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    pub fn is_empty(self) -> bool {
        self.max < self.min
    }

    pub fn covers(self, other: Range) -> bool {
        other.is_empty() || (self.min <= other.min && other.max <= self.max)
    }

    pub fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
    Header,
    Data,
    Metadata,
    CoordinatorKey,
    CoordinatorValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U16,
    U32,
    F64,
    String,
    Bytes,
    Records,
    Uuid,
    Struct(String),
    Array(Box<Type>),
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub versions: Range,
    pub nullable: Option<Range>,
    pub tag: Option<u32>,
    pub default: Option<String>,
    pub ignorable: bool,
    pub never_flexible: bool,
    /// The line of the table, for the field's documentation.
    pub line: String,
}

#[derive(Clone, Debug)]
pub struct StructDef {
    pub name: String,
    /// The versions of the message in which the struct can occur.
    pub versions: Range,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub kind: Kind,
    pub name: String,
    pub key: Option<i16>,
    pub versions: Range,
    pub flexible_from: Option<i16>,
    /// The message itself first, then the structs inside it.
    pub structs: Vec<StructDef>,
}

/// The messages of one file of tables.
pub fn parse(text: &str) -> Vec<Message> {
    let blocks = text.split("\n\n").map(str::trim_end).filter(|block| !block.trim().is_empty());
    blocks.map(|block| parse_block(block.trim_start_matches('\n'))).collect()
}

fn parse_block(block: &str) -> Message {
    let mut lines = block.lines();
    let head: Vec<&str> = lines.next().map(|line| line.split_whitespace().collect()).unwrap_or_default();
    let attribute = |name: &str| head.iter().find_map(|word| word.strip_prefix(name));
    let versions = Range::parse(attribute("versions=").unwrap_or_else(|| panic!("no versions in {head:?}")));
    let mut message = Message {
        kind: parse_kind(head[0]),
        name: head[1].to_owned(),
        key: attribute("key=").map(|key| key.parse().unwrap_or_else(|_| panic!("`{key}` is no key"))),
        versions,
        flexible_from: attribute("flexible=")
            .map(Range::parse)
            .filter(|from| !from.is_empty())
            .map(|from| from.min),
        structs: vec![StructDef { name: head[1].to_owned(), versions, fields: Vec::new() }],
    };
    // The structs that are open at each depth: the indentation of their fields, and their place.
    let mut open = vec![(2, 0)];
    for line in lines {
        parse_line(&mut message, &mut open, line);
    }
    message
}

fn parse_kind(word: &str) -> Kind {
    match word {
        "request" => Kind::Request,
        "response" => Kind::Response,
        "header" => Kind::Header,
        "data" => Kind::Data,
        "metadata" => Kind::Metadata,
        "coordinator-key" => Kind::CoordinatorKey,
        "coordinator-value" => Kind::CoordinatorValue,
        _ => panic!("`{word}` is no kind of message"),
    }
}

fn parse_line(message: &mut Message, open: &mut Vec<(usize, usize)>, line: &str) {
    let indent = line.len() - line.trim_start().len();
    open.retain(|(depth, _)| *depth <= indent);
    let words: Vec<&str> = line.split_whitespace().collect();
    if words[0] == "struct" {
        let versions =
            words.get(2).map_or(message.versions, |text| Range::parse(text)).intersect(message.versions);
        open_struct(message, open, indent, words[1], versions);
        return;
    }
    let place =
        open.last().map(|(_, place)| *place).unwrap_or_else(|| panic!("`{line}` belongs to no struct"));
    let field = parse_field(&words);
    let versions = field.versions.intersect(message.structs[place].versions);
    let inner = inner_struct(&field.ty).map(str::to_owned);
    message.structs[place].fields.push(field);
    if let Some(name) = inner {
        // If no deeper lines follow, it is a shared struct and this definition stays empty and is dropped.
        open_struct(message, open, indent, &name, versions);
    }
}

fn open_struct(
    message: &mut Message,
    open: &mut Vec<(usize, usize)>,
    indent: usize,
    name: &str,
    versions: Range,
) {
    let known = message.structs.iter().position(|known| known.name == name);
    let place = known.unwrap_or_else(|| {
        message.structs.push(StructDef { name: name.to_owned(), versions, fields: Vec::new() });
        message.structs.len() - 1
    });
    if message.structs[place].fields.is_empty() {
        let so_far = message.structs[place].versions;
        let hull = Range { min: so_far.min.min(versions.min), max: so_far.max.max(versions.max) };
        message.structs[place].versions = if so_far.is_empty() { versions } else { hull };
    }
    open.push((indent + 2, place));
}

fn parse_field(words: &[&str]) -> Field {
    let attribute = |name: &str| words[3..].iter().find_map(|word| word.strip_prefix(name));
    // `None` is a JSON null in Kafka's definitions, which its generator takes for no default at all: an empty array, a
    // struct of defaults. The string "null" is what makes null the default.
    let default = attribute("default=").filter(|text| *text != "None").map(|text| match text {
        "False" => "false".to_owned(),
        "True" => "true".to_owned(),
        "\"\"" => String::new(),
        _ => text.to_owned(),
    });
    Field {
        name: words[0].to_owned(),
        ty: parse_type(words[1]),
        versions: Range::parse(words[2]),
        nullable: attribute("nullable=").map(Range::parse),
        tag: attribute("tag=").map(parse_tag),
        default,
        ignorable: words[3..].contains(&"ignorable"),
        never_flexible: attribute("flexible=") == Some("none"),
        line: words[1..].join(" "),
    }
}

fn parse_tag(text: &str) -> u32 {
    let tag = text.split('@').next().and_then(|number| number.parse().ok());
    tag.unwrap_or_else(|| panic!("`{text}` is no tag"))
}

fn parse_type(text: &str) -> Type {
    match text {
        "bool" => Type::Bool,
        "i8" => Type::I8,
        "i16" => Type::I16,
        "i32" => Type::I32,
        "i64" => Type::I64,
        "u16" => Type::U16,
        "u32" => Type::U32,
        "f64" => Type::F64,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        "uuid" => Type::Uuid,
        _ => match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(element) => Type::Array(Box::new(parse_type(element))),
            None if text.starts_with(|letter: char| letter.is_ascii_uppercase()) => {
                Type::Struct(text.to_owned())
            }
            None => panic!("`{text}` is no type"),
        },
    }
}

fn inner_struct(ty: &Type) -> Option<&str> {
    match ty {
        Type::Struct(name) => Some(name),
        Type::Array(element) => inner_struct(element),
        _ => None,
    }
}

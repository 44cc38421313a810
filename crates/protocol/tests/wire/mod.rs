//! Random messages as bytes, written by walking the tables: a second way to the wire, which shares no code with the codec.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../build/schema.rs"]
pub mod schema;

use schema::{Field, Message, Range, StructDef, Type};

/// Random numbers that follow from a seed (splitmix64).
pub struct Source(pub u64);

impl Source {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// The files of tables, and the messages in each.
pub fn tables() -> Vec<(&'static str, Vec<Message>)> {
    let file = |text| schema::parse(text);
    vec![
        ("messages", file(include_str!("../../../../schemas/messages.txt"))),
        ("metadata-records", file(include_str!("../../../../schemas/metadata-records.txt"))),
        ("group-records", file(include_str!("../../../../schemas/group-records.txt"))),
        ("transaction-records", file(include_str!("../../../../schemas/transaction-records.txt"))),
        ("share-records", file(include_str!("../../../../schemas/share-records.txt"))),
        ("tiering-records", file(include_str!("../../../../schemas/tiering-records.txt"))),
        ("quorum", file(include_str!("../../../../schemas/quorum.txt"))),
    ]
}

/// A message on the wire, and the places of the lengths, counts and tags in it.
#[derive(Default)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub lengths: Vec<usize>,
}

/// A random message of this version.
pub fn random(message: &Message, version: i16, source: &mut Source) -> Encoded {
    let mut walk = Walk { message, version, source: Some(source), depth: 0, out: Encoded::default() };
    walk.fields(&message.structs[0]);
    walk.out
}

/// The message with every field at its default.
pub fn default(message: &Message, version: i16) -> Vec<u8> {
    let mut walk = Walk { message, version, source: None, depth: 0, out: Encoded::default() };
    walk.fields(&message.structs[0]);
    walk.out.bytes
}

struct Walk<'a> {
    message: &'a Message,
    version: i16,
    /// None writes defaults.
    source: Option<&'a mut Source>,
    depth: usize,
    out: Encoded,
}

impl Walk<'_> {
    fn flexible(&self, field: &Field) -> bool {
        !field.never_flexible && self.is_flexible()
    }

    fn is_flexible(&self) -> bool {
        self.message.flexible_from.is_some_and(|from| self.version >= from)
    }

    fn fields(&mut self, def: &StructDef) {
        self.depth += 1;
        let version = self.version;
        for field in def.fields.iter().filter(|field| field.tag.is_none() && field.versions.contains(version))
        {
            self.value(field);
        }
        if self.is_flexible() {
            self.tags(def);
        }
        self.depth -= 1;
    }

    /// Tagged fields are written if they differ from their defaults, as Kafka does.
    fn tags(&mut self, def: &StructDef) {
        let mut tagged: Vec<&Field> = def
            .fields
            .iter()
            .filter(|field| field.tag.is_some() && field.versions.contains(self.version))
            .collect();
        tagged.sort_by_key(|field| field.tag);
        let values: Vec<(u32, Encoded)> = tagged
            .into_iter()
            .filter_map(|field| {
                let value = self.apart(field);
                (value.bytes != self.default_of(field)).then(|| (field.tag.unwrap(), value))
            })
            .collect();
        self.length(true, values.len());
        for (tag, value) in values {
            self.uvarint(tag);
            self.length(true, value.bytes.len());
            let start = self.out.bytes.len();
            self.out.lengths.extend(value.lengths.iter().map(|place| place + start));
            self.out.bytes.extend(value.bytes);
        }
    }

    fn apart(&mut self, field: &Field) -> Encoded {
        let before = std::mem::take(&mut self.out);
        self.value(field);
        std::mem::replace(&mut self.out, before)
    }

    fn default_of(&self, field: &Field) -> Vec<u8> {
        let mut walk = Walk {
            message: self.message,
            version: self.version,
            source: None,
            depth: 0,
            out: Encoded::default(),
        };
        walk.value(field);
        walk.out.bytes
    }

    fn value(&mut self, field: &Field) {
        let nullable = field.nullable.is_some_and(|range: Range| range.contains(self.version));
        let is_null = match &mut self.source {
            Some(source) => nullable && source.one_in(4),
            None => field.default.as_deref() == Some("null") || (nullable && field.ty == Type::Records),
        };
        let flexible = self.flexible(field);
        match &field.ty {
            // Null is another byte where the struct is tagged.
            Type::Struct(_) if is_null && field.tag.is_some() => self.out.bytes.push(0),
            _ if is_null => self.null(&field.ty, flexible),
            Type::Struct(name) => {
                if nullable {
                    self.out.bytes.push(1);
                }
                self.structure(name);
            }
            Type::Array(element) => self.array(element, flexible),
            ty => self.plain(ty, flexible, field.default.as_deref()),
        }
    }

    fn null(&mut self, ty: &Type, flexible: bool) {
        match ty {
            Type::Struct(_) => self.out.bytes.push(0xff),
            _ if flexible => self.out.bytes.push(0),
            Type::String => self.out.bytes.extend([0xff; 2]),
            _ => self.out.bytes.extend([0xff; 4]),
        }
    }

    fn structure(&mut self, name: &str) {
        let def = self.message.structs.iter().find(|def| def.name == name).unwrap();
        self.fields(def);
    }

    fn array(&mut self, element: &Type, flexible: bool) {
        let depth = self.depth;
        let count = self.source.as_mut().map_or(0, |source| source.below(if depth > 3 { 2 } else { 4 }));
        self.array_len(flexible, count);
        for _ in 0..count {
            match element {
                Type::Struct(name) => self.structure(name),
                ty => self.plain(ty, flexible, None),
            }
        }
    }

    fn plain(&mut self, ty: &Type, flexible: bool, default: Option<&str>) {
        let random = self.source.as_mut().map(|source| random_bits(source));
        let number = random.unwrap_or_else(|| parse_default(default));
        match ty {
            Type::Bool => self.out.bytes.push((number & 1) as u8),
            Type::I8 => self.out.bytes.push(number as u8),
            Type::I16 | Type::U16 => self.out.bytes.extend((number as u16).to_be_bytes()),
            Type::I32 | Type::U32 => self.out.bytes.extend((number as u32).to_be_bytes()),
            Type::I64 => self.out.bytes.extend(number.to_be_bytes()),
            Type::F64 => self.out.bytes.extend(((number as i32) as f64).to_be_bytes()),
            Type::Uuid => self.out.bytes.extend((u128::from(number) * 0x1_0001).to_be_bytes()),
            Type::String => self.string(flexible),
            Type::Bytes | Type::Records => self.bytes(flexible),
            Type::Struct(_) | Type::Array(_) => unreachable!(),
        }
    }

    fn string(&mut self, flexible: bool) {
        let len =
            self.source.as_mut().map_or(0, |source| if source.one_in(40) { 300 } else { source.below(9) });
        let text: String = (0..len).map(|place| if place % 5 == 4 { 'é' } else { 'a' }).collect();
        if flexible {
            self.length(true, text.len() + 1);
        } else {
            self.out.lengths.push(self.out.bytes.len());
            self.out.bytes.extend((text.len() as u16).to_be_bytes());
        }
        self.out.bytes.extend(text.as_bytes());
    }

    fn bytes(&mut self, flexible: bool) {
        let len =
            self.source.as_mut().map_or(0, |source| if source.one_in(9) { 700 } else { source.below(40) });
        self.array_len(flexible, len);
        self.out.bytes.extend((0..len).map(|place| place as u8));
    }

    fn array_len(&mut self, flexible: bool, len: usize) {
        self.length(flexible, if flexible { len + 1 } else { len });
    }

    fn length(&mut self, varint: bool, value: usize) {
        self.out.lengths.push(self.out.bytes.len());
        if varint {
            self.uvarint(value as u32);
        } else {
            self.out.bytes.extend((value as u32).to_be_bytes());
        }
    }

    fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.bytes.push(value as u8);
    }
}

/// Small and large numbers, of both signs.
fn random_bits(source: &mut Source) -> u64 {
    let bits = source.next();
    match source.below(4) {
        0 => bits % 20,
        1 => (bits % 20).wrapping_neg(),
        _ => bits,
    }
}

fn parse_default(default: Option<&str>) -> u64 {
    match default {
        None | Some("" | "false" | "null") => 0,
        Some("true") => 1,
        Some(text) => match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
            None => text.parse::<i64>().unwrap() as u64,
        },
    }
}

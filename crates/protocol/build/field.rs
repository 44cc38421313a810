//! One field as Rust: its type, its default, how it is read and written.

use crate::schema::{Field, Message, Range, StructDef, Type};

/// A name that is a keyword of Rust is written raw.
pub fn identifier(name: &str) -> String {
    if matches!(name, "type" | "match" | "use" | "ref" | "where") {
        format!("r#{name}")
    } else {
        name.to_owned()
    }
}

pub fn rust_type(field: &Field) -> String {
    let ty = value_type(&field.ty);
    if is_option(field) { format!("Option<{ty}>") } else { ty }
}

/// Whether null is `None`; records have a null of their own.
pub fn is_option(field: &Field) -> bool {
    field.nullable.is_some() && field.ty != Type::Records
}

fn value_type(ty: &Type) -> String {
    match ty {
        Type::Array(element) => format!("Vec<{}>", value_type(element)),
        Type::Struct(name) => name.clone(),
        _ => primitive(ty).to_owned(),
    }
}

fn primitive(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::F64 => "f64",
        Type::String => "String",
        Type::Bytes => "Bytes",
        Type::Records => "Records",
        Type::Uuid => "Uuid",
        Type::Struct(_) | Type::Array(_) => unreachable!("not a primitive"),
    }
}

/// The default if it is another than `Default::default()` gives.
pub fn special_default(field: &Field, message: &Message) -> Option<String> {
    let default = field.default.as_deref();
    if is_option(field) {
        return (!defaults_to_null(field, message)).then(|| format!("Some({})", plain_default(field)));
    }
    match field.ty {
        Type::Records if !is_nullable_at(field, message.versions.max) => {
            Some("Records::Bytes(Bytes::new())".to_owned())
        }
        Type::Array(_) | Type::Struct(_) | Type::Records | Type::Uuid | Type::Bytes => None,
        _ => default.filter(|text| !matches!(*text, "" | "0" | "false")).map(|_| plain_default(field)),
    }
}

/// Whether the field is null unless it is set: if the table says so, and if it says nothing and null can be written in every
/// version. (Kafka takes the empty value for the latter.)
fn defaults_to_null(field: &Field, message: &Message) -> bool {
    let may_always_be_null =
        field.nullable.is_some_and(|nullable| nullable.covers(field.versions.intersect(message.versions)));
    let is_plain = field.tag.is_none() && !matches!(field.ty, Type::Struct(_));
    match field.default.as_deref() {
        Some(default) => default == "null",
        None => is_plain && may_always_be_null,
    }
}

fn is_nullable_at(field: &Field, version: i16) -> bool {
    field.nullable.is_some_and(|range| range.contains(version))
}

fn plain_default(field: &Field) -> String {
    match (&field.ty, field.default.as_deref()) {
        (Type::String, Some(text)) if !text.is_empty() => format!("{text:?}.to_owned()"),
        (Type::Bool, Some(text)) => text.to_owned(),
        (Type::F64, Some(text)) => format!("{text}f64"),
        (Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::U16 | Type::U32, Some(text)) => text.to_owned(),
        _ => "Default::default()".to_owned(),
    }
}

/// A condition that holds if the field has another value than its default.
pub fn is_set(field: &Field, message: &Message) -> String {
    let name = identifier(&field.name);
    let default = field.default.as_deref();
    if is_option(field) {
        return match (default, &field.ty) {
            (Some("null"), _) => format!("self.{name}.is_some()"),
            (_, Type::Struct(_)) => {
                format!("self.{name} != {}", special_default(field, message).unwrap_or_default())
            }
            _ if defaults_to_null(field, message) => {
                format!("self.{name}.as_ref().is_some_and(|value| !value.is_empty())")
            }
            _ => format!("self.{name}.as_ref().is_none_or(|value| !value.is_empty())"),
        };
    }
    match &field.ty {
        Type::Bool if default == Some("true") => format!("!self.{name}"),
        Type::Bool => format!("self.{name}"),
        Type::String | Type::Bytes | Type::Array(_) if default.is_none_or(str::is_empty) => {
            format!("!self.{name}.is_empty()")
        }
        Type::String => format!("self.{name} != {:?}", default.unwrap_or_default()),
        Type::Records => format!("!self.{name}.is_empty()"),
        Type::Uuid => format!("!self.{name}.is_zero()"),
        Type::Struct(ty) => format!("self.{name} != {ty}::default()"),
        Type::F64 => format!("self.{name} != {}f64", default.unwrap_or("0")),
        _ => format!("self.{name} != {}", default.unwrap_or("0")),
    }
}

/// An expression that reads the field's value.
pub fn read(field: &Field, flexible: &str) -> String {
    let flexible = if field.never_flexible { "false" } else { flexible };
    let opt = if is_option(field) { "opt_" } else { "" };
    match &field.ty {
        Type::Array(element) if matches!(**element, Type::Struct(_)) => {
            format!("r.{opt}structs({flexible}, v)?")
        }
        Type::Array(_) => format!("r.{opt}array({flexible})?"),
        Type::Struct(_) if opt.is_empty() => "Struct::read(r, v)?".to_owned(),
        Type::Struct(_) if field.tag.is_some() => "r.opt_tagged_struct(v)?".to_owned(),
        Type::Struct(_) => "r.opt_struct(v)?".to_owned(),
        Type::String => format!("r.{opt}string({flexible})?"),
        Type::Bytes => format!("r.{opt}bytes({flexible})?"),
        Type::Records => format!("r.records({flexible})?"),
        ty => format!("r.{}()?", primitive(ty).to_lowercase()),
    }
}

/// A statement, without its semicolon, that writes the field's value to `w`, and whether it is a `Result`.
pub fn write(field: &Field, flexible: &str) -> (String, bool) {
    let flexible = if field.never_flexible { "false" } else { flexible };
    let name = identifier(&field.name);
    let (opt, value) = match (is_option(field), &field.ty) {
        (false, _) => ("", format!("&self.{name}")),
        (true, Type::Struct(_)) => ("opt_", format!("self.{name}.as_ref()")),
        (true, _) => ("opt_", format!("self.{name}.as_deref()")),
    };
    let call = match &field.ty {
        Type::Array(element) if matches!(**element, Type::Struct(_)) => {
            format!("w.{opt}structs({flexible}, v, {value})")
        }
        Type::Array(_) => format!("w.{opt}array({flexible}, {value})"),
        Type::Struct(_) if opt.is_empty() => format!("self.{name}.write(w, v)"),
        Type::Struct(_) if field.tag.is_some() => format!("w.opt_tagged_struct(v, {value})"),
        Type::Struct(_) => format!("w.opt_struct(v, {value})"),
        Type::String => format!("w.{opt}string({flexible}, {value})"),
        Type::Bytes => format!("w.{opt}bytes({flexible}, {value})"),
        Type::Records => format!("w.records({flexible}, {value})"),
        ty => return (format!("w.{}(self.{name})", primitive(ty).to_lowercase()), false),
    };
    (call, true)
}

/// The versions, among those of its struct, in which the field may not be null; nothing to check if there are none.
pub fn null_forbidden(field: &Field, within: &StructDef) -> Option<String> {
    let present = field.versions.intersect(within.versions);
    let nullable = match (field.nullable, &field.ty) {
        (Some(nullable), _) => nullable,
        (None, Type::Records) => return Some("true".to_owned()),
        (None, _) => return None,
    };
    (!nullable.covers(present))
        .then(|| format!("!({})", condition(nullable, within.versions).unwrap_or("true".into())))
}

/// A condition on `v` for these versions among those that can occur; none if it always holds.
pub fn condition(versions: Range, within: Range) -> Option<String> {
    if versions.intersect(within).is_empty() {
        return Some("false".to_owned());
    }
    match (versions.min > within.min, versions.max < within.max) {
        (false, false) => None,
        (true, false) => Some(format!("v >= {}", versions.min)),
        (false, true) => Some(format!("v <= {}", versions.max)),
        (true, true) if versions.min == versions.max => Some(format!("v == {}", versions.min)),
        (true, true) => Some(format!("({}..={}).contains(&v)", versions.min, versions.max)),
    }
}

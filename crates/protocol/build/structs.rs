//! One struct as Rust: its definition, default, decoder and encoder.

use crate::schema::{Field, Message, Range, StructDef};
use crate::{errors, field};

/// The definition and the implementations of `Default` and `Struct`.
pub fn generate(message: &Message, def: &StructDef) -> String {
    let special = def.fields.iter().any(|field| field::special_default(field, message).is_some());
    let mut text = definition(message, def, special);
    if special {
        text += &default(message, def);
    }
    let (read, write, errors) = (decoder(message, def), encoder(message, def), errors::visitor(message, def));
    text + &format!("impl Struct for {} {{\n{read}{write}{errors}}}\n", def.name)
}

fn definition(message: &Message, def: &StructDef, special: bool) -> String {
    let default = if special { "" } else { "Default, " };
    let title = if def.name == message.name { String::new() } else { format!(" in `{}`", message.name) };
    let mut text = format!(
        "/// `{}`{title}.\n#[derive({default}Clone, PartialEq, Debug)]\npub struct {} {{\n",
        def.name, def.name
    );
    for field in &def.fields {
        let (name, ty) = (field::identifier(&field.name), field::rust_type(field));
        text += &format!("/// In the table: `{}`.\npub {name}: {ty},\n", field.line);
    }
    text + "}\n"
}

fn default(message: &Message, def: &StructDef) -> String {
    let mut text = format!("impl Default for {} {{\nfn default() -> Self {{\nSelf {{\n", def.name);
    for field in &def.fields {
        let value = field::special_default(field, message).unwrap_or_else(|| "Default::default()".to_owned());
        text += &format!("{}: {value},\n", field::identifier(&field.name));
    }
    text + "}\n}\n}\n"
}

/// How the versions of a struct divide into those with compact lengths and those without.
fn flexible(message: &Message, def: &StructDef) -> &'static str {
    match message.flexible_from {
        None => "false",
        Some(from) if from > def.versions.max => "false",
        Some(from) if from <= def.versions.min => "true",
        Some(_) => "f",
    }
}

fn flexible_let(message: &Message, flexible: &str) -> String {
    match message.flexible_from {
        Some(from) if flexible == "f" => format!("let f = v >= {from};\n"),
        _ => String::new(),
    }
}

fn tagged(def: &StructDef) -> Vec<&Field> {
    let mut fields: Vec<&Field> =
        def.fields.iter().filter(|field| field.tag.is_some() && !present(field, def).is_empty()).collect();
    fields.sort_by_key(|field| field.tag);
    fields
}

fn present(field: &Field, def: &StructDef) -> Range {
    field.versions.intersect(def.versions)
}

fn decoder(message: &Message, def: &StructDef) -> String {
    let flexible = flexible(message, def);
    let mut text = "fn read(r: &mut Reader, v: i16) -> Result<Self, DecodeError> {\n".to_owned();
    text += &flexible_let(message, flexible);
    text += "let mut m = Self::default();\n";
    for field in def.fields.iter().filter(|field| field.tag.is_none() && !present(field, def).is_empty()) {
        text +=
            &guarded(field::condition(field.versions, def.versions), &read_statement(field, def, flexible));
    }
    text += &guarded(flexible_guard(flexible), &tag_decoder(def, flexible));
    text + "Ok(m)\n}\n"
}

fn read_statement(field: &Field, def: &StructDef, flexible: &str) -> String {
    let name = field::identifier(&field.name);
    let check = match field::null_forbidden(field, def) {
        Some(versions) => format!(
            "if {versions} && m.{name}.is_{} {{ return Err(DecodeError::UnexpectedNull); }}\n",
            null_word(field)
        ),
        None => String::new(),
    };
    format!("m.{name} = {};\n{check}", field::read(field, flexible))
}

fn null_word(field: &Field) -> &'static str {
    if field::is_option(field) { "none()" } else { "null()" }
}

/// None if the statement always runs; tags exist in flexible versions only.
fn flexible_guard(flexible: &str) -> Option<String> {
    (flexible != "true").then(|| flexible.to_owned())
}

fn guarded(condition: Option<String>, statements: &str) -> String {
    match condition.as_deref() {
        Some("false") => String::new(),
        Some(condition) => format!("if {condition} {{\n{statements}}}\n"),
        None => statements.to_owned(),
    }
}

fn tag_decoder(def: &StructDef, flexible: &str) -> String {
    let fields = tagged(def);
    if fields.is_empty() {
        return "r.skip_tags()?;\n".to_owned();
    }
    let _ = flexible;
    let mut text = "r.tags(|r, tag| {\nmatch tag {\n".to_owned();
    for field in fields {
        let guard = field::condition(field.versions, def.versions)
            .map(|text| format!(" if {text}"))
            .unwrap_or_default();
        let tag = field.tag.unwrap_or_default();
        text += &format!("{tag}{guard} => {{\n{}}}\n", read_statement(field, def, "true"));
    }
    text + "_ => return Ok(false),\n}\nOk(true)\n})?;\n"
}

fn encoder(message: &Message, def: &StructDef) -> String {
    let flexible = flexible(message, def);
    let mut text = "fn write(&self, w: &mut Writer, v: i16) -> Result<(), EncodeError> {\n".to_owned();
    text += &flexible_let(message, flexible);
    for field in &def.fields {
        let statement =
            if field.tag.is_some() { String::new() } else { write_statement(field, def, flexible) };
        text += &present_or_default(message, def, field, &statement);
    }
    text += &guarded(flexible_guard(flexible), &tag_encoder(message, def));
    text + "Ok(())\n}\n"
}

fn write_statement(field: &Field, def: &StructDef, flexible: &str) -> String {
    let (call, fallible) = field::write(field, flexible);
    let check = match field::null_forbidden(field, def) {
        Some(versions) => format!(
            "if {versions} && self.{}.is_{} {{ return Err(null({:?}, {:?}, v)); }}\n",
            field::identifier(&field.name),
            null_word(field),
            def.name,
            field.name
        ),
        None => String::new(),
    };
    format!("{check}{call}{};\n", if fallible { "?" } else { "" })
}

/// Writes the field in its versions; in the others it must have its default unless it may be dropped.
fn present_or_default(message: &Message, def: &StructDef, field: &Field, statement: &str) -> String {
    let present = field::condition(field.versions, def.versions);
    let Some(condition) = present else { return statement.to_owned() };
    let refuse = format!(
        "if {} {{ return Err(absent({:?}, {:?}, v)); }}\n",
        field::is_set(field, message),
        def.name,
        field.name
    );
    match (statement.is_empty(), field.ignorable) {
        (true, true) => String::new(),
        (true, false) => format!("if !({condition}) {{\n{refuse}}}\n"),
        (false, true) => guarded(Some(condition), statement),
        (false, false) if condition == "false" => refuse,
        (false, false) => format!("if {condition} {{\n{statement}}} else {{\n{refuse}}}\n"),
    }
}

fn tag_encoder(message: &Message, def: &StructDef) -> String {
    let fields = tagged(def);
    if fields.is_empty() {
        return "w.no_tags();\n".to_owned();
    }
    let mut text = "let mut tags = Tags::default();\n".to_owned();
    for field in fields {
        let condition = field::condition(field.versions, def.versions)
            .map(|text| format!("{text} && "))
            .unwrap_or_default();
        let (call, fallible) = field::write(field, "true");
        let body = if fallible { call } else { format!("{{ {call}; Ok(()) }}") };
        let check = match field::null_forbidden(field, def) {
            Some(_) => panic!("{}: a tagged field that is nullable in some versions only", field.name),
            None => format!("tags.put({}, |w| {body})?;\n", field.tag.unwrap_or_default()),
        };
        text += &format!("if {condition}{} {{\n{check}}}\n", field::is_set(field, message));
    }
    text + "w.tags(tags);\n"
}

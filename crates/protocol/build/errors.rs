//! Where the error codes of a message are.

use crate::field;
use crate::schema::{Field, Kind, Message, StructDef, Type};

/// The method that shows all error codes of a response's struct; nothing where it has none.
pub fn visitor(message: &Message, def: &StructDef) -> String {
    if message.kind != Kind::Response {
        return String::new();
    }
    let statements: String = def.fields.iter().map(|field| statement(message, field)).collect();
    if statements.is_empty() {
        return String::new();
    }
    format!("fn visit_errors(&self, visit: &mut impl FnMut(i16)) {{\n{statements}}}\n")
}

fn statement(message: &Message, field: &Field) -> String {
    let name = field::identifier(&field.name);
    match &field.ty {
        Type::I16 if name == "error_code" => format!("visit(self.{name});\n"),
        Type::Struct(inner) if has_errors(message, inner) => {
            if field::is_option(field) {
                format!("if let Some(part) = &self.{name} {{ part.visit_errors(visit); }}\n")
            } else {
                format!("self.{name}.visit_errors(visit);\n")
            }
        }
        Type::Array(element) => match &**element {
            Type::Struct(inner) if has_errors(message, inner) => {
                let parts = if field::is_option(field) { ".iter().flatten()" } else { ".iter()" };
                format!("for part in self.{name}{parts} {{ part.visit_errors(visit); }}\n")
            }
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// Whether a struct has an error code somewhere. A struct that holds itself is looked at once.
fn has_errors(message: &Message, name: &str) -> bool {
    let mut seen = vec![name];
    let mut place = 0;
    while let Some(name) = seen.get(place).copied() {
        place += 1;
        let Some(def) = message.structs.iter().find(|def| def.name == name) else { continue };
        for field in &def.fields {
            match inner(&field.ty) {
                Type::I16 if field.name == "error_code" => return true,
                Type::Struct(part) if !seen.contains(&part.as_str()) => seen.push(part),
                _ => {}
            }
        }
    }
    false
}

fn inner(ty: &Type) -> &Type {
    match ty {
        Type::Array(element) => inner(element),
        _ => ty,
    }
}

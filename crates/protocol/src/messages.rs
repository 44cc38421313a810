//! Every message of Kafka 4.4 and every record of its internal topics, generated from the tables in `schemas/`.
//!
//! A module holds one message with the structs inside it; the message's name is repeated here. A field that is nullable in
//! some version is an `Option`. Defaults are those of the tables.
#![allow(unused_mut, unused_variables)]
#![allow(
    clippy::field_reassign_with_default,
    clippy::collapsible_if,
    clippy::nonminimal_bool,
    clippy::large_enum_variant
)]

use bytes::Bytes;

use crate::message::{Message, Record, Request, Struct};
use crate::{ApiKey, DecodeError, EncodeError, Reader, Records, Tags, Uuid, VersionRange, Writer};

#[cold]
fn absent(message: &'static str, field: &'static str, version: i16) -> EncodeError {
    EncodeError::FieldNotInVersion { message, field, version }
}

#[cold]
fn null(message: &'static str, field: &'static str, version: i16) -> EncodeError {
    EncodeError::UnexpectedNull { message, field, version }
}

include!(concat!(env!("OUT_DIR"), "/messages.rs"));

//! Kafka's log directory and its journal.

pub mod files;
pub mod producers;
pub mod segment;

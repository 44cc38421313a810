//! Kafka's log directory and its journal.

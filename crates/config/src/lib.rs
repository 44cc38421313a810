//! A row per setting: Kafka's key, type, default, bounds, and what follows from the table.

//! Connection, metadata, producer and consumer, as the tools use them.

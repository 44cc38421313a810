//! Names and numbers of Kafka's protocol as types, the codec generated from `schemas/`, and record batches viewed in place.

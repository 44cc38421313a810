//! The cluster's state as an image of Kafka's metadata records. Pure.

//! How the cluster changes: requests become metadata records. Pure.

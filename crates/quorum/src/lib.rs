//! The metadata log, agreed by openraft; a single node is a quorum of one.

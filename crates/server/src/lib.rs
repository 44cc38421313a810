//! Sockets, the API table, partitions and the life of a broker.

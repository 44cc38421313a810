//! Groups and their offsets. Pure.

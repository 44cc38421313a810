//! The one runtime of replicated state. Pure.

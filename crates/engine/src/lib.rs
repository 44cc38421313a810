//! The one runtime of replicated state. Pure: no clock, no log, no socket.
//!
//! A [`ReplicatedState`] says what a request changes; the [`Runtime`] keeps the order of things. It has no thread: whoever
//! owns it (the shell) feeds inputs, and after each input drains [`Runtime::next_effect`] until it is empty, in order.
//!
//! | effect | what the shell does |
//! |---|---|
//! | [`Effect::Append`] | append the records to the log as one batch, then call [`Runtime::appended`] or [`Runtime::append_failed`] with the correlation. Batches go to the log in the order of their effects, and are reported in that order |
//! | [`Effect::Reply`] | answer the request that came with this token. Each token is answered once |
//! | [`Effect::SetTimer`] | call [`Runtime::timer`] when the uptime has come; it replaces the timer that was set before |
//! | [`Effect::CancelTimer`] | forget the timer |
//! | [`Effect::Reload`] | an append failed. Drop those `Append` effects which came before this one and are not in the log, build a fresh state ([`Runtime::reset`]), feed the log ([`Runtime::replay`]), then call [`Runtime::loaded`] |
//!
//! Besides, the shell calls [`Runtime::high_watermark`] whenever the log's high watermark moves, and [`Runtime::resign`]
//! when the partition's leadership is gone.
//!
//! # When a reply leaves
//! Records are applied to the state at once, so the next decision sees them; the reply is kept until the high watermark has
//! passed the last of them. A decision without records was made on top of everything that was decided before it, so it waits
//! for the newest batch that is under way, and leaves at once when there is none. Replies therefore leave in the order in
//! which they were decided, and nothing that may still be undone is ever told to anybody. (Kafka's coordinators answer some
//! reads from the last committed snapshot instead; waiting needs no second copy of the state, and the wait is one flush.)
//!
//! # What is lost when an append fails
//! The batch that failed and everything decided after it: their replies are failed, requests that were waiting inside the
//! state are failed, and the state is built again from the log. Batches before the failed one are in the log and are
//! answered when the high watermark passes them.

mod deadlines;
mod decision;
mod runtime;
mod state;

pub use decision::Decision;
pub use runtime::{Effect, Runtime};
pub use state::{Now, ReplicatedState, Token};

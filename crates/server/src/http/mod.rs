//! HTTP for those who look after a broker: metrics, health, and what is in which cache. It asks nobody who he is.
//!
//! | path | answers |
//! |---|---|
//! | `/metrics` | everything that is counted, as OpenMetrics text |
//! | `/health/live` | 200 as long as the process answers |
//! | `/health/ready` | 200 once clients are served, else 503 and why |
//! | `/cache` | JSON: where each partition's bytes are, and who reads from where |

mod client;
mod routes;
mod serve;

pub use client::{HttpError, get, post};
pub(crate) use routes::router;
pub(crate) use serve::HttpListener;

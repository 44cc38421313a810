//! Which path answers what.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::seen::{Seen, Stage};
use crate::{caches, metrics};

/// What Prometheus asks for first.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The paths of a broker.
pub(crate) fn router(seen: Arc<Seen>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/cache", get(cache))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(seen)
}

/// Health as JSON.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn live() -> Response {
    json(StatusCode::OK, &Health { status: "live", reasons: Vec::new() })
}

async fn ready(State(seen): State<Arc<Seen>>) -> Response {
    let reasons = seen.not_ready_because();
    if reasons.is_empty() {
        json(StatusCode::OK, &Health { status: "ready", reasons })
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not ready", reasons })
    }
}

async fn cache(State(seen): State<Arc<Seen>>) -> Response {
    let Stage::Serving(serving) = seen.stage() else {
        let reasons = seen.not_ready_because();
        return json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not ready", reasons });
    };
    // One after the other: each looks at every file.
    let _turn = seen.cache_turn.lock().await;
    json(StatusCode::OK, &caches::view(&serving).await)
}

async fn metrics(State(seen): State<Arc<Seen>>) -> Response {
    match metrics::scrape(&seen).await {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

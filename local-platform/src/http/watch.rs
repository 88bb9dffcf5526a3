//! Metrics under the contract's names (§10), and `/health`.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, atomic::AtomicU64},
    time::Duration,
};

use axum::{
    extract::State,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::{app::App, error::ApiError};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    integration: &'static str,
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    integration: &'static str,
    error_type: &'static str,
}

/// What this server calls itself among integrations.
const INTEGRATION: &str = "storycore";

/// Every metric of the platform.
pub(crate) struct Watch {
    registry: Registry,
    requests: Family<EndpointLabels, Counter<u64, AtomicU64>>,
    errors: Family<ErrorLabels, Counter<u64, AtomicU64>>,
    durations: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    endpoints: RwLock<HashMap<Method, HashMap<String, Arc<Endpoint>>>>,
}

/// The counters of one endpoint, looked up once a request.
pub(crate) struct Endpoint {
    /// Such as `GET /api/projects/{id}`.
    pub(crate) label: Arc<str>,
    requests: Counter<u64, AtomicU64>,
    duration: Histogram,
    errors: Family<ErrorLabels, Counter<u64, AtomicU64>>,
}

impl Default for Watch {
    fn default() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let errors = Family::default();
        let durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.0005, 2.0, 14)));
        registry.register("integration_requests", "Requests answered", requests.clone());
        registry.register("integration_errors", "Requests answered with an error", errors.clone());
        registry.register_with_unit(
            "integration_request_duration",
            "Time to the answer's headers",
            Unit::Seconds,
            durations.clone(),
        );
        Self { registry, requests, errors, durations, endpoints: RwLock::default() }
    }
}

impl Watch {
    /// The counters for a method and the route that matched it; what matched none counts as one endpoint.
    pub(crate) fn endpoint(&self, method: &Method, route: Option<&str>) -> Arc<Endpoint> {
        let route = route.unwrap_or("unknown");
        let known = self.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = known.get(method).and_then(|routes| routes.get(route)) {
            return Arc::clone(endpoint);
        }
        drop(known);
        // Methods are free text: only the usual ones get counters of their own, so that nobody can fill the memory.
        let usual = matches!(
            *method,
            Method::GET
                | Method::HEAD
                | Method::POST
                | Method::PUT
                | Method::PATCH
                | Method::DELETE
                | Method::OPTIONS
        );
        let name = if usual { method.as_str() } else { "other" };
        let label = format!("{name} {route}");
        let labels = EndpointLabels { integration: INTEGRATION, endpoint: label.clone() };
        let endpoint = Arc::new(Endpoint {
            label: Arc::from(label),
            requests: self.requests.get_or_create(&labels).clone(),
            duration: self.durations.get_or_create(&labels).clone(),
            errors: self.errors.clone(),
        });
        if usual {
            let mut known = self.endpoints.write().unwrap_or_else(PoisonError::into_inner);
            known
                .entry(method.clone())
                .or_default()
                .insert(route.to_owned(), Arc::clone(&endpoint));
        }
        endpoint
    }
}

impl Endpoint {
    /// Counts one answer.
    pub(crate) fn count(&self, status: StatusCode, took: Duration) {
        self.requests.inc();
        self.duration.observe(took.as_secs_f64());
        let error_type = match status.as_u16() {
            429 => "rate_limited",
            400..=499 => "client",
            500.. => "server",
            _ => return,
        };
        self.errors.get_or_create(&ErrorLabels { integration: INTEGRATION, error_type }).inc();
    }
}

/// `GET /metrics`, in OpenMetrics text.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &app.watch.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => ApiError::internal(error).into_response(),
    }
}

/// `GET /health`: whether the database answers.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Response {
    match sqlx::query("SELECT 1").execute(app.store.reader()).await {
        Ok(_) => {
            axum::Json(serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
                .into_response()
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

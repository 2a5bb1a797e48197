//! Metrics in the Prometheus text form. What this process served is counted as it happens; what there is is asked at each scrape.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, get, web};
use netloom_control::command::GetOverview;
use netloom_control::control::Metrics;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};
use crate::state::ApiState;

/// What this process served.
pub(crate) struct Telemetry {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let requests = Opts::new("netloom_http_requests_total", "Requests answered, by method, route and status.");
        let requests = registered(&registry, IntCounterVec::new(requests, &["method", "route", "status"]));
        // A write waits for the kernel, up to the caller's `wait`; a read is well under a millisecond.
        let buckets = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
        let seconds =
            HistogramOpts::new("netloom_http_request_seconds", "Time to the first byte, by method and route.");
        let seconds = registered(&registry, HistogramVec::new(seconds.buckets(buckets), &["method", "route"]));
        Self { registry, requests, seconds }
    }

    /// Counts an answer. Unknown methods and unmatched paths share one label, so that nobody can make us keep more.
    pub(crate) fn count(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let known =
            [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::OPTIONS];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        let route = route.unwrap_or("none");
        self.requests.with_label_values(&[method, route, status.as_str()]).inc();
        self.seconds.with_label_values(&[method, route]).observe(took.as_secs_f64());
    }

    fn render(&self, metrics: &Metrics) -> Result<String, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(inventory(metrics)?.gather());
        TextEncoder::new().encode_to_string(&families)
    }
}

/// Names and labels are constants, so that making or registering them fails only by a mistake in this file, which the test below would show.
fn registered<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    made: Result<C, prometheus::Error>,
) -> C {
    let collector = made.expect("constant names and labels are valid");
    registry.register(Box::new(collector.clone())).expect("each name is registered once");
    collector
}

fn inventory(metrics: &Metrics) -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    let build = IntGaugeVec::new(Opts::new("netloom_build_info", "Always 1; the version is a label."), &["version"])?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    registry.register(Box::new(build))?;

    let networks = IntGaugeVec::new(Opts::new("netloom_networks", "Networks, by driver."), &["driver"])?;
    for (driver, count) in &metrics.networks {
        networks.with_label_values(&[driver]).set(signed(*count));
    }
    registry.register(Box::new(networks))?;
    let sandboxes =
        IntGaugeVec::new(Opts::new("netloom_sandboxes", "Sandboxes, by wanted state."), &["desired_state"])?;
    for (wanted, count) in &metrics.sandboxes {
        sandboxes.with_label_values(&[wanted]).set(signed(*count));
    }
    registry.register(Box::new(sandboxes))?;
    let leases = IntGaugeVec::new(Opts::new("netloom_leases", "Leases, by kind and state."), &["kind", "state"])?;
    for (kind, state, count) in &metrics.leases {
        leases.with_label_values(&[kind, state]).set(signed(*count));
    }
    registry.register(Box::new(leases))?;

    gauge(&registry, "netloom_event_seq", "Number of the last event.", metrics.event_seq)?;
    let node = &metrics.node;
    gauge(
        &registry,
        "netloom_agent_last_full_pass_microseconds",
        "How long the last full pass took.",
        node.last_full_pass_us,
    )?;
    let counters = [
        (
            "netloom_store_statements_total",
            "Statements handed to the database, beginnings and ends of transactions apart.",
            metrics.statements,
        ),
        ("netloom_agent_passes_total", "Passes of the agent, of any scope.", node.passes),
        ("netloom_agent_full_passes_total", "Passes of the agent over everything.", node.full_passes),
        ("netloom_agent_operations_applied_total", "Operations that the kernel took.", node.operations_applied),
        ("netloom_agent_operations_refused_total", "Operations that the kernel refused.", node.operations_refused),
        ("netloom_agent_repairs_total", "Repairs of drift.", node.repairs),
        ("netloom_agent_notifications_total", "Kernel notifications heard.", node.notifications),
        ("netloom_agent_overruns_total", "Times that kernel notifications overran.", node.overruns),
    ];
    for (name, help, value) in counters {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value);
        registry.register(Box::new(counter))?;
    }
    Ok(registry)
}

fn gauge(registry: &Registry, name: &str, help: &str, value: u64) -> Result<(), prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    gauge.set(signed(value));
    registry.register(Box::new(gauge))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Shows the metrics.
///
/// In the Prometheus text form. A scraper sends a bearer token like everyone else.
#[utoipa::path(tag = "service",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")))]
#[get("")]
pub(crate) async fn metrics_get(
    state: web::Data<ApiState>,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let metrics = state.control.metrics(caller.authorize(GetOverview)?).await?;
    let text = state.telemetry.render(&metrics).map_err(|error| {
        tracing::error!(%error, "the metrics can't be written");
        Problem::new("internal", "the metrics can't be written; the log has the cause")
    })?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_in_the_text_form() {
        let telemetry = Telemetry::new();
        telemetry.count(&Method::GET, Some("/api/v1/networks"), StatusCode::OK, Duration::from_millis(2));
        let odd = Method::from_bytes(b"BREW").expect("a token");
        telemetry.count(&odd, None, StatusCode::METHOD_NOT_ALLOWED, Duration::ZERO);
        let metrics = Metrics {
            networks: vec![("macvlan".to_owned(), 3)],
            leases: vec![("dynamic".to_owned(), "bound".to_owned(), 5)],
            ..Metrics::default()
        };
        let text = telemetry.render(&metrics).expect("text");
        for line in [
            "netloom_http_requests_total{method=\"GET\",route=\"/api/v1/networks\",status=\"200\"} 1",
            "netloom_http_requests_total{method=\"other\",route=\"none\",status=\"405\"} 1",
            "netloom_networks{driver=\"macvlan\"} 3",
            "netloom_leases{kind=\"dynamic\",state=\"bound\"} 5",
            "netloom_agent_repairs_total 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}

//! Figures for Prometheus.
//!
//! Owns: the recorder of the process, the buckets, the names of the store's figures, `GET /metrics`.
//!
//! Invariant: no label carries a user, room, event or address.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use futures_util::future::BoxFuture;
use metrics::{SetRecorderError, counter, gauge};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use plop_base::tasks::TaskError;
use plop_base::{BlockingPool, Clock};
use plop_db::{Db, Stats, StoreState};

/// Upper bounds of request times, in seconds: from a look-up in memory to a long poll.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0];
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Why figures cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Install(#[from] SetRecorderError<PrometheusRecorder>),
}

/// The recorder of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Makes the recorder that the `metrics` macros of every part write to.
    pub fn install() -> Result<Self, MetricsError> {
        let recorder = recorder()?;
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder)?;
        Ok(Self(handle))
    }

    pub fn routes(&self) -> Router {
        Router::new().route("/metrics", get(render)).with_state(self.clone())
    }

    /// The task that keeps histograms short and copies the store's figures.
    pub fn upkeep(
        &self,
        clock: &Clock,
        db: &Db,
    ) -> impl Fn() -> BoxFuture<'static, Result<(), TaskError>> + Send + 'static {
        let (handle, clock, db) = (self.0.clone(), clock.clone(), db.clone());
        // The engine's figures are asked of the file system.
        let pool = BlockingPool::new(1);
        move || {
            let (handle, clock, db, pool) = (handle.clone(), clock.clone(), db.clone(), pool.clone());
            Box::pin(async move {
                loop {
                    handle.run_upkeep();
                    let asked = db.clone();
                    let stats = pool.run(move || asked.stats()).await?;
                    let is_writable = matches!(*db.state().borrow(), StoreState::Writable);
                    store_figures(&stats, is_writable);
                    clock.sleep(UPKEEP_EVERY).await;
                }
            })
        }
    }
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    Ok(PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS)?.build_recorder())
}

fn store_figures(stats: &Stats, is_writable: bool) {
    counter!("plop_store_commits_total").absolute(stats.commits);
    counter!("plop_store_conflicts_total").absolute(stats.conflicts);
    counter!("plop_store_commit_groups_total").absolute(stats.groups);
    counter!("plop_store_syncs_total").absolute(stats.syncs);
    counter!("plop_store_written_bytes_total").absolute(stats.written_bytes);
    counter!("plop_store_inline_reads_total").absolute(stats.engine.inline_reads);
    counter!("plop_store_pooled_reads_total").absolute(stats.engine.pooled_reads);
    // Exact up to 2^53.
    gauge!("plop_store_queued_batches").set(stats.queued as f64);
    gauge!("plop_store_table_bytes").set(stats.engine.table_bytes as f64);
    gauge!("plop_store_memtable_bytes").set(stats.engine.memtable_bytes as f64);
    gauge!("plop_store_cache_bytes").set(stats.engine.cache_bytes as f64);
    gauge!("plop_store_log_bytes").set(stats.engine.log_bytes as f64);
    gauge!("plop_store_compaction_debt_bytes").set(stats.engine.compaction_debt_bytes as f64);
    gauge!("plop_store_read_only").set(if is_writable { 0.0 } else { 1.0 });
}

async fn render(State(metrics): State<Metrics>) -> String {
    metrics.0.render()
}

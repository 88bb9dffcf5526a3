//! What the client costs beside plain `reqwest` with serde: CPU and wall time of a call, alone and 64 in flight, and the time
//! that a long list takes where every answer is 5 ms away. The platform is a process of its own; the two clients take turns
//! in this one.
#![allow(clippy::print_stdout, reason = "printing is what a bench is for")]

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Deserialize;
use storycore::{Client, models::ListParams};
use storycore_benches::{Goal, Options, Row, local, process};

const PEER: &str = "reqwest 0.13 with serde";

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return local::serve();
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(Options::from_args())).map_err(io::Error::other)
}

/// What somebody without an SDK would write.
#[derive(Deserialize)]
#[allow(dead_code, reason = "they are there to be read from JSON")]
struct Project {
    id: String,
    name: String,
    description: Option<String>,
    status: String,
    rag_status: String,
    progress: Option<f64>,
    budget: Option<f64>,
    spent: Option<f64>,
    start_date: Option<jiff::civil::Date>,
    end_date: Option<jiff::civil::Date>,
    settings: serde_json::Map<String, serde_json::Value>,
    organization_id: Option<String>,
    created_at: Option<jiff::Timestamp>,
    updated_at: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Project>,
    pagination: Pagination,
}

#[derive(Deserialize)]
struct Pagination {
    has_more: bool,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The platform and both clients of it.
struct Stage {
    url: String,
    key: String,
    ours: Client,
    plain: reqwest::Client,
}

async fn measure(options: Options) -> Result<(), Failure> {
    let server = process::Server::this_binary(&["serve"])?;
    let (url, key) = server.ready.trim().split_once(' ').ok_or("no address")?;
    let ours = Client::builder().base_url(url).api_key(key).build()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
    let stage = Arc::new(Stage { url: url.to_owned(), key: key.to_owned(), ours, plain });
    let id = fill(&stage, 1).await?;
    let (time, runs) = if options.quick { (400, 3) } else { (2000, 7) };
    let time = Duration::from_millis(time);
    for (in_flight, name) in [(1, "alone"), (64, "64 in flight")] {
        let (mut cpu, mut wall) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let (stage_of_ours, one) = (Arc::clone(&stage), id.clone());
            let ours = load(in_flight, time, move || {
                let (stage, id) = (Arc::clone(&stage_of_ours), one.clone());
                async move {
                    stage.ours.projects().get(&id).await?;
                    Ok(())
                }
            })
            .await?;
            let (stage_of_plain, one) = (Arc::clone(&stage), id.clone());
            let plain = load(in_flight, time, move || {
                let (stage, id) = (Arc::clone(&stage_of_plain), one.clone());
                async move {
                    let url = format!("{}/api/projects/{id}", stage.url);
                    let answer = stage.plain.get(url).bearer_auth(&stage.key).send().await?;
                    answer.error_for_status()?.json::<Project>().await?;
                    Ok(())
                }
            })
            .await?;
            cpu.push((ours.cpu_us, plain.cpu_us));
            wall.push((ours.wall_us, plain.wall_us));
        }
        let goal = Goal::AtMost(1.10);
        options.print(&Row::new("core", format!("CPU a call {name}, µs"), PEER, &cpu, goal));
        options.print(&Row::new("core", format!("wall time a call {name}, µs"), PEER, &wall, goal));
    }
    list(&stage, options).await
}

/// What one call took.
struct Took {
    cpu_us: f64,
    wall_us: f64,
}

/// Calls for `time`, so many in flight.
async fn load<F, R>(in_flight: usize, time: Duration, call: F) -> Result<Took, Failure>
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Failure>> + Send,
{
    let call = Arc::new(call);
    // Connections are there before it counts.
    call().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let (started, cpu) = (Instant::now(), process::cpu_seconds(std::process::id())?);
    let mut tasks = Vec::new();
    for _ in 0..in_flight {
        let (call, stop, count) = (Arc::clone(&call), Arc::clone(&stop), Arc::clone(&count));
        tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                call().await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Failure>(())
        }));
    }
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    let calls = count.load(Ordering::Relaxed) as f64;
    let cpu = process::cpu_seconds(std::process::id())? - cpu;
    Ok(Took { cpu_us: cpu * 1e6 / calls, wall_us: started.elapsed().as_secs_f64() * 1e6 / calls })
}

/// A long list, every answer of which is 5 ms away.
async fn list(stage: &Arc<Stage>, options: Options) -> Result<(), Failure> {
    let (total, runs) = if options.quick { (10_000, 1) } else { (100_000, 3) };
    fill(stage, total - 1).await?;
    let delay = serde_json::json!({"method": "GET", "path": "/api/projects", "times": 0, "action": {"delay_ms": 5}});
    let planted = stage.plain.post(format!("{}/_local/faults", stage.url)).body(delay.to_string());
    planted.header("content-type", "application/json").send().await?.error_for_status()?;
    let mut pairs = Vec::new();
    for _ in 0..runs {
        let started = Instant::now();
        let mut items = stage.ours.projects().items(ListParams::new());
        let mut seen = 0;
        while items.next_item().await?.is_some() {
            seen += 1;
        }
        let ours = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let mut seen_plainly = 0;
        loop {
            let url = format!("{}/api/projects?limit=100&offset={seen_plainly}", stage.url);
            let answer = stage.plain.get(url).bearer_auth(&stage.key).send().await?;
            let page: Page = answer.error_for_status()?.json().await?;
            seen_plainly += page.data.len();
            if !page.pagination.has_more {
                break;
            }
        }
        if (seen, seen_plainly) != (total, total) {
            return Err(format!("of {total} projects {seen} and {seen_plainly} were seen").into());
        }
        pairs.push((total as f64 / ours, total as f64 / started.elapsed().as_secs_f64()));
    }
    let metric = format!("list of {total} projects at 5 ms, projects a second");
    options.print(&Row::new("core", metric, PEER, &pairs, Goal::AtLeast(2.0)));
    Ok(())
}

/// Makes `count` projects of about 600 bytes, and gives the last one's id.
async fn fill(stage: &Arc<Stage>, count: usize) -> Result<String, Failure> {
    let body = serde_json::json!({"name": "Film", "description": "x".repeat(180), "budget": 1000, "settings": {"resolution": "1920x1080", "fps": 24}}).to_string();
    let mut tasks = Vec::new();
    for task in 0..32 {
        let (stage, body) = (Arc::clone(stage), body.clone());
        let share = count / 32 + usize::from(task < count % 32);
        tasks.push(tokio::spawn(async move {
            let mut last = None;
            for _ in 0..share {
                let request = stage.plain.post(format!("{}/api/projects", stage.url));
                let request = request.bearer_auth(&stage.key).body(body.clone());
                let answer = request.header("content-type", "application/json").send().await?;
                last = Some(answer.error_for_status()?.json::<Project>().await?.id);
            }
            Ok::<_, Failure>(last)
        }));
    }
    let mut id = None;
    for task in tasks {
        id = task.await??.or(id);
    }
    id.ok_or_else(|| "no project was made".into())
}

//! One scenario: a platform and a driver of its own, the steps, then what arrived.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};
use storycore_local::{Config, Running};

use crate::{
    driver::{Driver, Pending},
    files,
    matcher::Bindings,
    places::Places,
    process,
    proxy::Proxy,
    requests,
    scenario::{CallStep, ClientStep, FinishStep, HttpStep, Requests, Scenario, StepAction},
    user,
};

/// The kind of error by which a driver says that its language does not have what was asked for.
const NOT_HERE: &str = "not_here";
/// What is under way between the client and the platform has come to rest after that long.
const SETTLES: Duration = Duration::from_millis(150);
/// The longest, in milliseconds, that one scenario really waits where the clock cannot be moved.
const MOST_WAITED: u64 = 30_000;

/// A scenario that is not for this language, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotHere(String);

/// A scenario under way.
struct Stage {
    platform: Running,
    http: reqwest::Client,
    driver: Driver,
    proxy: Proxy,
    _places: Places,
    /// The scenario's own files.
    folder: tempfile::TempDir,
    bindings: Bindings,
    /// The options of client `a`, for clients that are to be like it.
    options: Map<String, Value>,
    /// Calls that were started and not finished.
    started: HashMap<String, Vec<Pending>>,
    /// Milliseconds that were really waited for want of a clock that can be moved.
    waited: u64,
    /// Whether the clock is to stand between the moves, which no waiting is like.
    stands: bool,
}

/// Runs a scenario to its end.
pub(crate) async fn run(scenario: &Scenario, command: &[String]) -> Result<()> {
    let mut config = Config::in_memory();
    config.strict = scenario.platform.strict;
    let platform = storycore_local::start(config).await?;
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let proxy = Proxy::start().await?;
    let mut bindings = Bindings::default();
    bindings.save(
        "platform",
        json!({"url": platform.url(), "api_key": platform.api_key(), "organization_id": platform.organization_id(),
            // The same place under another origin.
            "other_url": platform.url().replace("127.0.0.1", "localhost")}),
    );
    bindings.save("proxy", json!({"url": proxy.url}));
    let folder = tempfile::tempdir()?;
    bindings.save("folder", json!(folder.path().to_string_lossy()));
    let places = Places::open(platform.url()).await?;
    for (name, told) in places.told.as_object().into_iter().flatten() {
        bindings.save(name, told.clone());
    }
    let mut environment = Vec::new();
    for (name, value) in &scenario.environment {
        let value = bindings.fill(value)?;
        let value = value.as_str().context("a variable of the environment is a text")?;
        environment.push((name.clone(), value.to_owned()));
    }
    let driver = Driver::start(command, &environment)?;
    let mut stage = Stage {
        platform,
        http,
        driver,
        proxy,
        _places: places,
        folder,
        bindings,
        options: scenario.client.clone(),
        started: HashMap::new(),
        waited: 0,
        stands: scenario.environment.contains_key("CONFORMANCE_CLOCK"),
    };
    let outcome = stage.play(scenario).await;
    stage.platform.shutdown().await;
    outcome
}

impl Stage {
    async fn play(&mut self, scenario: &Scenario) -> Result<()> {
        // A driver may take a while to begin, and scenarios count from when faults are planted: it answers what changes nothing.
        let ready = self.driver.send(json!({"op": "cancel", "target": 0})).await?;
        ready.outcome().await.context("the driver's beginning")?.ok().context("no call is 0")?;
        for fault in &scenario.faults {
            self.plant(fault).await.context("faults")?;
        }
        let first =
            ClientStep { name: "a".to_owned(), options: scenario.client.clone(), error: None };
        self.client(&first).await.context("client")?;
        for (number, step) in scenario.steps.iter().enumerate() {
            self.step(&step.action).await.with_context(|| format!("step {}", number + 1))?;
        }
        if let Some(requests) = &scenario.requests {
            self.requests(requests).await.context("requests")?;
        }
        Ok(())
    }

    async fn step(&mut self, action: &StepAction) -> Result<()> {
        match action {
            StepAction::Client(step) => self.client(step).await,
            StepAction::Call(step) => self.call(step).await,
            StepAction::Http(step) => self.http(step).await,
            StepAction::Fault(fault) => self.plant(fault).await,
            StepAction::ForgetRequests(really) => {
                ensure!(*really, "`forget_requests` is either true or left out");
                self.local("DELETE", "/_local/requests", None).await?;
                Ok(())
            }
            StepAction::Requests(requests) => self.requests(requests).await,
            StepAction::SleepMs(ms) => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                Ok(())
            }
            StepAction::Process(step) => {
                process::step(&self.driver, &mut self.bindings, step).await
            }
            StepAction::Finish(step) => self.finish(step).await,
            StepAction::Pending(names) => {
                for name in names {
                    let calls = self.started.get_mut(name).context("no such call was started")?;
                    for call in calls {
                        ensure!(call.is_pending(), "{name} has ended: {:?}", call.ended());
                    }
                }
                Ok(())
            }
            StepAction::AdvanceMs(ms) => self.advance(*ms).await,
            StepAction::File(step) => {
                let told = files::write(self.folder.path(), step)?;
                self.bindings.save(&step.save, told);
                Ok(())
            }
            StepAction::Allow(step) => {
                let url = self.bindings.fill(&json!(step.url))?;
                let back = user::allow(&self.http, url.as_str().unwrap_or_default()).await?;
                self.bindings.save(&step.save, back);
                Ok(())
            }
            StepAction::Proxied(expected) => {
                let seen = json!(self.proxy.asked());
                self.bindings.check(&json!(expected), Some(&seen), "the proxy")
            }
        }
    }

    async fn client(&mut self, step: &ClientStep) -> Result<()> {
        let mut options = Map::new();
        options.insert("base_url".to_owned(), json!(self.platform.url()));
        options.insert("api_key".to_owned(), json!(self.platform.api_key()));
        for (name, value) in &step.options {
            // `null` takes one of the two away.
            match self.bindings.fill(value)? {
                Value::Null => options.remove(name),
                value => options.insert(name.clone(), value),
            };
        }
        let operation = json!({"op": "client", "client": step.name, "options": options});
        let outcome = self.driver.send(operation).await?.outcome().await?;
        self.expect(outcome, None, step.error.as_ref()).map(|_| ())
    }

    async fn call(&mut self, step: &CallStep) -> Result<()> {
        let started = Instant::now();
        let mut pending: Vec<Pending> = Vec::new();
        for number in 0..step.times {
            self.bindings.save("n", json!(number));
            let mut client = step.client.clone();
            if step.own_clients {
                client = format!("{client}/{number}");
                let options = self.options.clone();
                self.client(&ClientStep { name: client.clone(), options, error: None }).await?;
            }
            let args = self.bindings.fill(&step.args)?;
            let options = self.bindings.fill(&Value::Object(step.options.clone()))?;
            let operation = json!({"op": "call", "client": client, "method": step.method, "args": args, "options": options});
            pending.push(self.driver.send(operation).await?);
        }
        if let Some(name) = &step.start {
            self.started.insert(name.clone(), pending);
            return Ok(());
        }
        for call in pending {
            let outcome = call.outcome().await?;
            let seen = self
                .expect(outcome, step.result.as_ref(), step.error.as_ref())
                .with_context(|| step.method.clone())?;
            if let Some(name) = &step.save {
                self.bindings.save(name, seen);
            }
        }
        let took = u64::try_from(started.elapsed().as_millis())?;
        ensure!(
            step.at_least_ms.is_none_or(|least| took >= least),
            "{} took only {took} ms",
            step.method
        );
        ensure!(step.at_most_ms.is_none_or(|most| took <= most), "{} took {took} ms", step.method);
        Ok(())
    }

    async fn cancel(&self, calls: &[Pending]) -> Result<()> {
        for call in calls {
            let cancel = json!({"op": "cancel", "target": call.id});
            self.driver.send(cancel).await?.outcome().await?.ok();
        }
        Ok(())
    }

    async fn finish(&mut self, step: &FinishStep) -> Result<()> {
        let calls = self.started.remove(&step.name).context("no such call was started")?;
        if step.cancel {
            self.cancel(&calls).await?;
        }
        for call in calls {
            let outcome =
                tokio::time::timeout(Duration::from_millis(step.within_ms), call.outcome())
                    .await
                    .with_context(|| format!("{} has not ended", step.name))??;
            self.expect(outcome, step.result.as_ref(), step.error.as_ref())
                .with_context(|| step.name.clone())?;
        }
        Ok(())
    }

    /// Moves the clock by which the client's timers go, and gives it a moment to act on that.
    async fn advance(&mut self, ms: u64) -> Result<()> {
        if self.stands {
            // What the platform has noted as answered may still be on its way, and sets its timers from when it is read.
            tokio::time::sleep(SETTLES).await;
        }
        let operation = json!({"op": "advance", "ms": ms});
        match self.driver.send(operation).await?.outcome().await? {
            // What the timers set off has its effect.
            Ok(_) => tokio::time::sleep(SETTLES).await,
            Err(error) if error["kind"] != NOT_HERE => bail!("the clock stands: {error}"),
            // A language whose clock cannot be moved really waits.
            Err(_) if !self.stands && self.waited + ms <= MOST_WAITED => {
                self.waited += ms;
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            Err(error) => return Err(NotHere(error["message"].to_string()).into()),
        }
        Ok(())
    }

    fn expect(
        &mut self,
        outcome: Result<Value, Value>,
        result: Option<&Value>,
        error: Option<&Value>,
    ) -> Result<Value> {
        // The key must never be in what a caller sees, whatever the scenario is about.
        let text = match &outcome {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        ensure!(!text.contains(self.platform.api_key()), "the error shows the API key");
        match (outcome, error) {
            (Err(seen), _) if seen["kind"] == NOT_HERE => {
                Err(NotHere(seen["message"].to_string()).into())
            }
            (Ok(seen), None) => {
                if let Some(expected) = result {
                    let expected = self.bindings.fill(expected)?;
                    self.bindings.check(&expected, Some(&seen), "result")?;
                }
                Ok(seen)
            }
            (Err(seen), Some(expected)) => {
                let expected = self.bindings.fill(expected)?;
                self.bindings.check(&expected, Some(&seen), "error")?;
                Ok(seen)
            }
            (Ok(seen), Some(_)) => bail!("it succeeded with {seen}"),
            (Err(seen), None) => bail!("it failed with {seen}"),
        }
    }

    async fn plant(&mut self, fault: &Value) -> Result<()> {
        let fault = self.bindings.fill(fault)?;
        self.local("POST", "/_local/faults", Some(&fault)).await?;
        Ok(())
    }

    async fn local(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, body) = self.send(method, path, body).await?;
        ensure!((200..300).contains(&status), "{method} {path}: {status} {body}");
        Ok(body)
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let url = format!("{}{path}", self.platform.url());
        let mut request =
            self.http.request(method.parse()?, url).bearer_auth(self.platform.api_key());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn http(&mut self, step: &HttpStep) -> Result<()> {
        let path = match self.bindings.fill(&Value::String(step.path.clone()))? {
            Value::String(path) => path,
            other => bail!("{other} is no path"),
        };
        for number in 0..step.times {
            self.bindings.save("n", json!(number));
            let body = step.body.as_ref().map(|b| self.bindings.fill(b)).transpose()?;
            let (status, seen) = if step.upload {
                self.upload(&path, body.as_ref()).await?
            } else {
                self.send(&step.method, &path, body.as_ref()).await?
            };
            match step.status {
                Some(expected) => ensure!(status == expected, "{status}, not {expected}: {seen}"),
                None => ensure!((200..300).contains(&status), "{status}: {seen}"),
            }
            if let Some(expected) = &step.result {
                self.bindings.check(expected, Some(&seen), "result")?;
            }
            if let Some(name) = &step.save {
                self.bindings.save(name, seen);
            }
        }
        Ok(())
    }

    /// Uploads a small file with the fields of `body`.
    async fn upload(&self, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let boundary = "conformance-boundary";
        let response = self
            .http
            .post(format!("{}{path}", self.platform.url()))
            .bearer_auth(self.platform.api_key())
            .header("content-type", format!("multipart/form-data; boundary={boundary}"))
            .body(files::form(boundary, body))
            .send()
            .await?;
        let status = response.status().as_u16();
        Ok((status, serde_json::from_str(&response.text().await?)?))
    }

    async fn requests(&mut self, expected: &Requests) -> Result<()> {
        let end = Instant::now() + Duration::from_millis(expected.within_ms);
        loop {
            let mut journal = self.local("GET", "/_local/requests", None).await?;
            let Some(Value::Array(all)) = journal.get_mut("data").map(Value::take) else {
                bail!("the journal has another form")
            };
            let seen = requests::check(&mut self.bindings, expected, all);
            if seen.is_ok() || Instant::now() >= end {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

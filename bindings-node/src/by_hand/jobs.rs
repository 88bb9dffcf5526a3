//! Waiting for a job.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;
use storycore::{jobs::WaitOptions, models::Job};
use storycore_shards::Place;

use crate::{
    bridge::Bridge,
    client::{Call, NativeClient},
    failure::without_nulls,
};

#[napi]
impl NativeClient {
    /// Waits for a job: `[id, {timeout?}]`. With `tells` it tells of the job each time that it is seen.
    #[napi]
    pub fn wait(
        &self,
        env: Env,
        bridge: &Bridge,
        id: u32,
        arguments: String,
        tells: bool,
        options: Option<String>,
    ) -> napi::Result<()> {
        let place = Place::choose();
        let client = self.on(&place)?.clone();
        let environment = Arc::clone(&bridge.0);
        let work = async move {
            let mut call = Call::new(&client, &arguments, options.as_deref())?;
            let job: String = call.arguments.need("id")?;
            let mut given = call.arguments.fields("options")?;
            let mut waiting = WaitOptions::new();
            if let Some(time) = given.time("timeout")? {
                waiting = waiting.timeout(time);
            }
            given.end()?;
            if tells {
                waiting = waiting.on_progress(move |job: &Job| {
                    let job = without_nulls(serde_json::json!(job));
                    environment.tell(id, &job.to_string());
                });
            }
            call.client.jobs().wait_with(&job, waiting).await?;
            call.object()
        };
        bridge.0.run(&env, id, place, self.seen(work))
    }
}

use storycore::models as core;

use crate::{bridge::Outcome, client::Call};

pub(super) async fn create(mut call: Call) -> Outcome {
    let mut given = call.arguments.fields("a project")?;
    let project = core::NewProject {
        name: given.need("name")?,
        description: given.take("description")?,
        status: given.take("status")?,
        rag_status: given.take("rag_status")?,
        progress: given.take("progress")?,
        budget: given.take("budget")?,
        spent: given.take("spent")?,
        start_date: given.take("start_date")?,
        end_date: given.take("end_date")?,
        settings: given.take("settings")?,
    };
    given.end()?;
    call.client.projects().create(project).await?;
    call.object()
}

pub(super) async fn get(mut call: Call) -> Outcome {
    let id: String = call.arguments.need("id")?;
    call.client.projects().get(&id).await?;
    call.object()
}

pub(super) async fn list(mut call: Call) -> Outcome {
    let params = call.arguments.list()?;
    let page = call.client.projects().list(params).await?;
    call.page(&page)
}

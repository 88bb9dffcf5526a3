//! The resources of the blocking client: each method waits for the one of the same name in [`crate::resources`], which says
//! what it does and what its errors are.

use std::path::Path;

use bytes::Bytes;

use super::{Client, Items, JobEvents, Pages};
use crate::{
    error::Error,
    jobs::WaitOptions,
    models::{
        ApiKey, ApiKeyUsage, Asset, CreatedApiKey, CreatedWebhook, Deleted, Delivery, Job,
        ListParams, NewApiKey, NewJob, NewProject, NewWebhook, Page, PlatformEvent, Project,
        ProjectUpdate, UploadOptions, VideoSettings, Webhook, WebhookStats, WebhookUpdate,
    },
    upload::{Progress, UploadSource},
};

/// A resource: `methods` are waited for, `iterators` are wrapped.
macro_rules! resource {
    (
        $(#[$docs:meta])*
        $name:ident, $of:ident, listing $object:ty;
        methods { $($method:ident($($arg:ident: $arg_type:ty),*) -> $output:ty;)* }
        iterators { $($list:ident($($list_arg:ident: $list_type:ty),*) -> $iterator:ident$(<$item:ty>)?;)* }
    ) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'a>(pub(super) &'a Client);

        impl $name<'_> {
            resource! { @methods $name, $of;
                $($method($($arg: $arg_type),*) -> $output;)*
                list(params: ListParams) -> Page<$object>;
            }
            resource! { @iterators $name, $of;
                $($list($($list_arg: $list_type),*) -> $iterator$(<$item>)?;)*
                pages(params: ListParams) -> Pages<$object>;
                items(params: ListParams) -> Items<$object>;
            }
        }
    };
    (@methods $name:ident, $of:ident; $($method:ident($($arg:ident: $arg_type:ty),*) -> $output:ty;)*) => {$(
        #[doc = concat!("Waits for [`", stringify!($method), "`](crate::resources::", stringify!($name), "::", stringify!($method), ").")]
        ///
        /// # Errors
        /// As there, and `config` inside an async runtime.
        pub fn $method(&self, $($arg: $arg_type),*) -> Result<$output, Error> {
            self.0.shell.wait(self.0.inner.$of().$method($($arg),*))
        }
    )*};
    (@iterators $name:ident, $of:ident; $($list:ident($($arg:ident: $arg_type:ty),*) -> $iterator:ident$(<$item:ty>)?;)*) => {$(
        #[doc = concat!("Goes through [`", stringify!($list), "`](crate::resources::", stringify!($name), "::", stringify!($list), ").")]
        pub fn $list(&self, $($arg: $arg_type),*) -> $iterator$(<$item>)? {
            $iterator::new(self.0.inner.$of().$list($($arg),*), &self.0.shell)
        }
    )*};
}

resource! {
    /// Projects: what media and jobs belong to.
    Projects, projects, listing Project;
    methods {
        create(project: NewProject) -> Project;
        get(id: &str) -> Project;
        update(id: &str, update: ProjectUpdate) -> Project;
        delete(id: &str) -> Deleted;
    }
    iterators {}
}

resource! {
    /// Media: films, sounds, pictures and papers.
    Assets, assets, listing Asset;
    methods {
        upload(source: impl Into<UploadSource>, options: UploadOptions) -> Asset;
        upload_with_progress(
            source: impl Into<UploadSource>,
            options: UploadOptions,
            on_progress: impl Fn(Progress) + Send + Sync + 'static
        ) -> Asset;
        process(id: &str, settings: VideoSettings) -> Job;
        get(id: &str) -> Asset;
        delete(id: &str) -> Deleted;
        content(id: &str) -> Bytes;
        download(id: &str, to: impl AsRef<Path>) -> Asset;
    }
    iterators {}
}

resource! {
    /// Jobs: work that the platform does on media.
    Jobs, jobs, listing Job;
    methods {
        create(job: NewJob) -> Job;
        get(id: &str) -> Job;
        cancel(id: &str) -> Job;
        wait(id: &str) -> Job;
        wait_with(id: &str, options: WaitOptions) -> Job;
    }
    iterators {
        events(id: &str) -> JobEvents;
    }
}

resource! {
    /// Webhooks: where the platform tells of events.
    Webhooks, webhooks, listing Webhook;
    methods {
        create(webhook: NewWebhook) -> CreatedWebhook;
        get(id: &str) -> Webhook;
        update(id: &str, update: WebhookUpdate) -> Webhook;
        delete(id: &str) -> Deleted;
        rotate_secret(id: &str) -> CreatedWebhook;
        test(id: &str) -> Delivery;
        deliveries(id: &str, params: ListParams) -> Page<Delivery>;
        redeliver(id: &str, delivery_id: &str) -> Delivery;
        stats(id: &str, period_days: Option<u32>) -> WebhookStats;
    }
    iterators {
        delivery_items(id: &str, params: ListParams) -> Items<Delivery>;
    }
}

resource! {
    /// API keys: what opens the platform.
    ApiKeys, api_keys, listing ApiKey;
    methods {
        create(key: NewApiKey) -> CreatedApiKey;
        get(id: &str) -> ApiKey;
        revoke(id: &str) -> Deleted;
        rotate(id: &str, grace_seconds: Option<u32>) -> CreatedApiKey;
        usage(id: &str, period_days: Option<u32>) -> ApiKeyUsage;
    }
    iterators {}
}

resource! {
    /// What happened on the platform in the last 30 days.
    Events, events, listing PlatformEvent;
    methods {
        get(id: &str) -> PlatformEvent;
    }
    iterators {}
}

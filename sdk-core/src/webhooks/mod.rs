//! Webhooks as they arrive: verifying, signing and reading them. Subscribing to them is a resource.

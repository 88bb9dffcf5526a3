//! Changes to what uniffi generates. Each must be found as often as it is meant to be: a generator that writes something else is
//! an error, not a package that does without the change.

use anyhow::{Result, bail};

/// Puts `with` in the place of `what`, which must be there once.
pub(crate) fn once(text: &mut String, what: &str, with: &str) -> Result<()> {
    match text.matches(what).count() {
        1 => {
            *text = text.replace(what, with);
            Ok(())
        }
        found => bail!("what uniffi wrote has {what:?} {found} times, and not once"),
    }
}

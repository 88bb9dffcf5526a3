//! How an upload is done: the knobs as the caller left them, and what follows from them for one file and one platform.

use std::time::Duration;

use super::{Journal, UploadControl, plan, progress::OnProgress, share::Shares};

pub(super) const MOST_STREAMS: usize = 16;
/// A platform on this machine answers sooner, the connection's making included; what only seems to be on it, a tunnel to
/// elsewhere, seldom does.
const NEAR: Duration = Duration::from_millis(20);
/// Parts of a smaller file are joined in no time.
const ONE_STREAM_FROM: u64 = 128 * plan::MIB;

/// How an upload is done.
pub(super) struct Settings {
    pub(super) chunk_size: Option<u64>,
    pub(super) max_streams: usize,
    /// The caller said how many, be it as many as by default.
    pub(super) streams_chosen: bool,
    /// What it has in common with others that run beside it, if there are any.
    pub(super) shares: Option<Shares>,
    pub(super) multipart_below: u64,
    pub(super) checksums: bool,
    pub(super) retries: u32,
    pub(super) stall_timeout: Duration,
    pub(super) journal: Journal,
    pub(super) control: UploadControl,
    pub(super) on_progress: Option<OnProgress>,
}

impl Settings {
    /// Whether so many bytes go to a platform on this machine, as far as its address and its first answer tell.
    pub(super) fn is_near(&self, size: u64, is_loopback: bool, answered: Duration) -> bool {
        is_loopback && answered < NEAR && size >= ONE_STREAM_FROM
    }

    /// Whether it would be near, but for the time of its answer.
    pub(super) fn is_late(&self, size: u64, is_loopback: bool, answered: Duration) -> bool {
        !self.is_near(size, is_loopback, answered)
            && self.is_near(size, is_loopback, Duration::ZERO)
    }

    /// How many streams there may be for so many bytes, to a platform that answered within this time.
    pub(super) fn streams(&self, size: u64, is_loopback: bool, answered: Duration) -> usize {
        let is_near = self.is_near(size, is_loopback, answered);
        match self.streams_chosen {
            false if is_near => 1,
            // It may take as many as the others leave; a smaller one in parts is more requests than its bytes are worth.
            false if self.shares.is_some() && size >= ONE_STREAM_FROM => MOST_STREAMS,
            _ => self.max_streams,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::Client,
        models::UploadOptions,
        upload::{Upload, UploadSource},
    };

    #[test]
    fn only_a_large_file_to_a_platform_on_this_machine_goes_in_one_stream() {
        let client = Client::builder().base_url("https://a.io").api_key("k").build().unwrap();
        let upload = || {
            let source = UploadSource::bytes("film.bin", Vec::new());
            Upload::new(client.clone(), source, UploadOptions::new("document"))
        };
        let (large, soon, late) =
            (200 * plan::MIB, Duration::from_millis(2), Duration::from_millis(50));
        assert_eq!(upload().settings.streams(large, true, soon), 1);
        assert_eq!(upload().settings.streams(large, false, soon), 16);
        // A tunnel, or a machine that is busy.
        assert_eq!(upload().settings.streams(large, true, late), 16);
        // It is asked once more, where its answer decides.
        assert!(upload().settings.is_late(large, true, late));
        assert!(!upload().settings.is_late(large, true, soon));
        assert!(!upload().settings.is_late(large, false, late));
        assert_eq!(upload().settings.streams(100 * plan::MIB, true, soon), 16);
        // Who asks for streams gets them, and who shares them with others is still near.
        assert_eq!(upload().max_streams(4).settings.streams(large, true, soon), 4);
        let shares = Shares::default();
        assert_eq!(upload().sharing(4, &shares).settings.streams(large, true, soon), 1);
        // Beside others only a large one has parts.
        assert_eq!(upload().sharing(16, &shares).settings.streams(large, false, soon), 16);
        assert_eq!(upload().sharing(16, &shares).settings.streams(20 << 20, false, soon), 1);
        // Memory is shared with others where there are any, whatever streams are asked for.
        assert!(upload().sharing(2, &shares).max_streams(16).settings.shares.is_some());
        assert!(upload().sharing(1, &shares).settings.shares.is_none());
    }
}

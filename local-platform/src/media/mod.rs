//! ffmpeg: where it is, what it finds in a file, and the work it does on one. Every run is a child process in a folder of
//! its own that holds `input` and gets the output, so that its messages name no path of the machine.

mod probe;
mod run;
mod task;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::sync::Semaphore;

pub(crate) use probe::probe;
pub(crate) use run::{Failure, run};
pub(crate) use task::{Resolution, Task};

/// How long looking into an uploaded file may take.
const LOOK: Duration = Duration::from_secs(20);
/// The name of the file that a run works on, in its folder.
pub(crate) const INPUT: &str = "input";

/// The programs, once they are found.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(super) ffmpeg: PathBuf,
    /// Some builds come without it; then ffmpeg itself is asked.
    pub(super) ffprobe: Option<PathBuf>,
}

/// What the platform has for media.
pub(crate) struct Media {
    configured: Option<PathBuf>,
    programs: RwLock<Option<Arc<Programs>>>,
    /// Files looked into at a time.
    looking: Semaphore,
}

impl Media {
    /// `configured` is the ffmpeg to use in place of `STORYCORE_FFMPEG` or the one on the path.
    pub(crate) fn new(configured: Option<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { configured, programs: RwLock::default(), looking: Semaphore::new(cores) }
    }

    /// The programs, or one line that says what to do. Once found they are not looked for again; until then each call
    /// looks, so that installing ffmpeg needs no restart.
    pub(crate) fn programs(&self) -> Result<Arc<Programs>, String> {
        if let Some(programs) = &*self.programs.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(programs));
        }
        let named = self.configured.clone().or_else(|| {
            std::env::var_os("STORYCORE_FFMPEG").filter(|v| !v.is_empty()).map(Into::into)
        });
        let wanted = named.clone().unwrap_or_else(|| PathBuf::from("ffmpeg"));
        let ffmpeg = on_path(&wanted).ok_or_else(|| match named {
            Some(_) => "the ffmpeg that this platform was told to use is not there: correct STORYCORE_FFMPEG, or install ffmpeg and leave it unset".to_owned(),
            None => "ffmpeg is not installed: install it (apt install ffmpeg, brew install ffmpeg), or set STORYCORE_FFMPEG to its path".to_owned(),
        })?;
        let beside = ffmpeg.with_file_name("ffprobe");
        let ffprobe = on_path(&beside).or_else(|| on_path(Path::new("ffprobe")));
        let programs = Arc::new(Programs { ffmpeg, ffprobe });
        *self.programs.write().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::clone(&programs));
        Ok(programs)
    }

    /// What is in a file; nothing where it is no media, or there is no ffmpeg to tell.
    pub(crate) async fn describe(&self, path: &Path) -> Map<String, Value> {
        let Ok(programs) = self.programs() else { return Map::new() };
        let _turn = self.looking.acquire().await;
        match tokio::time::timeout(LOOK, probe(&programs, path)).await {
            Ok(Ok(found)) => found.metadata(),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a file is no media");
                Map::new()
            }
            Err(_) => {
                tracing::warn!("looking into a file took more than {LOOK:?} and was ended");
                Map::new()
            }
        }
    }
}

/// The program itself where it is a path, else the first of its name on the path.
fn on_path(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        // Absolute, because it is run in another directory.
        return std::path::absolute(program).ok().filter(|p| p.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|p| p.is_file())
}

/// What every call says of its input: only files, and only containers that refer to no other file. A playlist could
/// otherwise name what lies beside the input, or an address in the network.
const SAFE_INPUT: [&str; 4] = ["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS];

const CONTAINERS: &str = "mov,matroska,webm,avi,flv,asf,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,ivf,obu,ogg,flac,mp3,wav,\
    w64,aiff,aac,loas,ac3,eac3,dts,amr,caf,au,ape,tta,wv,mpc,mpc8,tak,dsf,mxf,gxf,dv,nut,rm,wtv,nsv,yuv4mpegpipe,\
    mjpeg,gif,apng,gif_pipe,png_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,j2k_pipe,webp_pipe,bmp_pipe,tiff_pipe,ppm_pipe,\
    pgm_pipe,pbm_pipe,pam_pipe,psd_pipe,qoi_pipe,exr_pipe,dpx_pipe,dds_pipe,sgi_pipe,sunrast_pipe,pcx_pipe,ico";

//! The work that ffmpeg can be given, as its arguments.

use serde::{Deserialize, Serialize};

/// What to do with a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Task {
    Video {
        quality: Quality,
        format: Format,
        resolution: Option<Resolution>,
    },
    /// A still picture `at` so many seconds.
    Thumbnail {
        at: Option<f64>,
        width: Option<u32>,
        format: PictureFormat,
    },
    Audio {
        format: AudioFormat,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Quality {
    Low,
    #[default]
    Medium,
    High,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Mp4,
    Webm,
    Mov,
    Gif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PictureFormat {
    #[default]
    Jpg,
    Png,
    Webp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AudioFormat {
    #[default]
    Mp3,
    Aac,
    M4a,
    Wav,
    Flac,
    Opus,
}

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resolution {
    width: u32,
    height: u32,
}

impl Resolution {
    /// What [`Resolution::parse`] takes.
    pub(crate) const RULE: &str =
        "must be WIDTHxHEIGHT in pixels, such as 1920x1080: even numbers from 16 to 7680";

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let side = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
            // Most encoders halve the size of the colours.
            text.parse::<u32>().ok().filter(|n| digits && (16..=7680).contains(n) && n % 2 == 0)
        };
        let (width, height) = text.split_once('x')?;
        Some(Self { width: side(width)?, height: side(height)? })
    }
}

impl Task {
    /// The extension of what comes out.
    pub(crate) fn extension(&self) -> &'static str {
        match self {
            Self::Video { format, .. } => match format {
                Format::Mp4 => "mp4",
                Format::Webm => "webm",
                Format::Mov => "mov",
                Format::Gif => "gif",
            },
            Self::Thumbnail { format, .. } => match format {
                PictureFormat::Jpg => "jpg",
                PictureFormat::Png => "png",
                PictureFormat::Webp => "webp",
            },
            Self::Audio { format } => match format {
                AudioFormat::Mp3 => "mp3",
                AudioFormat::Aac => "aac",
                AudioFormat::M4a => "m4a",
                AudioFormat::Wav => "wav",
                AudioFormat::Flac => "flac",
                AudioFormat::Opus => "opus",
            },
        }
    }

    /// What stands before the input.
    pub(super) fn before_input(&self, duration_s: Option<f64>) -> Vec<String> {
        match self {
            Self::Thumbnail { at, .. } => {
                // Films often begin with a black frame: a tenth in shows something.
                let at = at.or(duration_s.map(|whole| whole / 10.0));
                at.map(|at| vec!["-ss".to_owned(), format!("{at:.3}")]).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// What stands between the input and the output.
    pub(super) fn after_input(&self) -> Vec<String> {
        match self {
            Self::Video { quality, format, resolution } => video(*quality, *format, *resolution),
            Self::Thumbnail { width, format, .. } => thumbnail(*width, *format),
            Self::Audio { format } => audio(*format),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn video(quality: Quality, format: Format, resolution: Option<Resolution>) -> Vec<String> {
    let pick = |low: u32, medium: u32, high: u32| match quality {
        Quality::Low => low,
        Quality::Medium => medium,
        Quality::High => high,
    };
    // The whole picture in the size that was asked for, with bars where its shape is another; else its own size, made even.
    let size = match resolution {
        Some(Resolution { width, height }) => format!(
            "scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:-1:-1,setsar=1"
        ),
        None => "scale=trunc(iw/2)*2:trunc(ih/2)*2".to_owned(),
    };
    let mut args = words("-map 0:v:0");
    let sound = format!("-b:a {}k", pick(96, 128, 192));
    match format {
        Format::Mp4 | Format::Mov => {
            let crf = pick(28, 23, 18);
            args.extend(words(&format!(
                "-map 0:a:0? -c:v libx264 -preset veryfast -crf {crf} -pix_fmt yuv420p -c:a aac {sound} -movflags +faststart -vf {size}"
            )));
        }
        Format::Webm => {
            let crf = pick(40, 33, 24);
            args.extend(words(&format!(
                "-map 0:a:0? -c:v libvpx-vp9 -deadline good -cpu-used 5 -row-mt 1 -crf {crf} -b:v 0 -pix_fmt yuv420p -c:a libopus {sound} -vf {size}"
            )));
        }
        Format::Gif => {
            let fps = pick(8, 12, 20);
            // A palette a frame: one for all of them would hold the whole film in memory until its end.
            args.extend(words(&format!(
                "-vf fps={fps},{size},split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1"
            )));
        }
    }
    let muxer = match format {
        Format::Mp4 => "mp4",
        Format::Webm => "webm",
        Format::Mov => "mov",
        Format::Gif => "gif",
    };
    args.extend(["-f".to_owned(), muxer.to_owned()]);
    args
}

fn thumbnail(width: Option<u32>, format: PictureFormat) -> Vec<String> {
    let mut args = words("-map 0:v:0 -frames:v 1");
    if let Some(width) = width {
        args.extend(words(&format!("-vf scale={width}:-1")));
    }
    args.extend(words(match format {
        PictureFormat::Jpg => "-c:v mjpeg -pix_fmt yuvj420p -q:v 3 -f image2 -update 1",
        PictureFormat::Png => "-c:v png -f image2 -update 1",
        PictureFormat::Webp => "-c:v libwebp -quality 85 -f webp",
    }));
    args
}

fn audio(format: AudioFormat) -> Vec<String> {
    let codec = match format {
        AudioFormat::Mp3 => "-c:a libmp3lame -q:a 2 -f mp3",
        AudioFormat::Aac => "-c:a aac -b:a 192k -f adts",
        AudioFormat::M4a => "-c:a aac -b:a 192k -movflags +faststart -f ipod",
        AudioFormat::Wav => "-c:a pcm_s16le -f wav",
        AudioFormat::Flac => "-c:a flac -f flac",
        AudioFormat::Opus => "-c:a libopus -b:a 128k -f opus",
    };
    words(&format!("-map 0:a:0 -vn {codec}"))
}

#[cfg(test)]
mod tests {
    use super::Resolution;

    #[test]
    fn a_resolution_is_two_even_numbers() {
        assert!(Resolution::parse("1920x1080").is_some());
        for wrong in [
            "",
            "x",
            "1920",
            "1920x",
            "1920X1080",
            "1921x1080",
            "0x0",
            "+16x16",
            "16x16x16",
            "7682x16",
            "-16x16",
            "99999999999x16",
        ] {
            assert!(Resolution::parse(wrong).is_none(), "{wrong}");
        }
    }
}

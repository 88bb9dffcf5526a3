//! What is in a media file: by ffprobe's JSON, or by what ffmpeg itself says where there is no ffprobe.

use std::{path::Path, process::Stdio};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::{Programs, SAFE_INPUT, run::words};

/// What was found in a file. Absent is what it does not have, or does not tell.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Found {
    /// In seconds.
    pub(crate) duration_s: Option<f64>,
    format: Option<String>,
    bit_rate: Option<u64>,
    video: Option<Video>,
    audio: Option<Audio>,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Video {
    codec: String,
    /// As it is shown: a turned film has them swapped.
    width: u32,
    height: u32,
    frame_rate: Option<f64>,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Audio {
    codec: String,
    sample_rate: Option<u32>,
    channels: Option<u32>,
}

impl Found {
    /// As an asset's `metadata`: `codec` is the picture's, or the sound's where there is no picture.
    pub(crate) fn metadata(&self) -> Map<String, Value> {
        let video = self.video.as_ref();
        let audio = self.audio.as_ref();
        let codec = video.map(|v| &v.codec).or(audio.map(|a| &a.codec));
        [
            ("duration_s", json!(self.duration_s)),
            ("format", json!(self.format)),
            ("bit_rate", json!(self.bit_rate)),
            ("codec", json!(codec)),
            ("width", json!(video.map(|v| v.width))),
            ("height", json!(video.map(|v| v.height))),
            ("frame_rate", json!(video.and_then(|v| v.frame_rate))),
            ("audio_codec", json!(audio.map(|a| &a.codec))),
            ("sample_rate", json!(audio.and_then(|a| a.sample_rate))),
            ("channels", json!(audio.and_then(|a| a.channels))),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

/// Looks into a file.
///
/// # Errors
/// ffmpeg's own words.
pub(crate) async fn probe(programs: &Programs, path: &Path) -> Result<Found, String> {
    let mut command = Command::new(programs.ffprobe.as_ref().unwrap_or(&programs.ffmpeg));
    if let Some(folder) = path.parent() {
        command.current_dir(folder);
    }
    match &programs.ffprobe {
        Some(_) => command.args(["-v", "error", "-of", "json", "-show_format", "-show_streams"]),
        None => command.args(["-hide_banner", "-nostdin"]),
    };
    command
        .args(SAFE_INPUT)
        .arg("-i")
        .arg(path.file_name().unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output =
        command.output().await.map_err(|error| format!("ffmpeg cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if programs.ffprobe.is_none() {
        return by_ffmpeg(&said).ok_or_else(|| words(&said, output.status));
    }
    if !output.status.success() {
        return Err(words(&said, output.status));
    }
    by_ffprobe(&output.stdout)
}

#[derive(Debug, Deserialize)]
struct Report {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Debug, Default, Deserialize)]
struct Format {
    format_name: Option<String>,
    duration: Option<String>,
    bit_rate: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    duration: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u32>,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Debug, Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Debug, Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

fn by_ffprobe(json: &[u8]) -> Result<Found, String> {
    let report: Report = serde_json::from_slice(json)
        .map_err(|error| format!("what ffprobe says cannot be read: {error}"))?;
    let of = |kind: &str| {
        // The cover of a song is a picture, not a film.
        report
            .streams
            .iter()
            .find(|s| s.codec_type.as_deref() == Some(kind) && s.disposition.attached_pic == 0)
    };
    let (video, audio) = (of("video"), of("audio"));
    let durations =
        [Some(&report.format.duration), video.map(|s| &s.duration), audio.map(|s| &s.duration)];
    let duration_s = durations.into_iter().flatten().flatten().find_map(|d| seconds(d));
    Ok(Found {
        duration_s,
        format: report.format.format_name.as_deref().map(first_name),
        bit_rate: report.format.bit_rate.as_deref().and_then(|b| b.parse().ok()),
        video: video.and_then(|s| {
            let turned = s
                .side_data_list
                .iter()
                .filter_map(|side| side.rotation)
                .any(|degrees| (degrees.rem_euclid(180.0) - 90.0).abs() < 1.0);
            let (width, height) = (s.width?, s.height?);
            let (width, height) = if turned { (height, width) } else { (width, height) };
            let rates = [&s.avg_frame_rate, &s.r_frame_rate];
            Some(Video {
                codec: s.codec_name.clone().unwrap_or_else(|| "unknown".to_owned()),
                width,
                height,
                frame_rate: rates.into_iter().flatten().find_map(|rate| ratio(rate)),
            })
        }),
        audio: audio.map(|s| Audio {
            codec: s.codec_name.clone().unwrap_or_else(|| "unknown".to_owned()),
            sample_rate: s.sample_rate.as_deref().and_then(|r| r.parse().ok()),
            channels: s.channels,
        }),
    })
}

/// `mov,mp4,m4a` are names of one container; the first is ffmpeg's own for it.
fn first_name(names: &str) -> String {
    names.split(',').next().unwrap_or(names).to_owned()
}

fn seconds(text: &str) -> Option<f64> {
    text.parse().ok().filter(|s: &f64| s.is_finite() && *s > 0.0)
}

/// `30000/1001`, rounded to thousandths.
fn ratio(text: &str) -> Option<f64> {
    let (over, under) = text.split_once('/')?;
    let (over, under): (f64, f64) = (over.parse().ok()?, under.parse().ok()?);
    let rate = (over / under * 1000.0).round() / 1000.0;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

/// What ffmpeg says of its input before it complains that it has no output:
/// `Duration: 00:00:02.00, start: 0.000000, bitrate: 353 kb/s` and
/// `Stream #0:0[0x1](und): Video: h264 (High), yuv420p, 320x240 [SAR 1:1 DAR 4:3], 25 fps`.
fn by_ffmpeg(said: &str) -> Option<Found> {
    let (_, input) = said.split_once("Input #0, ")?;
    let mut found = Found { format: Some(first_name(input)), ..Found::default() };
    for line in input.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("Duration: ") {
            found.duration_s = rest.split(',').next().and_then(clock);
            found.bit_rate = rest
                .split_once("bitrate: ")
                .and_then(|(_, rate)| rate.split(' ').next()?.parse::<u64>().ok())
                .map(|kilo| kilo * 1000);
        } else if line.starts_with("Stream #0:") {
            if let Some((_, video)) = line.split_once(": Video: ")
                && found.video.is_none()
                && !line.ends_with("(attached pic)")
            {
                found.video = video_line(video);
            } else if let Some((_, audio)) = line.split_once(": Audio: ")
                && found.audio.is_none()
            {
                found.audio = Some(audio_line(audio));
            }
        } else if let Some((_, degrees)) = line.split_once("rotation of ")
            && let Some(video) = &mut found.video
            && let Ok(degrees) = degrees.trim_end_matches(" degrees").parse::<f64>()
            && (degrees.rem_euclid(180.0) - 90.0).abs() < 1.0
        {
            std::mem::swap(&mut video.width, &mut video.height);
        }
    }
    Some(found)
}

fn clock(text: &str) -> Option<f64> {
    let mut parts = text.split(':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, secs) = (parts.next()??, parts.next()??, parts.next()??);
    Some(hours * 3600.0 + minutes * 60.0 + secs).filter(|s| *s > 0.0)
}

fn codec(line: &str) -> String {
    line.split([' ', ',']).next().unwrap_or(line).to_owned()
}

fn video_line(line: &str) -> Option<Video> {
    let size = line.split([',', ' ']).find_map(|word| {
        let (width, height) = word.split_once('x')?;
        Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?))
    });
    let (width, height) = size?;
    let fps = line.split(", ").find_map(|part| part.strip_suffix(" fps")?.parse().ok());
    Some(Video { codec: codec(line), width, height, frame_rate: fps })
}

fn audio_line(line: &str) -> Audio {
    let part = |find: &dyn Fn(&str) -> Option<u32>| line.split(", ").find_map(find);
    Audio {
        codec: codec(line),
        sample_rate: part(&|p| p.strip_suffix(" Hz")?.parse().ok()),
        channels: part(&|p| match p {
            "mono" => Some(1),
            "stereo" => Some(2),
            "5.1" | "5.1(side)" => Some(6),
            "7.1" => Some(8),
            other => other.strip_suffix(" channels")?.parse().ok(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Media;

    /// The film that both ways are asked about.
    async fn film(folder: &Path) -> (Programs, std::path::PathBuf) {
        let programs = Media::new(None).programs().unwrap();
        let film = folder.join("film");
        let made = Command::new(&programs.ffmpeg)
            .args("-v error -f lavfi -i testsrc2=duration=2:size=320x180:rate=25 -f lavfi -i sine=duration=2 -c:v libx264 -c:a aac -f mov".split(' '))
            .arg(&film)
            .status()
            .await
            .unwrap();
        assert!(made.success());
        let found = Programs { ffmpeg: programs.ffmpeg.clone(), ffprobe: programs.ffprobe.clone() };
        (found, film)
    }

    #[tokio::test]
    async fn a_film_is_described_with_and_without_ffprobe() {
        let folder = tempfile::tempdir().unwrap();
        let (mut programs, film) = film(folder.path()).await;
        assert!(programs.ffprobe.is_some(), "this test compares ffprobe with ffmpeg");
        let with = probe(&programs, &film).await.unwrap();
        programs.ffprobe = None;
        let without = probe(&programs, &film).await.unwrap();
        for found in [&with, &without] {
            let metadata = found.metadata();
            assert_eq!(
                (
                    &metadata["codec"],
                    &metadata["width"],
                    &metadata["height"],
                    &metadata["frame_rate"]
                ),
                (&json!("h264"), &json!(320), &json!(180), &json!(25.0))
            );
            assert_eq!(
                (&metadata["audio_codec"], &metadata["sample_rate"]),
                (&json!("aac"), &json!(44100))
            );
            assert!((metadata["duration_s"].as_f64().unwrap() - 2.0).abs() < 0.1);
        }
        assert_eq!(
            (with.video, with.audio, with.format),
            (without.video, without.audio, without.format)
        );
    }

    #[tokio::test]
    async fn what_is_no_media_gets_ffmpegs_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let (mut programs, film) = film(folder.path()).await;
        std::fs::write(folder.path().join("noise"), [0x5a; 5000]).unwrap();
        std::fs::write(folder.path().join("list"), "ffconcat version 1.0\nfile film\n").unwrap();
        let other = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{}\n#EXT-X-ENDLIST\n",
            film.display()
        );
        std::fs::write(folder.path().join("playlist"), other).unwrap();
        for ffprobe in [programs.ffprobe.clone(), None] {
            programs.ffprobe = ffprobe;
            let error = probe(&programs, &folder.path().join("noise")).await.unwrap_err();
            assert!(error.contains("Invalid data found when processing input"), "{error}");
            // Files that name other files: those could be anybody's.
            for name in ["list", "playlist"] {
                assert!(probe(&programs, &folder.path().join(name)).await.is_err(), "{name}");
            }
        }
    }
}

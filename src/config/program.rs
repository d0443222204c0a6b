//! The sources that are other programs: `type: exec` and its short forms.

use std::path::{Path, PathBuf};

use super::{
    model::{ExecConfig, Patience, RtspConfig, RtspTransport, Secret, Size, SourceConfig, V4l2Config},
    node::{Entry, join, printable_key},
    reader::{Context, Reader, entries},
    schema,
    source::{ANSWER_TIMES, DAY, MS_100, size},
    units::{self, Wrong},
    url,
};

pub(super) fn exec(context: &Context<'_>, reader: &Reader<'_>) -> Option<SourceConfig> {
    let command = command(reader);
    let environment = environment(context, reader);
    let folder = reader.get(&schema::CWD, |text| {
        let folder = PathBuf::from(text);
        if folder.is_dir() { Ok(folder) } else { Err(Wrong::want_not("must be a folder that exists", text)) }
    });
    let patience = patience(reader);
    let (program, arguments) = command?;
    Some(SourceConfig::Exec(ExecConfig {
        program,
        arguments,
        environment: environment?,
        folder,
        patience: patience?,
    }))
}

/// The program and its arguments.
fn command(reader: &Reader<'_>) -> Option<(String, Vec<Secret>)> {
    let word = |text: &str| {
        let fine = !text.contains('\0');
        fine.then(|| text.to_owned()).ok_or_else(|| Wrong::want("must not hold the character 0"))
    };
    let words = reader.list(&schema::COMMAND, word);
    let at = words.first()?.1;
    let mut words = words.into_iter().map(|(word, _)| word);
    let program = words.next()?;
    let arguments: Vec<_> = words.map(Secret::new).collect();
    if program.trim().is_empty() {
        reader.wrong_at(at, schema::COMMAND.name, "must begin with a program's name or path");
    } else if arguments.is_empty() && program.contains(char::is_whitespace) && !Path::new(&program).exists() {
        // Taken for a line that a shell would take apart; a path with a space in it exists.
        reader.wrong_at(
            at,
            schema::COMMAND.name,
            "must be a list of words, such as [ffmpeg, -i, …]: no shell takes a line apart",
        );
    }
    Some((program, arguments))
}

fn environment(context: &Context<'_>, reader: &Reader<'_>) -> Option<Vec<(String, Secret)>> {
    let Some(entry) = reader.map(&schema::ENV) else { return Some(Vec::new()) };
    let path = join(&reader.path, schema::ENV.name);
    let entries = entries(context, &path, &entry.value, || "such as {PASSWORD: \"${PASSWORD}\"}".to_owned())?;
    let mut variables = Vec::new();
    for Entry { key, key_at, value, region } in entries {
        let path = join(&path, &printable_key(key));
        if key.is_empty() || key.contains(['=', '\0']) {
            context.mistakes.add(*key_at, &path, "is not a variable's name: letters, digits and _");
        }
        let text = |text: &str| {
            let fine = !text.contains('\0');
            fine.then(|| Secret::new(text)).ok_or_else(|| Wrong::want("must not hold the character 0"))
        };
        reader.show(&schema::ENV, value, region);
        variables.push(reader.scalar(&schema::ENV, &path, value, text).map(|text| (key.clone(), text)));
    }
    variables.into_iter().collect()
}

pub(super) fn rtsp(reader: &Reader<'_>, max_pixels: Option<u64>) -> Option<SourceConfig> {
    let url = reader.get(&schema::RTSP_URL, url::rtsp);
    let transport = reader.get(&schema::TRANSPORT, |text| match text {
        "tcp" => Ok(RtspTransport::Tcp),
        "udp" => Ok(RtspTransport::Udp),
        _ => Err(Wrong::want_not("must be tcp or udp", text)),
    });
    let (size, fps) = picture(reader, max_pixels);
    let quality = reader.get(&schema::RTSP_QUALITY, |text| {
        Ok(u8::try_from(units::count(text, 1..=100)?).expect("checked to be from 1 to 100"))
    });
    let patience = patience(reader);
    Some(SourceConfig::Rtsp(RtspConfig {
        url: url?,
        transport: transport?,
        size,
        fps,
        quality: quality?,
        patience: patience?,
    }))
}

pub(super) fn v4l2(reader: &Reader<'_>, max_pixels: Option<u64>) -> Option<SourceConfig> {
    let device = reader.get(&schema::DEVICE, |text| {
        let path = PathBuf::from(text);
        let fine = path.is_absolute() && !text.contains('\0');
        fine.then_some(path).ok_or_else(|| Wrong::want_not("must be a full path such as /dev/video0", text))
    });
    let (size, fps) = picture(reader, max_pixels);
    let patience = patience(reader);
    Some(SourceConfig::V4l2(V4l2Config { device: device?, size, fps, patience: patience? }))
}

/// What is wrong with them was noted, which is enough to refuse the file.
fn picture(reader: &Reader<'_>, max_pixels: Option<u64>) -> (Option<Size>, Option<f64>) {
    let size = reader.get(&schema::RTSP_SIZE, |text| size(text, max_pixels));
    (size, reader.get(&schema::RTSP_FPS, units::fps))
}

fn patience(reader: &Reader<'_>) -> Option<Patience> {
    let first_frame = reader.get(&schema::START_TIMEOUT, |text| units::duration(text, ANSWER_TIMES));
    let frame = reader.get(&schema::FRAME_TIMEOUT, |text| units::duration(text, MS_100..=DAY));
    Some(Patience { first_frame: first_frame?, frame: frame? })
}

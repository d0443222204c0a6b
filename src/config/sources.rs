//! `source:` of a stream: one, or a list of which the first that is well is used.

use super::{
    model::SourceConfig,
    node::{Entry, Kind},
    reader::Context,
    source,
};

/// Most sources of one stream. Each may be tried in turn before a picture comes; a longer list is a mistake of a program
/// that writes it.
const MAX_SOURCES: usize = 8;

/// The first choice, and those that stand in for it.
pub(super) type Sources = (SourceConfig, Vec<SourceConfig>);

/// Reads it. None if something is wrong with it, which was noted.
pub(super) fn read(
    context: &Context<'_>,
    path: &str,
    entry: &Entry,
    max_pixels: Option<u64>,
) -> Option<Sources> {
    let Kind::Seq(items) = &entry.value.kind else {
        return Some((source::read(context, path, entry, max_pixels)?, Vec::new()));
    };
    if items.is_empty() || items.len() > MAX_SOURCES {
        let message =
            format!("must have 1 to {MAX_SOURCES} sources, the most wanted first, not {}", items.len());
        context.mistakes.add(entry.value.at, path, message);
        return None;
    }
    // Each is read, so that all mistakes are found.
    let read: Vec<Option<SourceConfig>> = items
        .iter()
        .enumerate()
        .map(|(number, item)| {
            let entry = Entry {
                key: number.to_string(),
                key_at: item.at,
                region: item.span.clone(),
                value: item.clone(),
            };
            source::read(context, &format!("{path}[{number}]"), &entry, max_pixels)
        })
        .collect();
    let mut right = true;
    for (number, (item, source)) in items.iter().zip(&read).enumerate() {
        let Some(message) = source.as_ref().and_then(|source| misplaced(source, number, items.len())) else {
            continue;
        };
        context.mistakes.add(item.at, format!("{path}[{number}]"), message);
        right = false;
    }
    let mut sources = read.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
    let first = sources.next()?;
    right.then(|| (first, sources.collect()))
}

/// Why a source cannot stand in this place of a list, if it cannot.
fn misplaced(source: &SourceConfig, number: usize, len: usize) -> Option<String> {
    if len > 1 && matches!(source, SourceConfig::Push { .. }) {
        return Some(
            "a push source cannot stand in a list, since nobody can tell its publisher's silence from its absence: \
             give it a stream of its own, and put {type: rendition, of: THAT-STREAM, frame_timeout: 10s} here"
                .to_owned(),
        );
    }
    (source.never_fails() && number + 1 < len).then(|| {
        format!(
            "a source of type {} is never away, so those behind it would never be used: put it last",
            source.type_name()
        )
    })
}

//! Checks whether the texts of a configuration can be drawn. Only the renderers know that, so it is not part
//! of the configuration's own check.

use crate::{
    config::{Config, Placeholder, SourceConfig, Step},
    imaging::{
        overlay::check_logo,
        raster::{fonts, strftime},
    },
    limits::{Budgets, memory_limit},
    source::offline_image::{self, ImageError},
};

/// The errors and warnings about texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// `%` conversions that do not exist, and files that are no pictures: nothing could ever be shown.
    pub(super) mistakes: Vec<String>,
    /// Characters that no built-in font has, which show as boxes; offline images that do not fit the memory,
    /// in place of which the card is shown.
    pub(super) warnings: Vec<String>,
}

/// Checks every text stream and graph, and the titles, which offline images show.
pub(super) fn check_glyphs(config: &Config) -> Findings {
    let mut findings = Findings::default();
    let most = Budgets::new(&config.limits, memory_limit()).decode.capacity();
    for stream in &config.streams {
        let name = &stream.name;
        for (number, source) in stream.sources().enumerate() {
            let list = if stream.has_fallbacks() { format!("[{number}]") } else { String::new() };
            check_source(source, &format!("streams.{name}.source{list}"), &mut findings);
        }
        if let Placeholder::Image { path, .. } = &stream.placeholder.style
            && let Err(reason) = offline_image::check_image(path, most)
        {
            let found = format!("streams.{name}.placeholder.image: {}: {reason}", path.display());
            match reason {
                ImageError::Broken(_) => findings.mistakes.push(found),
                // Depends on the machine's memory, so it does not stop the start.
                ImageError::Memory { .. } => {
                    findings.warnings.push(format!("{found}; the offline card is shown instead"))
                }
            }
        }
        for (number, step) in stream.transform.iter().enumerate() {
            let path = format!("streams.{name}.transform[{number}]");
            match step {
                Step::Text(caption) => {
                    if let Err(reason) = strftime::check_format(&caption.text) {
                        findings.mistakes.push(format!("{path}.text.text: {reason}"));
                    }
                    findings.warnings.extend(missing_glyphs(&format!("{path}.text.text"), &caption.text));
                }
                Step::Image(logo) => {
                    if let Err(reason) = check_logo(&logo.path) {
                        findings.mistakes.push(format!("{path}.image.path: {reason}"));
                    }
                }
                _ => {}
            }
        }
        findings.warnings.extend(missing_glyphs(&format!("streams.{name}.title"), &stream.title));
    }
    findings
}

fn check_source(source: &SourceConfig, path: &str, findings: &mut Findings) {
    if let SourceConfig::Text(source) = source {
        if let Err(reason) = strftime::check_format(&source.text) {
            findings.mistakes.push(format!("{path}.text: {reason}"));
        }
        findings.warnings.extend(missing_glyphs(&format!("{path}.text"), &source.text));
    }
    if let SourceConfig::Chart(chart) = source {
        let labels = chart.series.iter().map(|series| &series.label);
        let texts = labels.chain(&chart.title).chain([&chart.y.unit]);
        findings.warnings.extend(texts.filter_map(|text| missing_glyphs(path, text)));
    }
}

fn missing_glyphs(path: &str, text: &str) -> Option<String> {
    let missing = fonts::missing_glyphs(text);
    let shown: Vec<_> = missing.iter().map(|&c| format!("{c} (U+{:04X})", u32::from(c))).collect();
    (!missing.is_empty())
        .then(|| format!("{path}: no built-in font has {}; they show as boxes", shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, parse};

    #[test]
    fn what_cannot_be_drawn_is_said_with_the_stream_it_is_in() {
        let yaml = "streams:\n  thai: {source: {type: text, text: สวัสดี}}\n  bad: {source: {type: text, \
            text: '%!'}}\n  \
                    good: {title: 前門, source: {type: text, text: '%H 안녕 こんにちは 100%%'}}\n  \
                    graph: {source: {type: chart, token: none, series: [{name: a, label: มด}]}}";
        let findings = check_glyphs(&parse(yaml, "test", &Environment::default()).unwrap());
        let drawn = "streams: {a: {source: {type: pattern}, transform: [{image: {path: Cargo.toml}}, {text: \
            {text: '%! ส'}}]}}";
        let on_pictures = check_glyphs(&parse(drawn, "test", &Environment::default()).unwrap());
        assert!(
            on_pictures.mistakes[0].starts_with("streams.a.transform[0].image.path: "),
            "{on_pictures:?}"
        );
        assert!(on_pictures.mistakes[1].starts_with("streams.a.transform[1].text.text: "), "{on_pictures:?}");
        assert_eq!(on_pictures.warnings.len(), 1, "{on_pictures:?}");
        assert_eq!(findings.warnings.len(), 2, "{findings:?}");
        assert!(
            findings.warnings[1].starts_with("streams.graph.source: no built-in font has ม"),
            "{findings:?}"
        );
        assert!(
            findings.warnings[0].starts_with("streams.thai.source.text: no built-in font has ส (U+0E2A)")
        );
        assert_eq!(findings.mistakes.len(), 1, "{findings:?}");
        assert!(findings.mistakes[0].starts_with("streams.bad.source.text: "), "{findings:?}");
    }

    #[test]
    fn a_placeholder_that_does_not_fit_the_memory_is_a_warning_and_a_broken_one_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        image::RgbImage::new(3840, 2160).save(file("large.png")).unwrap();
        std::fs::write(file("broken.png"), &std::fs::read(file("large.png")).unwrap()[..600]).unwrap();
        let found = |name: &str, memory: &str| {
            let path = file(name).display().to_string();
            let yaml = format!(
                "limits: {{max_decode_bytes: {memory}}}\n\
                 streams: {{a: {{source: {{type: pattern}}, placeholder: {{image: {path}}}}}}}"
            );
            check_glyphs(&parse(&yaml, "test", &Environment::default()).unwrap())
        };
        // Automatic budgets of containers of 64, 128 and 256 MiB.
        for memory in ["24MiB", "48MiB"] {
            let findings = found("large.png", memory);
            assert_eq!(findings.mistakes, [""; 0]);
            let said = &findings.warnings[0];
            assert!(said.starts_with("streams.a.placeholder.image: "), "{said}");
            assert!(said.contains("limits.max_decode_bytes"), "{said}");
        }
        assert_eq!(found("large.png", "96MiB"), Findings::default());
        let broken = found("broken.png", "96MiB");
        assert!(broken.mistakes[0].starts_with("streams.a.placeholder.image: "), "{broken:?}");
        assert!(broken.warnings.is_empty(), "{broken:?}");
    }
}

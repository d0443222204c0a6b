//! Metrics with their samples, gathered at one scrape.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus::{
    Encoder, TextEncoder,
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use crate::bus::HistogramSnapshot;

/// A metric: what it is called, and what it means. Its samples say which kind it is.
#[derive(Debug)]
pub(super) struct MetricDef {
    name: &'static str,
    help: &'static str,
}

/// Makes an entry for a table of metrics.
pub(super) const fn metric(name: &'static str, help: &'static str) -> MetricDef {
    MetricDef { name, help }
}

/// Names and values that tell samples of one metric apart.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// All samples of one scrape, by the names of their metrics.
#[derive(Debug, Default)]
pub(super) struct Scrape(BTreeMap<&'static str, MetricFamily>);

impl Scrape {
    /// Adds a sample of a counter.
    pub(super) fn counter(&mut self, meaning: &MetricDef, labels: Labels<'_>, value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = labelled(labels);
        metric.set_counter(counter);
        self.add(meaning, MetricType::COUNTER, metric);
    }

    /// Adds a sample of a gauge.
    pub(super) fn gauge(&mut self, meaning: &MetricDef, labels: Labels<'_>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = labelled(labels);
        metric.set_gauge(gauge);
        self.add(meaning, MetricType::GAUGE, metric);
    }

    /// Adds a histogram of durations.
    pub(super) fn histogram(&mut self, meaning: &MetricDef, labels: Labels<'_>, timed: &HistogramSnapshot) {
        let bucket = |(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(timed.cumulative().map(bucket).collect());
        histogram.set_sample_count(timed.count());
        histogram.set_sample_sum(timed.sum_seconds());
        let mut metric = labelled(labels);
        metric.set_histogram(histogram);
        self.add(meaning, MetricType::HISTOGRAM, metric);
    }

    fn add(&mut self, meaning: &MetricDef, kind: MetricType, metric: Metric) {
        let family = self.0.entry(meaning.name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(meaning.name.to_owned());
            family.set_help(meaning.help.to_owned());
            family.set_field_type(kind);
            family
        });
        family.mut_metric().push(metric);
    }

    /// All of it, as Prometheus reads it.
    pub(super) fn text(self) -> Vec<u8> {
        let families: Vec<_> = self.0.into_values().collect();
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text).expect("each metric has a name and a sample");
        text
    }
}

fn labelled(labels: Labels<'_>) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    let mut metric = Metric::default();
    metric.set_label(labels.iter().map(pair).collect());
    metric
}

/// Returns a time in Unix seconds.
pub(super) fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Histogram;

    #[test]
    fn samples_stand_beneath_their_metric_and_labels_are_escaped() {
        let mut scrape = Scrape::default();
        let (b, a) = (metric("b_total", "How many."), metric("a", "How\nmuch."));
        scrape.counter(&b, &[("x", "1")], 3.0);
        scrape.gauge(&a, &[], 0.5);
        scrape.counter(&b, &[("x", "\"\\\n")], 4.0);
        let text = String::from_utf8(scrape.text()).unwrap();
        assert_eq!(
            text,
            "# HELP a How\\nmuch.\n# TYPE a gauge\na 0.5\n# HELP b_total How many.\n# TYPE b_total counter\n\
             b_total{x=\"1\"} 3\nb_total{x=\"\\\"\\\\\\n\"} 4\n"
        );
    }

    #[test]
    fn a_histogram_has_its_bounds_its_sum_and_its_count() {
        let timing = Histogram::default();
        timing.record(std::time::Duration::from_millis(3));
        let mut scrape = Scrape::default();
        scrape.histogram(&metric("a_seconds", "How long."), &[("x", "y")], &timing.snapshot());
        let text = String::from_utf8(scrape.text()).unwrap();
        for line in [
            "a_seconds_bucket{x=\"y\",le=\"0.002\"} 0",
            "a_seconds_bucket{x=\"y\",le=\"0.005\"} 1",
            "a_seconds_bucket{x=\"y\",le=\"+Inf\"} 1",
            "a_seconds_sum{x=\"y\"} 0.003",
            "a_seconds_count{x=\"y\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}

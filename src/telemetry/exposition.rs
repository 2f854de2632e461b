//! Prometheus' text, as `/metrics` shows it -> OTLP metrics: the same names and the same numbers, whoever asks.
//!
//! Only our own exporter's text is read, so what is not understood is left out rather than reported.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, Summary,
    SummaryDataPoint,
};

use super::otlp::attribute;

/// Of what the numbers are: since when they count, and when they were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) since_nanos: u64,
    pub(super) now_nanos: u64,
}

/// Labels in the order of their appearance, and the value.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

#[derive(Default)]
struct Family<'a> {
    help: &'a str,
    kind: &'a str,
    samples: Vec<Sample<'a>>,
}

pub(super) fn metrics(text: &str, times: Times) -> Vec<Metric> {
    let mut families: Vec<(&str, Family<'_>)> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (Some(what), Some(name)) = (words.next(), words.next()) else { continue };
            let said = words.next().unwrap_or_default();
            if families.last().is_none_or(|(known, _)| *known != name) {
                families.push((name, Family::default()));
            }
            let Some((_, family)) = families.last_mut() else { continue };
            match what {
                "HELP" => family.help = said,
                "TYPE" => family.kind = said,
                _ => {}
            }
        } else if let Some(sample) = sample(line)
            && let Some((name, family)) = families.last_mut()
            && sample.name.starts_with(*name)
        {
            family.samples.push(sample);
        }
    }
    families.into_iter().filter_map(|(name, family)| metric(name, family, times)).collect()
}

fn metric(name: &str, family: Family<'_>, times: Times) -> Option<Metric> {
    if family.samples.is_empty() {
        return None;
    }
    let cumulative = AggregationTemporality::Cumulative.into();
    let data = match family.kind {
        "counter" => Data::Sum(Sum {
            data_points: family.samples.iter().map(|sample| number(sample, times)).collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        "gauge" => {
            Data::Gauge(Gauge { data_points: family.samples.iter().map(|sample| number(sample, times)).collect() })
        }
        "histogram" => Data::Histogram(Histogram {
            data_points: grouped(name, &family.samples, "le")
                .into_iter()
                .map(|group| histogram(group, times))
                .collect(),
            aggregation_temporality: cumulative,
        }),
        "summary" => Data::Summary(Summary {
            data_points: grouped(name, &family.samples, "quantile")
                .into_iter()
                .map(|group| summary(group, times))
                .collect(),
        }),
        _ => return None,
    };
    let base = name.strip_suffix("_total").unwrap_or(name);
    let unit = match base.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "1",
    };
    let (name, description, unit) = (name.to_owned(), family.help.to_owned(), unit.to_owned());
    Some(Metric { name, description, unit, metadata: Vec::new(), data: Some(data) })
}

fn attributes<'a>(labels: impl IntoIterator<Item = &'a (&'a str, String)>) -> Vec<KeyValue> {
    labels.into_iter().map(|(name, value)| attribute(name, Value::StringValue(value.clone()))).collect()
}

fn number(sample: &Sample<'_>, times: Times) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(&sample.labels),
        start_time_unix_nano: times.since_nanos,
        time_unix_nano: times.now_nanos,
        exemplars: Vec::new(),
        flags: 0,
        value: Some(number_data_point::Value::AsDouble(sample.value)),
    }
}

/// The samples of one histogram or summary.
#[derive(Default)]
struct Group<'a> {
    labels: Vec<(&'a str, String)>,
    /// Bound or quantile, and its value, as they came.
    parts: Vec<(f64, f64)>,
    sum: f64,
    count: f64,
}

fn grouped<'a>(name: &str, samples: &[Sample<'a>], part: &str) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<Vec<(&'a str, String)>, Group<'a>> = BTreeMap::new();
    for sample in samples {
        let of_part = sample.labels.iter().find(|(label, _)| *label == part);
        let labels: Vec<_> = sample.labels.iter().filter(|(label, _)| *label != part).cloned().collect();
        let group = groups.entry(labels.clone()).or_insert_with(|| Group { labels, ..Group::default() });
        match (sample.name.strip_prefix(name).unwrap_or_default(), of_part) {
            ("_sum", _) => group.sum = sample.value,
            ("_count", _) => group.count = sample.value,
            (_, Some((_, at))) => group.parts.extend(at.parse().ok().map(|at| (at, sample.value))),
            _ => {}
        }
    }
    groups.into_values().collect()
}

/// Buckets add up in Prometheus and stand by themselves in OTLP.
fn histogram(group: Group<'_>, times: Times) -> HistogramDataPoint {
    let mut below = 0.0;
    let mut bucket_counts = Vec::with_capacity(group.parts.len());
    for (_, count) in &group.parts {
        bucket_counts.push((count - below) as u64);
        below = *count;
    }
    HistogramDataPoint {
        attributes: attributes(&group.labels),
        start_time_unix_nano: times.since_nanos,
        time_unix_nano: times.now_nanos,
        count: group.count as u64,
        sum: Some(group.sum),
        bucket_counts,
        explicit_bounds: group.parts.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect(),
        ..HistogramDataPoint::default()
    }
}

fn summary(group: Group<'_>, times: Times) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: attributes(&group.labels),
        start_time_unix_nano: times.since_nanos,
        time_unix_nano: times.now_nanos,
        count: group.count as u64,
        sum: group.sum,
        quantile_values: group
            .parts
            .iter()
            .map(|(quantile, value)| ValueAtQuantile { quantile: *quantile, value: *value })
            .collect(),
        flags: 0,
    }
}

/// `name{label="value",…} value`.
fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let mut labels = Vec::new();
    let value = match rest.strip_prefix('{') {
        None => rest,
        Some(mut rest) => loop {
            rest = rest.trim_start_matches(',');
            if let Some(value) = rest.strip_prefix('}') {
                break value;
            }
            let (label, quoted) = rest.split_once("=\"")?;
            let (value, length) = unquoted(quoted)?;
            labels.push((label, value));
            rest = &quoted[length..];
        },
    };
    Some(Sample { name, labels, value: value.trim().parse().ok()? })
}

/// A label's value, and how long it was with its closing quote.
fn unquoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, at + 1)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { since_nanos: 1, now_nanos: 2 };

    fn shown(metric: &Metric) -> Vec<(String, f64)> {
        let point = |point: &NumberDataPoint| {
            let labels: Vec<_> =
                point.attributes.iter().map(|label| format!("{}={:?}", label.key, label.value)).collect();
            let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
            (labels.join(","), value)
        };
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => sum.data_points.iter().map(point).collect(),
            Data::Gauge(gauge) => gauge.data_points.iter().map(point).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn counters_gauges_and_histograms_keep_their_numbers() {
        let text = "# HELP a_total Things, of all kinds\n# TYPE a_total counter\na_total{kind=\"x\"} 3\na_total{kind=\"a\\\"b\\\\c\\nd,}\"} 4\n\n\
                    # TYPE b_bytes gauge\nb_bytes -1.5\n\n\
                    # TYPE c_seconds histogram\nc_seconds_bucket{p=\"0\",le=\"0.5\"} 1\nc_seconds_bucket{p=\"0\",le=\"1\"} 1\n\
                    c_seconds_bucket{p=\"0\",le=\"+Inf\"} 4\nc_seconds_sum{p=\"0\"} 9.25\nc_seconds_count{p=\"0\"} 4\n\n\
                    # TYPE empty counter\n";
        let metrics = metrics(text, TIMES);
        let names: Vec<_> = metrics.iter().map(|metric| (metric.name.as_str(), metric.unit.as_str())).collect();
        assert_eq!(names, [("a_total", "1"), ("b_bytes", "By"), ("c_seconds", "s")]);
        assert_eq!(metrics[0].description, "Things, of all kinds");
        assert!(matches!(metrics[0].data, Some(Data::Sum(Sum { is_monotonic: true, aggregation_temporality: 2, .. }))));
        let values: Vec<_> = shown(&metrics[0]).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [3.0, 4.0]);
        assert!(shown(&metrics[0])[1].0.contains(r#"a\"b\\c\nd,}"#), "{:?}", shown(&metrics[0]));
        assert_eq!(shown(&metrics[1]), [(String::new(), -1.5)]);
        let Some(Data::Histogram(histogram)) = &metrics[2].data else { panic!("{:?}", metrics[2]) };
        let point = &histogram.data_points[0];
        assert_eq!(point.explicit_bounds, [0.5, 1.0]);
        assert_eq!(point.bucket_counts, [1, 0, 3]);
        assert_eq!((point.count, point.sum, point.start_time_unix_nano, point.time_unix_nano), (4, Some(9.25), 1, 2));
        assert_eq!(point.attributes.len(), 1);
    }

    #[test]
    fn what_our_recorder_shows_is_all_understood() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new()
            .set_buckets_for_metric(metrics_exporter_prometheus::Matcher::Suffix("_seconds".into()), &[0.1, 1.0])
            .unwrap()
            .build_recorder();
        let [counter, gauge, bucketed, plain] = ["x_total", "y", "z_seconds", "unbucketed"];
        ::metrics::with_local_recorder(&recorder, || {
            ::metrics::describe_counter!(counter, "Ex\\es\nand more");
            ::metrics::counter!(counter, "reason" => "a \"b\" \\ c\n").increment(7);
            ::metrics::gauge!(gauge, "partition" => "3").set(f64::NAN);
            ::metrics::histogram!(bucketed).record(0.5);
            ::metrics::histogram!(plain).record(2.0);
        });
        let metrics = metrics(&recorder.handle().render(), TIMES);
        let mut names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["unbucketed", "x_total", "y", "z_seconds"]);
        let x = metrics.iter().find(|metric| metric.name == "x_total").unwrap();
        assert_eq!(shown(x)[0].1, 7.0);
        assert!(shown(x)[0].0.contains(r#"a \"b\" \\ c\n"#), "{:?}", shown(x));
    }
}

//! `atalaia models list` and `show`: what would score.

use anyhow::bail;
use score::{Kernel, Summary};
use serde_json::{Value, json};

use super::Place;
use crate::commands::output::{Output, escaped, grouped};
use crate::commands::{Format, assemble};
use crate::runtime::Runtime;

/// Lists the models, one a line
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models list --from models/
  atalaia models list -c pipeline.toml --format json | jq -r .device | sort -u")]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// `json` prints one object a model
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Shows one model
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models show pump-7 temp --from models/
  atalaia models show pump-7 -c pipeline.toml    # the model of the whole device
  atalaia models show '*' --from models/         # the default of the fleet")]
pub(super) struct ShowArgs {
    /// The device that the model belongs to; `*` for a default
    device: String,

    /// The sensor that the model belongs to; none of the models of whole devices
    sensor: Option<String>,

    #[command(flatten)]
    place: Place,

    /// How the model is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let config = args.place.config()?;
    crate::telemetry::logs(&config.telemetry)?;
    let set = assemble::load_models(&config, &Runtime::new()?)?;
    let mut out = Output::new();
    match args.format {
        Format::Json => {
            for model in set.iter() {
                if !out.line(as_json(&model)) {
                    break;
                }
            }
        }
        Format::Text => {
            let rows: Vec<[String; 6]> = set.iter().map(|model| row(&model)).collect();
            aligned(&mut out, ["device", "sensor", "kernel", "vectors", "features", "version"], &rows);
            let memory = grouped(set.bytes().div_ceil(1024));
            out.line(format_args!("{} models, {memory} KiB in memory, set {}", grouped(set.len() as u64), set.id()));
        }
    }
    out.finish()
}

pub(super) fn show(args: ShowArgs) -> anyhow::Result<()> {
    let config = args.place.config()?;
    crate::telemetry::logs(&config.telemetry)?;
    let set = assemble::load_models(&config, &Runtime::new()?)?;
    let (device, sensor) = (Some(args.device.as_str()).filter(|device| *device != "*"), args.sensor.as_deref());
    let Some(model) = set.get(device, sensor) else {
        let key = score::ModelKey { device: device.map(str::to_owned), sensor: sensor.map(str::to_owned) };
        bail!("no model of `{key}` among the {} in `{}`", set.len(), config.score.models);
    };
    let mut out = Output::new();
    if args.format == Format::Json {
        out.line(as_json(&model));
        return out.finish();
    }
    out.line(format_args!("model of `{}/{}`", shown(model.device), shown(model.sensor)));
    out.table(&[
        ("kernel", kernel(model.kernel)),
        ("support vectors", grouped(model.support_vectors as u64)),
        ("features", features(&model)),
        ("intercept", model.intercept.to_string()),
        ("anomaly", model.threshold.map_or("decision <= 0".into(), |threshold| format!("severity > {threshold}"))),
        ("version", model.version.to_owned()),
        ("memory", format!("{} bytes", grouped(model.bytes as u64))),
        ("read from", model.source.to_owned()),
    ]);
    out.finish()
}

fn as_json(model: &Summary<'_>) -> Value {
    let features = model.features.map(|features| features.iter().map(ToString::to_string).collect::<Vec<_>>());
    json!({
        "device": model.device, "sensor": model.sensor, "kernel": kernel_name(model.kernel), "parameters": parameters(model.kernel),
        "support_vectors": model.support_vectors, "dimensions": model.dimensions, "features": features,
        "intercept": model.intercept, "threshold": model.threshold, "version": model.version, "bytes": model.bytes,
        "source": model.source,
    })
}

fn row(model: &Summary<'_>) -> [String; 6] {
    [
        shown(model.device),
        shown(model.sensor),
        kernel(model.kernel),
        model.support_vectors.to_string(),
        features(model),
        model.version.to_owned(),
    ]
}

fn features(model: &Summary<'_>) -> String {
    match model.features {
        Some(features) => features.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        None => format!("{}, as configured", model.inputs),
    }
}

fn kernel(kernel: Kernel) -> String {
    let parameters = parameters(kernel);
    let listed: Vec<String> =
        parameters.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
    match listed.is_empty() {
        true => kernel_name(kernel).to_owned(),
        false => format!("{} ({})", kernel_name(kernel), listed.join(", ")),
    }
}

fn kernel_name(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Rbf { .. } => "rbf",
        Kernel::Linear => "linear",
        Kernel::Poly { .. } => "poly",
        Kernel::Sigmoid { .. } => "sigmoid",
    }
}

fn parameters(kernel: Kernel) -> Value {
    match kernel {
        Kernel::Rbf { gamma } => json!({ "gamma": gamma }),
        Kernel::Linear => json!({}),
        Kernel::Poly { gamma, coef0, degree } => json!({ "gamma": gamma, "coef0": coef0, "degree": degree }),
        Kernel::Sigmoid { gamma, coef0 } => json!({ "gamma": gamma, "coef0": coef0 }),
    }
}

/// Columns as wide as their widest entry; the last one as it is.
pub(super) fn aligned<const N: usize>(out: &mut Output, names: [&str; N], rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([names[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: &[&str]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    out.line(line(&names));
    for row in rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        if !out.line(line(&cells)) {
            return;
        }
    }
}

/// A default has no device, a device model no sensor.
fn shown(id: Option<&str>) -> String {
    id.map_or_else(|| "*".into(), escaped)
}

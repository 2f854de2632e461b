//! Scalers and PCA -> elementary steps, in the order of operations of their `transform`.

use super::estimator::Estimator;
use crate::Step;
use crate::import::Refused;
use crate::import::globals::Global;
use crate::import::numpy::{Numbers, number_of};

/// What one estimator of a pipeline does; none if it is not one that is read.
pub(super) fn of(estimator: &Estimator<'_, '_>) -> Result<Option<Vec<Step>>, Refused> {
    let steps = match estimator.class {
        Global::StandardScaler => centre_and_scale(estimator, ("with_mean", "mean_"), ("with_std", "scale_"))?,
        Global::RobustScaler => centre_and_scale(estimator, ("with_centering", "center_"), ("with_scaling", "scale_"))?,
        Global::MinMaxScaler => {
            let mut steps = vec![Step::Multiply(estimator.vector("scale_")?), Step::Add(estimator.vector("min_")?)];
            if estimator.flag_if_there("clip")? {
                steps.push(feature_range(estimator)?);
            }
            steps
        }
        Global::MaxAbsScaler => {
            let mut steps = vec![Step::Divide(estimator.vector("scale_")?)];
            if estimator.flag_if_there("clip")? {
                steps.push(Step::Clip { low: -1.0, high: 1.0 });
            }
            steps
        }
        Global::Pca => pca(estimator)?,
        _ => return Ok(None),
    };
    Ok(Some(steps))
}

type Switched = (&'static str, &'static str);

fn centre_and_scale(estimator: &Estimator<'_, '_>, centre: Switched, scale: Switched) -> Result<Vec<Step>, Refused> {
    let centre = estimator.vector_if(centre.0, centre.1)?.map(Step::Subtract);
    let scale = estimator.vector_if(scale.0, scale.1)?.map(Step::Divide);
    Ok(centre.into_iter().chain(scale).collect())
}

fn feature_range(estimator: &Estimator<'_, '_>) -> Result<Step, Refused> {
    const ATTRIBUTE: &str = "feature_range";
    let range = estimator.get(ATTRIBUTE)?;
    let heap = estimator.heap;
    let &[low, high] = heap.tuple(range).unwrap_or_default() else {
        return Err(Refused::Type { attribute: ATTRIBUTE, found: heap.name(range), expected: "a pair of numbers" });
    };
    Ok(Step::Clip { low: number_of(heap, low, ATTRIBUTE)?, high: number_of(heap, high, ATTRIBUTE)? })
}

/// Since 1.5 the projected mean is taken off behind the projection; before, the mean in front of it. Numbers that come from
/// training on single precision stay so until they meet a row: what is made of them alone is rounded to it.
fn pca(estimator: &Estimator<'_, '_>) -> Result<Vec<Step>, Refused> {
    let components = estimator.numbers("components_")?;
    let &[rows, width] = components.shape.as_slice() else {
        return Err(estimator.shape("components_", &components.shape, "a table's"));
    };
    let mean = estimator.numbers("mean_")?;
    if mean.shape != [width] || width == 0 {
        return Err(estimator.shape("mean_", &mean.shape, &format!("[{width}]")));
    }
    let is_centred_behind = estimator.version().is_some_and(|version| version >= (1, 5));
    // In which order products are added up is up to the processor. In double precision it does not matter; here it would.
    if is_centred_behind && !(mean.is_double() && components.is_double()) {
        return Err(precision("components_", &components));
    }
    let dot = |row: &[f64]| row.iter().zip(&mean.values).map(|(a, b)| a * b).sum::<f64>();
    let projected_mean: Vec<f64> = components.values.chunks_exact(width).map(dot).collect();
    let project = Step::Project { rows, matrix: components.values };
    let mut steps = match is_centred_behind {
        true => vec![project, Step::Subtract(projected_mean)],
        false => vec![Step::Subtract(mean.values), project],
    };
    if estimator.flag("whiten")? {
        let variance = estimator.numbers("explained_variance_")?;
        let rounded: fn(f64) -> f64 = match (variance.dtype.kind, variance.dtype.size) {
            (b'f', 8) => f64::from,
            (b'f', 4) if !is_centred_behind => |scale| f64::from(scale as f32),
            _ => return Err(precision("explained_variance_", &variance)),
        };
        // What is next to nothing is not divided by: so it is since 1.5. Before, the model is refused for its scale of 0.
        let least = if is_centred_behind { f64::EPSILON } else { 0.0 };
        let scale = variance.values.into_iter().map(|variance| rounded(variance.sqrt()));
        steps.push(Step::Divide(scale.map(|scale| if scale < least { least } else { scale }).collect()));
    }
    Ok(steps)
}

fn precision(attribute: &'static str, numbers: &Numbers) -> Refused {
    Refused::Precision { attribute, dtype: numbers.dtype.to_string() }
}

//! What is done to a feature vector before the kernel: scaling, whitening, in scikit-learn's order of operations.
//!
//! Steps are elementary on purpose. Any chain of scalers and projections is a list of them, and none is merged with
//! another: a merged one would round differently, and decisions near 0 would change sides.

use crate::Flaw;
use crate::model::{FEATURES_MAX, NUMBERS_MAX, at_most, finite};

/// One operation on the whole vector. Vectors have one number for each feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `x - v`
    Subtract(Vec<f64>),
    /// `x / v`
    Divide(Vec<f64>),
    /// `x · v`, number by number
    Multiply(Vec<f64>),
    /// `x + v`
    Add(Vec<f64>),
    /// Each number at least `low` and at most `high`.
    Clip { low: f64, high: f64 },
    /// The vector's products with the rows of a matrix, one row after the other: as many numbers come out as there are rows.
    Project { rows: usize, matrix: Vec<f64> },
}

impl Step {
    /// The word in the registry.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Step::Subtract(_) => "subtract",
            Step::Divide(_) => "divide",
            Step::Multiply(_) => "multiply",
            Step::Add(_) => "add",
            Step::Clip { .. } => "clip",
            Step::Project { .. } => "project",
        }
    }

    /// Its numbers: the vector, the bounds, or the matrix.
    #[must_use]
    pub(crate) fn numbers(&self) -> Vec<f64> {
        match self {
            Step::Subtract(v) | Step::Divide(v) | Step::Multiply(v) | Step::Add(v) => v.clone(),
            Step::Clip { low, high } => vec![*low, *high],
            Step::Project { matrix, .. } => matrix.clone(),
        }
    }

    /// Memory of its numbers.
    pub(crate) fn numbers_bytes(&self) -> usize {
        match self {
            Step::Subtract(v) | Step::Divide(v) | Step::Multiply(v) | Step::Add(v) => size_of_val(v.as_slice()),
            Step::Clip { .. } => 0,
            Step::Project { matrix, .. } => size_of_val(matrix.as_slice()),
        }
    }

    /// The step of that word behind which vectors have `width` numbers.
    #[must_use]
    pub(crate) fn named(name: &str, numbers: Vec<f64>, width: usize) -> Option<Step> {
        Some(match name {
            "subtract" => Step::Subtract(numbers),
            "divide" => Step::Divide(numbers),
            "multiply" => Step::Multiply(numbers),
            "add" => Step::Add(numbers),
            "clip" => match *numbers {
                [low, high] => Step::Clip { low, high },
                _ => return None,
            },
            "project" => Step::Project { rows: width, matrix: numbers },
            _ => return None,
        })
    }

    /// How wide the vector is behind it, given how wide it is before.
    fn width_behind(&self, width: usize) -> usize {
        match self {
            Step::Project { rows, .. } => *rows,
            _ => width,
        }
    }

    /// How wide the vector must be before it, given how wide it is behind.
    pub(crate) fn width_before(&self, width: usize) -> usize {
        match self {
            Step::Project { rows, matrix } => matrix.len().checked_div(*rows).unwrap_or(0),
            _ => width,
        }
    }

    fn check(&self, width: usize) -> Result<(), Flaw> {
        let what = self.as_str();
        match self {
            Step::Subtract(v) | Step::Divide(v) | Step::Multiply(v) | Step::Add(v) => {
                if v.len() != width {
                    return Err(Flaw::Width { what, found: v.len(), expected: width });
                }
                finite(what, v)?;
                match (self, v.iter().find(|&&value| value <= 0.0)) {
                    (Step::Divide(_), Some(&value)) => Err(Flaw::Scale { value }),
                    _ => Ok(()),
                }
            }
            Step::Clip { low, high } => {
                finite(what, &[*low, *high])?;
                if low <= high { Ok(()) } else { Err(Flaw::Clip { low: *low, high: *high }) }
            }
            Step::Project { rows, matrix } => {
                at_most("features", *rows, FEATURES_MAX)?;
                at_most("numbers in a projection", matrix.len(), NUMBERS_MAX)?;
                if *rows == 0 || matrix.len() != rows * width {
                    return Err(Flaw::Width { what, found: matrix.len(), expected: rows * width });
                }
                finite(what, matrix)
            }
        }
    }
}

/// Every step fits the vector that reaches it; what comes out is `expected` wide.
pub(crate) fn check(steps: &[Step], inputs: usize, expected: usize) -> Result<(), Flaw> {
    const STEPS_MAX: usize = 32;
    at_most("steps before the kernel", steps.len(), STEPS_MAX)?;
    let mut width = inputs;
    for step in steps {
        step.check(width)?;
        width = step.width_behind(width);
    }
    match width == expected {
        true => Ok(()),
        false => Err(Flaw::Width { what: "the vector behind all steps", found: width, expected }),
    }
}

/// Applies checked steps to `x`.
pub(crate) fn apply(steps: &[Step], x: &mut Vec<f64>) {
    let each = |x: &mut [f64], v: &[f64], operation: fn(f64, f64) -> f64| {
        for (x, v) in x.iter_mut().zip(v) {
            *x = operation(*x, *v);
        }
    };
    for step in steps {
        match step {
            Step::Subtract(v) => each(x, v, |x, v| x - v),
            Step::Divide(v) => each(x, v, |x, v| x / v),
            Step::Multiply(v) => each(x, v, |x, v| x * v),
            Step::Add(v) => each(x, v, |x, v| x + v),
            Step::Clip { low, high } => x.iter_mut().for_each(|x| *x = x.clamp(*low, *high)),
            Step::Project { matrix, .. } => {
                let row = |row: &[f64]| row.iter().zip(&*x).map(|(a, b)| a * b).sum::<f64>();
                *x = matrix.chunks_exact(x.len()).map(row).collect();
            }
        }
    }
}

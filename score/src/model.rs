//! One model as plain numbers, and what must be true of them before a window is judged by them.
//!
//! Every way into the service (pickles, the registry, training) ends here, and [`Model::check`] is asked each time:
//! whatever passes it can be scored without a further look.

use std::fmt;

use types::Micros;

use crate::{Feature, Step, steps};

/// A one-class SVM with what is done before it: `decision = Σ coefficient · K(support vector, steps(x)) + intercept`.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub key: ModelKey,
    /// What the numbers of a feature vector mean; none: the configured list.
    pub features: Option<Vec<Feature>>,
    /// From raw features to what the kernel sees, in this order.
    pub steps: Vec<Step>,
    pub kernel: Kernel,
    /// One support vector after the other, each of `Model::dimensions` numbers.
    pub support_vectors: Vec<f64>,
    /// One for each support vector.
    pub coefficients: Vec<f64>,
    /// Minus rho.
    pub intercept: f64,
    /// None: an anomaly is a decision that is not above 0, as in scikit-learn.
    pub threshold: Option<Threshold>,
    /// Tells this model from others of the same key.
    pub version: String,
    /// Where it was read from.
    pub source: String,
    pub trained_at: Option<Micros>,
    /// How many rows it was trained on.
    pub rows: Option<u64>,
}

/// What a model belongs to: a series, a whole device, or (as a default) whoever has no model of its own.
/// Printed as `device/sensor`, `device`, `*/sensor` or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelKey {
    /// None: a default, for every device.
    pub device: Option<String>,
    /// None: for a whole device, or a default for all.
    pub sensor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// `exp(-gamma · |x - y|²)`
    Rbf { gamma: f64 },
    /// `x · y`
    Linear,
    /// `(gamma · x · y + coef0) ^ degree`
    Poly { gamma: f64, coef0: f64, degree: u32 },
    /// `tanh(gamma · x · y + coef0)`
    Sigmoid { gamma: f64, coef0: f64 },
}

/// The severity above which a window is an anomaly, and how it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    pub value: f64,
    pub how: String,
    /// What is compared is the mean severity of this many adjacent windows, the row's own the last of them; 1: its own alone.
    pub smoothing: u32,
}

/// Why numbers do not make a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Flaw {
    #[error("no support vectors")]
    NoSupportVectors,
    #[error("{count} {what}, at most {max} are accepted")]
    TooMany { what: &'static str, count: usize, max: usize },
    #[error("{numbers} numbers in support vectors do not divide by {coefficients} coefficients")]
    Ragged { numbers: usize, coefficients: usize },
    #[error("{what} has {found} numbers, the support vectors have {expected} features")]
    Width { what: &'static str, found: usize, expected: usize },
    #[error("{what} holds `{value}`, which is not a finite number")]
    NotFinite { what: &'static str, value: f64 },
    #[error("scale holds `{value}`; a scale is above 0")]
    Scale { value: f64 },
    #[error("values are to be clipped to the range from `{low}` to `{high}`")]
    Clip { low: f64, high: f64 },
    #[error("smoothing over {windows} windows; 1 to {max} are possible")]
    Smoothing { windows: u32, max: u32 },
    #[error("gamma is `{value}`; it must not be below 0")]
    Gamma { value: f64 },
    #[error("degree {degree} is above {max}")]
    Degree { degree: u32, max: u32 },
    #[error("a calibrated threshold needs an rbf kernel, an intercept below 0 and coefficients of 0 and above")]
    Threshold,
    #[error("the feature `{feature}` is named twice")]
    FeatureTwice { feature: Feature },
    #[error("the model wants {found} features, `score.features` names {expected}")]
    Features { found: usize, expected: usize },
    #[error("the model belongs to {found}, and `score.key` is `{key}`")]
    OtherKey { found: &'static str, key: &'static str },
    #[error("the feature `{feature}` names {problem}, and `score.key` is `{key}`")]
    OtherFeature { feature: Feature, problem: &'static str, key: &'static str },
    #[error("the model does not name its features, and of a whole device `{feature}` is not one but many")]
    UnnamedFeatures { feature: Feature },
    #[error("the {what} of the model key is {problem}")]
    Key { what: &'static str, problem: &'static str },
}

pub(crate) const SUPPORT_VECTORS_MAX: usize = 100_000;
pub(crate) const FEATURES_MAX: usize = 256;
/// Numbers in one model's support vectors: 64 MiB of them.
pub(crate) const NUMBERS_MAX: usize = 8 << 20;
const DEGREE_MAX: u32 = 1_000;
const SMOOTHING_MAX: u32 = 100;
const ID_BYTES_MAX: usize = 1_024;

// === impl Model ===

impl Model {
    /// Raw numbers in a feature vector, before the steps.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.steps.iter().rfold(self.dimensions(), |width, step| step.width_before(width))
    }

    /// The training mean of each raw feature, if the steps begin by subtracting it.
    #[must_use]
    pub fn centre(&self) -> Option<&[f64]> {
        match self.steps.first() {
            Some(Step::Subtract(mean)) => Some(mean),
            _ => None,
        }
    }

    /// Numbers that the kernel sees; 0 for a model that does not pass [`Model::check`].
    #[must_use]
    pub(crate) fn dimensions(&self) -> usize {
        self.support_vectors.len().checked_div(self.coefficients.len()).unwrap_or(0)
    }

    /// # Errors
    /// The first thing found that keeps the model from being used.
    pub fn check(&self) -> Result<(), Flaw> {
        self.key.check()?;
        let vectors = self.coefficients.len();
        if vectors == 0 || self.support_vectors.is_empty() {
            return Err(Flaw::NoSupportVectors);
        }
        at_most("support vectors", vectors, SUPPORT_VECTORS_MAX)?;
        at_most("numbers in support vectors", self.support_vectors.len(), NUMBERS_MAX)?;
        if !self.support_vectors.len().is_multiple_of(vectors) {
            return Err(Flaw::Ragged { numbers: self.support_vectors.len(), coefficients: vectors });
        }
        at_most("features", self.dimensions(), FEATURES_MAX)?;
        let inputs = self.inputs();
        at_most("features", inputs, FEATURES_MAX)?;
        steps::check(&self.steps, inputs, self.dimensions())?;
        if let Some(found) = self.features.as_ref().map(Vec::len).filter(|&found| found != inputs) {
            return Err(Flaw::Width { what: "feature list", found, expected: inputs });
        }
        for (index, feature) in self.features.iter().flatten().enumerate() {
            if self.features.iter().flatten().take(index).any(|earlier| earlier == feature) {
                return Err(Flaw::FeatureTwice { feature: feature.clone() });
            }
        }
        finite("support_vectors", &self.support_vectors)?;
        finite("coefficients", &self.coefficients)?;
        finite("intercept", &[self.intercept])?;
        self.kernel.check()?;
        self.check_threshold()
    }

    /// Severity is `ln(rho) - ln(Σ)`, so both must be positive.
    fn check_threshold(&self) -> Result<(), Flaw> {
        let Some(threshold) = &self.threshold else { return Ok(()) };
        finite("threshold", &[threshold.value])?;
        if threshold.smoothing == 0 || threshold.smoothing > SMOOTHING_MAX {
            return Err(Flaw::Smoothing { windows: threshold.smoothing, max: SMOOTHING_MAX });
        }
        let rbf = matches!(self.kernel, Kernel::Rbf { .. });
        let positive = self.coefficients.iter().all(|&c| c >= 0.0) && self.coefficients.iter().any(|&c| c > 0.0);
        if rbf && positive && self.intercept < 0.0 { Ok(()) } else { Err(Flaw::Threshold) }
    }
}

// === impl ModelKey ===

impl ModelKey {
    #[must_use]
    pub fn series(device: impl Into<String>, sensor: impl Into<String>) -> ModelKey {
        ModelKey { device: Some(device.into()), sensor: Some(sensor.into()) }
    }

    #[must_use]
    pub fn device(device: impl Into<String>) -> ModelKey {
        ModelKey { device: Some(device.into()), sensor: None }
    }

    fn check(&self) -> Result<(), Flaw> {
        for (what, text) in [("device", &self.device), ("sensor", &self.sensor)] {
            let Some(text) = text else { continue };
            if text.is_empty() {
                return Err(Flaw::Key { what, problem: "empty" });
            }
            if text.len() > ID_BYTES_MAX {
                return Err(Flaw::Key { what, problem: "longer than 1,024 bytes" });
            }
        }
        Ok(())
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.device.as_deref().unwrap_or("*"))?;
        match &self.sensor {
            Some(sensor) => write!(f, "/{sensor}"),
            None => Ok(()),
        }
    }
}

// === impl Kernel ===

impl Kernel {
    /// The word scikit-learn uses.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Kernel::Rbf { .. } => "rbf",
            Kernel::Linear => "linear",
            Kernel::Poly { .. } => "poly",
            Kernel::Sigmoid { .. } => "sigmoid",
        }
    }

    /// The kernel of that name, with those of the parameters that it has.
    #[must_use]
    pub(crate) fn named(name: &str, gamma: f64, coef0: f64, degree: u32) -> Option<Kernel> {
        match name {
            "rbf" => Some(Kernel::Rbf { gamma }),
            "linear" => Some(Kernel::Linear),
            "poly" => Some(Kernel::Poly { gamma, coef0, degree }),
            "sigmoid" => Some(Kernel::Sigmoid { gamma, coef0 }),
            _ => None,
        }
    }

    #[must_use]
    pub(crate) fn gamma(&self) -> Option<f64> {
        match *self {
            Kernel::Rbf { gamma } | Kernel::Poly { gamma, .. } | Kernel::Sigmoid { gamma, .. } => Some(gamma),
            Kernel::Linear => None,
        }
    }

    #[must_use]
    pub(crate) fn coef0(&self) -> Option<f64> {
        match *self {
            Kernel::Poly { coef0, .. } | Kernel::Sigmoid { coef0, .. } => Some(coef0),
            Kernel::Rbf { .. } | Kernel::Linear => None,
        }
    }

    #[must_use]
    pub(crate) fn degree(&self) -> Option<u32> {
        match *self {
            Kernel::Poly { degree, .. } => Some(degree),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), Flaw> {
        if let Some(gamma) = self.gamma() {
            finite("gamma", &[gamma])?;
            if gamma < 0.0 {
                return Err(Flaw::Gamma { value: gamma });
            }
        }
        finite("coef0", &[self.coef0().unwrap_or_default()])?;
        match self.degree() {
            Some(degree) if degree > DEGREE_MAX => Err(Flaw::Degree { degree, max: DEGREE_MAX }),
            _ => Ok(()),
        }
    }
}

pub(crate) fn finite(what: &'static str, numbers: &[f64]) -> Result<(), Flaw> {
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(&value) => Err(Flaw::NotFinite { what, value }),
        None => Ok(()),
    }
}

pub(crate) fn at_most(what: &'static str, count: usize, max: usize) -> Result<(), Flaw> {
    if count > max { Err(Flaw::TooMany { what, count, max }) } else { Ok(()) }
}

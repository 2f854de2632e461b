//! Why a model judges a window as it does: what would change if one feature were as usual.
//!
//! For each feature in turn the others stay and it is set to its mean in training. That is what `top_feature` is chosen by;
//! here all of them are told, with the figures. A model that does not begin by subtracting means does not know them.

mod sensors;

pub use self::sensors::OfSensor;
use crate::single::Single;
use crate::{Feature, Model, severity};

/// The verdict on a feature vector, and what each feature has to do with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub judgement: Judgement,
    /// What severity is compared with, if it is.
    pub threshold: Option<f64>,
    /// From the feature whose setting to its mean moves the judgement most towards normal to the one that moves it most away.
    /// None: the model does not know the means.
    pub contributions: Option<Vec<Contribution>>,
    /// Of a device that is judged as a whole, from the sensor that explains most. Empty: there is nothing to choose from, or the
    /// model does not know the means.
    pub sensors: Vec<OfSensor>,
}

/// What a model says of a feature vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    pub decision: f64,
    /// None: the model has none.
    pub severity: Option<f64>,
}

impl Judgement {
    /// The higher the more normal. Severity is another scale of the decision that tells apart what the decision does not any
    /// more, far outside.
    fn normality(&self) -> f64 {
        self.severity.map_or(self.decision, |severity| -severity)
    }
}

/// One feature of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    pub feature: Feature,
    pub value: f64,
    /// In training.
    pub mean: f64,
    /// With the feature at its mean.
    pub usual: Judgement,
}

/// Why there is no explanation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unexplained {
    #[error("{found} features are named and {values} values given, the model takes {expected}")]
    Features { found: usize, values: usize, expected: usize },
    #[error("the features lead to a decision that is not a finite number")]
    NotFinite,
}

/// Judges a vector and its variants, in scikit-learn's order of operations. `features` names the values where the model does
/// not do so itself.
///
/// # Errors
/// If the numbers do not fit the model, or lead nowhere.
pub fn explain(model: &Model, features: &[Feature], values: &[f64]) -> Result<Explanation, Unexplained> {
    let features = model.features.as_deref().unwrap_or(features);
    let expected = model.inputs();
    if features.len() != expected || values.len() != expected {
        return Err(Unexplained::Features { found: features.len(), values: values.len(), expected });
    }
    let single = Single::new(model);
    let judge = |x: &[f64]| {
        let severity = severity::is_defined(model).then(|| single.severity(x));
        Judgement { decision: single.sum(x, true) + model.intercept, severity }
    };
    let judgement = judge(values);
    if !judgement.decision.is_finite() {
        return Err(Unexplained::NotFinite);
    }
    let contribution = |(index, mean): (usize, f64)| {
        let mut variant = values.to_vec();
        variant[index] = mean;
        Contribution { feature: features[index].clone(), value: values[index], mean, usual: judge(&variant) }
    };
    let contributions = model.centre().map(|centre| {
        let mut all: Vec<Contribution> = centre.iter().copied().enumerate().map(contribution).collect();
        all.sort_by(|a, b| b.usual.normality().total_cmp(&a.usual.normality()));
        all
    });
    let sensors = sensors::sensors(model, features, values, &judge);
    let threshold = model.threshold.as_ref().map(|threshold| threshold.value);
    Ok(Explanation { judgement, threshold, contributions, sensors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Random, key};
    use crate::{Kernel, Statistic, Step, Threshold};

    fn features(count: usize) -> Vec<Feature> {
        // Device models name sensors, several of them one statistic.
        (0..count).map(|n| Feature::of_sensor(&format!("s{n}"), Statistic::Mean)).collect()
    }

    /// The sum over support vectors, straight from the formula.
    fn brute_force(model: &Model, x: &[f64]) -> f64 {
        let mut z = x.to_vec();
        crate::steps::apply(&model.steps, &mut z);
        let width = z.len();
        let kernel = |v: &[f64]| {
            let dot = || v.iter().zip(&z).map(|(v, z)| v * z).sum::<f64>();
            match model.kernel {
                Kernel::Rbf { gamma } => (-gamma * v.iter().zip(&z).map(|(v, z)| (v - z).powi(2)).sum::<f64>()).exp(),
                Kernel::Linear => dot(),
                Kernel::Poly { gamma, coef0, degree } => (gamma * dot() + coef0).powi(degree as i32),
                Kernel::Sigmoid { gamma, coef0 } => (gamma * dot() + coef0).tanh(),
            }
        };
        let terms = model.support_vectors.chunks_exact(width).zip(&model.coefficients).map(|(v, a)| a * kernel(v));
        terms.sum()
    }

    #[test]
    fn contributions_are_those_of_brute_force() {
        let kernels = [
            Kernel::Rbf { gamma: 0.2 },
            Kernel::Linear,
            Kernel::Poly { gamma: 0.3, coef0: 1.0, degree: 3 },
            Kernel::Sigmoid { gamma: 0.1, coef0: 0.2 },
        ];
        let mut random = Random::new(61);
        for kernel in kernels {
            for (vectors, width) in [(1, 1), (5, 3), (40, 8)] {
                let mut model = random.model(key("d", "s"), kernel, vectors, width);
                // Whitened ones mix the features behind their means.
                model.steps.push(Step::Project { rows: width, matrix: random.numbers(width * width) });
                let (named, values) = (features(width), random.numbers(width));
                let explained = explain(&model, &named, &values).expect("an explanation");
                let close = |found: f64, expected: f64| {
                    (found - expected).abs() <= 1e-12 * (1.0 + vectors as f64 * expected.abs())
                };
                assert!(close(explained.judgement.decision, brute_force(&model, &values) + model.intercept));
                let found = explained.contributions.expect("means are known");
                assert_eq!(found.len(), width);
                for (index, feature) in named.iter().enumerate() {
                    let of_feature = found.iter().find(|c| c.feature == *feature).expect("each feature is told");
                    let mut variant = values.clone();
                    variant[index] = model.centre().expect("means")[index];
                    assert_eq!((of_feature.value, of_feature.mean), (values[index], variant[index]));
                    let sum = brute_force(&model, &variant);
                    let expected = sum + model.intercept;
                    assert!(close(of_feature.usual.decision, expected), "{kernel:?}: {of_feature:?}, not {expected}");
                    let severity = of_feature.usual.severity;
                    assert_eq!(severity.is_some(), matches!(kernel, Kernel::Rbf { .. }), "{kernel:?}");
                    if let Some(severity) = severity {
                        let expected = (-model.intercept).ln() - sum.ln();
                        assert!((severity - expected).abs() < 1e-9, "{severity} instead of {expected}");
                    }
                }
                let decisions: Vec<f64> = found.iter().map(|c| c.usual.decision).collect();
                assert!(decisions.is_sorted_by(|a, b| a >= b), "{kernel:?}: {decisions:?}");
            }
        }
    }

    #[test]
    fn far_outside_severity_still_tells_features_apart() {
        let mut model = Random::new(62).model(key("d", "s"), Kernel::Rbf { gamma: 0.5 }, 30, 3);
        model.steps[0] = Step::Subtract(vec![0.0; 3]);
        model.threshold = Some(Threshold { value: 1.5, how: "a test".into(), smoothing: 1 });
        let explained = explain(&model, &features(3), &[200.0, -4000.0, 1000.0]).expect("an explanation");
        assert_eq!(explained.threshold, Some(1.5));
        let found = explained.contributions.expect("means are known");
        assert!(found.iter().all(|c| c.usual.decision == model.intercept), "no term of any sum is left");
        let order: Vec<String> = found.iter().map(|c| c.feature.to_string()).collect();
        assert_eq!(order, ["s1.mean", "s2.mean", "s0.mean"]);
    }

    #[test]
    fn a_model_that_knows_no_means_says_so_and_a_vector_that_does_not_fit_is_refused() {
        let mut model = Random::new(63).model(key("d", "s"), Kernel::Rbf { gamma: 0.5 }, 3, 2);
        let named = features(2);
        for values in [&[1.0][..], &[1.0, 2.0, 3.0]] {
            let found = explain(&model, &named, values).expect_err("another length");
            assert_eq!(found, Unexplained::Features { found: 2, values: values.len(), expected: 2 });
        }
        assert_eq!(explain(&model, &named, &[f64::NAN, 0.0]), Err(Unexplained::NotFinite));
        model.steps = vec![Step::Multiply(vec![2.0, 3.0]), Step::Add(vec![0.0, 0.1])];
        assert_eq!(explain(&model, &named, &[0.0, 1.0]).expect("a verdict").contributions, None);
        model.features = Some(vec![Statistic::Mean.into(), Statistic::Std.into()]);
        assert!(explain(&model, &[], &[0.0, 1.0]).is_ok(), "its own names win");
    }
}

//! Which sensor of a device it is: each sensor in turn is set to what the others let one expect of it, with all its features.
//!
//! Features of one sensor move together, and a model that whitens knows how sensors do, too. One feature at its mean while its
//! siblings stay away is then stranger than before, so features one by one say little. What is expected is the point nearest to
//! the centre of training that the others, as they are, leave room for: in whitened features that is the conditional mean of a
//! normal distribution, and without a mixture of features it is the mean.

use super::Judgement;
use crate::{Feature, Model, Step, steps};

/// A sensor of a device that is judged as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct OfSensor {
    pub sensor: String,
    /// With all its features as the other sensors let one expect.
    pub usual: Judgement,
}

/// The sensor that explains most first; none where features are of one sensor alone, or means are not known.
pub(super) fn sensors(
    model: &Model,
    features: &[Feature],
    values: &[f64],
    judge: &dyn Fn(&[f64]) -> Judgement,
) -> Vec<OfSensor> {
    let mut names: Vec<&str> = features.iter().filter_map(|feature| feature.sensor.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let (Some(centre), 2..) = (model.centre(), names.len()) else { return Vec::new() };
    let map = Map::of(model, centre);
    let one = |sensor: &str| {
        let places: Vec<usize> =
            (0..features.len()).filter(|place| features[*place].sensor.as_deref() == Some(sensor)).collect();
        let usual = judge(&map.expected(values, centre, &places));
        OfSensor { sensor: sensor.to_owned(), usual }
    };
    let mut all: Vec<OfSensor> = names.into_iter().map(one).collect();
    all.sort_by(|a, b| b.usual.normality().total_cmp(&a.usual.normality()));
    all
}

/// What the steps do to differences: they are linear, but for clipping, which is left out of account.
struct Map {
    /// One column for each raw feature.
    columns: Vec<Vec<f64>>,
}

impl Map {
    fn of(model: &Model, centre: &[f64]) -> Map {
        let linear = |step: &&Step| !matches!(step, Step::Clip { .. } | Step::Subtract(_) | Step::Add(_));
        let linear: Vec<Step> = model.steps.iter().filter(linear).cloned().collect();
        let column = |place: usize| {
            let mut unit = vec![0.0; centre.len()];
            unit[place] = 1.0;
            steps::apply(&linear, &mut unit);
            unit
        };
        Map { columns: (0..centre.len()).map(column).collect() }
    }

    /// The values with those at `places` where the whole lies nearest to the centre; at their means where that is not one point.
    fn expected(&self, values: &[f64], centre: &[f64], places: &[usize]) -> Vec<f64> {
        let mut variant = values.to_vec();
        for &place in places {
            variant[place] = centre[place];
        }
        let width = self.columns.first().map_or(0, Vec::len);
        let mut rest = vec![0.0; width];
        for (column, difference) in self.columns.iter().zip(variant.iter().zip(centre).map(|(x, mean)| x - mean)) {
            rest.iter_mut().zip(column).for_each(|(rest, x)| *rest += difference * x);
        }
        // Features have units of their own: without their lengths the equations would be ill-conditioned.
        let own: Vec<&[f64]> = places.iter().map(|&place| self.columns[place].as_slice()).collect();
        let lengths: Vec<f64> = own.iter().map(|column| dot(column, column).sqrt()).collect();
        if lengths.iter().any(|length| !(*length > 0.0 && length.is_finite())) {
            return variant;
        }
        let count = own.len();
        let mut equations = vec![0.0; count * (count + 1)];
        for row in 0..count {
            for column in 0..count {
                equations[row * (count + 1) + column] = dot(own[row], own[column]) / (lengths[row] * lengths[column]);
            }
            equations[row * (count + 1) + count] = -dot(own[row], &rest) / lengths[row];
        }
        let Some(solution) = solve(&mut equations, count) else { return variant };
        for ((&place, step), length) in places.iter().zip(solution).zip(&lengths) {
            variant[place] += step / length;
        }
        variant
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Gauss, for a few positive semidefinite equations with ones on the diagonal: each row ends with its right side.
fn solve(rows: &mut [f64], count: usize) -> Option<Vec<f64>> {
    /// Below, two features say the same.
    const PIVOT_MIN: f64 = 1e-10;
    let width = count + 1;
    for at in 0..count {
        let pivot = rows[at * width + at];
        if !(pivot > PIVOT_MIN && pivot.is_finite()) {
            return None;
        }
        for row in at + 1..count {
            let factor = rows[row * width + at] / pivot;
            for column in at..width {
                rows[row * width + column] -= factor * rows[at * width + column];
            }
        }
    }
    let mut solution = vec![0.0; count];
    for at in (0..count).rev() {
        let known: f64 = (at + 1..count).map(|column| rows[at * width + column] * solution[column]).sum();
        solution[at] = (rows[at * width + count] - known) / rows[at * width + at];
    }
    solution.iter().all(|step| step.is_finite()).then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::super::explain;
    use super::*;
    use crate::testing::{Random, key};
    use crate::{ModelKey, Statistic, TrainOptions, TrainingRows, train};

    const SENSORS: [&str; 3] = ["flow", "pressure", "temp"];

    fn features() -> Vec<Feature> {
        let of =
            |sensor: &&str| [Statistic::Mean, Statistic::Max].map(|statistic| Feature::of_sensor(sensor, statistic));
        SENSORS.iter().flat_map(of).collect()
    }

    /// All follow one load, and the mean and the largest of a sensor nearly are one: one feature alone cannot be as usual.
    fn row(random: &mut Random) -> Vec<f64> {
        let load = random.numbers(1)[0];
        let sensor = |scale: f64| {
            let noise = random.numbers(2);
            let mean = scale * (10.0 + load + 0.1 * noise[0]);
            [mean, mean + scale * (1.0 + 0.02 * noise[1])]
        };
        [1.0, 100.0, 0.01].map(sensor).concat()
    }

    #[test]
    fn the_sensor_that_is_off_comes_first_though_all_move_together() {
        let mut random = Random::new(81);
        let numbers = (0..400).flat_map(|_| row(&mut random)).collect();
        let rows = TrainingRows { width: 1, starts: (0..400).collect(), numbers };
        let model = train(ModelKey::device("d"), &features(), &rows, &TrainOptions::default()).expect("a model").model;
        let mut singly = 0;
        for trial in 0..60 {
            let (off, mut values) = (trial % 3, row(&mut random));
            let scale = [1.0, 100.0, 0.01][off];
            // Less than the load moves it, but not with the others.
            let shift = scale * if trial % 2 == 0 { 1.5 } else { -1.5 };
            values[2 * off] += shift;
            values[2 * off + 1] += shift;
            let explained = explain(&model, &features(), &values).expect("an explanation");
            assert_eq!(explained.sensors.len(), 3);
            assert_eq!(explained.sensors[0].sensor, SENSORS[off], "{:?}", explained.sensors);
            let severity = |judgement: Judgement| judgement.severity.expect("an rbf kernel");
            assert!(severity(explained.sensors[0].usual) < severity(explained.judgement) - 1.0);
            let first = explained.contributions.and_then(|all| all.into_iter().next()).expect("means are known");
            singly += usize::from(first.feature.sensor.as_deref() == Some(SENSORS[off]));
        }
        assert!(singly < 50, "features one by one would do: {singly} of 60");
    }

    #[test]
    fn what_is_expected_is_the_conditional_mean() {
        // Of the covariance [[1, 0.8], [0.8, 1]] by its inverse Cholesky factor, behind other units.
        let mut model = Random::new(82).model(key("d", "s"), crate::Kernel::Rbf { gamma: 0.5 }, 5, 2);
        let factor = vec![1.0, 0.0, -0.8 / 0.6, 1.0 / 0.6];
        model.steps = vec![
            Step::Subtract(vec![10.0, 500.0]),
            Step::Divide(vec![2.0, 100.0]),
            Step::Project { rows: 2, matrix: factor },
        ];
        let centre = model.centre().expect("means").to_vec();
        let map = Map::of(&model, &centre);
        let expected = map.expected(&[14.0, 500.0], &centre, &[1]);
        assert!((expected[1] - (500.0 + 0.8 * 2.0 * 100.0)).abs() < 1e-9, "{expected:?}");
        let expected = map.expected(&[99.0, 400.0], &centre, &[0]);
        assert!((expected[0] - (10.0 - 0.8 * 2.0)).abs() < 1e-9, "{expected:?}");
        // Without a mixture it is the mean.
        model.steps.pop();
        let map = Map::of(&model, &centre);
        assert_eq!(map.expected(&[99.0, 400.0], &centre, &[0]), [10.0, 400.0]);
        // Two features that say the same leave no single point.
        model.steps = vec![Step::Subtract(vec![1.0, 2.0]), Step::Project { rows: 1, matrix: vec![1.0, 1.0] }];
        let map = Map::of(&model, &[1.0, 2.0]);
        assert_eq!(map.expected(&[5.0, 6.0], &[1.0, 2.0], &[0, 1]), [1.0, 2.0]);
    }

    #[test]
    fn a_model_of_one_sensor_has_none_to_choose_from() {
        let model = Random::new(83).model(key("d", "s"), crate::Kernel::Linear, 5, 2);
        let features: Vec<Feature> = vec![Statistic::Mean.into(), Statistic::Max.into()];
        assert!(explain(&model, &features, &[0.0, 1.0]).expect("an explanation").sensors.is_empty());
    }
}

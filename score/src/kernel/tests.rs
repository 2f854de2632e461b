//! The two paths against one another, and `exp` against the C library's.

use super::*;
use crate::Step;
use crate::single::Single;
use crate::testing::{Random, key};

/// `Σ |coefficient · K|`, computed plainly: the size of the terms.
fn size(model: &Model, x: &[f64]) -> f64 {
    let z = Single::new(model).scaled(x);
    let width = model.dimensions();
    let terms = model.support_vectors.chunks_exact(width).zip(&model.coefficients).map(|(sv, coefficient)| {
        let dot: f64 = z.iter().zip(sv).map(|(z, s)| (z * s).abs()).sum();
        let square: f64 = z.iter().zip(sv).map(|(z, s)| (z - s).powi(2)).sum();
        coefficient.abs()
            * match model.kernel {
                Kernel::Rbf { gamma } => (-gamma * square).exp(),
                Kernel::Linear => dot,
                Kernel::Poly { gamma, coef0, degree } => (gamma * dot + coef0.abs()).powi(degree as i32),
                Kernel::Sigmoid { .. } => 1.0,
            }
    });
    terms.sum::<f64>() + model.intercept.abs()
}

fn kernels(gamma: f64) -> [Kernel; 4] {
    [
        Kernel::Rbf { gamma },
        Kernel::Linear,
        Kernel::Poly { gamma, coef0: 0.5, degree: 3 },
        Kernel::Sigmoid { gamma, coef0: -0.25 },
    ]
}

#[test]
fn the_vector_path_agrees_with_the_exact_one_within_1e_12_of_the_terms() {
    let mut random = Random::new(1);
    let mut compared = 0;
    for vectors in [1, 15, 16, 17, 31, 32, 33, 60, 500] {
        for width in [1, 2, 4, 9] {
            for gamma in [0.001, 0.1, 1.0, 30.0] {
                for kernel in kernels(gamma) {
                    let model = random.model(key("d", "s"), kernel, vectors, width);
                    let single = Single::new(&model);
                    for spread in [0.1, 1.0, 30.0] {
                        let x: Vec<f64> = random.numbers(width).iter().map(|x| x * spread).collect();
                        let (exact, fast) = (single.sum(&x, true), single.sum(&x, false));
                        let allowed = 1e-12 * size(&model, &x);
                        assert!((exact - fast).abs() <= allowed, "{kernel:?} {vectors} x {width}: {exact} {fast}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert_eq!(compared, 9 * 4 * 4 * 4 * 3);
}

#[test]
fn the_portable_code_agrees_with_the_machine_s_best() {
    let mut random = Random::new(2);
    for kernel in kernels(0.1) {
        let model = random.model(key("d", "s"), kernel, 60, 4);
        let mut lanes = Vec::new();
        let shape = Shape::lay_down(&model, &mut lanes);
        let z = random.numbers(4);
        let jobs = [Job { shape, z: 0 }];
        let (mut best, mut portable) = ([0.0], [0.0]);
        lanes::sums(&lanes, &z, &jobs, &mut best);
        lanes::sums_portable(&lanes, &z, &jobs, &mut portable);
        let [Step::Subtract(mean), Step::Divide(scale)] = model.steps.as_slice() else { panic!("scaled as usual") };
        let scaled_back: Vec<f64> = z.iter().zip(scale).zip(mean).map(|((z, scale), mean)| z * scale + mean).collect();
        assert!(
            (best[0] - portable[0]).abs() <= 1e-12 * size(&model, &scaled_back),
            "{kernel:?} {best:?} {portable:?}"
        );
    }
}

#[test]
fn small_models_and_sigmoid_take_the_exact_path_by_themselves() {
    let mut random = Random::new(3);
    for (kernel, vectors) in [(Kernel::Rbf { gamma: 0.1 }, 15), (Kernel::Sigmoid { gamma: 0.1, coef0: 0.1 }, 40)] {
        let model = random.model(key("d", "s"), kernel, vectors, 3);
        let x = random.numbers(3);
        let single = Single::new(&model);
        assert_eq!(single.sum(&x, false).to_bits(), single.sum(&x, true).to_bits());
    }
}

#[test]
fn exp_is_within_one_unit_in_the_last_place() {
    let mut random = Random::new(4);
    let mut worst = 0;
    for _ in 0..20_000 {
        let x: [f64; LANES] = std::array::from_fn(|_| -700.0 * random.number().abs().powi(3));
        for (got, x) in lanes::exp::<false>(x).into_iter().zip(x) {
            worst = worst.max(got.to_bits().abs_diff(x.exp().to_bits()));
        }
    }
    assert!(worst <= 1, "{worst} units");
}

#[test]
fn exp_at_the_edges() {
    let mut x = [0.0; LANES];
    x[1] = -0.0;
    x[2] = f64::NEG_INFINITY;
    x[3] = -1e300;
    x[4] = -708.0;
    let got = lanes::exp::<false>(x);
    assert_eq!(got[..2], [1.0, 1.0]);
    assert!(got[2..5].iter().all(|y| (0.0..1e-307).contains(y)), "{got:?}");
}

#[test]
fn the_logarithm_of_the_sum_goes_on_where_the_sum_has_ended() {
    let mut random = Random::new(5);
    let model = random.model(key("d", "s"), Kernel::Rbf { gamma: 0.1 }, 40, 2);
    let single = Single::new(&model);
    let near = single.severity(&[0.5, 0.5]);
    assert!((near - ((-model.intercept).ln() - single.sum(&[0.5, 0.5], true).ln())).abs() < 1e-12);
    let mut last = near;
    for far in [1e2, 1e4, 1e100, 1e300] {
        let severity = single.severity(&[far, -far]);
        assert!(severity.is_finite() && severity >= last, "{far}: {severity} after {last}");
        last = severity;
    }
    assert!(single.sum(&[1e4, 1e4], true) == 0.0);
}

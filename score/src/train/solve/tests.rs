//! Solutions against scikit-learn's (`testdata/training.py`), against the conditions of optimality, and against one another.

use serde::Deserialize;

use super::*;

/// Rows of that seed, as the script makes them.
fn numbers(mut seed: u64, count: usize) -> Vec<f64> {
    let mut uniform = || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count)
        .map(|_| {
            let mut total = 0.0;
            for _ in 0..12 {
                total += uniform();
            }
            total - 6.0
        })
        .collect()
}

#[derive(Debug, Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    width: usize,
    rows: usize,
    nu: f64,
    gamma: f64,
    seed: u64,
    decisions: Vec<f64>,
}

fn decision(problem: &Problem<'_>, solution: &Solution, x: &[f64]) -> f64 {
    let kernel = |row: &[f64]| {
        let square: f64 = row.iter().zip(x).map(|(a, b)| (a - b).powi(2)).sum();
        (-problem.gamma * square).exp()
    };
    let terms = problem.rows.chunks_exact(problem.width).zip(&solution.alpha);
    terms.filter(|(_, alpha)| **alpha > 0.0).map(|(row, alpha)| alpha * kernel(row)).sum::<f64>() - solution.rho
}

/// Largest difference of decisions, in units of `nu·n`.
fn against_scikit_learn(reference: &str, solver: Solver, rows_max: usize) -> f64 {
    let reference: Reference = serde_json::from_str(reference).expect("the script's JSON");
    let mut worst = 0.0_f64;
    for case in reference.cases.iter().filter(|case| case.rows <= rows_max) {
        let Case { width, nu, gamma, seed, .. } = *case;
        let rows = numbers(seed, case.rows * width);
        let problem = Problem { rows: &rows, width, nu, gamma, tolerance: 1e-9 };
        let solution = problem.solve(solver).expect("a solution");
        let probes: Vec<f64> = numbers(seed + 1, 16 * width).iter().map(|x| 2.0 * x).collect();
        let judged = rows.chunks_exact(width).take(16).chain(probes.chunks_exact(width));
        let sum = nu * case.rows as f64;
        let differences = judged.zip(&case.decisions).map(|(x, d)| (decision(&problem, &solution, x) - d).abs());
        let largest = differences.fold(0.0, f64::max) / sum;
        println!("{solver} {width}-D {} rows nu {nu}: {largest:.1e} of nu·n", case.rows);
        worst = worst.max(largest);
    }
    worst
}

#[test]
fn decisions_are_scikit_learns() {
    let reference = include_str!("../../../testdata/training.json");
    assert!(against_scikit_learn(reference, Solver::Libsvm, 1000) <= 1e-6);
    assert!(against_scikit_learn(reference, Solver::Linfa, 200) <= 1e-6);
}

/// With the file that `testdata/training.py --large` writes: `ATALAIA_TRAINING=FILE cargo test … -- --ignored --nocapture`.
#[test]
#[ignore = "wants a larger file"]
fn decisions_are_scikit_learns_at_large() {
    let file = std::env::var("ATALAIA_TRAINING").expect("the file's name");
    let reference = std::fs::read_to_string(file).expect("the file");
    assert!(against_scikit_learn(&reference, Solver::Libsvm, usize::MAX) <= 1e-6);
}

#[test]
fn solutions_are_optimal_and_the_same() {
    for (width, rows, nu) in [(1, 60, 0.05), (1, 400, 0.2), (3, 250, 0.05), (8, 120, 0.5)] {
        let numbers = numbers(7, rows * width);
        let problem = Problem { rows: &numbers, width, nu, gamma: 0.3 / width as f64, tolerance: 1e-9 };
        let mut decisions = Vec::new();
        for solver in [Solver::Linfa, Solver::Libsvm] {
            let solution = problem.solve(solver).expect("a solution");
            assert!((solution.alpha.iter().sum::<f64>() - nu * rows as f64).abs() < 1e-9);
            // Karush, Kuhn and Tucker: inside without a coefficient, outside with a whole one, on the boundary in between.
            for (row, &alpha) in numbers.chunks_exact(width).zip(&solution.alpha) {
                let decision = decision(&problem, &solution, row);
                assert!((0.0..=1.0).contains(&alpha));
                assert!(alpha > 0.0 || decision > -1e-5, "{solver}: {decision} without a coefficient");
                assert!(alpha < 1.0 || decision < 1e-5, "{solver}: {decision} with a whole one");
            }
            decisions
                .push(numbers.chunks_exact(width).map(|row| decision(&problem, &solution, row)).collect::<Vec<_>>());
        }
        let differences = decisions[0].iter().zip(&decisions[1]).map(|(a, b)| (a - b).abs());
        assert!(differences.fold(0.0, f64::max) < 1e-6 * nu * rows as f64);
    }
}

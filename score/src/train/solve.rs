//! The quadratic program of a one-class SVM: `min ½ αᵀKα` with `0 <= α <= 1` and `Σα = nu·n`. Two crates solve it, to the same solution.
//!
//! Which one is taken by default was measured: docs/decisions/0020.

use std::sync::Once;

use libsvm_rs::{KernelType, SvmNode, SvmParameter, SvmProblem, SvmType};
use linfa::Dataset;
use linfa::dataset::Pr;
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::Array2;

use super::{Solver, Untrained};

/// Rows of the kernel matrix that libsvm keeps.
const CACHE_MIB: f64 = 64.0;

/// What the solver is asked. Rows are one after the other, as the kernel sees them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem<'a> {
    pub(super) rows: &'a [f64],
    pub(super) width: usize,
    pub(super) nu: f64,
    pub(super) gamma: f64,
    pub(super) tolerance: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Solution {
    /// One for each row; 0 for those that are no support vectors.
    pub(super) alpha: Vec<f64>,
    pub(super) rho: f64,
}

impl Problem<'_> {
    pub(super) fn count(&self) -> usize {
        self.rows.len() / self.width
    }

    pub(super) fn solve(&self, solver: Solver) -> Result<Solution, Untrained> {
        let solution = match solver.chosen() {
            Solver::Auto | Solver::Libsvm => self.by_libsvm(),
            Solver::Linfa => self.by_linfa()?,
        };
        match solution.rho.is_finite() && solution.rho > 0.0 {
            true => Ok(solution),
            false => Err(Untrained::Solver { problem: format!("rho is {}", solution.rho) }),
        }
    }

    fn by_linfa(&self) -> Result<Solution, Untrained> {
        let failed = |problem: String| Untrained::Solver { problem };
        let records = Array2::from_shape_vec((self.count(), self.width), self.rows.to_vec())
            .map_err(|error| failed(error.to_string()))?;
        // Its kernel is exp(-|x - y|² / eps). Its shrinking gives wrong models, so it stays off.
        let svm: Svm<f64, bool> = Svm::<f64, Pr>::params()
            .gaussian_kernel(1.0 / self.gamma)
            .nu_weight(self.nu)
            .eps(self.tolerance)
            .shrinking(false)
            .fit(&Dataset::from(records))
            .map_err(|error| failed(error.to_string()))?;
        let is_support = |alpha: f64| alpha > 100.0 * f64::EPSILON;
        Ok(Solution { alpha: svm.alpha.iter().map(|&a| if is_support(a) { a } else { 0.0 }).collect(), rho: svm.rho })
    }

    fn by_libsvm(&self) -> Solution {
        static QUIET: Once = Once::new();
        QUIET.call_once(|| libsvm_rs::set_quiet(true));
        let node = |(feature, value): (usize, &f64)| SvmNode { index: feature as i32 + 1, value: *value };
        let instances: Vec<Vec<SvmNode>> =
            self.rows.chunks_exact(self.width).map(|row| row.iter().enumerate().map(node).collect()).collect();
        let problem = SvmProblem { labels: vec![1.0; instances.len()], instances };
        let parameter = SvmParameter {
            svm_type: SvmType::OneClass,
            kernel_type: KernelType::Rbf,
            gamma: self.gamma,
            nu: self.nu,
            eps: self.tolerance,
            cache_size: CACHE_MIB,
            shrinking: true,
            ..SvmParameter::default()
        };
        let model = libsvm_rs::train::svm_train(&problem, &parameter);
        let mut alpha = vec![0.0; self.count()];
        // Its indices begin with 1.
        for (&row, coefficient) in model.sv_indices.iter().zip(model.sv_coef.iter().flatten()) {
            alpha[row - 1] = *coefficient;
        }
        Solution { alpha, rho: model.rho.first().copied().unwrap_or(f64::NAN) }
    }
}

impl Solver {
    /// `Auto` decided. Linfa computes the whole matrix of all pairs of rows beforehand, libsvm the rows it comes to need: it is
    /// faster from the fewest rows on that there are models of.
    pub(super) fn chosen(self) -> Solver {
        match self {
            Solver::Auto => Solver::Libsvm,
            chosen => chosen,
        }
    }
}

#[cfg(test)]
mod tests;

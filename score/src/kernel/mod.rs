//! `Σ coefficient · K(support vector, z)` for many rows, each with its own model.
//!
//! Support vectors lie in blocks of 16: for each feature 16 numbers, one of each vector, and then their 16
//! coefficients; the last block is filled up with coefficient 0. One block is what a handful of vector registers
//! hold, and a model is one run of memory. Two paths read the same blocks: `exact` in scikit-learn's order of
//! operations, `lanes` several times faster for larger models.

mod exact;
mod lanes;
#[cfg(test)]
mod tests;

use crate::{Kernel, Model};

pub(crate) const LANES: usize = 16;

/// Models with fewer support vectors than this always take the exact path: they fill less than one block.
pub(crate) const EXACT_BELOW: u32 = LANES as u32;

/// Sixteen numbers of as many support vectors, aligned to a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Lanes(pub(crate) [f64; LANES]);

/// Where a model's blocks are, and how they are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) kernel: Kernel,
    pub(crate) dimensions: u32,
    pub(crate) vectors: u32,
    /// Index of the first of its lanes.
    pub(crate) start: usize,
}

/// One feature vector to be held against one model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) shape: Shape,
    /// Index of the first of its scaled features.
    pub(crate) z: usize,
}

// === impl Shape ===

impl Shape {
    /// Lays a model's support vectors and coefficients down at the end of `lanes`.
    pub(crate) fn lay_down(model: &Model, lanes: &mut Vec<Lanes>) -> Shape {
        let (width, vectors) = (model.dimensions(), model.coefficients.len());
        let shape =
            Shape { kernel: model.kernel, dimensions: width as u32, vectors: vectors as u32, start: lanes.len() };
        for first in (0..vectors).step_by(LANES) {
            let of_block = first..vectors.min(first + LANES);
            for feature in 0..width {
                let mut numbers = [0.0; LANES];
                for (lane, vector) in of_block.clone().enumerate() {
                    numbers[lane] = model.support_vectors[vector * width + feature];
                }
                lanes.push(Lanes(numbers));
            }
            let mut coefficients = [0.0; LANES];
            coefficients[..of_block.len()].copy_from_slice(&model.coefficients[of_block]);
            lanes.push(Lanes(coefficients));
        }
        shape
    }

    /// Copies a model's blocks from one set's lanes to the end of another's.
    pub(crate) fn copy(&self, from: &[Lanes], to: &mut Vec<Lanes>) -> Shape {
        let count = (self.vectors as usize).div_ceil(LANES) * (self.dimensions as usize + 1);
        let shape = Shape { start: to.len(), ..*self };
        to.extend_from_slice(&from[self.start..self.start + count]);
        shape
    }

    /// The model's blocks: for each the lanes of its features and those of its coefficients.
    #[inline(always)]
    fn blocks<'a>(&self, lanes: &'a [Lanes]) -> impl Iterator<Item = (&'a [Lanes], &'a Lanes)> + use<'a> {
        let width = self.dimensions as usize;
        let count = (self.vectors as usize).div_ceil(LANES);
        lanes[self.start..self.start + count * (width + 1)]
            .chunks_exact(width + 1)
            .map(move |block| (&block[..width], &block[width]))
    }

    #[inline(always)]
    fn z<'a>(&self, z: &'a [f64], start: usize) -> &'a [f64] {
        &z[start..start + self.dimensions as usize]
    }

    /// Whether the exact path is taken whatever the settings.
    #[inline(always)]
    fn is_exact(&self) -> bool {
        self.vectors < EXACT_BELOW || matches!(self.kernel, Kernel::Sigmoid { .. })
    }
}

/// One sum for each job, without the intercept.
pub(crate) fn sums(lanes: &[Lanes], z: &[f64], jobs: &[Job], exact: bool, sums: &mut Vec<f64>) {
    sums.clear();
    sums.resize(jobs.len(), 0.0);
    if exact {
        for (job, sum) in jobs.iter().zip(sums) {
            *sum = exact::sum(&job.shape, lanes, job.shape.z(z, job.z));
        }
    } else {
        lanes::sums(lanes, z, jobs, sums);
    }
}

/// `ln Σ coefficient · exp(-gamma · d²)` for an rbf kernel with coefficients of 0 and above: a finite number also where every
/// term of the sum is too small for a float, far from all support vectors.
pub(crate) fn log_sum(shape: &Shape, lanes: &[Lanes], z: &[f64], start: usize) -> f64 {
    exact::log_sum(shape, lanes, shape.z(z, start))
}

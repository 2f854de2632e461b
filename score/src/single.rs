//! One model by itself, judging raw feature vectors: what calibration needs, and the yardstick of the tests.

use crate::kernel::{self, Job, Lanes, Shape};
use crate::severity::severity;
use crate::steps;
use crate::{Flaw, Model};

/// Says of raw feature vectors what scikit-learn's `decision_function` would, in its order of operations.
#[derive(Debug)]
pub struct Judge<'a>(Single<'a>);

impl<'a> Judge<'a> {
    /// # Errors
    /// If the model does not pass [`Model::check`].
    pub fn new(model: &'a Model) -> Result<Judge<'a>, Flaw> {
        model.check()?;
        Ok(Judge(Single::new(model)))
    }

    /// Of as many numbers as [`Model::inputs`].
    #[must_use]
    pub fn decision(&self, x: &[f64]) -> f64 {
        self.0.sum(x, true) + self.0.model.intercept
    }
}

/// A checked model, laid out for the kernels.
#[derive(Debug)]
pub(crate) struct Single<'a> {
    model: &'a Model,
    shape: Shape,
    lanes: Vec<Lanes>,
}

impl<'a> Single<'a> {
    pub(crate) fn new(model: &'a Model) -> Single<'a> {
        let mut lanes = Vec::new();
        let shape = Shape::lay_down(model, &mut lanes);
        Single { model, shape, lanes }
    }

    /// `Σ coefficient · K`, without the intercept.
    pub(crate) fn sum(&self, x: &[f64], exact: bool) -> f64 {
        let mut sums = Vec::with_capacity(1);
        kernel::sums(&self.lanes, &self.scaled(x), &[Job { shape: self.shape, z: 0 }], exact, &mut sums);
        sums[0]
    }

    /// Only for models that have one.
    pub(crate) fn severity(&self, x: &[f64]) -> f64 {
        severity(&self.shape, &self.lanes, &self.scaled(x), 0, self.sum(x, true), self.model.intercept)
    }

    /// Of rows that lie one after the other, by the kernel's fast path.
    pub(crate) fn severities(&self, rows: &[f64]) -> Vec<f64> {
        let (inputs, width) = (self.model.inputs(), self.model.dimensions());
        let z: Vec<f64> = rows.chunks_exact(inputs).flat_map(|row| self.scaled(row)).collect();
        let jobs: Vec<Job> = (0..rows.len() / inputs).map(|row| Job { shape: self.shape, z: row * width }).collect();
        let mut sums = Vec::with_capacity(jobs.len());
        kernel::sums(&self.lanes, &z, &jobs, false, &mut sums);
        let of = |(job, sum): (&Job, &f64)| severity(&self.shape, &self.lanes, &z, job.z, *sum, self.model.intercept);
        jobs.iter().zip(&sums).map(of).collect()
    }

    pub(crate) fn scaled(&self, x: &[f64]) -> Vec<f64> {
        let mut z = x.to_vec();
        steps::apply(&self.model.steps, &mut z);
        z
    }
}

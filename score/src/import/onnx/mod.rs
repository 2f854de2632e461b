//! ONNX graphs, as skl2onnx writes them: scalers and PCA in a row, then one `SVMRegressor`, then the sign of its score.
//!
//! Read backward from the SVM: each operator in front of it takes one running value and constants, and is one elementary
//! step. Nothing may change the score behind it, and its sign must be taken: else it is a regression, not a one-class SVM.
//! The SVM's numbers are single precision in this format, whatever the graph around it says.

mod graph;
mod protobuf;
#[cfg(test)]
mod tests;

use super::refused::shown;
use super::{Imported, Refused};
use crate::model::FEATURES_MAX;
use crate::{Kernel, Model, ModelKey, Step};
use graph::{Graph, Node, Operator, Tensor};

/// Numbers take twice as much in memory.
const BYTES_MAX: usize = 16 << 20;

pub(super) fn read(bytes: &[u8], key: ModelKey) -> Result<Imported, Refused> {
    if bytes.len() > BYTES_MAX {
        return Err(Refused::TooLarge { what: "bytes in an ONNX file", max: BYTES_MAX });
    }
    let graph = graph::parse(bytes)?;
    let svm = the_svm(&graph)?;
    check_behind(&graph, svm)?;
    let (coefficients, support_vectors, intercept, kernel) = terms(svm)?;
    let width = support_vectors.len() / coefficients.len();
    let Front { steps, names } = front(&graph, svm, width)?;
    let model = Model {
        key,
        features: None,
        steps,
        kernel,
        support_vectors,
        coefficients,
        intercept,
        threshold: None,
        version: String::new(),
        source: String::new(),
        trained_at: None,
        rows: None,
    };
    Imported::checked(model, names, true)
}

fn the_svm<'g, 'a>(graph: &'g Graph<'a>) -> Result<&'g Node<'a>, Refused> {
    let mut found = graph.nodes.iter().filter(|node| node.operator == Operator::SvmRegressor);
    match (found.next(), found.next()) {
        (Some(svm), None) => Ok(svm),
        (None, _) => Err(wrong("SVMRegressor", "is missing: it is no one-class SVM")),
        (Some(_), Some(_)) => Err(wrong("SVMRegressor", "is there more than once")),
    }
}

fn wrong(operator: &'static str, problem: &'static str) -> Refused {
    Refused::Graph { operator, problem }
}

type Terms = (Vec<f64>, Vec<f64>, f64, Kernel);

/// Coefficients, support vectors, intercept, kernel.
fn terms(svm: &Node<'_>) -> Result<Terms, Refused> {
    const CLASS: &str = "SVMRegressor";
    let floats = |attribute| {
        let found = svm.attribute(attribute).map(|found| found.floats.clone());
        found.ok_or(Refused::Missing { class: CLASS, attribute })
    };
    let text = |attribute| svm.attribute(attribute).and_then(|found| found.text);
    let (coefficients, support_vectors, rho) = (floats("coefficients")?, floats("support_vectors")?, floats("rho")?);
    let count = svm.attribute("n_supports").and_then(|found| found.int).unwrap_or_default();
    if usize::try_from(count) != Ok(coefficients.len()) || coefficients.is_empty() {
        let (found, expected) = (format!("[{}]", coefficients.len()), format!("[{count}]"));
        return Err(Refused::Shape { attribute: "coefficients", found, expected });
    }
    if support_vectors.is_empty() || !support_vectors.len().is_multiple_of(coefficients.len()) {
        let (found, expected) = (format!("[{}]", support_vectors.len()), format!("a multiple of {count}"));
        return Err(Refused::Shape { attribute: "support_vectors", found, expected });
    }
    let &[intercept] = rho.as_slice() else {
        return Err(Refused::Shape { attribute: "rho", found: format!("[{}]", rho.len()), expected: "[1]".into() });
    };
    if text("post_transform").is_some_and(|name| name != b"NONE") {
        return Err(wrong(CLASS, "changes its score by `post_transform`"));
    }
    let name = String::from_utf8_lossy(text("kernel_type").unwrap_or(b"LINEAR")).to_lowercase();
    let parameters = svm.attribute("kernel_params").map(|found| found.floats.as_slice()).unwrap_or_default();
    let (gamma, coef0, degree) = match (parameters, name.as_str()) {
        (&[gamma, coef0, degree], _) => (gamma, coef0, degree),
        (_, "linear") => (0.0, 0.0, 0.0),
        _ => return Err(Refused::Missing { class: CLASS, attribute: "kernel_params" }),
    };
    let is_whole = degree.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&degree);
    if !is_whole && name == "poly" {
        return Err(Refused::Type { attribute: "degree", found: "something else", expected: "a whole number from 0" });
    }
    let kernel = Kernel::named(&name, gamma, coef0, degree as u32);
    Ok((coefficients, support_vectors, intercept, kernel.ok_or_else(|| Refused::Kernel { kernel: shown(&name) })?))
}

/// What happens before the kernel.
struct Front {
    steps: Vec<Step>,
    /// Of inputs that hold one column each.
    names: Option<Vec<String>>,
}

/// From the SVM back to the graph's input.
fn front(graph: &Graph<'_>, svm: &Node<'_>, width: usize) -> Result<Front, Refused> {
    const STEPS_MAX: usize = 64;
    let mut width = width;
    let mut backward: Vec<Step> = Vec::new();
    let mut value = *svm.inputs.first().ok_or(wrong("SVMRegressor", "has no input"))?;
    for _ in 0..STEPS_MAX {
        let Some(node) = graph.maker(value) else {
            backward.reverse();
            check_input(graph, value, width)?;
            return Ok(Front { steps: backward, names: None });
        };
        if matches!(node.operator, Operator::Concat | Operator::FeatureVectorizer) {
            backward.reverse();
            return Ok(Front { steps: backward, names: Some(columns(graph, node, width)?) });
        }
        let (steps, before, running) = step(graph, node, width)?;
        backward.extend(steps.into_iter().rev());
        (value, width) = (running, before);
        // Each width is allocated for; a wrong one is found by the model's check.
        if width == 0 || width > FEATURES_MAX {
            return Err(crate::Flaw::TooMany { what: "features", count: width, max: FEATURES_MAX }.into());
        }
    }
    Err(Refused::TooLarge { what: "operators in front of the SVM", max: STEPS_MAX })
}

/// One operator as steps, how wide the vector is before it, and the value it takes.
fn step<'a>(graph: &Graph<'a>, node: &Node<'a>, width: usize) -> Result<(Vec<Step>, usize, &'a str), Refused> {
    let input = |index: usize| node.inputs.get(index).copied().filter(|name| !name.is_empty());
    let first = input(0).ok_or(wrong(node.operator.as_str(), "has no input"))?;
    let second = || {
        let constant = input(1).and_then(|name| graph.constant(name));
        constant.ok_or(wrong(node.operator.as_str(), "takes something that is not a constant"))
    };
    let vector = |tensor: Tensor| spread(tensor, width);
    Ok(match node.operator {
        Operator::Identity => (Vec::new(), width, first),
        Operator::Cast if is_cast_to_float(node) => (Vec::new(), width, first),
        Operator::Cast => return Err(wrong("Cast", "makes whole numbers in front of the SVM")),
        Operator::Scaler => {
            let numbers = |attribute: &'static str| {
                let floats = node.attribute(attribute).map(|found| found.floats.clone());
                let floats = floats.ok_or(Refused::Missing { class: "Scaler", attribute })?;
                let shape = vec![floats.len()];
                vector(Tensor { shape, values: Some(floats) })
            };
            (vec![Step::Subtract(numbers("offset")?), Step::Multiply(numbers("scale")?)], width, first)
        }
        Operator::Clip => (vec![clip(graph, node)?], width, first),
        // Arguments of old versions, with other rules of broadcasting.
        _ if !node.attributes.is_empty() => {
            return Err(wrong(node.operator.as_str(), "is of an old version that is not read"));
        }
        Operator::Sub => (vec![Step::Subtract(vector(second()?)?)], width, first),
        Operator::Div => (vec![Step::Divide(vector(second()?)?)], width, first),
        Operator::Add | Operator::Mul => {
            let (constant, running) = match (graph.constant(first), input(1)) {
                (Some(constant), Some(running)) => (constant, running),
                _ => (second()?, first),
            };
            let numbers = vector(constant)?;
            let is_sum = node.operator == Operator::Add;
            (vec![if is_sum { Step::Add(numbers) } else { Step::Multiply(numbers) }], width, running)
        }
        Operator::MatMul => {
            let (before, step) = projection(second()?, width)?;
            (vec![step], before, first)
        }
        Operator::SvmRegressor
        | Operator::Concat
        | Operator::FeatureVectorizer
        | Operator::Sqrt
        | Operator::Sign
        | Operator::Constant => {
            return Err(wrong("SVMRegressor", "takes a value that is made in a way that is not read"));
        }
    })
}

/// One number for all features, or one for each.
fn spread(tensor: Tensor, width: usize) -> Result<Vec<f64>, Refused> {
    let values = tensor.values.ok_or(wrong("constant", "does not hold floating-point numbers"))?;
    let is_row = tensor.shape.len() < 2 || tensor.shape[0] == 1;
    match *values {
        [one] => Ok(vec![one; width]),
        _ if is_row && values.len() == width => Ok(values),
        _ => {
            let expected = format!("[{width}]");
            Err(Refused::Shape { attribute: "constant", found: format!("{:?}", tensor.shape), expected })
        }
    }
}

/// `x · W`: the columns of W are the rows of the projection.
fn projection(tensor: Tensor, width: usize) -> Result<(usize, Step), Refused> {
    let values = tensor.values.ok_or(wrong("constant", "does not hold floating-point numbers"))?;
    let &[before, columns] = tensor.shape.as_slice() else { return Err(wrong("MatMul", "takes no table")) };
    if columns != width || before == 0 || before > FEATURES_MAX {
        let (found, expected) = (format!("{:?}", tensor.shape), format!("[features, {width}]"));
        return Err(Refused::Shape { attribute: "constant", found, expected });
    }
    let column = |column: usize| values.iter().skip(column).step_by(columns).copied();
    Ok((before, Step::Project { rows: columns, matrix: (0..columns).flat_map(column).collect() }))
}

/// Bounds are attributes in old versions, inputs in newer ones.
fn clip(graph: &Graph<'_>, node: &Node<'_>) -> Result<Step, Refused> {
    let bound = |name: &str, index: usize| {
        let given = node.attribute(name).and_then(|found| found.float);
        let constant = node.inputs.get(index).and_then(|name| graph.constant(name));
        given.or_else(|| match constant?.values?.as_slice() {
            &[value] => Some(value),
            _ => None,
        })
    };
    match (bound("min", 1), bound("max", 2)) {
        (Some(low), Some(high)) => Ok(Step::Clip { low, high }),
        _ => Err(wrong("Clip", "lacks a bound")),
    }
}

fn is_cast_to_float(node: &Node<'_>) -> bool {
    const FLOAT: i64 = 1;
    const DOUBLE: i64 = 11;
    node.attribute("to").and_then(|to| to.int).is_some_and(|to| to == FLOAT || to == DOUBLE)
}

/// The graph's input must be as wide as the steps want it, if it says how wide it is.
fn check_input(graph: &Graph<'_>, value: &str, width: usize) -> Result<(), Refused> {
    let input = graph.inputs.iter().find(|input| input.name == value);
    let input = input
        .filter(|_| graph.constant(value).is_none())
        .ok_or(wrong("SVMRegressor", "takes no input of the graph"))?;
    match input.width {
        Some(found) if found != width => {
            let (found, expected) = (format!("[{found}]"), format!("[{width}]"));
            Err(Refused::Shape { attribute: "input", found, expected })
        }
        _ => Ok(()),
    }
}

/// Inputs of one column each, put side by side: their names are those of the columns.
fn columns(graph: &Graph<'_>, node: &Node<'_>, width: usize) -> Result<Vec<String>, Refused> {
    let is_sideways = match node.operator {
        Operator::Concat => matches!(node.attribute("axis").and_then(|axis| axis.int), Some(1 | -1)),
        _ => node.attribute("inputdimensions").is_none_or(|widths| widths.ints.iter().all(|&width| width == 1)),
    };
    if !is_sideways || node.inputs.len() != width {
        return Err(wrong("Concat", "puts together something else than single columns"));
    }
    let column = |&input: &&str| {
        let mut name = input;
        // Single columns are cast on the way, at most.
        while let Some(node) = graph.maker(name) {
            let is_passed =
                node.operator == Operator::Identity || node.operator == Operator::Cast && is_cast_to_float(node);
            match node.inputs.first() {
                Some(&before) if is_passed && before != name => name = before,
                _ => return Err(wrong("Concat", "takes a value that is made in a way that is not read")),
            }
        }
        check_input(graph, name, 1)?;
        Ok(name.to_owned())
    };
    node.inputs.iter().map(column).collect()
}

/// Behind the SVM its score may be cast to a float and its sign taken, and nothing else.
fn check_behind(graph: &Graph<'_>, svm: &Node<'_>) -> Result<(), Refused> {
    let mut scores = svm.outputs.clone();
    // Of a flagged one-class SVM the runtime takes the sign itself.
    let mut has_sign = svm.attribute("one_class").and_then(|flag| flag.int) == Some(1);
    // Each node follows those whose values it takes.
    for node in &graph.nodes {
        let takes_score = node.inputs.iter().any(|input| scores.contains(input));
        match node.operator {
            _ if !takes_score => {}
            Operator::Identity => scores.extend_from_slice(&node.outputs),
            Operator::Cast if is_cast_to_float(node) => scores.extend_from_slice(&node.outputs),
            Operator::Sign => has_sign = true,
            _ => return Err(wrong("SVMRegressor", "gives a score that is changed behind it")),
        }
    }
    if has_sign { Ok(()) } else { Err(wrong("SVMRegressor", "is a regression: no sign of its score is taken")) }
}

// === impl Graph ===

impl<'a> Graph<'a> {
    /// The node that makes a value.
    fn maker(&self, value: &str) -> Option<&Node<'a>> {
        self.makers.get(value).and_then(|&index| self.nodes.get(index))
    }

    /// A constant by name: given as such, or made of one.
    fn constant(&self, name: &str) -> Option<Tensor> {
        const DEPTH_MAX: usize = 8;
        let mut name = name;
        let mut roots = 0;
        for _ in 0..DEPTH_MAX {
            if let Some((_, tensor)) = self.constants.iter().find(|(constant, _)| *constant == name) {
                return Some(rooted(tensor.clone(), roots));
            }
            let node = self.maker(name)?;
            match node.operator {
                Operator::Constant => {
                    let attribute = node.attributes.first()?;
                    let floats = (!attribute.floats.is_empty()).then_some(&attribute.floats);
                    let one = attribute.float.map(|value| Tensor { shape: Vec::new(), values: Some(vec![value]) });
                    let row = floats.map(|row| Tensor { shape: vec![row.len()], values: Some(row.clone()) });
                    return Some(rooted(attribute.tensor.clone().or(one).or(row)?, roots));
                }
                Operator::Identity => {}
                Operator::Cast if is_cast_to_float(node) => {}
                Operator::Sqrt => roots += 1,
                _ => return None,
            }
            name = node.inputs.first()?;
        }
        None
    }
}

fn rooted(tensor: Tensor, roots: u32) -> Tensor {
    let root = |value: f64| (0..roots).fold(value, |value, _| value.sqrt());
    Tensor { values: tensor.values.map(|values| values.into_iter().map(root).collect()), ..tensor }
}

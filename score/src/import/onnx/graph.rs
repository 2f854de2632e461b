//! ONNX's messages: a graph of nodes, and the constants that they take. Only what models of our kind use is kept.

use std::collections::HashMap;

use super::protobuf::Message;
use crate::import::Refused;
use crate::import::refused::shown;
use crate::model::NUMBERS_MAX;

/// Nodes, constants, inputs, names, attributes: a one-class SVM behind a few scalers takes some ten of each.
const ITEMS_MAX: usize = 1_000;
/// The domain of scalers and SVMs.
const LEARNED: &str = "ai.onnx.ml";

#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) constants: Vec<(&'a str, Tensor)>,
    pub(super) inputs: Vec<Input<'a>>,
    /// Which node makes a value.
    pub(super) makers: HashMap<&'a str, usize>,
}

#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) operator: Operator,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Default)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    pub(super) float: Option<f64>,
    pub(super) int: Option<i64>,
    pub(super) text: Option<&'a [u8]>,
    pub(super) floats: Vec<f64>,
    pub(super) ints: Vec<i64>,
    pub(super) tensor: Option<Tensor>,
}

/// Numbers in C order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    /// None: a tensor of something else than floating-point numbers.
    pub(super) values: Option<Vec<f64>>,
}

#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    /// Columns, where the graph says how many.
    pub(super) width: Option<usize>,
}

/// The operators that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    SvmRegressor,
    Scaler,
    FeatureVectorizer,
    Add,
    Sub,
    Mul,
    Div,
    MatMul,
    Clip,
    Concat,
    Cast,
    Identity,
    Sqrt,
    Sign,
    Constant,
}

const OPERATORS: [(&str, &str, Operator); 15] = [
    (LEARNED, "SVMRegressor", Operator::SvmRegressor),
    (LEARNED, "Scaler", Operator::Scaler),
    (LEARNED, "FeatureVectorizer", Operator::FeatureVectorizer),
    ("", "Add", Operator::Add),
    ("", "Sub", Operator::Sub),
    ("", "Mul", Operator::Mul),
    ("", "Div", Operator::Div),
    ("", "MatMul", Operator::MatMul),
    ("", "Clip", Operator::Clip),
    ("", "Concat", Operator::Concat),
    ("", "Cast", Operator::Cast),
    ("", "Identity", Operator::Identity),
    ("", "Sqrt", Operator::Sqrt),
    ("", "Sign", Operator::Sign),
    ("", "Constant", Operator::Constant),
];

/// The graph of a model file.
pub(super) fn parse(file: &[u8]) -> Result<Graph<'_>, Refused> {
    let mut message = Message::new(file);
    let (mut graph, mut domains) = (None, Vec::new());
    while let Some(field) = message.next()? {
        match field.number {
            8 => push(&mut domains, domain_of_import(field.message()?)?)?,
            7 if graph.is_none() => graph = Some(Graph::parse(field.message()?)?),
            7 => return Err(Refused::Graph { operator: "graph", problem: "is there twice" }),
            // They could give an operator's name another meaning.
            25 => return Err(Refused::Graph { operator: "functions", problem: "are there, which models do not need" }),
            _ => {}
        }
    }
    let graph: Graph<'_> = graph.ok_or(Refused::Missing { class: "ONNX", attribute: "graph" })?;
    // They come last in a file: without one of them it is cut.
    let is_imported = |node: &Node<'_>| domains.contains(&node.operator.domain());
    match graph.nodes.iter().all(is_imported) {
        true => Ok(graph),
        false => Err(Refused::Missing { class: "ONNX", attribute: "opset_import" }),
    }
}

fn domain_of_import(mut message: Message<'_>) -> Result<&str, Refused> {
    let mut domain = "";
    while let Some(field) = message.next()? {
        if field.number == 1 {
            domain = field.text()?;
        }
    }
    Ok(plain(domain))
}

/// The domain of the usual operators has two names.
fn plain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

// === impl Operator ===

impl Operator {
    pub(super) fn as_str(self) -> &'static str {
        OPERATORS.iter().find(|(_, _, operator)| *operator == self).map_or("", |(_, name, _)| name)
    }

    fn domain(self) -> &'static str {
        match self {
            Operator::SvmRegressor | Operator::Scaler | Operator::FeatureVectorizer => LEARNED,
            _ => "",
        }
    }
}

// === impl Graph ===

impl<'a> Graph<'a> {
    fn parse(mut message: Message<'a>) -> Result<Graph<'a>, Refused> {
        let mut graph = Graph::default();
        // What an operator of ours is named for says more than the first `Gather` of a forest.
        let mut unknown: Option<String> = None;
        while let Some(field) = message.next()? {
            match field.number {
                1 => match Node::parse(field.message()?)? {
                    Ok(node) => push(&mut graph.nodes, node)?,
                    Err((domain, operator)) if domain == LEARNED => {
                        return Err(Refused::Operator { operator: shown(operator) });
                    }
                    Err(("" | "ai.onnx", operator)) => drop(unknown.get_or_insert_with(|| shown(operator))),
                    Err((domain, operator)) => {
                        return Err(Refused::Operator { operator: format!("{}.{}", shown(domain), shown(operator)) });
                    }
                },
                5 => push(&mut graph.constants, Tensor::parse(field.message()?)?)?,
                11 => push(&mut graph.inputs, Input::parse(field.message()?)?)?,
                15 => return Err(Refused::Graph { operator: "sparse_initializer", problem: "is not read" }),
                _ => {}
            }
        }
        match unknown {
            Some(operator) => Err(Refused::Operator { operator }),
            None => graph.in_order(),
        }
    }

    /// Every value is made once, and before it is taken.
    fn in_order(mut self) -> Result<Graph<'a>, Refused> {
        let outputs =
            self.nodes.iter().enumerate().flat_map(|(index, node)| node.outputs.iter().map(move |&o| (o, index)));
        for (output, index) in outputs {
            if self.makers.insert(output, index).is_some() {
                return Err(Refused::Graph { operator: "graph", problem: "makes a value twice" });
            }
        }
        let is_early = |(index, node): (usize, &Node<'_>)| {
            node.inputs.iter().any(|input| self.makers.get(input).is_some_and(|&maker| maker >= index))
        };
        if self.nodes.iter().enumerate().any(is_early) {
            return Err(Refused::Graph { operator: "graph", problem: "takes a value before it is made" });
        }
        Ok(self)
    }
}

// === impl Node ===

impl<'a> Node<'a> {
    /// Or the domain and the name of an operator that is not read.
    fn parse(mut message: Message<'a>) -> Result<Result<Node<'a>, (&'a str, &'a str)>, Refused> {
        let (mut domain, mut name) = ("", "");
        let (mut inputs, mut outputs, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(field) = message.next()? {
            match field.number {
                1 => push(&mut inputs, field.text()?)?,
                2 => push(&mut outputs, field.text()?)?,
                4 => name = field.text()?,
                5 => push(&mut attributes, field.message()?)?,
                7 => domain = field.text()?,
                _ => {}
            }
        }
        let Some(&(_, _, operator)) = OPERATORS.iter().find(|(d, n, _)| (*d, *n) == (plain(domain), name)) else {
            return Ok(Err((domain, name)));
        };
        let attributes = attributes.into_iter().map(Attribute::parse).collect::<Result<_, _>>()?;
        Ok(Ok(Node { operator, inputs, outputs, attributes }))
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

// === impl Attribute ===

impl<'a> Attribute<'a> {
    fn parse(mut message: Message<'a>) -> Result<Attribute<'a>, Refused> {
        let mut attribute = Attribute::default();
        while let Some(field) = message.next()? {
            match field.number {
                1 => attribute.name = field.text()?,
                2 => attribute.float = Some(f64::from(field.float()?)),
                3 => attribute.int = Some(field.int()?),
                4 => attribute.text = Some(field.message()?.bytes()),
                5 => attribute.tensor = Some(Tensor::parse(field.message()?)?.1),
                7 => field.floats(&mut attribute.floats)?,
                8 => field.ints(&mut attribute.ints, ITEMS_MAX)?,
                // A reference to an attribute of a function around it.
                21 => return Err(Refused::Graph { operator: "attribute", problem: "is of a function" }),
                _ => {}
            }
            at_most_numbers(attribute.floats.len())?;
        }
        Ok(attribute)
    }
}

// === impl Tensor ===

impl Tensor {
    fn parse<'a>(mut message: Message<'a>) -> Result<(&'a str, Tensor), Refused> {
        const FLOAT: i64 = 1;
        const DOUBLE: i64 = 11;
        const SIDES_MAX: usize = 8;
        let (mut name, mut kind, mut sides, mut values, mut raw) = ("", 0, Vec::new(), Vec::new(), None);
        while let Some(field) = message.next()? {
            match field.number {
                1 => field.ints(&mut sides, SIDES_MAX)?,
                2 => kind = field.int()?,
                4 => field.floats(&mut values)?,
                8 => name = field.text()?,
                9 => raw = Some(field.message()?),
                10 => field.doubles(&mut values)?,
                13 => return Err(external()),
                14 if field.int()? != 0 => return Err(external()),
                _ => {}
            }
            at_most_numbers(values.len())?;
        }
        match (kind, raw) {
            (FLOAT, Some(raw)) => values.extend(raw.chunks()?.map(|bits| f64::from(f32::from_le_bytes(bits)))),
            (DOUBLE, Some(raw)) => values.extend(raw.chunks()?.map(f64::from_le_bytes)),
            _ => {}
        }
        at_most_numbers(values.len())?;
        let sides_as_given = || Refused::Shape {
            attribute: "constant",
            found: "of something else".into(),
            expected: "a table's at most".into(),
        };
        if sides.len() > 2 {
            return Err(sides_as_given());
        }
        let shape: Option<Vec<usize>> = sides.iter().map(|&side| usize::try_from(side).ok()).collect();
        let shape = shape.ok_or_else(sides_as_given)?;
        if kind != FLOAT && kind != DOUBLE {
            return Ok((name, Tensor { shape, values: None }));
        }
        let count = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        if count != Some(values.len()) {
            let (found, expected) = (format!("[{}]", values.len()), format!("{shape:?}"));
            return Err(Refused::Shape { attribute: "constant", found, expected });
        }
        Ok((name, Tensor { shape, values: Some(values) }))
    }
}

// === impl Input ===

impl<'a> Input<'a> {
    fn parse(mut message: Message<'a>) -> Result<Input<'a>, Refused> {
        let mut input = Input { name: "", width: None };
        while let Some(field) = message.next()? {
            match field.number {
                1 => input.name = field.text()?,
                2 => input.width = width_of_type(field.message()?)?,
                _ => {}
            }
        }
        Ok(input)
    }
}

/// `TypeProto.tensor_type.shape.dim[1].dim_value`, if all of that is there.
fn width_of_type(message: Message<'_>) -> Result<Option<usize>, Refused> {
    let Some(tensor) = inner(message, 1)? else { return Ok(None) };
    let Some(mut shape) = inner(tensor, 2)? else { return Ok(None) };
    let (mut dimensions, mut width) = (0, None);
    while let Some(field) = shape.next()? {
        if field.number != 1 {
            continue;
        }
        dimensions += 1;
        let mut dimension = field.message()?;
        while let Some(field) = dimension.next()? {
            if field.number == 1 && dimensions == 2 {
                width = usize::try_from(field.int()?).ok();
            }
        }
    }
    Ok(width.filter(|_| dimensions == 2))
}

fn inner(mut message: Message<'_>, number: u64) -> Result<Option<Message<'_>>, Refused> {
    let mut found = None;
    while let Some(field) = message.next()? {
        if field.number == number {
            found = Some(field.message()?);
        }
    }
    Ok(found)
}

fn push<T>(items: &mut Vec<T>, item: T) -> Result<(), Refused> {
    if items.len() >= ITEMS_MAX {
        return Err(Refused::TooLarge { what: "items of one kind in a graph", max: ITEMS_MAX });
    }
    items.push(item);
    Ok(())
}

fn at_most_numbers(count: usize) -> Result<(), Refused> {
    if count > NUMBERS_MAX {
        return Err(Refused::TooLarge { what: "numbers in an array", max: NUMBERS_MAX });
    }
    Ok(())
}

fn external() -> Refused {
    Refused::Graph { operator: "constant", problem: "is kept in another file, which is not read" }
}

//! Graphs that the corpus of real files does not have, made of messages by hand: what may be said in them, and what is refused.

use super::*;

/// A field with bytes in it.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

fn int(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn floats(name: &str, values: &[f32]) -> Vec<u8> {
    let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    field(5, &[field(1, name.as_bytes()), field(7, &packed)].concat())
}

fn whole(name: &str, value: u8) -> Vec<u8> {
    field(5, &[field(1, name.as_bytes()), int(3, value)].concat())
}

/// `Name(input, …) -> output`, with attributes.
fn node(name: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let domain = if matches!(name, "SVMRegressor" | "Scaler" | "FeatureVectorizer") { "ai.onnx.ml" } else { "" };
    let inputs: Vec<u8> = inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect();
    let rest =
        [field(2, output.as_bytes()), field(4, name.as_bytes()), attributes.concat(), field(7, domain.as_bytes())];
    field(1, &[inputs, rest.concat()].concat())
}

/// Of two support vectors with two features.
fn svm(input: &str) -> Vec<u8> {
    let attributes = [
        floats("coefficients", &[1.0, 0.5]),
        floats("support_vectors", &[1.0, 2.0, 3.0, 4.0]),
        floats("rho", &[-0.25]),
        floats("kernel_params", &[0.5, 0.0, 3.0]),
        field(5, &[field(1, b"kernel_type"), field(4, b"RBF")].concat()),
        whole("n_supports", 2),
    ];
    node("SVMRegressor", &[input], "score", &attributes)
}

fn sign() -> Vec<u8> {
    node("Sign", &["score"], "label", &[])
}

fn constant(name: &str, sides: &[u8], values: &[f32]) -> Vec<u8> {
    let sides: Vec<u8> = sides.iter().flat_map(|&side| int(1, side)).collect();
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    field(5, &[sides, int(2, 1), field(8, name.as_bytes()), field(9, &raw)].concat())
}

fn input(name: &str) -> Vec<u8> {
    field(11, &field(1, name.as_bytes()))
}

fn file(graph: &[Vec<u8>]) -> Vec<u8> {
    let opsets = [field(8, &int(2, 9)), field(8, &field(1, b"ai.onnx.ml"))].concat();
    [int(1, 10), field(7, &graph.concat()), opsets].concat()
}

fn read_graph(graph: &[Vec<u8>]) -> Result<Imported, String> {
    let key = ModelKey { device: None, sensor: None };
    read(&file(graph), key).map_err(|refused| refused.to_string())
}

#[test]
fn operators_become_steps_in_their_order() {
    let graph = [
        node("Cast", &["X"], "a", &[whole("to", 1)]),
        node("Sub", &["a", "two"], "b", &[]),
        node("Mul", &["pair", "b"], "c", &[]),
        node("MatMul", &["c", "table"], "d", &[]),
        node("Sqrt", &["four"], "root", &[]),
        node("Div", &["d", "root"], "e", &[]),
        node("Clip", &["e", "one", "two"], "f", &[]),
        node("Identity", &["f"], "g", &[]),
        svm("g"),
        sign(),
        constant("two", &[], &[2.0]),
        constant("one", &[1], &[1.0]),
        constant("pair", &[1, 2], &[3.0, 4.0]),
        constant("table", &[2, 2], &[5.0, 6.0, 7.0, 8.0]),
        constant("four", &[2], &[4.0, 9.0]),
        input("X"),
    ];
    let imported = read_graph(&graph).expect("a graph of ours");
    assert_eq!(
        imported.model.steps,
        [
            Step::Subtract(vec![2.0, 2.0]),
            Step::Multiply(vec![3.0, 4.0]),
            Step::Project { rows: 2, matrix: vec![5.0, 7.0, 6.0, 8.0] },
            Step::Divide(vec![2.0, 3.0]),
            Step::Clip { low: 1.0, high: 2.0 },
        ]
    );
    assert_eq!((imported.model.kernel, imported.model.intercept), (Kernel::Rbf { gamma: 0.5 }, -0.25));
    assert!(imported.is_float32 && imported.names.is_none());
}

#[test]
fn single_columns_give_their_names() {
    for put_together in [
        node("Concat", &["temp.mean", "max"], "X", &[whole("axis", 1)]),
        node("FeatureVectorizer", &["temp.mean", "max"], "X", &[]),
    ] {
        let graph = [put_together, svm("X"), sign(), input("temp.mean"), input("max")];
        let imported = read_graph(&graph).expect("a graph of ours");
        assert_eq!(imported.names, Some(vec!["temp.mean".to_owned(), "max".to_owned()]));
        assert_eq!(imported.model.features.map(|features| features.len()), Some(2));
    }
}

#[test]
fn other_graphs_are_refused() {
    let x = || input("X");
    for (graph, expected) in [
        (vec![svm("X"), x()], "the graph's `SVMRegressor` is a regression: no sign of its score is taken"),
        (
            vec![svm("X"), node("Add", &["score", "c"], "s", &[]), sign(), constant("c", &[], &[1.0]), x()],
            "the graph's `SVMRegressor` gives a score that is changed behind it",
        ),
        (vec![svm("X"), svm("X"), sign(), x()], "the graph's `graph` makes a value twice"),
        (vec![sign(), x()], "the graph's `SVMRegressor` is missing: it is no one-class SVM"),
        (vec![sign(), svm("X"), x()], "the graph's `graph` takes a value before it is made"),
        (vec![svm("X"), sign()], "the graph's `SVMRegressor` takes no input of the graph"),
        (
            vec![node("Sub", &["c", "X"], "a", &[]), svm("a"), sign(), constant("c", &[], &[1.0]), x()],
            "the graph's `Sub` takes something that is not a constant",
        ),
        (
            vec![node("Cast", &["X"], "a", &[whole("to", 7)]), svm("a"), sign(), x()],
            "the graph's `Cast` makes whole numbers in front of the SVM",
        ),
        (
            vec![node("Add", &["X", "c"], "a", &[]), svm("a"), sign(), constant("c", &[3], &[1.0, 2.0, 3.0]), x()],
            "`constant` has the shape [3], not [2]",
        ),
        (
            vec![node("Mul", &["X", "c"], "a", &[]), svm("a"), sign(), constant("c", &[2, 1], &[1.0, 2.0]), x()],
            "`constant` has the shape [2, 1], not [2]",
        ),
        (
            vec![node("Tanh", &["X"], "a", &[]), svm("a"), sign(), x()],
            "the graph uses the operator `Tanh`, which is not on the list of those that are read",
        ),
        (
            vec![node("Concat", &["X", "Y"], "a", &[whole("axis", 0)]), svm("a"), sign(), x(), input("Y")],
            "the graph's `Concat` puts together something else than single columns",
        ),
    ] {
        assert_eq!(read_graph(&graph).map(|_| "read").unwrap_err(), expected);
    }
}

//! Lines of a CSV file of numbers, and which of its columns a model takes.

use anyhow::{Context, bail};
use score::import::Imported;

/// Which fields of a line are the model's features, in its order.
#[derive(Debug, PartialEq)]
pub(super) struct Columns {
    places: Vec<usize>,
    /// Fields of each line.
    count: usize,
}

// === impl Columns ===

impl Columns {
    /// By the names that the model was trained on or the features that they are, if the header has them; else by their order.
    pub(super) fn of(imported: &Imported, header: Option<&Vec<String>>, count: usize) -> anyhow::Result<Columns> {
        let features = imported.model.features.iter().flatten().map(ToString::to_string);
        let names = imported.names.clone().unwrap_or_else(|| features.collect());
        if let Some(header) = header.filter(|header| names.iter().any(|name| header.contains(name))) {
            let place = |name: &String| match header.iter().filter(|column| *column == name).count() {
                1 => Ok(header.iter().position(|column| column == name).unwrap_or_default()),
                0 => bail!("the header has no column `{}`, which the model was trained on", name.escape_debug()),
                _ => bail!("the header has two columns `{}`", name.escape_debug()),
            };
            let places = names.iter().map(place).collect::<anyhow::Result<_>>()?;
            return Ok(Columns { places, count });
        }
        let expected = imported.model.inputs();
        if count != expected {
            bail!("a line has {count} fields, the model takes {expected} features");
        }
        Ok(Columns { places: (0..count).collect(), count })
    }

    pub(super) fn numbers(&self, fields: &[String]) -> anyhow::Result<Vec<f64>> {
        if fields.len() != self.count {
            bail!("it has {} fields, the first line has {}", fields.len(), self.count);
        }
        let number = |&place: &usize| {
            let field = &fields[place];
            let number: Option<f64> = field.trim().parse().ok().filter(|number: &f64| number.is_finite());
            number.with_context(|| format!("`{:.40}` is not a finite number", field.escape_debug().to_string()))
        };
        self.places.iter().map(number).collect()
    }
}

/// The fields of a line; a quoted one may hold commas, and quotes twice.
pub(super) fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut is_quoted, mut chars) = (false, line.chars().peekable());
    while let Some(char) = chars.next() {
        let field = fields.last_mut().expect("never empty");
        match char {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            '"' if field.trim().is_empty() => {
                field.clear();
                is_quoted = true;
            }
            ',' if !is_quoted => fields.push(String::new()),
            char => field.push(char),
        }
    }
    fields
}

/// All fields as numbers; none if one is not.
pub(super) fn numbers(fields: &[String]) -> Option<Vec<f64>> {
    fields.iter().map(|field| field.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_into_fields() {
        for (line, expected) in [
            ("1,2.5", vec!["1", "2.5"]),
            ("", vec![""]),
            ("a,,b", vec!["a", "", "b"]),
            (r#""a,b", "c""d",e"#, vec!["a,b", r#"c"d"#, "e"]),
        ] {
            assert_eq!(fields(line), expected, "{line}");
        }
        assert_eq!(numbers(&fields("1, -2e-3")), Some(vec![1.0, -0.002]));
        assert_eq!(numbers(&fields("temp,2")), None);
    }
}

//! A CSV file -> which file is whose model: for names that no template can read.
//!
//! Everything that could hide a mistake is refused by its line: a key or a file twice, a file that is not there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::{Error, ModelKey};

/// Files by name, each with the line that names it.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    file: String,
    keys: HashMap<String, (ModelKey, usize)>,
}

impl Mapping {
    pub(crate) fn parse(file: &str, text: &str) -> Result<Mapping, Error> {
        let refuse = |line: usize, problem: String| Error::Mapping { file: file.to_owned(), line, problem };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let header = lines.next().map(|(_, line)| fields(line)).unwrap_or_default().unwrap_or_default();
        let place = |name: &str| {
            let found = header.iter().position(|column| column.trim() == name);
            found.ok_or_else(|| refuse(1, format!("the header has no column `{name}`")))
        };
        let (device, sensor, path) = (place("device")?, place("sensor")?, place("file")?);
        let mut mapping = Mapping { file: file.to_owned(), keys: HashMap::new() };
        let mut lines_of_keys: HashMap<ModelKey, usize> = HashMap::new();
        for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
            let fields = fields(text).ok_or_else(|| refuse(line, "a quote is not closed".into()))?;
            if fields.len() != header.len() {
                let (found, expected) = (fields.len(), header.len());
                return Err(refuse(line, format!("{found} fields, the header has {expected}")));
            }
            let id = |place: usize| Some(fields[place].clone()).filter(|id| !id.is_empty());
            let key = ModelKey { device: id(device), sensor: id(sensor) };
            let name = fields[path].trim_start_matches("./").to_owned();
            if name.is_empty() {
                return Err(refuse(line, "no file is named".into()));
            }
            if let Some(earlier) = lines_of_keys.insert(key.clone(), line) {
                return Err(refuse(line, format!("`{key}` has a model already, on line {earlier}")));
            }
            match mapping.keys.entry(name) {
                Entry::Occupied(taken) => {
                    let (owner, earlier) = taken.get();
                    let name = taken.key();
                    return Err(refuse(line, format!("`{name}` is the model of `{owner}` already, on line {earlier}")));
                }
                Entry::Vacant(free) => _ = free.insert((key, line)),
            }
        }
        Ok(mapping)
    }

    /// The key of a file, which is then taken; what is left in the end was named but not found.
    pub(crate) fn take(&mut self, name: &str) -> Option<ModelKey> {
        self.keys.remove(name).map(|(key, _)| key)
    }

    pub(crate) fn expect_empty(&self) -> Result<(), Error> {
        match self.keys.iter().min_by_key(|(_, (_, line))| *line) {
            None => Ok(()),
            Some((name, (_, line))) => {
                let more =
                    if self.keys.len() > 1 { format!(", nor {} others", self.keys.len() - 1) } else { String::new() };
                Err(Error::Mapping {
                    file: self.file.clone(),
                    line: *line,
                    problem: format!("there is no file `{name}`{more}"),
                })
            }
        }
    }
}

/// The fields of one line; none if a quote is not closed. Quotes within quotes are doubled, as everywhere.
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    fields.push(field);
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mapping = Mapping::parse("m.csv", text).map_err(|error| error.to_string())?;
        let mut keys: Vec<_> = mapping.keys.iter().map(|(name, (key, line))| format!("{line}: {name} {key}")).collect();
        keys.sort();
        Ok(keys)
    }

    #[test]
    fn lines_give_keys_or_say_why_not() {
        let text = "\u{feff}file,sensor,device,note\r\na.pkl,t,\"d,1\",\"x \"\"y\"\"\"\r\n\r\n./b.pkl,,d2,\r\nc/c.pkl,t,,\r\nd.pkl,,,\r\n";
        let expected = ["2: a.pkl d,1/t", "4: b.pkl d2", "5: c/c.pkl */t", "6: d.pkl *"];
        assert_eq!(read(text).expect("readable"), expected);
        let head = "device,sensor,file\n";
        for (text, expected) in [
            (String::new(), "line 1 of the mapping `m.csv`: the header has no column `device`"),
            ("device,file\n".into(), "line 1 of the mapping `m.csv`: the header has no column `sensor`"),
            (format!("{head}a,b"), "line 2 of the mapping `m.csv`: 2 fields, the header has 3"),
            (format!("{head}a,b,"), "line 2 of the mapping `m.csv`: no file is named"),
            (format!("{head}a,\"b,c"), "line 2 of the mapping `m.csv`: a quote is not closed"),
            (format!("{head}a,b,x\na,b,y"), "line 3 of the mapping `m.csv`: `a/b` has a model already, on line 2"),
            (
                format!("{head}a,b,x\na,c,x"),
                "line 3 of the mapping `m.csv`: `x` is the model of `a/b` already, on line 2",
            ),
        ] {
            assert_eq!(read(&text).expect_err(expected), expected);
        }
    }

    #[test]
    fn files_that_are_not_there_are_named() {
        let mut mapping = Mapping::parse("m.csv", "device,sensor,file\na,b,x\na,c,y\na,d,z").expect("readable");
        assert_eq!(mapping.take("x"), Some(ModelKey::series("a", "b")));
        let error = mapping.expect_empty().expect_err("two are left");
        assert_eq!(error.to_string(), "line 3 of the mapping `m.csv`: there is no file `y`, nor 1 others");
    }
}

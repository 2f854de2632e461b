//! File names -> model keys: `model_{device}_{sensor}`.
//!
//! Names come from a listing and are only read, never made, so no key can lead outside the prefix. A name that could
//! mean two keys is an error: silently scoring a series with its neighbour's model would be worse.

use crate::{Error, Key, ModelKey};

/// What surrounds the placeholders, and which of them comes first.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    text: String,
    before: String,
    /// Between the two placeholders; none: there is only the device's.
    between: Option<String>,
    after: String,
    device_first: bool,
}

impl Template {
    pub(crate) fn parse(text: &str, key: Key) -> Result<Template, Error> {
        let refuse = |problem| Err(Error::Template { template: text.to_owned(), problem });
        let once = |placeholder: &str| text.match_indices(placeholder).count() == 1;
        let rest = text.replace("{device}", "").replace("{sensor}", "");
        let of_devices = key == Key::Device && !text.contains("{sensor}");
        if of_devices && !once("{device}") {
            return refuse("it must hold `{device}` once");
        }
        if !of_devices && (!once("{device}") || !once("{sensor}")) {
            return refuse("it must hold `{device}` and `{sensor}` once each");
        }
        if key == Key::Device && !of_devices {
            return refuse("models of whole devices (`score.key = \"device\"`) have names without `{sensor}`");
        }
        if rest.contains(['{', '}']) {
            return refuse("only `{device}` and `{sensor}` may stand in braces");
        }
        let device_first = of_devices || text.find("{device}") < text.find("{sensor}");
        let (one, two) = if device_first { ("{device}", "{sensor}") } else { ("{sensor}", "{device}") };
        let (before, tail) = text.split_once(one).expect("counted above");
        let (between, after) = match of_devices {
            true => (None, tail),
            false => {
                let (between, after) = tail.split_once(two).expect("counted above");
                (Some(between.to_owned()), after)
            }
        };
        if between.as_ref().is_some_and(String::is_empty) {
            return refuse("something must stand between `{device}` and `{sensor}`");
        }
        Ok(Template {
            text: text.to_owned(),
            before: before.to_owned(),
            between,
            after: after.to_owned(),
            device_first,
        })
    }

    /// The key that a file's name stands for; none if the name does not fit.
    ///
    /// The usual endings of model files are no part of an id: a template that ends with a placeholder leaves them out.
    pub(crate) fn read(&self, name: &str) -> Result<Option<ModelKey>, Error> {
        let name = if self.after.is_empty() { without_ending(name) } else { name };
        let middle = name.strip_prefix(self.before.as_str()).and_then(|rest| rest.strip_suffix(self.after.as_str()));
        let Some(middle) = middle else { return Ok(None) };
        let Some(between) = &self.between else { return Ok(is_id(middle).then(|| ModelKey::device(middle))) };
        let mut found: Option<ModelKey> = None;
        for (at, _) in middle.char_indices() {
            let (one, rest) = middle.split_at(at);
            let Some(two) = rest.strip_prefix(between.as_str()) else { continue };
            if !is_id(one) || !is_id(two) {
                continue;
            }
            let key = self.key(one, two);
            if let Some(first) = found {
                return Err(Error::Ambiguous {
                    file: name.to_owned(),
                    template: self.text.clone(),
                    first: Box::new(first),
                    second: Box::new(key),
                });
            }
            found = Some(key);
        }
        Ok(found)
    }

    fn key(&self, one: &str, two: &str) -> ModelKey {
        let (device, sensor) = if self.device_first { (one, two) } else { (two, one) };
        ModelKey::series(device, sensor)
    }
}

/// What files of models are commonly called behind their own name.
const ENDINGS: [&str; 5] = [".pkl", ".pickle", ".joblib", ".skops", ".onnx"];
/// What may follow, if the file is compressed.
const PACKED: [&str; 6] = ["", ".z", ".gz", ".bz2", ".xz", ".lzma"];

fn without_ending(name: &str) -> &str {
    let unpacked = PACKED.iter().filter_map(|packed| name.strip_suffix(packed));
    let bare = unpacked.flat_map(|name| ENDINGS.iter().filter_map(move |ending| name.strip_suffix(ending))).next();
    bare.unwrap_or(name)
}

pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(template: &str, name: &str) -> String {
        read_as(template, Key::Series, name)
    }

    fn read_as(template: &str, key: Key, name: &str) -> String {
        match Template::parse(template, key).and_then(|t| t.read(name)) {
            Ok(Some(key)) => format!("{} | {}", key.device.unwrap_or_default(), key.sensor.unwrap_or("none".into())),
            Ok(None) => "none".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn names_give_keys_or_say_why_not() {
        for (template, name, expected) in [
            ("model_{device}_{sensor}", "model_3_5", "3 | 5"),
            ("model_{device}_{sensor}", "model_3_5.pkl", "3 | 5"),
            ("model_{device}_{sensor}", "model_3_5.v2", "3 | 5.v2"),
            ("model_{device}_{sensor}", "model_3_5.joblib.gz", "3 | 5"),
            ("model_{device}_{sensor}", "model_3_5.gz", "3 | 5.gz"),
            ("{device}_{sensor}.pkl", "3_5.pkl", "3 | 5"),
            ("model_{device}_{sensor}", "model_3", "none"),
            ("model_{device}_{sensor}", "model__5", "none"),
            ("model_{device}_{sensor}", "old/model_3_5", "none"),
            ("model_{device}_{sensor}", "model_3/x_5", "none"),
            ("{sensor}@{device}.pkl", "temp@d 1.pkl", "d 1 | temp"),
            ("{device}/{sensor}/model.pkl", "pümp_1/temp_2/model.pkl", "pümp_1 | temp_2"),
            ("{device}/{sensor}/model.pkl", "a/b/c/model.pkl", "none"),
            (
                "model_{device}_{sensor}",
                "model_a_b_c",
                "the name `model_a_b_c` fits `model_{device}_{sensor}` in two ways: as `a/b_c` and as `a_b/c`",
            ),
            (
                "{device}{sensor}",
                "ab",
                "`score.template` is `{device}{sensor}`: something must stand between `{device}` and `{sensor}`",
            ),
            ("{device}", "a", "`score.template` is `{device}`: it must hold `{device}` and `{sensor}` once each"),
            (
                "{device}-{sensor}-{x}",
                "a",
                "`score.template` is `{device}-{sensor}-{x}`: only `{device}` and `{sensor}` may stand in braces",
            ),
        ] {
            assert_eq!(read(template, name), expected, "{template} {name}");
        }
    }

    #[test]
    fn models_of_devices_have_names_without_sensors() {
        for (template, name, expected) in [
            ("model_{device}", "model_a_b.pkl", "a_b | none"),
            ("{device}/model.pkl", "a b/model.pkl", "a b | none"),
            ("{device}/model.pkl", "a/b/model.pkl", "none"),
            ("model_{device}", "model_", "none"),
            (
                "{device}_{sensor}",
                "a_b",
                "`score.template` is `{device}_{sensor}`: models of whole devices (`score.key = \"device\"`) have names without `{sensor}`",
            ),
            ("models", "a", "`score.template` is `models`: it must hold `{device}` once"),
            (
                "{device}_{x}",
                "a",
                "`score.template` is `{device}_{x}`: only `{device}` and `{sensor}` may stand in braces",
            ),
        ] {
            assert_eq!(read_as(template, Key::Device, name), expected, "{template} {name}");
        }
    }
}

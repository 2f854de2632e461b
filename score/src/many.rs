//! One file that holds a dict of many models -> models with keys.

use std::collections::HashSet;

use crate::import::{self, ForeignKey};
use crate::load::log_skipped;
use crate::set::version_of;
use crate::template::{Template, is_id};
use crate::{Config, Error, Key, Model, ModelKey, OnBadModel, fit};

/// Reads a pickle or joblib file that holds `dict[key -> Pipeline]`. A key is a tuple of a device and a sensor, a text that fits
/// `score.template`, or `device/sensor`; for models of whole devices a text that fits, or the device itself.
///
/// # Errors
/// If the file is none, a key means nothing or is there twice, or (unless such are to be skipped) a model cannot be used.
pub fn read_many(config: &Config, file: &str, bytes: &[u8]) -> Result<Vec<Model>, Error> {
    let of_file = |refused| Error::File { file: file.to_owned(), source: Box::new(refused) };
    let template = Template::parse(config.template(), config.key)?;
    let version = version_of(bytes);
    let (mut models, mut skipped, mut keys) = (Vec::new(), 0, HashSet::new());
    for (foreign, imported) in import::read_many(bytes).map_err(of_file)? {
        let key = model_key(config.key, &template, foreign, file)?;
        if !keys.insert(key.clone()) {
            return Err(Error::Twice { key: Box::new(key), first: file.to_owned(), second: file.to_owned() });
        }
        let named = imported.and_then(|imported| imported.named_by(&config.feature_names));
        let of_key =
            |refused| Error::OneOfMany { file: file.to_owned(), key: Box::new(key.clone()), source: Box::new(refused) };
        let model = named.map_err(of_key).and_then(|model| {
            let model = Model { key: key.clone(), version: version.clone(), source: file.to_owned(), ..model };
            fit::check(config, &model)?;
            Ok(model)
        });
        match model {
            Ok(model) => models.push(model),
            Err(error) if config.on_bad_model == OnBadModel::Refuse => return Err(error),
            Err(error) => {
                skipped += 1;
                log_skipped(&error, skipped);
            }
        }
    }
    Ok(models)
}

fn model_key(kind: Key, template: &Template, foreign: ForeignKey, file: &str) -> Result<ModelKey, Error> {
    let text = match foreign {
        ForeignKey::Pair(device, sensor) => return Ok(ModelKey::series(device, sensor)),
        ForeignKey::Text(text) => text,
    };
    if let Some(key) = template.read(&text)? {
        return Ok(key);
    }
    match text.split_once('/') {
        _ if kind == Key::Device && is_id(&text) => Ok(ModelKey::device(&text)),
        Some((device, sensor)) if !device.is_empty() && !sensor.is_empty() && !sensor.contains('/') => {
            Ok(ModelKey::series(device, sensor))
        }
        _ => Err(Error::ForeignKey {
            file: file.to_owned(),
            key: text.chars().take(80).flat_map(char::escape_debug).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::Judge;

    fn file(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/many/");
        std::fs::read(format!("{folder}{name}")).expect(name)
    }

    #[test]
    fn dicts_of_models_score_as_scikit_learn_does() {
        let expected: Json = serde_json::from_slice(&file("expected.json")).expect("json");
        let expected = expected["models"].as_array().expect("models");
        for name in ["tuples.pkl", "texts.joblib.z"] {
            let models = read_many(&Config::default(), name, &file(name)).expect(name);
            assert_eq!(models.len(), expected.len(), "{name}");
            for (model, expected) in models.iter().zip(expected) {
                let key = expected["key"].as_array().expect("key");
                assert_eq!(model.key, ModelKey::series(key[0].as_str().expect("text"), key[1].as_str().expect("text")));
                let judge = Judge::new(model).expect("checked");
                for (row, decision) in expected["rows"].as_array().expect("rows").iter().enumerate() {
                    let found = judge.decision(&[decision[0].as_f64().expect("number")]);
                    let expected = expected["decision_function"][row].as_f64().expect("number");
                    assert!(
                        (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                        "{name} {row}: {found} for {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn one_bad_model_stops_the_file_or_is_left_out() {
        let config = Config::default();
        let error = read_many(&config, "f", &file("not-fitted.pkl")).expect_err("not fitted");
        let source = std::error::Error::source(&error).expect("a reason");
        assert_eq!(
            format!("{error}: {source}"),
            "cannot use the model of `c/d` in `f`: `OneClassSVM` has no `support_vectors_`: it was not fitted, or is not complete"
        );
        let config = Config { on_bad_model: OnBadModel::Skip, ..config };
        let models = read_many(&config, "f", &file("not-fitted.pkl")).expect("one is left");
        assert_eq!(models.iter().map(|model| model.key.to_string()).collect::<Vec<_>>(), ["a/b"]);
        // Another class is refused with the whole file: nothing is built that is not on the list.
        assert!(read_many(&config, "f", &file("classifier.pkl")).is_err());
        let one = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/models/s19-p4-bare.pkl")).expect("file");
        let error = read_many(&config, "f", &one).expect_err("one model");
        let source = std::error::Error::source(&error).expect("a reason");
        assert_eq!(source.to_string(), "it holds OneClassSVM, not a dict of models");
    }

    #[test]
    fn keys_name_devices_and_sensors() {
        let template = Template::parse("model_{device}_{sensor}", Key::Series).expect("template");
        let key = |text: &str| match model_key(Key::Series, &template, ForeignKey::Text(text.into()), "f") {
            Ok(key) => key.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(key("pump 1/temp"), "pump 1/temp");
        assert_eq!(key("model_3_5"), "3/5");
        assert_eq!(key("a/b/c"), "the key `a/b/c` in `f` names no device and sensor");
        assert_eq!(key("\x1b"), "the key `\\u{1b}` in `f` names no device and sensor");
        let pair = model_key(Key::Series, &template, ForeignKey::Pair("a/b".into(), "7".into()), "f").expect("a pair");
        assert_eq!(pair, ModelKey::series("a/b", "7"));
    }

    /// By the default template of such models, or by their own names.
    #[test]
    fn whole_devices_are_named_by_texts() {
        let features = vec!["temp.mean".parse().expect("a feature")];
        let config = Config { key: Key::Device, features, ..Config::default() };
        let models = read_many(&config, "f", &file("devices.pkl")).expect("models");
        let keys: Vec<ModelKey> = models.iter().map(|model| model.key.clone()).collect();
        assert_eq!(keys, ["pump-1", "pump-2", "7"].map(ModelKey::device));
        let expected: Json = serde_json::from_slice(&file("expected.json")).expect("json");
        let decision = expected["models"][0]["decision_function"][0].as_f64().expect("number");
        let found = Judge::new(&models[0]).expect("checked").decision(&[18.0]);
        assert!((found - decision).abs() <= 1e-12, "{found} for {decision}");
        let error = read_many(&config, "f", &file("tuples.pkl")).expect_err("a sensor's models");
        let source = std::error::Error::source(&error).expect("a reason").to_string();
        assert_eq!(
            format!("{error}: {source}"),
            "cannot use the model of `pump-1/temp` in `f`: the model belongs to a sensor, and `score.key` is `device`"
        );
        let template = Template::parse(config.template(), Key::Device).expect("template");
        for text in ["", "a/b/c"] {
            assert!(model_key(Key::Device, &template, ForeignKey::Text(text.into()), "f").is_err(), "{text}");
        }
    }
}

//! Whether a model can be used the way the configuration wants to use models.

use crate::{Config, Error, Flaw, Key, Model};

/// # Errors
/// If the model belongs to something else than `score.key` says, or its features cannot be told.
pub(crate) fn check(config: &Config, model: &Model) -> Result<(), Error> {
    flaw(model, config).map_err(|flaw| Error::Model {
        key: Box::new(model.key.clone()),
        file: model.source.clone(),
        source: Box::new(flaw),
    })
}

fn flaw(model: &Model, config: &Config) -> Result<(), Flaw> {
    if config.any_key {
        return Ok(());
    }
    let key = config.key.as_str();
    match (config.key, &model.key.device, &model.key.sensor) {
        (Key::Series, Some(_), None) => return Err(Flaw::OtherKey { found: "a whole device", key }),
        (Key::Device, _, Some(_)) => return Err(Flaw::OtherKey { found: "a sensor", key }),
        _ => {}
    }
    let features = model.features.as_ref().unwrap_or(&config.features);
    if features.len() != model.inputs() {
        return Err(Flaw::Features { found: model.inputs(), expected: features.len() });
    }
    let other = |feature: &&crate::Feature| feature.sensor.is_some() != (config.key == Key::Device);
    match (features.iter().find(other), config.key) {
        (None, _) => Ok(()),
        (Some(feature), Key::Device) if model.features.is_none() => {
            Err(Flaw::UnnamedFeatures { feature: feature.clone() })
        }
        (Some(feature), Key::Device) => Err(Flaw::OtherFeature { feature: feature.clone(), problem: "no sensor", key }),
        (Some(feature), Key::Series) => Err(Flaw::OtherFeature { feature: feature.clone(), problem: "a sensor", key }),
    }
}

//! Parts of a reading that stand outside the payload: the one device of all records, and properties of the record. They are
//! judged before the payload is looked at, and hold for all that it holds.

use types::{Micros, Reason};

use super::decoded::{Reject, shown};
use super::plan::Plan;
use super::setting::SettingError;
use super::{Config, time};
use crate::Given;

/// Which parts stand outside, and where.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    device: Option<Device>,
    time_property: Option<String>,
}

#[derive(Debug, Clone)]
enum Device {
    /// The device of all records.
    Name(String),
    Property(String),
}

// === impl Named ===

impl Named {
    pub(super) fn of(config: &Config) -> Result<Named, SettingError> {
        let device = match (&config.device_name, &config.device_property) {
            (Some(_), Some(_)) => {
                return Err(SettingError::Both { first: "device_name", second: "device_property" });
            }
            (Some(name), None) if !(1..=config.id_bytes_max).contains(&name.len()) => {
                let max = config.id_bytes_max;
                return Err(SettingError::Range { key: "device_name", value: name.len(), min: 1, max });
            }
            (Some(name), None) => Some(Device::Name(name.clone())),
            (None, Some(property)) => Some(Device::Property(property.clone())),
            (None, None) => None,
        };
        let properties = [("device_property", &config.device_property), ("time_property", &config.time_property)];
        if let Some((key, _)) = properties.iter().find(|(_, name)| name.as_deref() == Some("")) {
            return Err(SettingError::EmptyPath { key });
        }
        Ok(Named { device, time_property: config.time_property.clone() })
    }

    #[inline]
    pub(super) fn is_something(&self) -> bool {
        self.has_device() || self.has_time()
    }

    #[inline]
    pub(super) fn has_device(&self) -> bool {
        self.device.is_some()
    }

    #[inline]
    pub(super) fn has_time(&self) -> bool {
        self.time_property.is_some()
    }
}

impl Plan {
    /// Whether what stands outside will do for this record; and the time, if it stands there.
    pub(super) fn judge(&self, given: Given<'_>) -> Result<Option<Micros>, Reject> {
        if let Some(Device::Property(name)) = &self.outside.device {
            self.check_device(name, given.device)?;
        }
        self.outside.time_property.as_deref().map(|name| self.time_in(name, given.time)).transpose()
    }

    /// The device outside the payload, good or bad.
    pub(super) fn device_of<'a>(&'a self, given: Given<'a>) -> Option<&'a str> {
        match &self.outside.device {
            None => None,
            Some(Device::Name(name)) => Some(name),
            Some(Device::Property(_)) => given.device,
        }
    }

    fn check_device(&self, name: &str, device: Option<&str>) -> Result<(), Reject> {
        let device = present(name, device)?;
        match device.len() {
            0 => Err(Reject::new(Reason::MissingField, format!("the property `{}` is empty", shown(name)))),
            length if length > self.id_bytes_max => {
                let most = self.id_bytes_max;
                let detail = format!("the property `{}` has {length} bytes, more than {most}", shown(name));
                Err(Reject::new(Reason::IdTooLong, detail))
            }
            _ => Ok(()),
        }
    }

    fn time_in(&self, name: &str, text: Option<&str>) -> Result<Micros, Reject> {
        let text = present(name, text)?;
        time::of_text(text, self.unit).map_err(|fault| {
            let detail = format!("the property `{}` is `{}`: {fault}", shown(name), shown(text));
            Reject::new(Reason::BadTime, detail)
        })
    }
}

fn present<'a>(name: &str, part: Option<&'a str>) -> Result<&'a str, Reject> {
    part.ok_or_else(|| Reject::new(Reason::MissingField, format!("the record has no property `{}`", shown(name))))
}

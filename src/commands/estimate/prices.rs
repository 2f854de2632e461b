//! What it costs, by the prices that the user brings: none are known here, since any would be wrong tomorrow.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Outlook;

/// A month of so many days.
const DAYS: f64 = 30.0;
const GIB: f64 = (1u64 << 30) as f64;
/// Larger than any table of prices.
const FILE_BYTES_MAX: u64 = 1 << 16;

/// A table of prices. What is left out is shown as a quantity only.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Prices {
    /// Shown with each sum.
    currency: String,
    /// When they were looked up, and where: shown, so that nobody takes old ones for today's.
    as_of: String,
    /// For 10,000 requests.
    puts_per_10000: Option<f64>,
    gets_per_10000: Option<f64>,
    lists_per_10000: Option<f64>,
    deletes_per_10000: Option<f64>,
    /// For a GiB kept for a month.
    stored_gib_month: Option<f64>,
    /// For a core, and for a GiB of memory, for an hour.
    core_hour: Option<f64>,
    memory_gib_hour: Option<f64>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read the prices in `{path}`: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the prices in `{path}` are no table of prices: {message}")]
    Table { path: PathBuf, message: String },
    #[error("`{name}` in `{path}` is {value}: a price is 0 or more")]
    Negative { path: PathBuf, name: &'static str, value: f64 },
}

/// A month in money, line by line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Bill {
    pub(super) currency: String,
    pub(super) as_of: String,
    pub(super) lines: Vec<Line>,
    /// Of the lines that have a price.
    pub(super) total: f64,
    /// The same, scaled to zero between windows.
    pub(super) total_asleep: f64,
    pub(super) unpriced: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) what: &'static str,
    pub(super) quantity: f64,
    pub(super) quantity_asleep: f64,
    pub(super) unit: &'static str,
    /// None: there is no price.
    pub(super) price: Option<f64>,
    pub(super) cost: Option<f64>,
}

impl Prices {
    pub(super) fn read(path: &Path) -> Result<Prices, Error> {
        use std::io::Read;
        let path = path.to_owned();
        let mut text = String::new();
        let read = std::fs::File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
        if let Err(source) = read {
            return Err(Error::Read { path, source });
        }
        let prices: Prices = match toml::from_str(&text) {
            Ok(prices) => prices,
            Err(error) => return Err(Error::Table { path, message: error.to_string().trim_end().to_owned() }),
        };
        match prices.all().into_iter().find(|(_, price)| price.is_some_and(|price| !price.is_finite() || price < 0.0)) {
            Some((name, price)) => Err(Error::Negative { path, name, value: price.unwrap_or_default() }),
            None => Ok(prices),
        }
    }

    fn all(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("puts_per_10000", self.puts_per_10000),
            ("gets_per_10000", self.gets_per_10000),
            ("lists_per_10000", self.lists_per_10000),
            ("deletes_per_10000", self.deletes_per_10000),
            ("stored_gib_month", self.stored_gib_month),
            ("core_hour", self.core_hour),
            ("memory_gib_hour", self.memory_gib_hour),
        ]
    }
}

impl Bill {
    pub(super) fn of(outlook: &Outlook, prices: &Prices) -> Bill {
        let (always, asleep) = (outlook.sleep.requests_always, outlook.sleep.requests);
        let lines = [
            ("puts", always.puts, asleep.puts, prices.puts_per_10000),
            ("gets", always.gets, asleep.gets, prices.gets_per_10000),
            ("lists", always.lists, asleep.lists, prices.lists_per_10000),
            ("deletes", always.deletes, asleep.deletes, prices.deletes_per_10000),
        ];
        let of_requests = lines.map(|(what, always, asleep, price)| {
            let month = |a_day: f64| a_day * DAYS / 10_000.0;
            Line::new(what, [month(always), month(asleep)], "× 10,000 requests", price)
        });
        // A file is there for a month on average once as much is deleted as is written: what one month leaves.
        let stored = (outlook.stored.all * DAYS + outlook.stored.logs) / GIB;
        let memory = outlook.memory.container / GIB;
        // A core is paid for whether it is used or not; less than a tenth of one is hardly sold.
        let cores = outlook.processor.cores_an_instance.max(0.1);
        let hours = [outlook.sleep.hours_always, outlook.sleep.hours].map(|hours| hours * DAYS);
        let mut lines = of_requests.to_vec();
        lines.extend([
            Line::new("a month's results, and logs", [stored; 2], "GiB months", prices.stored_gib_month),
            Line::new("cores", hours.map(|hours| hours * cores), "core hours", prices.core_hour),
            Line::new("memory", hours.map(|hours| hours * memory), "GiB hours", prices.memory_gib_hour),
        ]);
        let sum = |quantity: fn(&Line) -> f64| {
            lines.iter().filter_map(|line| Some(quantity(line) * line.price?)).sum::<f64>()
        };
        Bill {
            currency: prices.currency.clone(),
            as_of: prices.as_of.clone(),
            total: sum(|line| line.quantity),
            total_asleep: sum(|line| line.quantity_asleep),
            unpriced: lines.iter().filter(|line| line.price.is_none()).count(),
            lines,
        }
    }
}

impl Line {
    fn new(what: &'static str, [always, asleep]: [f64; 2], unit: &'static str, price: Option<f64>) -> Line {
        let cost = price.map(|price| price * always);
        Line { what, quantity: always, quantity_asleep: asleep, unit, price, cost }
    }
}

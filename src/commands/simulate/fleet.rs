//! Which fleet: the options, and what follows from them where they are left out.

use anyhow::{Context, bail};
use ingest::simulated::{Config, Habits, Moment};
use types::Span;

use crate::wall;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Fleet")]
#[group(skip)]
pub(super) struct Options {
    /// Another seed gives another fleet, with other faults
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Number of devices
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    devices: u32,

    /// The sensors of every device: how many, or their names, comma-separated
    #[arg(long, value_name = "COUNT|NAMES", default_value = "5")]
    sensors: String,

    /// Number of partitions; a new topic gets as many
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    partitions: u32,

    /// How often every device reads its sensors [default: 30s]
    #[arg(long, value_name = "SPAN")]
    interval: Option<Span>,

    /// How long the run is, in event time [default: 1d]
    #[arg(long, value_name = "SPAN", conflicts_with = "endless")]
    duration: Option<Span>,

    /// Event time at which the run begins [default: 2026-01-05T00:00:00Z, with --endless now]
    #[arg(long, value_name = "TIME")]
    start: Option<Moment>,

    /// Play a live fleet until stopped: what arrives now was read now
    #[arg(long)]
    endless: bool,

    /// Records a second: how fast they are written; with --endless, how many the devices make (sets --interval)
    #[arg(long, value_name = "RECORDS")]
    rate: Option<f64>,

    /// Event time against wall time: 60 plays a minute a second
    #[arg(long, value_name = "FACTOR", conflicts_with_all = ["rate", "endless"])]
    speed: Option<f64>,

    /// Readings are delayed by a random time up to this, so that they arrive out of order
    #[arg(long, value_name = "SPAN", default_value = "0")]
    disorder: Span,

    /// No faults in this time from the start: history to train models on [default: half of the run, with --endless 10m]
    #[arg(long, value_name = "SPAN")]
    clean_lead: Option<Span>,

    /// Share of devices whose sensors have faults
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    faulty: f64,

    /// A faulty device has one fault in every such span [default: 6h, less if the run is short]
    #[arg(long, value_name = "SPAN")]
    fault_every: Option<Span>,

    /// About how long faults last [default: a twelfth of --fault-every]
    #[arg(long, value_name = "SPAN")]
    fault_duration: Option<Span>,

    /// Shares of devices with odd habits, like offline=0.1,bursts=0.05; or none. The habits are offline, newest_first,
    /// bursts, slow_clock, fast_clock, frozen_clock
    #[arg(long, value_name = "HABIT=SHARE,...", value_parser = habits)]
    habits: Option<Habits>,

    /// Share of readings that arrive an hour late
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    late: f64,

    /// Records that are no readings, per reading
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    malformed: f64,
}

/// Without a wish for another, a day is long enough to see a daily cycle.
const DURATION: Span = Span::from_secs(86_400);
const CLEAN_LEAD_ENDLESS: Span = Span::from_secs(600);

impl Options {
    pub(super) fn config(&self, to_topic: bool) -> anyhow::Result<Config> {
        if self.endless && !to_topic {
            bail!("--endless needs --kafka or --event-hubs: a folder would fill up");
        }
        let sensors = sensors(&self.sensors)?;
        let plain = Config::default();
        let interval = self.interval(&plain, sensors.len())?;
        let duration = if self.endless { Span::default() } else { self.duration.unwrap_or(DURATION) };
        if !self.endless && duration.micros() == 0 {
            bail!("a run of no length has no records: give --duration, or --endless");
        }
        let clean_lead = match self.clean_lead {
            Some(lead) => lead,
            None if self.endless => CLEAN_LEAD_ENDLESS,
            None => fraction(duration, 2),
        };
        // A short run should show something too.
        let after_lead = duration.micros().saturating_sub(clean_lead.micros());
        let fault_every = self.fault_every.unwrap_or_else(|| spread(plain.fault_every, after_lead, interval));
        let outage_every = spread(plain.outage_every, duration.micros(), interval);
        let at_most_half = |every: Span| fraction(every, 12).max(twice(interval)).min(fraction(every, 2));
        let (rate, speed) = match (self.endless, self.rate, self.speed) {
            (true, ..) => (0.0, 1.0),
            (false, rate, speed) => (rate.unwrap_or(0.0), speed.unwrap_or(0.0)),
        };
        Ok(Config {
            seed: self.seed,
            devices: self.devices,
            sensors,
            partitions: self.partitions,
            interval,
            start: self.start.unwrap_or(if self.endless { Moment(wall::now()) } else { plain.start }),
            duration,
            rate,
            speed,
            disorder: self.disorder,
            clean_lead,
            faulty: self.faulty,
            fault_every,
            fault_duration: self.fault_duration.unwrap_or_else(|| at_most_half(fault_every)),
            habits: self.habits.clone().unwrap_or_default(),
            outage_every,
            outage_duration: at_most_half(outage_every),
            late: self.late,
            malformed: self.malformed,
            ..plain
        })
    }

    fn interval(&self, plain: &Config, sensors: usize) -> anyhow::Result<Span> {
        match (self.endless, self.rate, self.interval) {
            (true, Some(_), Some(_)) => bail!("--interval and --rate say the same of a live fleet: give one of them"),
            (true, Some(rate), None) if rate > 0.0 => {
                let millis = f64::from(self.devices) * sensors as f64 / rate * 1000.0;
                if !(1.0..1e12).contains(&millis) {
                    bail!(
                        "{} devices of {sensors} sensors cannot make {rate} records a second: every device reads between \
                         once in a millisecond and once in 30 years",
                        self.devices
                    );
                }
                Ok(Span::from_millis(millis as u64))
            }
            (_, _, interval) => Ok(interval.unwrap_or(plain.interval)),
        }
    }
}

/// The usual spacing, or what fits four times into the run; never so little that a fault has no readings.
fn spread(usual: Span, run: i64, interval: Span) -> Span {
    let quarter = if run > 0 { Span::from_millis((run / 4000).unsigned_abs()) } else { usual };
    usual.min(quarter).max(twice(twice(interval)))
}

fn fraction(span: Span, parts: u64) -> Span {
    Span::from_millis(span.micros().unsigned_abs() / 1000 / parts)
}

fn twice(span: Span) -> Span {
    // Up to the next millisecond: a fault needs two whole intervals.
    Span::from_millis((2 * span.micros().unsigned_abs()).div_ceil(1000))
}

/// A number of sensors of the known kinds, or names.
fn sensors(text: &str) -> anyhow::Result<Vec<String>> {
    const KINDS: [&str; 8] =
        ["temperature", "pressure", "vibration", "current", "flow", "humidity", "voltage", "speed"];
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.split(',').map(|name| name.trim().to_owned()).collect());
    }
    let number: usize = text.parse().with_context(|| format!("`{text}` sensors are too many"))?;
    let name = |place: usize| match place / KINDS.len() {
        0 => KINDS[place].to_owned(),
        round => format!("{}_{}", KINDS[place % KINDS.len()], round + 1),
    };
    Ok((0..number.min(100_000)).map(name).collect())
}

/// `offline=0.1,bursts=0.05`: what is not named is 0.
fn habits(text: &str) -> Result<Habits, String> {
    let mut habits = Habits::none();
    if text == "none" {
        return Ok(habits);
    }
    for part in text.split(',') {
        let (name, share) =
            part.split_once('=').ok_or(format!("`{part}` is not a habit and its share: write `offline=0.1`"))?;
        let share = share.trim().parse().map_err(|_| format!("`{share}` is not a number between 0 and 1"))?;
        let slot = match name.trim() {
            "offline" => &mut habits.offline,
            "newest_first" => &mut habits.newest_first,
            "bursts" => &mut habits.bursts,
            "slow_clock" => &mut habits.slow_clock,
            "fast_clock" => &mut habits.fast_clock,
            "frozen_clock" => &mut habits.frozen_clock,
            other => {
                return Err(format!(
                    "`{other}` is not a habit: they are offline, newest_first, bursts, slow_clock, fast_clock and frozen_clock"
                ));
            }
        };
        *slot = share;
    }
    Ok(habits)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use ingest::simulated::Fleet;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn config(line: &str) -> anyhow::Result<Config> {
        Line::try_parse_from(["simulate"].into_iter().chain(line.split_whitespace()))?.options.config(true)
    }

    #[test]
    fn every_line_of_options_makes_a_fleet() {
        for line in [
            "",
            "--duration 1h",
            "--duration 1m --interval 1s",
            "--interval 1h --duration 7d",
            "--duration 1h --interval 30m",
            "--endless",
            "--endless --rate 200",
            "--endless --rate 0.01 --devices 3",
            "--devices 2000 --interval 1s --duration 500s --disorder 2s --habits none --faulty 0",
            "--sensors 20 --speed 60",
            "--sensors temperature,tag_1 --habits offline=0.5,bursts=0.25 --late 0.01 --malformed 0.01",
            "--clean-lead 1d --duration 1d",
        ] {
            let config = config(line).expect(line);
            Fleet::new(&config).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn a_live_fleet_makes_as_many_records_as_asked() {
        let config = config("--endless --rate 200").expect("a fleet");
        assert_eq!((config.interval, config.speed, config.rate), (Span::from_millis(500), 1.0, 0.0));
        assert!(config.endless() && config.start.0 > Config::default().start.0);
    }

    #[test]
    fn a_short_run_has_faults_too() {
        let config = config("--duration 2h").expect("a fleet");
        assert!(Fleet::new(&config).expect("a fleet").truth().len() >= 20);
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "--endless --duration 1h",
            "--endless --rate 100 --interval 1s",
            "--endless --rate 1e9",
            "--duration 0",
            "--rate 10 --speed 2",
            "--habits sleepy=1",
            "--habits offline",
        ] {
            assert!(config(line).is_err(), "{line}");
        }
    }
}

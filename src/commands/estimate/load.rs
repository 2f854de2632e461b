//! What arrives and under which settings: flags, and where they say nothing the configuration.

use anyhow::bail;
use config::Config;
use ingest::SourceKind;
use ingest::decode::Shape;
use serde::Serialize;

use super::Fleet;

/// Everything that an estimate follows from. Spans are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Load {
    pub(super) devices: f64,
    pub(super) sensors: f64,
    /// Readings a minute of one series.
    pub(super) per_minute: f64,
    /// Readings that one record carries.
    pub(super) readings_a_record: f64,
    pub(super) partitions: f64,
    pub(super) instances: f64,
    pub(super) workers: f64,
    pub(super) window: f64,
    pub(super) commit_interval: f64,
    pub(super) max_delay: f64,
    pub(super) min_rows: f64,
    pub(super) pending_bytes_max: f64,
    /// One model and one row for all sensors of a device.
    pub(super) by_device: bool,
    /// Shares: of rows, and twice of readings.
    pub(super) anomalies: f64,
    pub(super) late: f64,
    pub(super) refused: f64,
    pub(super) models: f64,
    pub(super) support_vectors: f64,
    pub(super) features: f64,
    /// Between two looks for newer models; none: never, or there are none.
    pub(super) model_poll: Option<f64>,
    pub(super) transport: Transport,
    /// Between two renewals of an event hub's notes; none where there are no notes.
    pub(super) renewal: Option<f64>,
    /// Scaled to zero, and woken this often.
    pub(super) wake_every: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Transport {
    Kafka,
    Amqp,
    Other,
}

impl Load {
    pub(super) fn new(fleet: &Fleet, config: &Config) -> anyhow::Result<Load> {
        let simulated = (config.ingest.source == SourceKind::Simulated).then_some(&config.ingest.simulated);
        let Some(devices) = fleet.devices.or(simulated.map(|fleet| fleet.devices.into())) else {
            bail!("nothing says how large the fleet is\nsay it with --devices, --sensors and --per-minute");
        };
        let sensors = fleet.sensors.or(simulated.map(|fleet| fleet.sensors.len() as u64)).unwrap_or(1);
        let interval = simulated.map(|fleet| 60.0 / seconds(fleet.interval));
        let partitions = fleet.partitions.or(simulated.map(|fleet| fleet.partitions)).unwrap_or(1);
        let wide = config.ingest.decode.shape == Shape::Wide;
        let by_device = config.score.key == score::Key::Device;
        let window = fleet.window.unwrap_or(config.aggregate.window);
        let transport = transport(config);
        let shares = (config.ingest.source == SourceKind::EventHubs)
            .then_some(&config.ingest.event_hubs.ownership)
            .filter(|ownership| ownership.url.is_some());
        let models = match fleet.models {
            Some(models) => models,
            None if by_device => devices,
            None => devices * sensors,
        };
        let poll = seconds(config.score.poll_interval);
        let has_models = models > 0 && poll > 0.0;
        let load = Load {
            devices: devices as f64,
            sensors: sensors as f64,
            per_minute: fleet.per_minute.or(interval).unwrap_or(1.0),
            readings_a_record: if wide { sensors as f64 } else { 1.0 },
            partitions: f64::from(partitions),
            instances: f64::from(fleet.instances),
            workers: config.run.workers.map_or(f64::from(fleet.cores), |workers| workers as f64),
            window: seconds(window),
            commit_interval: seconds(config.sink.commit_interval),
            max_delay: seconds(config.sink.max_delay),
            min_rows: config.sink.min_rows.max(1) as f64,
            pending_bytes_max: config.run.pending_bytes_max as f64,
            by_device,
            anomalies: fleet.anomalies,
            late: fleet.late,
            refused: fleet.refused,
            models: models as f64,
            support_vectors: fleet.support_vectors as f64,
            features: fleet.features.unwrap_or(config.score.features.len() as u64).max(1) as f64,
            model_poll: has_models.then_some(poll),
            transport,
            renewal: shares.map(|ownership| seconds(ownership.renew_interval)),
            wake_every: seconds(fleet.wake_every.unwrap_or(window)),
        };
        load.check()?;
        Ok(load)
    }

    fn check(&self) -> anyhow::Result<()> {
        let positive = [
            ("--devices", self.devices),
            ("--sensors", self.sensors),
            ("--per-minute", self.per_minute),
            ("--partitions", self.partitions),
            ("--instances", self.instances),
            ("--cores", self.workers),
            ("--window", self.window),
            ("--wake-every", self.wake_every),
        ];
        match positive.into_iter().find(|(_, value)| !value.is_finite() || *value <= 0.0) {
            Some((name, value)) => bail!("{name} is {value}: a positive number is needed"),
            None => Ok(()),
        }
    }

    pub(super) fn series(&self) -> f64 {
        self.devices * self.sensors
    }

    pub(super) fn readings_a_second(&self) -> f64 {
        self.series() * self.per_minute / 60.0
    }
}

fn transport(config: &Config) -> Transport {
    use ingest::event_hubs::Protocol;
    match config.ingest.source {
        SourceKind::Kafka => Transport::Kafka,
        SourceKind::EventHubs if config.ingest.event_hubs.protocol == Protocol::Kafka => Transport::Kafka,
        SourceKind::EventHubs => Transport::Amqp,
        _ => Transport::Other,
    }
}

fn seconds(span: types::Span) -> f64 {
    span.duration().as_secs_f64()
}

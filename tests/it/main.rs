//! The built binary against real services. `make test` starts them; without them these tests are skipped, visibly.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests print what they find, and know the time of day"
)]

mod support;

// The reference's readings and models give the reference's predictions.
mod golden;

// Killed, fed nonsense, misconfigured, cut off: nothing is lost, and what is wrong is said.
mod faults;

// From a sample to a configuration to rows.
mod init;

// How good predictions are, why a row is an anomaly, which models are stale.
mod quality;

// Which sensor of a device it was.
mod explained;

// What no producer should send, in bulk: every record of it is accounted for.
mod poison;

// scikit-learn's files of all formats through the program.
mod model_files;
// Model sets: published, rolled back, written by notebooks, renewed under load.
mod registry;

// However the work is cut into jobs, restarts and uploads, the same rows come out.
mod jobs;

// Jobs side by side write the rows of one.
mod shards;

// What a fleet would take, against a run of it.
mod estimate;

// The tutorial's commands, in its order.
mod tutorial;

// Event Hubs: Microsoft's client on one side, rows on the other.
mod event_hubs;

// Anomalies as events: to a topic and to a webhook.
mod forward;

// Commands that look at what is committed, and mend what keeps it from going on.
mod state;

// What a running service tells machines: probes, metrics, logs.
mod service;

// What it tells others: a collector, files in a store, an operator.
mod telemetry;

// Each exit status of the service.
mod exits;

// Each record of the events corpus through a topic or a file, as `preview` shows it.
mod devices;
mod events;

// What a preview foretells, against what the service does.
mod preview;

// `validate --online`: what it finds of real services.
mod checklist;

// What docker-compose.yml runs, without containers.
mod local_stack;

// Between other programs: what is piped in and out.
mod pipes;

// Avro files of Event Hubs Capture, as a backfill.
mod capture;

// Models from history: a machine's own file, its predictions, what is known of its faults.
mod train;

// From a notebook to the service, from no models at all, and the loop of retraining.
mod paths;

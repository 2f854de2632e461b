"""The panels of the four dashboards: what is asked, what is normal, and what to do when it is not. build.py makes JSON of them.

A panel's width is in 24ths. `S` selects what the variables of a dashboard say; `J` does so for what is recorded by job.
"""

from dataclasses import dataclass, field

S = 'job=~"$job",instance=~"$instance"'
J = 'job=~"$job"'
RATE = "[$__rate_interval]"
# Rows come when windows close: rates of them need a longer look.
LONG = "[1h]"


@dataclass
class Panel:
    title: str
    queries: list  # of (expression, legend)
    normal: str
    act: str = ""
    kind: str = "timeseries"  # stat | timeseries | table
    unit: str = "short"
    width: int = 8
    # Level -> colour; the first is that of everything below.
    steps: dict = field(default_factory=dict)
    runbook: str = ""  # the alert whose section helps
    stacked: bool = False
    # A value that has a name: 0 -> "no".
    names: dict = field(default_factory=dict)
    decimals: int | None = None

    def description(self):
        return " ".join(part for part in (self.normal, self.act) if part)


@dataclass
class Dashboard:
    uid: str
    title: str
    description: str
    rows: list  # of (title, [Panel])


def stat(title, expression, normal, act="", **more):
    return Panel(title, [(expression, "")], normal, act, kind="stat", **{"width": 4, **more})


def lines(title, queries, normal, act="", **more):
    return Panel(title, queries, normal, act, **more)


def quantiles(metric, by="", legend=""):
    """The median and the 99th percentile of a histogram."""
    groups = f"le, {by}" if by else "le"
    one = f"sum by ({groups}) (rate({metric}_bucket{{{S}}}{RATE}))"
    return [(f"histogram_quantile({q}, {one})", f"{legend}p{round(100 * q)}") for q in (0.5, 0.99)]


ZERO_IS_GOOD = {None: "green", 1: "red"}

# === Overview ===

OVERVIEW = Dashboard(
    "atalaia-overview",
    "Atalaia / Overview",
    "Is all well? What comes in, what is judged, what is durable, and what is not as it should be.",
    [
        ("Now", [
            stat("Instances ready", f"sum(atalaia_process_ready{{{S}}}) / count(atalaia_build_info{{{S}}})",
                 "Share of the instances that run that are ready; normal is 100 %.", "Else /readyz of the instance says why.",
                 unit="percentunit", steps={None: "red", 1: "green"}, runbook="AtalaiaNotReady"),
            stat("Alerts firing", f'count(ALERTS{{{J},alertname=~"Atalaia.*",alertstate="firing"}}) or vector(0)',
                 "Alerts of atalaia.rules.yml that fire now; normal is none.", "Each has a section in the runbook.",
                 steps={None: "green", 1: "red"}),
            stat("Halted partitions", f"sum(atalaia_sink_halted_partitions{{{S}}})",
                 "Partitions that are not read until somebody decides; normal is 0.", "`atalaia state status` says what is wrong, and the remedy.",
                 steps=ZERO_IS_GOOD, runbook="AtalaiaPartitionHalted"),
            stat("Stuck commits", f"sum(atalaia_sink_stuck_partitions{{{S}}})",
                 "Partitions whose commit the store refuses for lack of a right or a container; normal is 0.", "Grant the right; it goes on by itself.",
                 steps=ZERO_IS_GOOD, runbook="AtalaiaCommitStuck"),
            stat("Objective kept, 6 h", f"1 - max(job:atalaia_objective_missed:ratio6h{{{J}}})",
                 "Share of commits that made their oldest closed window durable in time; the objective is 99 %. Needs the recording rules.",
                 "Below it, look at commits and requests under Storage.",
                 unit="percentunit", decimals=2, steps={None: "red", 0.98: "orange", 0.99: "green"}, runbook="AtalaiaObjectiveMissed"),
            stat("Oldest uncommitted", f"max(atalaia_sink_uncommitted_seconds{{{S}}})",
                 "How long the oldest thing that was read is not durable yet; normal is up to the commit interval.",
                 "More means that commits fail or take long.", unit="s", runbook="AtalaiaCommitLate"),
            stat("Lag", f"max(atalaia_ingest_lag_seconds{{{S}}})",
                 "Age of the last record that was read where more wait, of the partition furthest behind; 0 when all are caught up.",
                 "It is large after a pause and must fall.", unit="s", runbook="AtalaiaLag"),
            stat("Anomalies, 1 h", f"sum(increase(atalaia_score_anomalies_total{{{S}}}{LONG}))",
                 "Windows that are anomalies. What is normal depends on the fleet.", "See Models for the share, by set.", decimals=0),
            stat("Late, 1 h", f"sum(increase(atalaia_aggregate_late_total{{{S}}}{LONG})) / (sum(increase(atalaia_ingest_readings_total{{{S}}}{LONG})) > 0)",
                 "Share of readings that came after their window was closed; normal is well below 1 %.",
                 "They are in the dataset `late`.", unit="percentunit", decimals=2, steps={None: "green", 0.01: "orange"}, runbook="AtalaiaLateReadingsJump"),
            stat("Quarantine, 1 h", f"sum(increase(atalaia_ingest_rejects_total{{{S}}}{LONG})) / (sum(increase(atalaia_ingest_records_total{{{S}}}{LONG})) > 0)",
                 "Share of records that were refused; normal is well below 1 %.",
                 "They are in the dataset `quarantine`, with reasons.", unit="percentunit", decimals=2, steps={None: "green", 0.01: "orange"}, runbook="AtalaiaQuarantineJump"),
            stat("Age of models", f"max(atalaia_score_models_age_seconds{{{S}}})",
                 "How long ago the models in use were published; normal is less than a turn of the retraining loop.",
                 "Else see what became of the last training.", unit="s", runbook="AtalaiaModelsStale"),
            stat("Restarts, 1 d", f"sum(changes(process_start_time_seconds{{{S}}}[1d]))",
                 "Restarts of instances that kept their address; normal is 0, save for upgrades.", "The log of the run before says why it ended.",
                 decimals=0, steps={None: "green", 3: "orange"}, runbook="AtalaiaRestarting"),
        ]),
        ("What it does", [
            lines("Readings", [(f"sum by (instance) (rate(atalaia_ingest_readings_total{{{S}}}{RATE}))", "{{instance}}")],
                  "Readings decoded a second, by instance; follows the fleet.", "Nothing at all for minutes: see lag and errors of the source.", unit="rps", stacked=True),
            lines("Rows by status", [(f"sum by (status) (rate(atalaia_score_rows_total{{{S}}}{RATE}))", "{{status}}")],
                  "Windows a second by what became of them; most are `scored`, in bursts when windows end.",
                  "Many `no_model`: series without models.", unit="rps", stacked=True, runbook="AtalaiaNoModelJump"),
            lines("Share of anomalies", [(f"sum(increase(atalaia_score_anomalies_total{{{S}}}{LONG})) / (sum(increase(atalaia_score_rows_total{{{S},status=\"scored\"}}{LONG})) > 0)", "last hour")],
                  "Share of judged windows that are anomalies; steady, and small.", "A jump after a new set of models: `atalaia models rollback`.",
                  unit="percentunit", runbook="AtalaiaAnomalyJump"),
        ]),
        ("The objective", [
            lines("From close to durable", [*quantiles("atalaia_sink_close_to_durable_seconds"), (f"max(atalaia_sink_max_delay_seconds{{{S}}})", "sink.max_delay")],
                  "How long the oldest closed window of a commit waited until its row was durable: up to `sink.max_delay` by design, then one commit.",
                  "Well above the dashed bound, commits are slow.", unit="s", width=12, runbook="AtalaiaObjectiveBurns"),
            lines("Burn of the allowance", [
                (f"max(job:atalaia_objective_missed:ratio1h{{{J}}}) / 0.01", "last hour"),
                (f"max(job:atalaia_objective_missed:ratio6h{{{J}}}) / 0.01", "last 6 hours"),
                (f"max(job:atalaia_objective_missed:ratio3d{{{J}}}) / 0.01", "last 3 days")],
                  "How much faster than allowed commits come too late: up to 1 the objective is kept. Alerts fire at 14.4 (an hour), 6 (six hours) and 1 (three days). Needs the recording rules.",
                  "Look at Storage.", width=12, steps={None: "green", 1: "orange", 6: "red"}, runbook="AtalaiaObjectiveBurnsFast"),
        ]),
        ("Behind, and resources", [
            lines("Lag by instance", [(f"max by (instance) (atalaia_ingest_lag_seconds{{{S}}})", "{{instance}}")],
                  "Age of what is read where more waits; 0 or near it.", "Rising for long: more instances, or a slow store.", unit="s", runbook="AtalaiaLag"),
            lines("Memory of the budget", [(f"process_resident_memory_bytes{{{S}}} / atalaia_process_memory_budget_bytes{{{S}}}", "{{instance}}")],
                  "Resident memory as a share of the budget; steady, below 80 %.", "From 95 % on, partitions with rows to write are paused.",
                  unit="percentunit", steps={None: "green", 0.8: "orange", 0.95: "red"}, runbook="AtalaiaMemoryNearBudget"),
            lines("Processor", [(f"rate(process_cpu_seconds_total{{{S}}}{RATE})", "{{instance}}")],
                  "Cores that are busy. At `run.workers` for long, it is the limit.", "More cores or more instances.", decimals=2),
            lines("Open files", [(f"process_open_fds{{{S}}}", "{{instance}}"), (f"min(process_max_fds{{{S}}})", "limit")],
                  "Descriptors in use: steady, far below the limit.", "A slope is a leak: report it.", width=8),
            lines("Threads", [(f"process_threads{{{S}}}", "{{instance}}")], "Threads of the process: steady.", "A slope is a leak: report it."),
            Panel("Versions", [(f"count by (version) (atalaia_build_info{{{S}}})", "")], "Instances by version; several only during an upgrade.",
                  kind="table"),
        ]),
    ],
)

# === Pipeline ===

PIPELINE = Dashboard(
    "atalaia-pipeline",
    "Atalaia / Pipeline",
    "From the source to closed windows, by partition: where does it wait?",
    [
        ("Ingest", [
            lines("Records and readings", [
                (f"sum(rate(atalaia_ingest_records_total{{{S}}}{RATE}))", "records"),
                (f"sum(rate(atalaia_ingest_readings_total{{{S}}}{RATE}))", "readings"),
                (f"sum(rate(atalaia_ingest_tombstones_total{{{S}}}{RATE}))", "tombstones")],
                  "What is read, and what it decodes to, a second.", "Readings without records do not exist; records without readings are refused: see below.", unit="rps"),
            lines("Bytes", [(f"sum by (instance) (rate(atalaia_ingest_bytes_total{{{S}}}{RATE}))", "{{instance}}")],
                  "Keys and payloads read a second, by instance.", unit="Bps", stacked=True),
            lines("Refused by reason", [(f"sum by (reason) (rate(atalaia_ingest_rejects_total{{{S}}}{RATE}))", "{{reason}}")],
                  "Records and readings that go to quarantine, a second; few.", "`atalaia preview` shows what is wrong with them.", unit="rps", stacked=True, runbook="AtalaiaQuarantineJump"),
            lines("Lag in seconds", [(f"max by (partition) (atalaia_ingest_lag_seconds{{{S}}})", "{{partition}}")],
                  "Age of the last record read where more wait; 0 when caught up.", "One partition alone: a device that sends too much, or a halted partition.", unit="s", runbook="AtalaiaLag"),
            lines("Lag in records", [(f"sum by (partition) (atalaia_ingest_lag_records{{{S}}})", "{{partition}}")],
                  "Records that wait in the topic, by partition.", "It must fall after a pause."),
            lines("Paused partitions", [(f"sum by (instance) (atalaia_ingest_paused_partitions{{{S}}})", "{{instance}}")],
                  "Partitions that are not read because too many rows wait to be written; 0, save for moments.", "The store is the limit, or memory.", runbook="AtalaiaReadingPaused"),
            lines("Partitions by worker", [(f"sum by (instance, worker) (atalaia_ingest_partitions_assigned{{{S}}})", "{{instance}} worker {{worker}}")],
                  "Partitions of each worker; they differ by one at most.", stacked=True),
            lines("Rebalances", [(f"sum by (kind) (increase(atalaia_ingest_rebalances_total{{{S}}}[10m]))", "{{kind}}")],
                  "Changes of workers' partitions in 10 minutes (Kafka); only when instances come and go.", "Steadily: instances miss their polls or restart.", decimals=0),
            lines("Errors of the source", [(f"sum by (kind) (increase(atalaia_ingest_broker_errors_total{{{S}}}[10m]))", "{{kind}}"), (f"sum(increase(atalaia_ingest_stray_records_total{{{S}}}[10m]))", "stray records")],
                  "Errors of brokers that were logged and retried, in 10 minutes; few.", "With nothing read meanwhile: the source is unreachable.", decimals=0, runbook="AtalaiaSourceUnreachable"),
        ]),
        ("Windows", [
            lines("Delay of clocks", [(f"max by (partition) (atalaia_aggregate_clock_delay_seconds{{{S}}})", "{{partition}}")],
                  "Age of the newest reading of each partition: about the interval at which devices send.", "Rising without lag: the devices are silent, or their times are wrong.", unit="s", runbook="AtalaiaClockStalled"),
            lines("Open windows", [(f"sum by (partition) (atalaia_aggregate_open_windows{{{S}}})", "{{partition}}")],
                  "Windows that hold readings and are open: one or two a series.", "A slope: devices fall silent and their windows wait for `aggregate.close_after`.", stacked=True),
            lines("Windows closed", [(f"sum(rate(atalaia_aggregate_windows_closed_total{{{S}}}{RATE}))", "closed"), (f"sum(rate(atalaia_aggregate_late_total{{{S}}}{RATE}))", "late readings")],
                  "Windows closed a second, and readings that came too late for theirs.", unit="rps", runbook="AtalaiaLateReadingsJump"),
            lines("Closed rows waiting", [(f"sum by (partition) (atalaia_aggregate_closed_rows{{{S}}})", "{{partition}}")],
                  "Rows that wait for a commit, until there are `sink.min_rows` of them or `sink.max_delay` is over.", "Without end: commits fail.", stacked=True),
            lines("Series", [(f"max by (partition) (atalaia_aggregate_series{{{S}}})", "{{partition}}"), (f"min(atalaia_aggregate_series_max{{{S}}})", "limit")],
                  "Series known, by partition; steady.", "Near the limit, readings of further series are refused.", runbook="AtalaiaSeriesNearLimit"),
            lines("Devices", [(f"sum by (partition) (atalaia_aggregate_devices{{{S}}})", "{{partition}}")],
                  "Devices known, by partition; forgotten after `aggregate.device_ttl`.", stacked=True),
            stat("Window", f"max(atalaia_aggregate_window_seconds{{{S}}})", "The configured length of windows; thresholds of alerts rest on it.", unit="s"),
            stat("Unaccounted records", f"sum(abs(atalaia_aggregate_unaccounted_records{{{S}}}))",
                 "Records that are in no account; always 0.", "Else report it: the partition has halted.", steps=ZERO_IS_GOOD, runbook="AtalaiaAccountsWrong"),
            stat("Unaccounted readings", f"sum(abs(atalaia_aggregate_unaccounted_readings{{{S}}}))",
                 "Readings that are in no window and in no dataset; always 0.", "Else report it: the partition has halted.", steps=ZERO_IS_GOOD, runbook="AtalaiaAccountsWrong"),
        ]),
        ("Commits by partition", [
            lines("Not durable since", [(f"max by (partition) (atalaia_sink_uncommitted_seconds{{{S}}})", "{{partition}}")],
                  "How long the oldest thing read is not durable: a saw tooth up to the commit interval.", "A line that only rises: commits fail.", unit="s", runbook="AtalaiaCommitLate"),
            lines("Commit interval", [(f"max by (partition) (atalaia_sink_commit_interval_seconds{{{S}}})", "{{partition}}")],
                  "The least time between two states: `sink.commit_interval`, or more where states are large.", "Well above it: more partitions, or fewer series.", unit="s"),
            lines("Commit latency", quantiles("atalaia_sink_commit_seconds"),
                  "From the beginning of a commit to its end, retries included: well below a second on a healthy store.", "See Storage.", unit="s", runbook="AtalaiaStorageErrors"),
        ]),
        ("Event Hubs only", [
            lines("Connections and links", [(f"sum by (instance) (atalaia_ingest_links{{{S}}})", "links of {{instance}}"), (f"sum(increase(atalaia_ingest_connections_total{{{S}}}[10m]))", "connections opened, 10 min")],
                  "Partitions read over a link; as many as are owned.", "Empty with other sources."),
            lines("Ownership", [(f"sum by (instance) (atalaia_ingest_ownership_partitions{{{S}}})", "{{instance}}"), (f"sum by (kind) (increase(atalaia_ingest_ownership_changes_total{{{S}}}[10m]))", "{{kind}}, 10 min")],
                  "Partitions that each instance has claimed, and changes; changes only when instances come and go.", "Empty with other sources."),
            lines("Failures of links and requests", [
                (f"sum by (kind) (increase(atalaia_ingest_link_failures_total{{{S}}}[10m]))", "link: {{kind}}"),
                (f"sum by (kind) (increase(atalaia_ingest_connection_failures_total{{{S}}}[10m]))", "connection: {{kind}}"),
                (f"sum by (kind) (increase(atalaia_ingest_ownership_failures_total{{{S}}}[10m]))", "claim: {{kind}}")],
                  "Failures in 10 minutes that are tried again; few.", "Empty with other sources, and until the first.", decimals=0, runbook="AtalaiaSourceUnreachable"),
        ]),
    ],
)

# === Models ===

MODELS = Dashboard(
    "atalaia-models",
    "Atalaia / Models and anomalies",
    "Which models judge, how old they are, what they find, and what they are missing.",
    [
        ("Models in use", [
            stat("Models", f"max(atalaia_score_models{{{S}}})", "Models loaded by an instance; about the series of the fleet.", "0: rows have the status `no_model`."),
            stat("Available", f"max(atalaia_score_models_unavailable{{{S}}})", "Whether an instance has no models because their store did not answer since its start.", "The store of models: its address, rights and network.",
                 names={0: "yes", 1: "no"}, steps=ZERO_IS_GOOD, runbook="AtalaiaModelsUnavailable"),
            stat("Published", f"max(atalaia_score_models_age_seconds{{{S}}})", "How long ago the models in use were published.", "Older than a turn of the retraining loop: see its log.", unit="s", runbook="AtalaiaModelsStale"),
            stat("Newest usable", f"max(atalaia_score_reload_failing{{{S}}})", "Whether the newest models could be put to use.", "`atalaia models verify` says what is wrong; those before stay in use.",
                 names={0: "yes", 1: "no"}, steps=ZERO_IS_GOOD, runbook="AtalaiaModelReloadFailed"),
            stat("Files left out", f"sum(atalaia_score_model_files_skipped_total{{{S}}})", "Model files left out because they could not be used (`score.on_bad_model = \"skip\"`); 0.", "`atalaia models verify` names them.", steps={None: "green", 1: "orange"}),
            stat("Memory of models", f"max(atalaia_score_models_bytes{{{S}}})", "Memory of the models of an instance.", unit="bytes"),
            Panel("Sets in use", [(f"count by (model_set) (atalaia_score_model_set_info{{{S}}})", "")], "Instances by the set they use; one set, save for a minute after a new one.", "Two for long: an instance cannot load the newer one.",
                  kind="table", runbook="AtalaiaModelReloadFailed"),
            lines("Age of models", [
                (f"max(atalaia_score_models_age_seconds{{{S}}})", "published"),
                (f"time() - min(atalaia_score_models_oldest_trained_seconds{{{S}}})", "oldest trained"),
                (f"time() - min(atalaia_score_models_median_trained_seconds{{{S}}})", "half of them trained")],
                  "How old the models are, as far as they say. Falls with each retraining.", "A line that only rises: the loop has stopped. Empty for models that do not say when they were trained.", unit="s", runbook="AtalaiaModelsStale"),
            lines("Reloads", [(f"sum(increase(atalaia_score_reloads_total{{{S}}}[10m]))", "put to use"), (f"sum(increase(atalaia_score_reload_failures_total{{{S}}}[10m]))", "failed")],
                  "Newer sets put to use, and those that could not be, in 10 minutes.", decimals=0, runbook="AtalaiaModelReloadFailed"),
            lines("Loading", [(f"max by (instance) (atalaia_score_load_seconds{{{S}}})", "{{instance}}")], "How long the last loading of models took; below `score.load_timeout`.", unit="s"),
            lines("Undated models", [(f"max(atalaia_score_models_undated{{{S}}})", "undated"), (f"max(atalaia_score_models{{{S}}})", "all")], "Models that do not say when they were trained: scikit-learn's files do not."),
        ]),
        ("What became of windows", [
            lines("Rows by status", [(f"sum by (status) (rate(atalaia_score_rows_total{{{S}}}{RATE}))", "{{status}}")], "Windows a second by status; most are `scored`.",
                  "docs/output.md explains each status.", unit="rps", stacked=True),
            lines("Share without a model", [(f"sum(increase(atalaia_score_rows_total{{{S},status=\"no_model\"}}{LONG})) / (sum(increase(atalaia_score_rows_total{{{S}}}{LONG})) > 0)", "last hour")],
                  "Share of windows that found no model; that of new series.", "`atalaia models stale` names them.", unit="percentunit", steps={None: "green", 0.1: "orange"}, runbook="AtalaiaNoModelJump"),
            lines("Coverage", [(f"sum(increase(atalaia_score_rows_total{{{S},status=\"scored\"}}{LONG})) / (sum(increase(atalaia_score_rows_total{{{S}}}{LONG})) > 0)", "last hour")],
                  "Share of windows that were judged; near 100 % where every series has a model.", unit="percentunit", runbook="AtalaiaNoModelJump"),
        ]),
        ("Anomalies", [
            lines("Anomalies", [(f"sum by (instance) (rate(atalaia_score_anomalies_total{{{S}}}{RATE}))", "{{instance}}")], "Windows a second that are anomalies, by instance.", unit="rps", stacked=True),
            lines("Share of anomalies, by set", [
                (f"sum by (instance) (increase(atalaia_score_anomalies_total{{{S}}}{LONG})) / (sum by (instance) (increase(atalaia_score_rows_total{{{S},status=\"scored\"}}{LONG})) > 0) * on (instance) group_left (model_set) max by (instance, model_set) (atalaia_score_model_set_info{{{S}}})", "{{instance}} {{model_set}}")],
                  "Share of judged windows that are anomalies; the name changes with the set in use.", "A jump at a new set: `atalaia models diff`, `atalaia models rollback`.", unit="percentunit", steps={None: "green", 0.05: "orange"}, runbook="AtalaiaAnomalyJump"),
            lines("Scoring", quantiles("atalaia_score_batch_seconds"), "How long one batch of windows takes to be judged: milliseconds.", "More: larger models; `make bench WHAT=scoring` shows what to expect.", unit="s"),
        ]),
    ],
)

# === Storage ===

STORAGE = Dashboard(
    "atalaia-storage",
    "Atalaia / Storage",
    "What becomes durable, how long that takes, and what the store has to say.",
    [
        ("Commits", [
            lines("Commits", [(f"sum by (instance) (rate(atalaia_sink_commits_total{{{S}}}{RATE}))", "{{instance}}")], "Commits a second; about partitions by `sink.commit_interval`.", "None for minutes: see errors.", unit="ops", stacked=True, runbook="AtalaiaCommitLate"),
            lines("Commit latency", quantiles("atalaia_sink_commit_seconds"), "From the beginning of a commit to its end, retries included.", "Near the commit interval, commits are the limit.", unit="s"),
            lines("From close to durable", [*quantiles("atalaia_sink_close_to_durable_seconds"), (f"max(atalaia_sink_max_delay_seconds{{{S}}})", "sink.max_delay")],
                  "The objective: up to `sink.max_delay`, then one commit.", unit="s", runbook="AtalaiaObjectiveBurns"),
            stat("Stuck", f"sum(atalaia_sink_stuck_partitions{{{S}}})", "Partitions whose commit waits for somebody to act; 0.", "A right or a container is missing.", steps=ZERO_IS_GOOD, runbook="AtalaiaCommitStuck"),
            stat("Fenced, 1 h", f"sum(increase(atalaia_sink_fenced_total{{{S}}}{LONG}))", "Times that another owner had taken a partition over; 0, save for rebalances.", "Steadily: two deployments share a state.", decimals=0, steps={None: "green", 10: "orange"}, runbook="AtalaiaFencedRepeatedly"),
            stat("Retries, 1 h", f"sum(increase(atalaia_sink_retries_total{{{S}}}{LONG}))", "Writes that were tried again; few.", "Many: the store throttles or fails.", decimals=0, runbook="AtalaiaStorageErrors"),
        ]),
        ("Requests", [
            lines("Requests by operation", [(f"sum by (operation) (rate(atalaia_sink_storage_request_seconds_count{{{S}}}{RATE}))", "{{operation}}")], "Requests to the stores of results and state, a second: what the store charges for.", unit="reqps", stacked=True),
            lines("Latency, median", [(f"histogram_quantile(0.5, sum by (le, operation) (rate(atalaia_sink_storage_request_seconds_bucket{{{S}}}{RATE})))", "{{operation}}")], "Half of the requests are quicker: 5 to 50 ms in one region.", "Higher for all: network or store.", unit="s"),
            lines("Latency, 99th percentile", [(f"histogram_quantile(0.99, sum by (le, operation) (rate(atalaia_sink_storage_request_seconds_bucket{{{S}}}{RATE})))", "{{operation}}")], "One in a hundred is slower. Below a second.", "Seconds: throttling.", unit="s", runbook="AtalaiaStorageErrors"),
            lines("Errors", [(f"sum by (operation, kind) (rate(atalaia_sink_storage_errors_total{{{S}}}{RATE}))", "{{operation}}: {{kind}}")], "Requests that failed, a second; repeated until they succeed. None, or few.", "What a kind means is in the runbook.", unit="reqps", runbook="AtalaiaStorageErrors"),
            lines("Share of errors", [(f"sum by (operation) (rate(atalaia_sink_storage_errors_total{{{S}}}{RATE})) / (sum by (operation) (rate(atalaia_sink_storage_request_seconds_count{{{S}}}{RATE})) > 0)", "{{operation}}")], "Failed requests of all, by operation; below 1 %.", "Above 5 % an alert fires.", unit="percentunit", steps={None: "green", 0.05: "red"}, runbook="AtalaiaStorageErrors"),
            lines("Retries", [(f"sum by (instance) (rate(atalaia_sink_retries_total{{{S}}}{RATE}))", "{{instance}}")], "Writes that were tried again, a second; none.", unit="ops", runbook="AtalaiaStorageErrors"),
        ]),
        ("Bytes, files, rows", [
            lines("Bytes", [(f"sum by (instance) (rate(atalaia_sink_bytes_total{{{S}}}{RATE}))", "{{instance}}")], "Files and state that became durable, a second.", unit="Bps", stacked=True),
            lines("Rows by dataset", [(f"sum by (dataset) (rate(atalaia_sink_rows_total{{{S}}}{RATE}))", "{{dataset}}")], "Rows that became durable, a second.", unit="rps"),
            lines("Files by dataset", [(f"sum by (dataset) (rate(atalaia_sink_files_total{{{S}}}{RATE}))", "{{dataset}}")], "Files that became visible, a second.", unit="ops"),
            lines("Rows a file", [(f"sum by (dataset) (increase(atalaia_sink_rows_total{{{S}}}{LONG})) / (sum by (dataset) (increase(atalaia_sink_files_total{{{S}}}{LONG})) > 0)", "{{dataset}}")], "Rows a file in the last hour: up to `sink.min_rows` and more.", "Small: a longer `sink.max_delay` makes fewer, larger files."),
            lines("Commit records", [(f"max by (partition) (atalaia_sink_record_bytes{{{S}}})", "{{partition}}"), (f"min(atalaia_sink_record_bytes_max{{{S}}})", "limit")], "Size of the last commit record, by partition.", "Near the limit: more partitions, or a shorter `sink.commit_interval`.", unit="bytes", runbook="AtalaiaRecordNearLimit"),
            lines("States", [(f"max by (partition) (atalaia_sink_state_bytes{{{S}}})", "{{partition}}")], "Size of the packed state, by partition; follows the series.", unit="bytes", runbook="AtalaiaRecordNearLimit"),
        ]),
    ],
)

STORAGE.rows.append(("Forwarding of anomalies", [
    lines("Lag by receiver", [(f"max by (receiver) (atalaia_forward_lag_seconds{{{S}}})", "{{receiver}}")], "Age of the oldest commit whose anomalies a receiver has not acknowledged: seconds. Empty where `[forward]` is off.", "Rising: the receiver is away or slow.", unit="s", steps={None: "green", 600: "red"}, runbook="AtalaiaForwardBehind"),
    lines("Anomalies acknowledged", [(f"sum by (receiver) (rate(atalaia_forward_events_total{{{S}}}{RATE}))", "{{receiver}}")], "Events a second, those that were sent again included.", unit="ops"),
    lines("Failures", [(f"sum by (receiver) (increase(atalaia_forward_retries_total{{{S}}}{LONG}))", "{{receiver}}: again"), (f"sum by (receiver) (increase(atalaia_forward_refused_total{{{S}}}{LONG}))", "{{receiver}}: refused"), (f"sum by (receiver) (increase(atalaia_forward_lost_rows_total{{{S}}}{LONG}))", "{{receiver}}: rows gone")],
          "Within an hour: what was to be sent again, and what did not reach a receiver at all. None, or few of the first.", "The log has the receiver's words.", runbook="AtalaiaForwardLoss"),
]))

DASHBOARDS = [OVERVIEW, PIPELINE, MODELS, STORAGE]

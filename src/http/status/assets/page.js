// The page: asks every two seconds while somebody looks, and says so when nobody answers. It never writes.

import { Chart } from './chart.js';
import { Table } from './tables.js';
import { MARKS, NONE, bytes, clockTime, count, element, measure, moment, momentNear, plural, say, seconds, secondsBetween, svg } from './words.js';

const EVERY_MS = 2000;
const PATIENCE_MS = 4000;
/** Rates are over about this long: steady, and still quick. */
const RATE_MS = 10000;

const PHASES = { reading: 'good', claiming: 'wait', recovering: 'wait', draining: 'wait', paused: 'care', suspected: 'care', halted: 'bad' };

const charts = {
  throughput: new Chart('throughput-chart', 'throughput-read', 'line', 'Records a second'),
  anomalies: new Chart('anomaly-chart', 'anomaly-read', 'bar', 'Anomalies a minute'),
};

const partitions = new Table('partitions', [
  { name: 'Partition', sort: (p) => p.partition, cell: (p) => String(p.partition) },
  { name: 'Phase', sort: (p) => p.phase, cell: phase },
  { name: 'Behind', number: true, sort: (p) => p.lag_seconds, cell: (p) => seconds(p.lag_seconds) },
  { name: 'Records left', number: true, sort: (p) => p.lag_records, cell: (p) => count(p.lag_records) },
  { name: 'Newest event', number: true, sort: (p) => p.clock, cell: (p) => ago(p.clock_delay_seconds) },
  { name: 'Open windows', number: true, sort: (p) => p.open_windows, cell: (p) => count(p.open_windows) },
  { name: 'Rows waiting', number: true, wide: true, sort: (p) => p.closed_rows, cell: (p) => count(p.closed_rows) },
  { name: 'Series', number: true, wide: true, sort: (p) => p.series, cell: (p) => count(p.series) },
  { name: 'Last commit', number: true, sort: (p) => p.last_commit_at, cell: (p) => ago(secondsBetween(p.last_commit_at, latest.now)) },
  { name: 'Not durable', number: true, sort: (p) => p.uncommitted_seconds, cell: (p) => seconds(p.uncommitted_seconds) },
  { name: 'State', number: true, wide: true, sort: (p) => p.state_bytes, cell: (p) => bytes(p.state_bytes) },
  { name: 'Worker', number: true, wide: true, sort: (p) => p.worker, cell: (p) => String(p.worker) },
], { order: 0, nothing: 'This instance owns no partition. If others do, it stands by.' });

const anomalies = new Table('anomalies', [
  { name: 'Device', sort: (a) => a.device, cell: (a) => a.device, className: 'id' },
  { name: 'Sensor', sort: (a) => a.sensor ?? '', cell: (a) => a.sensor ?? 'whole device', className: 'id' },
  { name: 'Severity', number: true, sort: (a) => a.severity ?? -(a.decision ?? 0), cell: severity },
  { name: 'Threshold', number: true, wide: true, sort: (a) => a.threshold, cell: (a) => measure(a.threshold) },
  { name: 'Window (UTC)', sort: (a) => a.window_start, cell: windowStart },
  { name: 'Length', number: true, wide: true, sort: windowSeconds, cell: (a) => seconds(windowSeconds(a)) },
  { name: 'Top feature', sort: (a) => a.top_feature?.name, cell: topFeature },
  { name: 'Effect', number: true, sort: effect, cell: (a) => (effect(a) == null ? NONE : `−${measure(effect(a))}`) },
], { nothing: 'No anomaly since the start.' });

const quarantine = new Table('quarantine', [
  { name: 'Reason', cell: (q) => q.reason.replaceAll('_', ' ') },
  { name: 'Count', number: true, cell: (q) => count(q.count) },
  { name: 'What to do', cell: (q) => q.remedy.replaceAll('`', ''), className: 'text faint' },
], { nothing: 'Nothing was refused since the start.' });

// === How a row is told ===

function phase(partition) {
  const state = PHASES[partition.phase] ?? 'wait';
  const word = element('span', null, 'phase');
  word.dataset.state = state;
  const mark = svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' });
  mark.append(svg('path', { d: MARKS[state] }));
  word.append(mark, element('span', partition.phase));
  if (!partition.why) return word;
  const both = document.createDocumentFragment();
  both.append(word, element('span', partition.why, 'reason'));
  return both;
}

function ago(value) {
  return value == null ? NONE : `${seconds(value)} ago`;
}

function windowSeconds(anomaly) {
  return secondsBetween(anomaly.window_start, anomaly.window_end);
}

function severity(anomaly) {
  if (anomaly.severity != null) return element('span', measure(anomaly.severity), 'alarm');
  return element('span', `decision ${measure(anomaly.decision)}`, 'alarm');
}

function topFeature(anomaly) {
  const top = anomaly.top_feature;
  if (!top) return element('span', NONE, 'faint');
  const both = document.createDocumentFragment();
  both.append(`${top.name} ${measure(top.value)}`, element('span', `, usually ${measure(top.mean)}`, 'faint'));
  return both;
}

function windowStart(anomaly) {
  const time = element('time', momentNear(anomaly.window_start, latest.now));
  time.dateTime = anomaly.window_start;
  return time;
}

/** How far the severity would fall with this feature as usual; where there is none, how far the decision would rise. */
function effect(anomaly) {
  const top = anomaly.top_feature;
  return top == null ? null : (top.severity_fall ?? top.decision_rise);
}

// === What is known ===

const latest = { now: null, totals: null, startedAt: null, answeredAt: null };
/** Totals with the time at which they came, for rates. */
let samples = [];
let state = null;
let ticks = 0;

class NoAnswer extends Error {}

async function ask(name) {
  try {
    const answer = await fetch(`api/v1/${name}`, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.ok) return await answer.json();
    throw new NoAnswer(`${name}: ${answer.status}`);
  } catch (error) {
    throw new NoAnswer(name, { cause: error });
  }
}

async function refresh() {
  const status = await ask('status');
  const isNew = status.started_at !== latest.startedAt;
  const before = isNew ? null : latest.totals;
  if (isNew) samples = [];
  latest.now = status.now;
  latest.answeredAt = new Date();
  const changed = (field) => before == null || before[field] !== status.totals[field];
  const jobs = [ask('partitions').then(showPartitions), ask('models').then(showModels)];
  if (isNew || ticks % 5 === 0) jobs.push(ask('throughput').then(showThroughput));
  if (changed('anomalies')) jobs.push(ask('anomalies').then(showAnomalies));
  if (changed('quarantined')) jobs.push(ask('quarantine').then(showQuarantine));
  if (isNew) jobs.push(ask('config').then(showConfig));
  showStatus(status);
  await Promise.all(jobs);
  // Only now: what failed half-way is asked for again.
  latest.totals = status.totals;
  latest.startedAt = status.started_at;
  ticks += 1;
}

function verdict(next, word, why) {
  const box = document.getElementById('verdict');
  say('word', word);
  say('why', why ?? '');
  if (state !== next) {
    box.dataset.state = next;
    document.getElementById('mark').setAttribute('d', MARKS[next]);
    // Only a change is announced, not every answer.
    say('announce', why ? `${word}: ${why}` : word);
    state = next;
  }
}

function showStatus(status) {
  document.title = `${status.ready.ok && status.live.ok ? '' : '! '}${status.pipeline} · Atalaia`;
  say('pipeline', status.pipeline);
  say('facts', `Atalaia ${status.version} on ${status.instance} · up ${seconds(secondsBetween(status.started_at, status.now))} · ${clockTime(status.now)}\u00a0UTC`);
  delete document.body.dataset.stale;
  if (!status.live.ok) verdict('bad', 'Stuck', status.live.why);
  else if (!status.ready.ok) verdict('care', 'Not ready', status.ready.why);
  else verdict('good', 'Ready', null);

  samples.push({ at: Date.parse(status.now), totals: status.totals });
  while (samples.length > 2 && samples[1].at <= samples.at(-1).at - RATE_MS) samples.shift();
  const [first, last] = [samples[0], samples.at(-1)];
  const rate = (field) => (last.at > first.at ? ((last.totals[field] - first.totals[field]) * 1000) / (last.at - first.at) : null);
  say('records', measure(rate('records')));
  say('rows', measure(rate('rows')));
  say('quarantine-hint', `${count(status.totals.quarantined)} refused · ${plural(status.totals.late, 'late reading', 'late readings')} since the start`);
}

function showPartitions({ partitions: list }) {
  partitions.show(list);
  const largest = (field) => list.reduce((most, p) => (p[field] == null ? most : Math.max(most ?? 0, p[field])), null);
  const left = list.reduce((sum, p) => (p.lag_records == null ? sum : (sum ?? 0) + p.lag_records), null);
  say('lag', seconds(largest('lag_seconds')));
  say('lag-records', left == null ? '' : left === 0 ? 'caught up' : `${plural(left, 'record', 'records')} left`);
  say('waiting', seconds(largest('uncommitted_seconds')));
  // Closed windows are judged when they are written: behind a slow store they are not among the judged ones.
  const closed = list.reduce((sum, p) => sum + p.closed_rows, 0);
  say('rows-waiting', closed === 0 ? 'a second' : `a second · ${count(closed)} closed ones wait`);
  const reading = list.filter((p) => p.phase === 'reading').length;
  // A pipeline reads one topic.
  say('partitions-hint', list.length === 0 ? '' : `${list[0].topic} · ${plural(list.length, 'partition', 'partitions')} here, ${count(reading)} reading`);
}

function showThroughput({ step_seconds: step, until, records, anomalies: found }) {
  charts.throughput.show(until.map((time, index) => ({ until: time, value: records[index] / step, seconds: step })));
  const minute = Math.max(1, Math.round(60 / step));
  const bars = [];
  // From the newest back, so that whole minutes stand at the right.
  for (let end = until.length; end > 0; end -= minute) {
    const start = Math.max(0, end - minute);
    const sum = found.slice(start, end).reduce((total, value) => total + value, 0);
    bars.unshift({ until: until[end - 1], value: sum, seconds: (end - start) * step });
  }
  charts.anomalies.show(bars);
  const total = found.reduce((sum, value) => sum + value, 0);
  say('anomalies-hour', count(total));
  const covered = until.length * step;
  say('anomalies-span', covered < 3590 ? `in ${seconds(covered)}` : 'in the last hour');
}

function showAnomalies({ kept_max: most, anomalies: list }) {
  anomalies.show(list);
  const many = list.length < most ? plural(list.length, 'window', 'windows') : `the newest ${count(most)} windows`;
  say('anomalies-hint', list.length === 0 ? '' : `${many} · effect: what severity loses with the top feature as usual`);
}

function showQuarantine({ reasons }) {
  quarantine.show(reasons);
}

const MODEL_STATES = {
  loaded: 'loaded',
  none: 'none configured or none found: windows are not judged',
  loading: 'being loaded',
  unavailable: 'cannot be loaded yet: it is tried again',
};

function showModels(models) {
  const pairs = [['State', MODEL_STATES[models.state] ?? models.state]];
  if (models.set != null) pairs.push(['Set', models.set]);
  if (models.count > 0) pairs.push(['Models', count(models.count)], ['Memory', bytes(models.bytes)]);
  if (models.skipped > 0) pairs.push(['Left out', `${plural(models.skipped, 'file', 'files')} that could not be used`]);
  if (models.published_at != null) pairs.push(['Published', `${moment(models.published_at)} UTC, ${ago(models.age_seconds)}`]);
  const made = pairs.flatMap(([name, value]) => [element('dt', name), element('dd', value)]);
  const place = document.getElementById('models');
  const same = place.children.length === made.length && made.every((node, index) => node.isEqualNode(place.children[index]));
  if (!same) place.replaceChildren(...made);
}

/** As it would be written in a file: what is not set is left out. */
function showConfig(config) {
  const lines = [];
  const section = (path, fields) => {
    const plain = Object.entries(fields).filter(([, value]) => value !== null && (typeof value !== 'object' || Array.isArray(value)));
    const nested = Object.entries(fields).filter(([, value]) => value !== null && typeof value === 'object' && !Array.isArray(value));
    if (path && plain.length > 0) lines.push('', `[${path}]`);
    for (const [name, value] of plain) lines.push(`${key(name)} = ${JSON.stringify(value)}`);
    for (const [name, value] of nested) section(path ? `${path}.${key(name)}` : key(name), value);
  };
  const key = (name) => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name));
  section('', config);
  say('config', lines.join('\n').trim());
}

// === The loop ===

let timer = null;
let asking = false;

async function turn() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    await refresh();
  } catch (error) {
    if (!(error instanceof NoAnswer)) console.error(error);
    const since = latest.answeredAt ? `Nobody has answered since ${latest.answeredAt.toISOString().slice(11, 19)} UTC. What is shown is from then.` : 'Nobody answers. It is tried again.';
    document.body.dataset.stale = '';
    document.title = '! No answer · Atalaia';
    verdict('bad', 'No answer', since);
    // Figures from before would make a wrong rate.
    samples = [];
  } finally {
    asking = false;
    if (!document.hidden) timer = setTimeout(turn, EVERY_MS);
  }
}

document.addEventListener('visibilitychange', turn);
turn();

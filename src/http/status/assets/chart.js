// Charts of the last hour: one series each, a cursor for pointer and keyboard, and what they show in words.

import { clockTime, measure, svg } from './words.js';

const LEFT = 44;
const BOTTOM = 18;
const TOP = 8;
/** How much a chart covers, in minutes: more only when there is more. */
const SPANS = [10, 30, 60];

/** The least round number that is not below. */
function roundAbove(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999) ?? 10 * power;
}

function axisLabel(value) {
  if (value >= 1e6) return `${measure(value / 1e6)} M`;
  return value >= 1e4 ? `${measure(value / 1e3)} k` : measure(value);
}

export class Chart {
  /** `kind` is `line` or `bar`; `unit` follows a figure: "records a second". */
  constructor(id, readId, kind, title, unit) {
    this.root = document.getElementById(id);
    this.read = document.getElementById(readId);
    Object.assign(this, { kind, title, unit, points: [], chosen: null });
    this.root.addEventListener('pointermove', (event) => this.point(event));
    this.root.addEventListener('pointerleave', () => this.choose(null));
    this.root.addEventListener('keydown', (event) => this.key(event));
    this.root.addEventListener('blur', () => this.choose(null));
    new ResizeObserver(() => this.draw()).observe(this.root);
  }

  /** Points are `{ until, value, seconds }`, the newest last. */
  show(points) {
    // A cursor stays at its time while points move on.
    const held = this.chosen == null ? null : this.points[this.chosen]?.until;
    this.points = points;
    const kept = points.findIndex((point) => point.until === held);
    this.chosen = kept < 0 ? null : kept;
    this.draw();
  }

  draw() {
    const { width, height } = this.root.getBoundingClientRect();
    if (width < LEFT + 20) return;
    const inner = { width: width - LEFT - 6, height: height - BOTTOM - TOP };
    const top = roundAbove(Math.max(0, ...this.points.map((point) => point.value)));
    const end = this.points.length > 0 ? Date.parse(this.points.at(-1).until) : Date.now();
    const begin = this.points.length > 0 ? Date.parse(this.points[0].until) - this.points[0].seconds * 1000 : end;
    const span = SPANS.find((minutes) => minutes * 60000 >= end - begin) ?? SPANS.at(-1);
    const x = (time) => LEFT + inner.width * Math.max(0, 1 - (end - time) / 60000 / span);
    const y = (value) => TOP + inner.height * (1 - value / top);
    this.x = (point) => x(Date.parse(point.until));

    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const at = Math.round(y(top * share)) + 0.5;
      parts.push(svg('line', { class: share === 0 ? 'axis' : 'grid', x1: LEFT, x2: width - 6, y1: at, y2: at }));
      parts.push(svg('text', { x: LEFT - 7, y: at + 4, 'text-anchor': 'end' }, axisLabel(top * share)));
    }
    for (const share of inner.width < 340 ? [1, 0.5, 0] : [1, 0.75, 0.5, 0.25, 0]) {
      const minutes = span * share;
      const anchor = share === 1 ? 'start' : minutes === 0 ? 'end' : 'middle';
      const text = minutes === 0 ? 'now' : `−${minutes} min`;
      parts.push(svg('text', { x: x(end - minutes * 60000), y: height - 3, 'text-anchor': anchor }, text));
    }
    parts.push(...(this.kind === 'line' ? this.line(x, y) : this.bars(x, y)));
    const chosen = this.points[this.chosen ?? -1];
    if (chosen) {
      const at = Math.round(this.x(chosen)) + 0.5;
      parts.push(svg('line', { class: 'cursor', x1: at, x2: at, y1: TOP, y2: y(0) }));
    }
    this.root.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.root.replaceChildren(...parts);
    this.tell();
  }

  line(x, y) {
    if (this.points.length === 0) return [];
    const step = (this.points[0].seconds ?? 10) * 1000;
    const corners = [];
    for (const point of this.points) corners.push([x(Date.parse(point.until)), y(point.value)]);
    // A step has a width: the first one begins before its end.
    corners.unshift([x(Date.parse(this.points[0].until) - step), corners[0][1]]);
    const path = corners.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${px.toFixed(1)} ${py.toFixed(1)}`).join('');
    const floor = y(0).toFixed(1);
    const area = `${path}L${corners.at(-1)[0].toFixed(1)} ${floor}L${corners[0][0].toFixed(1)} ${floor}Z`;
    return [svg('path', { class: 'area', d: area }), svg('path', { class: 'line', d: path })];
  }

  bars(x, y) {
    return this.points
      .filter((point) => point.value > 0)
      .map((point) => {
        const top = y(point.value);
        const end = Date.parse(point.until);
        const left = x(end - point.seconds * 1000) + 0.75;
        const wide = Math.max(1.5, x(end) - 0.75 - left);
        const high = Math.max(1, y(0) - top);
        return svg('rect', { class: 'bar', x: left.toFixed(1), y: (y(0) - high).toFixed(1), width: wide.toFixed(1), height: high.toFixed(1) });
      });
  }

  /** For those who hear it, and beside the title for those who see it. */
  tell() {
    if (this.points.length === 0) {
      this.root.setAttribute('aria-label', `${this.title}: no figures yet`);
      this.read.textContent = '';
      return;
    }
    const last = this.points.at(-1);
    const highest = this.points.reduce((best, point) => (point.value > best.value ? point : best));
    const lowest = this.points.reduce((best, point) => (point.value < best.value ? point : best));
    const since = clockTime(this.points[0].until);
    this.root.setAttribute(
      'aria-label',
      `${this.title} since ${since}: last ${measure(last.value)}, highest ${measure(highest.value)} at ${clockTime(highest.until)}, lowest ${measure(lowest.value)}`,
    );
    const chosen = this.points[this.chosen ?? -1];
    const text = chosen ? `${clockTime(chosen.until)}: ${measure(chosen.value)}` : `last ${measure(last.value)} · highest ${measure(highest.value)}`;
    if (this.read.textContent !== text) this.read.textContent = text;
  }

  choose(index) {
    if (index === this.chosen) return;
    this.chosen = index;
    this.draw();
  }

  point(event) {
    if (this.points.length === 0) return;
    const at = event.clientX - this.root.getBoundingClientRect().left;
    let best = 0;
    this.points.forEach((point, index) => {
      if (Math.abs(this.x(point) - at) < Math.abs(this.x(this.points[best]) - at)) best = index;
    });
    this.choose(best);
  }

  key(event) {
    const last = this.points.length - 1;
    if (last < 0) return;
    const from = this.chosen ?? last + 1;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(to === null ? null : Math.min(last, Math.max(0, to)));
  }
}

// How figures and times are said. Whatever came over the network becomes text, never markup.

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

export const NONE = '–';

export function count(value) {
  return value == null ? NONE : grouped.format(value);
}

/** A rate or a measure: enough digits to tell it from another, and not more. */
export function measure(value) {
  if (value == null) return NONE;
  const size = Math.abs(value);
  if (size >= 1000) return size >= 1e9 ? value.toExponential(2) : grouped.format(value);
  return size > 0 && size < 0.001 ? value.toExponential(1) : fine.format(value);
}

export function seconds(value) {
  if (value == null) return NONE;
  if (value < 0.95) return value < 0.05 ? '0 s' : `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  if (value < 172800) return `${Math.round(value / 3600)} h`;
  return `${grouped.format(value / 86400)} d`;
}

export function bytes(value) {
  if (value == null) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : fine.format(value)} ${units[unit]}`;
}

/** `2026-02-01 06:00:00`, in UTC as all times of the service. */
export function moment(text) {
  return text == null ? NONE : text.replace('T', ' ').replace(/(\.\d+)?Z$/, '');
}

/** Without the date where it is clear: within half a day. */
export function momentNear(text, now) {
  return Math.abs(Date.parse(text) - Date.parse(now)) < 43200000 ? clockTime(text) : moment(text);
}

export function clockTime(text) {
  return text == null ? NONE : moment(text).slice(11);
}

export function secondsBetween(earlier, later) {
  return earlier == null || later == null ? null : Math.max(0, (Date.parse(later) - Date.parse(earlier)) / 1000);
}

export function plural(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** An element with text in it. */
export function element(name, text, className) {
  const made = document.createElement(name);
  if (text != null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function svg(name, attributes, text) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text != null) made.textContent = text;
  return made;
}

/** Sets a text only if it is another: what did not change is not announced, and a selection stays. */
export function say(id, text) {
  const place = typeof id === 'string' ? document.getElementById(id) : id;
  if (place.textContent !== text) place.textContent = text;
}

/** Shapes for states, so that colour is never alone. */
export const MARKS = {
  good: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z',
  care: 'M8 1.5 15.2 14H.8z',
  bad: 'M2.5 2.5h11v11h-11z',
  wait: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 2.2a3.8 3.8 0 1 1 0 7.6 3.8 3.8 0 0 1 0-7.6z',
};

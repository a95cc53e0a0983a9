// Plots as SVG, drawn at the size they have; a pointer or the arrow keys look at one moment.

import { SPAN_SECONDS } from "./history.js";

const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 44, right: 10, top: 10, bottom: 22 };
const SHORTEST_SECONDS = 120;
const TIME_STEPS = [15, 30, 60, 120, 180, 300];
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const exactly = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.map((child) => child ?? ""));
  return element;
}

/** A round number not below the value, and the steps up to it. */
function scale(most, least, whole) {
  const top = Math.max(most, least);
  const power = 10 ** Math.floor(Math.log10(top / 3));
  const step = Math.max([1, 2, 2.5, 5, 10, 20].map((each) => each * power).find((each) => top / each <= 4 && !(whole && each % 1)), whole ? 1 : 0);
  const steps = Math.ceil(top / step - 1e-9);
  return { top: steps * step, ticks: Array.from({ length: steps + 1 }, (_, index) => index * step) };
}

const path = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

class Chart {
  constructor(id, options) {
    this.options = options;
    this.host = document.getElementById(`${id}-chart`);
    this.legend = document.getElementById(`${id}-legend`);
    this.title = this.host.closest("section").querySelector("h2").textContent;
    this.looking = null;
    this.data = [];
    this.#prepare();
    new ResizeObserver(() => this.draw(this.data)).observe(this.host);
  }

  #prepare() {
    this.root = svg("svg", { role: "img", tabindex: "0", "aria-label": this.title });
    this.host.replaceChildren(this.root);
    this.when = html("span", { class: "when" });
    this.entries = this.options.series.map((each) => {
      const value = html("b");
      const entry = html("span", { class: "entry" }, html("i", { class: `key ${each.look}`, "aria-hidden": "true" }), each.label, " ", value);
      return { entry, value };
    });
    this.legend.replaceChildren(this.when, ...this.entries.map(({ entry }) => entry));
    this.root.addEventListener("pointermove", (event) => this.#look(this.indexAt(event.clientX - this.root.getBoundingClientRect().left)));
    this.root.addEventListener("pointerleave", () => this.#look(null));
    this.root.addEventListener("blur", () => this.#look(null));
    this.root.addEventListener("keydown", (event) => this.#step(event));
  }

  #step(event) {
    const end = this.data.length - 1;
    const at = this.looking ?? end;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: end, Escape: null }[event.key];
    if (next === undefined || end < 0) return;
    event.preventDefault();
    this.legend.setAttribute("aria-live", "polite");
    this.#look(next === null ? null : Math.min(Math.max(next, 0), end));
  }

  #look(index) {
    this.looking = index;
    this.draw(this.data);
  }

  draw(data) {
    this.data = data;
    const { width, height } = this.host.getBoundingClientRect();
    if (width < 60 || height < 60) return;
    this.left = this.options.left ?? EDGE.left;
    this.inner = { width: width - this.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.root.replaceChildren(...this.paint(width, height));
    this.#tell();
  }

  #tell() {
    const index = this.looking ?? this.data.length - 1;
    const point = this.data[index];
    this.when.textContent = this.looking === null || !point ? "" : this.nameOf(index);
    const texts = this.options.series.map((each, place) => {
      const value = point ? each.value(point) : null;
      const text = value === null || value === undefined ? "–" : this.options.format(value);
      this.entries[place].value.textContent = text;
      return `${each.label} ${text}`;
    });
    this.root.setAttribute("aria-label", `${this.title}: ${texts.join(", ")}. Arrow keys move through time.`);
  }

  grid(ticks, y, width) {
    return ticks.flatMap((tick) => [
      svg("line", { class: tick ? "rule" : "axis", x1: this.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }),
      svg("text", { class: "tick", x: this.left - 8, y: y(tick) + 4, "text-anchor": "end" }, this.options.tick?.(tick) ?? this.options.format(tick)),
    ]);
  }
}

/** Lines or stacked areas over what the page has seen, a quarter of an hour at most. */
export class TimeChart extends Chart {
  paint(width, height) {
    const now = Math.max(Date.now() / 1000, this.data.at(-1)?.at ?? 0);
    const span = Math.min(SPAN_SECONDS, Math.max(SHORTEST_SECONDS, now - (this.data[0]?.at ?? now)));
    const x = (at) => this.left + this.inner.width * (1 - (now - at) / span);
    this.x = x;
    const layers = this.#layers();
    const most = Math.max(0, ...layers.flatMap(({ rows }) => rows.map((row) => row.high ?? 0)));
    const { top, ticks } = scale(most, this.options.least, this.options.whole);
    const y = (value) => EDGE.top + this.inner.height * (1 - value / top);
    const parts = [...this.grid(ticks, y, width), ...this.#times(now, span, x, height)];
    for (const layer of layers) parts.push(...this.#layer(layer, x, y));
    if (this.looking !== null && this.data[this.looking]) parts.push(...this.#cross(layers, x, y));
    return parts;
  }

  #layers() {
    const below = this.data.map(() => 0);
    return this.options.series.map((series) => ({
      series,
      rows: this.data.map((point, index) => {
        const value = series.value(point);
        if (value === null || value === undefined) return { at: point.at, high: null, gap: point.gap };
        const low = this.options.stacked ? below[index] : 0;
        below[index] = low + value;
        return { at: point.at, low, high: low + value, gap: point.gap };
      }),
    }));
  }

  #layer({ series, rows }, x, y) {
    const runs = [[]];
    for (const row of rows) {
      if (row.high === null || row.gap) runs.push([]);
      if (row.high !== null) runs.at(-1).push(row);
    }
    return runs.filter((run) => run.length).flatMap((run) => {
      const line = run.map((row) => [x(row.at), y(row.high)]);
      const marks = [];
      if (series.area) marks.push(svg("path", { class: `area ${series.look}`, d: `${path([...line, ...run.toReversed().map((row) => [x(row.at), y(row.low)])])}Z` }));
      if (!series.area || !this.options.stacked || run.some((row) => row.high > row.low)) marks.push(svg("path", { class: `line ${series.look}`, d: path(line) }));
      if (run.length === 1) marks.push(svg("circle", { class: `dot ${series.look}`, cx: line[0][0], cy: line[0][1], r: 2 }));
      return marks;
    });
  }

  #times(now, span, x, height) {
    const every = TIME_STEPS.find((each) => (this.inner.width * each) / span >= 84) ?? 300;
    const first = Math.ceil((now - span * 0.97) / every) * every;
    const format = every < 60 ? exactly : clock;
    const times = [];
    for (let at = first; at <= now - span * 0.02; at += every) {
      times.push(svg("text", { class: "tick", x: x(at), y: height - 6, "text-anchor": "middle" }, format.format(at * 1000)));
    }
    return times;
  }

  #cross(layers, x, y) {
    const at = x(this.data[this.looking].at);
    const line = svg("line", { class: "cross", x1: at, x2: at, y1: EDGE.top, y2: EDGE.top + this.inner.height });
    const dots = layers.filter(({ rows }) => rows[this.looking].high !== null && rows[this.looking].high !== rows[this.looking].low).map(({ series, rows }) =>
      svg("circle", { class: `dot ${series.look}`, cx: at, cy: y(rows[this.looking].high), r: 4 }));
    return [line, ...dots];
  }

  indexAt(offset) {
    if (!this.data.length || !this.x) return null;
    const far = this.data.map((point) => Math.abs(this.x(point.at) - offset));
    return far.indexOf(Math.min(...far));
  }

  nameOf(index) {
    return exactly.format(this.data[index].at * 1000);
  }
}

/** Stacked bars, one for each hour, the present one last. */
export class HourChart extends Chart {
  paint(width, height) {
    const totals = this.data.map((point) => this.options.series.reduce((total, each) => total + each.value(point), 0));
    const { top, ticks } = scale(Math.max(0, ...totals), this.options.least, true);
    const y = (value) => EDGE.top + this.inner.height * (1 - value / top);
    const step = this.inner.width / Math.max(this.data.length, 1);
    const parts = [...this.grid(ticks, y, width)];
    this.data.forEach((point, index) => {
      let below = 0;
      const left = this.left + index * step;
      for (const series of this.options.series) {
        const value = series.value(point);
        if (value) parts.push(svg("rect", { class: `bar ${series.look} ${this.looking === index ? "seen" : ""}`, x: left + step * 0.14, width: step * 0.72, y: y(below + value), height: Math.max(1, y(below) - y(below + value)), rx: Math.min(2, step * 0.2) }));
        below += value;
      }
      const ago = this.data.length - 1 - index;
      const every = this.inner.width > 420 ? 6 : 12;
      if (ago % every === 0) parts.push(svg("text", { class: "tick", x: left + step / 2, y: height - 6, "text-anchor": "middle" }, ago ? `−${ago} h` : "now"));
    });
    return parts;
  }

  indexAt(offset) {
    const index = Math.floor(((offset - this.left) / this.inner.width) * this.data.length);
    return index >= 0 && index < this.data.length ? index : null;
  }

  nameOf(index) {
    const ago = this.data.length - 1 - index;
    return ago ? `${ago} h ago` : "this hour";
  }
}

/** A name that may be broken behind its slashes, dots and underscores. */
export function breakable(text) {
  return html("span", {}, ...text.split(/(?<=[/._-])/).flatMap((part, index) => (index ? [html("wbr"), part] : [part])));
}

/** A small line without axes. */
export function spark(values, look) {
  const width = 120, height = 30;
  const known = values.filter((value) => value !== null);
  const most = Math.max(1e-9, ...known);
  if (most === 1e-9) look = "plain";
  const root = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  if (known.length < 2) return root;
  const step = width / (values.length - 1);
  const points = values.map((value, index) => [index * step, height - 2 - ((value ?? 0) / most) * (height - 5)]);
  root.append(svg("path", { class: `area ${look}`, d: `${path([...points, [width, height], [0, height]])}Z` }), svg("path", { class: `line ${look}`, d: path(points) }));
  return root;
}

/** Small bars without axes. */
export function bars(values, look) {
  const most = Math.max(1, ...values);
  const root = svg("svg", { class: "bars", viewBox: `0 0 ${values.length * 4} 20`, "aria-hidden": "true" });
  values.forEach((value, index) => {
    const tall = value ? Math.max(1.5, (value / most) * 20) : 0.6;
    root.append(svg("rect", { class: `bar ${value ? look : "none"}`, x: index * 4, y: 20 - tall, width: 3, height: tall }));
  });
  return root;
}

// What the page saw in the last quarter of an hour: totals of the server become differences between two looks.

export const SPAN_SECONDS = 900;
const WINDOW_SECONDS = 30;
const KEPT = "lifevault.operator.history";

// A total that is less than before was begun anew.
const less = (now, before) => now.map((value, index) => (value < (before?.[index] ?? 0) ? value : value - (before?.[index] ?? 0)));
const keyOf = (route) => `${route.method} ${route.route}`;
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** The number below which a share of the answers lies, in seconds; linear within a bound. */
export function quantile(bounds, buckets, share) {
  const total = sum(buckets);
  if (!total) return null;
  let rest = share * total;
  for (let index = 0; index < buckets.length; index += 1) {
    if (rest <= buckets[index] && buckets[index]) {
      const low = index ? bounds[index - 1] : 0;
      const high = bounds[index] ?? bounds[bounds.length - 1];
      return low + ((high - low) * rest) / buckets[index];
    }
    rest -= buckets[index];
  }
  return bounds[bounds.length - 1];
}

export class History {
  constructor() {
    this.points = [];
    this.bounds = [];
    this.last = null;
    this.#load();
  }

  /** Take in what the server tells now. */
  add(figures) {
    const { traffic } = figures;
    const at = Date.parse(figures.at) / 1000;
    const before = this.last?.process === traffic.process ? this.last : null;
    this.bounds = traffic.bounds;
    if (before && at > before.at) this.points.push(this.#point(at, before, figures));
    this.last = this.#totals(at, traffic);
    this.points = this.points.filter((point) => point.at > at - SPAN_SECONDS);
  }

  #totals(at, traffic) {
    const routes = Object.fromEntries(traffic.routes.map((each) => [keyOf(each), each]));
    return { at, process: traffic.process, every: traffic.every, routes };
  }

  #point(at, before, figures) {
    const { traffic, waiting, pool } = figures;
    const seconds = at - before.at;
    const routes = {};
    for (const each of traffic.routes) {
      const old = before.routes[keyOf(each)];
      const buckets = less(each.buckets, old?.buckets);
      if (sum(buckets) > 0) routes[keyOf(each)] = { buckets, answers: less(each.answers, old?.answers) };
    }
    const answers = less(traffic.every.answers, before.every.answers);
    const buckets = less(traffic.every.buckets, before.every.buckets);
    const point = { at, seconds, answers, buckets, routes, gap: seconds > 60 };
    point.rates = answers.map((count) => count / seconds);
    point.queued = waiting.queued;
    point.running = waiting.running;
    point.oldest = waiting.oldest_seconds;
    point.inUse = pool.in_use;
    point.open = pool.open;
    const near = [...this.points.filter((each) => each.at > at - WINDOW_SECONDS), point];
    const recent = near.reduce((total, each) => total.map((count, index) => count + each.buckets[index]), buckets.map(() => 0));
    point.p50 = quantile(traffic.bounds, recent, 0.5);
    point.p95 = quantile(traffic.bounds, recent, 0.95);
    return point;
  }

  /** Routes with what was measured since the server started, or in the time that the page knows. */
  routes(traffic, recent) {
    const found = new Map();
    if (!recent) for (const each of traffic.routes) found.set(keyOf(each), each);
    else {
      for (const point of this.points) {
        for (const [key, each] of Object.entries(point.routes)) {
          const known = found.get(key) ?? { buckets: each.buckets.map(() => 0), answers: each.answers.map(() => 0) };
          known.buckets = known.buckets.map((count, index) => count + each.buckets[index]);
          known.answers = known.answers.map((count, index) => count + each.answers[index]);
          found.set(key, known);
        }
      }
    }
    return [...found].map(([key, each]) => ({
      method: key.slice(0, key.indexOf(" ")),
      route: key.slice(key.indexOf(" ") + 1),
      count: sum(each.buckets),
      refused: each.answers[2],
      failed: each.answers[3],
      p50: quantile(this.bounds, each.buckets, 0.5),
      p95: quantile(this.bounds, each.buckets, 0.95),
    })).sort((one, other) => other.count - one.count);
  }

  /** Answers by class in so many seconds before now. */
  answersWithin(seconds) {
    const since = (this.last?.at ?? 0) - seconds;
    const near = this.points.filter((point) => point.at > since);
    return near.reduce((total, point) => total.map((count, index) => count + point.answers[index]), [0, 0, 0, 0]);
  }

  /** Keep it for when the page is loaded again: numbers only, and only as long as the tab. */
  save() {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ points: this.points, bounds: this.bounds, last: this.last }));
    } catch { /* full or forbidden: the plots begin anew */ }
  }

  static forget() {
    try { sessionStorage.removeItem(KEPT); } catch { /* forbidden: nothing was kept */ }
  }

  #load() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
      if (kept) Object.assign(this, kept);
    } catch { /* not ours: the plots begin anew */ }
  }
}

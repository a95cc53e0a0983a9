// The operators' page: asks for the figures every few seconds, and shows them.

import { HourChart, TimeChart, bars, breakable, html, spark } from "./charts.js";
import { History } from "./history.js";

const EVERY_SECONDS = 5;
const FIRST_SECONDS = [1, 1, 2];
const LONGEST_PAUSE_SECONDS = 30;
const SHOWN_ROUTES = 16;
const LATE_SECONDS = 120;
const SLOW_SECONDS = 1;
const ATTENTION = 300;

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const byId = (id) => document.getElementById(id);
const counted = (count, one, many) => `${whole.format(count)} ${count === 1 ? one : many}`;
const percent = (share) => `${share >= 0.1 || share === 0 ? Math.round(share * 100) : (share * 100).toFixed(1)} %`;

function seconds(value) {
  if (value === null) return "–";
  if (value < 1) return `${exact.format(value * 1000)} ms`;
  if (value < 120) return `${exact.format(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} d`;
}

function age(value) {
  return value < 1 ? "0 s" : seconds(Math.round(value));
}

function money(cents, currency) {
  const format = new Intl.NumberFormat("en-GB", { style: "currency", currency: currency.toUpperCase() });
  return format.format(cents / 10 ** format.resolvedOptions().maximumFractionDigits);
}

const history = new History();
const charts = {
  requests: new TimeChart("requests", {
    stacked: true, least: 1, format: (value) => exact.format(value),
    series: [
      { label: "2xx", look: "good", area: true, value: (point) => point.rates[0] },
      { label: "3xx", look: "plain", area: true, value: (point) => point.rates[1] },
      { label: "4xx", look: "warn", area: true, value: (point) => point.rates[2] },
      { label: "5xx", look: "bad", area: true, value: (point) => point.rates[3] },
    ],
  }),
  latency: new TimeChart("latency", {
    least: 0.01, left: 58, format: seconds, tick: (value) => (value ? seconds(value) : "0"),
    series: [
      { label: "p95", look: "second", area: true, value: (point) => point.p95 },
      { label: "p50", look: "good", value: (point) => point.p50 },
    ],
  }),
  pool: new TimeChart("pool", {
    least: 4, whole: true, left: 34, format: (value) => whole.format(value),
    series: [
      { label: "open", look: "plain", area: true, value: (point) => point.open },
      { label: "in use", look: "cool", area: true, value: (point) => point.inUse },
    ],
  }),
  queue: new TimeChart("queue", {
    stacked: true, least: 4, whole: true, left: 34, format: (value) => whole.format(value),
    series: [
      { label: "running", look: "good", area: true, value: (point) => point.running },
      { label: "queued", look: "cool", area: true, value: (point) => point.queued },
    ],
  }),
  hours: new HourChart("hours", {
    least: 4, format: (value) => whole.format(value), tick: (value) => short.format(value),
    series: [
      { label: "succeeded", look: "good", value: (point) => point.succeeded },
      { label: "failed", look: "bad", value: (point) => point.failed },
    ],
  }),
};

const PARTS = { database: "PostgreSQL", queue: "Redis", blobs: "File store" };  // others are behind breakers

// --- what needs a look ---------------------------------------------------------------------------------------------

function concerns(figures) {
  const found = [];
  const say = (grave, text, panel) => found.push({ grave, text, panel });
  const { day, waiting, pool } = figures;
  for (const part of figures.parts) {
    if (part.state === "down" && PARTS[part.name]) say(true, `${PARTS[part.name]} does not answer`, "parts-panel");
  }
  for (const [name, closed] of Object.entries(figures.breakers)) {
    if (!closed) say(false, `Calls of ${name} are held back`, "parts-panel");
  }
  if (!figures.workers.length) say(true, "No worker was seen in five minutes", "parts-panel");
  if (waiting.oldest_seconds > LATE_SECONDS) say(false, `A job has waited for ${age(waiting.oldest_seconds)}`, "queue-panel");
  if (waiting.oldest_event_seconds > LATE_SECONDS) say(false, `An event has waited for ${age(waiting.oldest_event_seconds)}`, "queue-panel");
  const failed = history.answersWithin(ATTENTION)[3];
  if (failed) say(true, `${counted(failed, "answer", "answers")} failed (5xx) in five minutes`, "requests-panel");
  const p95 = history.points.at(-1)?.p95 ?? 0;
  if (p95 > SLOW_SECONDS) say(false, `One answer in twenty takes longer than ${seconds(p95)}`, "latency-panel");
  if (pool.most && pool.in_use / pool.most >= 0.9) say(false, "The database pool is nearly used up", "pool-panel");
  const failures = day.work.failures.reduce((total, each) => total + each.count, 0);
  if (failures) say(false, `${counted(failures, "job", "jobs")} failed in a day`, "failures-panel");
  if (day.webhooks.failing) say(false, `${counted(day.webhooks.failing, "webhook does", "webhooks do")} not arrive`, "webhooks-panel");
  const { differences, dead, unsettled } = day.payments;
  if (differences) say(true, `${counted(differences, "difference", "differences")} from the provider’s books`, "payments-panel");
  if (dead) say(true, `${counted(dead, "payment event was", "payment events were")} given up`, "payments-panel");
  if (unsettled) say(false, `${counted(unsettled, "payment command is", "payment commands are")} not settled`, "payments-panel");
  return found;
}

function showVerdict(figures) {
  const found = concerns(figures);
  const state = found.some((each) => each.grave) ? "bad" : found.length ? "warn" : "good";
  const title = { good: "All is well", warn: "Worth a look", bad: "Needs attention" }[state];
  const place = byId("verdict");
  const items = found.map((each) => html("li", { class: each.grave ? "bad" : "warn" }, html("a", { href: `#${each.panel}` }, each.text)));
  const texts = JSON.stringify([title, found]);
  if (place.dataset.shown === texts) return;
  place.dataset.shown = texts;
  place.className = `verdict ${state}`;
  place.querySelector("h2").textContent = title;
  place.querySelector("ul").replaceChildren(...(items.length ? items : [html("li", {}, "Every part answers, work is done as it comes, and nothing failed.")]));
  document.title = `${state === "good" ? "" : `(${found.length}) `}Operators · LifeVault`;
}

// --- the single parts ----------------------------------------------------------------------------------------------

function tile(name, value, detail, picture, look = "") {
  return html("div", { class: `tile ${look}` }, html("h3", {}, name), html("p", { class: "value" }, value), html("p", { class: "detail" }, detail), picture);
}

function showTiles(figures) {
  const { points } = history;
  const last = points.at(-1);
  const total = (point) => point.rates.reduce((sum, rate) => sum + rate, 0);
  const recent = history.answersWithin(ATTENTION);
  const answered = recent.reduce((sum, count) => sum + count, 0);
  const { waiting, pool, traffic, day } = figures;
  const currencies = Object.entries(day.payments.monthly_cents);
  const subscribers = Object.values(day.payments.subscriptions).reduce((sum, count) => sum + count, 0);
  byId("tiles").replaceChildren(
    tile("Requests", last ? `${exact.format(total(last))}/s` : "–", `${short.format(traffic.every.buckets.reduce((sum, count) => sum + count, 0))} since start, ${traffic.in_flight} in flight`, spark(points.map(total), "good")),
    tile("Latency p95", last ? seconds(last.p95) : "–", last?.p50 ? `p50 ${seconds(last.p50)}` : "no requests just now", spark(points.map((point) => point.p95), "second")),
    tile("Failed answers", answered ? percent(recent[3] / answered) : "–", `${counted(recent[3], "answer", "answers")} in 5 min`, spark(points.map((point) => point.answers[3]), "bad"), recent[3] ? "bad" : ""),
    tile("Oldest job due", age(waiting.oldest_seconds), `${counted(waiting.queued, "job", "jobs")} queued, ${waiting.running} running`, spark(points.map((point) => point.oldest), "cool"), waiting.oldest_seconds > LATE_SECONDS ? "warn" : ""),
    tile("Connections", pool.most ? `${pool.in_use} of ${pool.most}` : "–", `${pool.open} open here, ${pool.everywhere} in all`, spark(points.map((point) => point.inUse), "cool")),
    tile("Monthly revenue", currencies.length ? currencies.map(([currency, cents]) => money(cents, currency)).join(" · ") : "–", counted(subscribers, "paid subscription", "paid subscriptions")),
  );
}

function row(name, value, look = "", meter = null) {
  const parts = [html("span", { class: "name" }, name), html("span", { class: "fact" }, value)];
  if (meter !== null) {
    const bar = html("meter", { min: 0, max: 1, value: meter, "aria-label": name });
    parts.push(bar);
  }
  return html("li", { class: look }, ...parts);
}

function showParts(figures) {
  const rows = figures.parts.filter((part) => PARTS[part.name]).map((part) => {
    const looks = { ok: "good", down: "bad" };
    const time = part.milliseconds === null ? "" : ` · ${exact.format(part.milliseconds)} ms`;
    return row(PARTS[part.name], `${part.state === "ok" ? "answers" : part.state}${time}`, looks[part.state] ?? "warn");
  });
  const { workers } = figures;
  const seen = workers.length ? `${workers.length} seen · ${age(workers[0])} ago` : "none seen";
  rows.push(row("Workers", seen, workers.length ? "good" : "bad"));
  if (figures.messages !== null) rows.push(row("Messages in the queue", whole.format(figures.messages)));
  byId("parts").replaceChildren(...rows);
  const breakers = Object.entries(figures.breakers).sort().map(([name, closed]) => row(name, closed ? "closed" : "open: held back", closed ? "good" : "warn"));
  byId("breakers").replaceChildren(...(breakers.length ? breakers : [html("li", { class: "none" }, "No service was called yet that has one.")]));
}

function showCaches(figures) {
  const rows = figures.caches.map(({ name, outcomes }) => {
    const total = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
    const misses = outcomes.miss ?? 0;
    const share = total ? (total - misses) / total : 0;
    return row(name, `${percent(share)} of ${short.format(total)}`, "", share);
  });
  byId("caches").replaceChildren(...(rows.length ? rows : [html("li", { class: "none" }, "Nothing was looked up in a cache since the start.")]));
}

let span = "start";

function showRoutes(figures) {
  const routes = history.routes(figures.traffic, span === "recent").slice(0, SHOWN_ROUTES);
  const most = Math.max(1, ...routes.map((each) => each.count));
  fill("routes", routes.map((each) => [
    html("span", { class: "route" }, html("b", { class: `method ${each.method.toLowerCase()}` }, each.method), breakable(each.route)),
    html("span", { class: "share" }, html("meter", { min: 0, max: most, value: each.count, "aria-hidden": "true" }), whole.format(each.count)),
    seconds(each.p50), html("span", { class: each.p95 > SLOW_SECONDS ? "warn" : "" }, seconds(each.p95)),
    quiet(each.refused, "warn"), quiet(each.failed, "bad"),
  ]), ["", "n", "n wide", "n", "n wide", "n"], span === "recent" ? "No requests in this time yet." : "No requests yet.");
}

function fill(id, rows, classes, empty) {
  const body = byId(id);
  if (!rows.length) {
    body.replaceChildren(html("tr", { class: "none" }, html("td", { colspan: classes.length }, empty)));
    return;
  }
  body.replaceChildren(...rows.map((cells) => html("tr", {}, ...cells.map((cell, index) =>
    index ? html("td", { class: classes[index] }, cell) : html("th", { scope: "row" }, cell)))));
}

const ago = (time, now) => `${age(Math.max(0, (Date.parse(now) - Date.parse(time)) / 1000))} ago`;
const quiet = (count, look) => html("span", { class: count ? look : "zero" }, whole.format(count));

function showWork(figures) {
  const { work } = figures.day;
  charts.hours.draw(work.succeeded_by_hour.map((succeeded, index) => ({ succeeded, failed: work.failed_by_hour[index] })));
  fill("kinds", work.kinds.slice(0, 14).map((each) => [breakable(each.kind), quiet(each.queued, ""), quiet(each.running, ""), quiet(each.succeeded, ""), quiet(each.failed, "bad")]), ["", "n", "n wide", "n", "n"], "No jobs in a day.");
  fill("failures", work.failures.map((each) => [breakable(each.kind), breakable(each.code), quiet(each.count, "bad"), ago(each.last_at, figures.at)]), ["", "", "n", "n"], "No job failed.");
}

function showModels(figures) {
  const { models } = figures.day;
  fill("models", models.map((each) => [breakable(each.model), whole.format(each.requests), short.format(each.prompt_tokens), short.format(each.completion_tokens), whole.format(each.credits), bars(each.by_hour, "second")]), ["", "n", "n wide", "n wide", "n", "wide"], "No model was asked.");
  const calls = Object.entries(figures.model_calls).map(([outcome, count]) => `${outcome} ${whole.format(count)}`);
  byId("model-calls").textContent = calls.length ? `Answers asked of a language model since the start: ${calls.join(", ")}.` : "";
}

function showWebhooks({ day: { webhooks } }) {
  const reasons = Object.entries(webhooks.reasons).sort((one, other) => other[1] - one[1]).slice(0, 4);
  byId("webhooks").replaceChildren(
    row("Endpoints", `${webhooks.active} active${webhooks.disabled ? `, ${webhooks.disabled} off` : ""}`, webhooks.disabled ? "warn" : ""),
    row("Delivered", whole.format(webhooks.delivered)),
    row("Waiting", whole.format(webhooks.pending)),
    row("Tried, not arrived", whole.format(webhooks.failing), webhooks.failing ? "warn" : ""),
    row("Given up", whole.format(webhooks.failed), webhooks.failed ? "bad" : ""),
    ...reasons.map(([reason, count]) => row(`Refused: ${reason}`, whole.format(count), "sub")),
  );
}

function showPayments({ day: { payments } }) {
  const revenue = Object.entries(payments.monthly_cents).map(([currency, cents]) => row("Monthly revenue", money(cents, currency)));
  const plans = Object.entries(payments.subscriptions).map(([plan, count]) => row(`Plan ${plan}`, whole.format(count), "sub"));
  byId("payments").replaceChildren(
    ...(revenue.length ? revenue : [row("Monthly revenue", "–")]), ...plans,
    row("Open differences", whole.format(payments.differences), payments.differences ? "bad" : ""),
    row("Events given up", whole.format(payments.dead), payments.dead ? "bad" : ""),
    row("Events waiting", whole.format(payments.waiting)),
    row("Commands not settled", whole.format(payments.unsettled), payments.unsettled ? "warn" : ""),
  );
}

function showAbout(figures) {
  const running = Date.parse(figures.at) / 1000 - figures.traffic.started_at;
  byId("environment").textContent = figures.environment;
  byId("environment").className = `pill ${figures.environment}`;
  byId("version").textContent = `v${figures.version}`;
  byId("uptime").textContent = `up ${age(running)}`;
}

function show(figures) {
  showAbout(figures);
  showVerdict(figures);
  showTiles(figures);
  for (const name of ["requests", "latency", "pool", "queue"]) charts[name].draw(history.points);
  showParts(figures);
  showCaches(figures);
  showRoutes(figures);
  showWork(figures);
  showModels(figures);
  showWebhooks(figures);
  showPayments(figures);
}

// --- asking --------------------------------------------------------------------------------------------------------

let latest = null;
let signedOut = false;
let paused = false;
let failures = 0;
let looks = 0;

function tell(state, text) {
  const place = byId("live");
  place.className = `live ${state}`;
  const said = place.querySelector("span");
  if (said.textContent !== text) said.textContent = text;
}

async function look() {
  try {
    const response = await fetch("operator/figures", { headers: { Accept: "application/json" }, cache: "no-store" });
    if (response.status === 404) {
      History.forget();
      location.replace("operator");
      return;
    }
    if (!response.ok) throw new Error(String(response.status));
    latest = await response.json();
    failures = 0;
    history.add(latest);
    show(latest);
    tell("on", `Live · ${clock.format(Date.parse(latest.at))}`);
  } catch {
    failures += 1;
    tell("off", latest ? `No answer since ${clock.format(Date.parse(latest.at))}` : "No answer");
  }
}

async function keepLooking() {
  if (!paused) await look();
  const pause = failures ? Math.min(EVERY_SECONDS * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS) : FIRST_SECONDS[looks] ?? EVERY_SECONDS;
  looks += 1;
  setTimeout(keepLooking, pause * 1000);
}

byId("pause").addEventListener("click", (event) => {
  paused = !paused;
  event.currentTarget.setAttribute("aria-pressed", String(paused));
  event.currentTarget.textContent = paused ? "Go on" : "Pause";
  if (paused) tell("off", "Paused");
  else look();
});
for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => {
    span = button.dataset.span;
    for (const each of document.querySelectorAll("[data-span]")) each.setAttribute("aria-pressed", String(each === button));
    if (latest) showRoutes(latest);
  });
}
document.querySelector("form[action='operator/sign-out']").addEventListener("submit", () => {
  signedOut = true;
  History.forget();
});
addEventListener("pagehide", () => { if (!signedOut) history.save(); });
keepLooking();

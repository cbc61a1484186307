// The page of GET /: prices in, the forecast out, and everything that is shown of it.

import { chartSection, headline, readout, seriesList, viewOf } from "./answer.js";
import { showCard } from "./card.js";
import { $, fill, h } from "./dom.js";
import { change, price } from "./format.js";
import { Input } from "./input.js";
import { dayName, insideParts, insideSection, unexplained, waiting } from "./inside.js";
import { forget } from "./linked.js";
import { ask, base, predictBody, Refused } from "./request.js";
import { settle } from "./settings.js";
import { useSection } from "./use.js";
import { t, translate } from "./words.js";

// What the model can be asked is its card's to say; this stands in until the card is there.
const LIMITS = { window: 60, horizon: 5, calendars: ["24/7", "BVMF", "XNYS"], most_series: 1000 };

const root = base("");
const chosen = { layer: 0, kind: "forget", measure: "width" };
const [shown, known] = [new Set(), new Set()]; // levels of intervals
let [card, cardFailed, asked, explained, input, running, isStale, failure] = [null, false, null, null, null, null, false, null];
let takeDown = () => {};

/** Ask for a forecast of what the form holds. */
async function forecast({ series, options }) {
  running?.abort();
  const mine = (running = new AbortController());
  const [url, body] = [`${root}/predict`, predictBody(series, options, input.limits.window)];
  busy(true);
  fail(null);
  try {
    const { found, text } = await ask(url, body, mine.signal);
    const forecasts = found.forecasts ?? [found];
    asked = { series, body, text, forecasts, url: `${location.origin}${url}`, selected: Math.max(0, forecasts.findIndex((one) => one.steps)), verdict: found.verdict };
    isStale = false;
    show();
    $("answer").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Refused)) throw error;
    const others = error.errors.length ? input.place(error.errors) : null;
    if (!others) fail(() => words(error));
    else if (others.length) fail(() => others.join("; "));
  } finally {
    if (mine === running) busy(false);
  }
}

const words = ({ status, detail }) => ([0, 403, 413, 429, 503].includes(status) ? t(`failed.${status}`) : t("failed.other", { status, detail }));

/** Say a failure that belongs to no field; `told` gives it in the language of now. */
function fail(told) {
  failure = told;
  fill($("general-fault"), told && h("p", {}, told()));
}

function busy(is) {
  $("answer").setAttribute("aria-busy", String(is));
  $("go").textContent = t(is ? "input.working" : "input.go");
}

/** Show the series that is selected. */
function show() {
  takeDown();
  forget();
  $("empty").hidden = Boolean(asked);
  $("found").hidden = !asked;
  if (!asked) return;
  const { series, forecasts, selected } = asked;
  const one = forecasts[selected];
  const list = series.length > 1 && seriesList(series, forecasts, selected, (at) => {
    asked.selected = at;
    explained = null;
    show();
    document.querySelector(`[data-series="${at}"]`)?.focus();
  });
  if (!one.steps) {
    fill($("found"), list, useSection(asked));
    return;
  }
  const view = viewOf(series[selected], one, input.limits.window);
  const mine = explained?.of === one ? explained : null;
  mine?.found?.days.forEach((day, i) => (view.dates[i] ??= day.date ?? null));
  for (const level of view.levels.filter((each) => !known.has(each))) {
    known.add(level);
    shown.add(level);
  }
  const parts = (day, unit) => partsOf(view, one, day, unit);
  const describe = (day, unit) => parts(day, unit).map(([name, value]) => `${name} ${value}`.trim()).join(", ");
  const chart = chartSection(view, shown, describe);
  const inside = mine?.found ? insideSection(view, mine.found, chosen, describe) : null;
  const warnings = one.warnings.filter((code) => ["constant", "undated"].includes(code)).map((code) => h("p.note", {}, t(`answer.${code}`)));
  fill($("found"),
    h("p.stale", { id: "stale", hidden: !isStale, role: "status" }, t("answer.stale")),
    list,
    h("section.panel", {}, h("h2", { class: "name" }, view.name), headline(view, one), pill(asked.verdict), warnings),
    readout(parts),
    chart.section,
    inside?.section ?? (mine?.why ? unexplained(mine.why()) : waiting()),
    useSection(asked),
  );
  chart.draw();
  inside?.draw();
  takeDown = () => inside?.end();
  if (!mine) explain(series[selected], one);
}

/** The model's verdict in a line, on the way to the card. */
function pill(verdict) {
  const [word, , short] = t(`card.verdict.${verdict}`);
  return h(`a.pill.${verdict}`, { href: "#card" }, h("b", {}, word), `: ${short}`);
}

/** The numbers of a day, or of the last one where none is pointed at. */
function partsOf(view, one, day, unit) {
  const last = view.prices.length - 1;
  const at = day ?? last;
  if (at > last) {
    const step = view.steps[at - last - 1];
    const intervals = view.levels.filter((level) => shown.has(level)).map((level) => [`${level}%`, step.intervals[level].map(price).join(" – ")]);
    const name = step.date ? dayName(view, at) : t("answer.session", { step: step.step });
    return [["", name], [t("readout.median"), price(step.median)], ...intervals, [t("readout.naive"), price(one.naive_price)]];
  }
  const back = at ? [[t("readout.returned"), change(view.prices[at] / view.prices[at - 1] - 1)]] : [];
  const inner = explained?.of === one ? insideParts(explained.found, chosen, at, unit) : [];
  return [["", dayName(view, at)], [t("readout.close"), price(view.prices[at])], ...back, ...inner];
}

/** Ask why, and show it where the same forecast is still on screen. */
async function explain(series, one) {
  const { last_date, calendar } = asked.body;
  const body = { prices: series.prices.slice(-input.limits.window), last_date, calendar, detail: "full" };
  let result;
  try {
    result = { of: one, found: (await ask(`${root}/explain`, body)).found };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    result = { of: one, why: () => (error.status === 404 ? t("inside.missing") : `${t("inside.failed")} ${error.detail}`) };
  }
  if (asked?.forecasts[asked.selected] !== one) return;
  explained = result;
  rebuild();
}

/** Show all anew, the focus and the page's place kept. */
function rebuild() {
  const [focused, top] = [document.activeElement?.id, scrollY];
  show();
  if (focused) $(focused)?.focus({ preventScroll: true });
  scrollTo({ top, behavior: "instant" });
}

async function fetchCard() {
  try {
    card = (await ask(`${root}/model`)).found;
    input.limits = card.limits;
    input.words();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    cardFailed = true;
  }
  paintCard();
}

function paintCard() {
  if (card) showCard($("card-body"), card, `${root}/model`);
  else if (cardFailed) fill($("card-body"), h("p.hint", {}, t("card.failed")));
}

function speak() {
  document.title = t("title");
  translate();
  input?.words();
  fail(failure);
  paintCard();
  if (asked) rebuild();
}

settle(speak);
$("to-docs").href = `${root}/docs`;
input = new Input(LIMITS, {
  ready: forecast,
  changed: () => {
    isStale = Boolean(asked);
    if ($("stale")) $("stale").hidden = !isStale;
  },
});
speak();
fetchCard().then(() => asked || running || input.example("shock"));

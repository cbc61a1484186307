// From pasted text or a file's text to series of closes: what was read, what was told of it, what is wrong and where.

import Papa from "papaparse";
import { looksLikeDate, orderOf, readDate } from "./dates.js";
import { columnsOf, isHeader, wideColumnsOf } from "./layout.js";
import { bare, read, styleOf } from "./numbers.js";

export const LOWEST = 1e-9;
export const HIGHEST = 1e12;
const MISSING = new Set(["", "null", "nan", "na", "n/a", "none", "-"]);
const MOST_FAULTS = 20;

/**
 * Read a text.
 *
 * `chosen` holds a person's answers: `numbers` ("dot", "comma", "list") and `dates` ("dmy", "mdy"). The result has
 * `series` ([{id, prices, dates}]; dates is null where there are none), `notes` of how it was read, `questions` that a
 * person has to answer first, and `faults` ({code, line, text}).
 */
export function parse(text, { chosen = {}, name = "" } = {}) {
  const found = { series: [], notes: [], questions: [], faults: [], choices: [] };
  const plain = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  if (!plain.trim()) return found;
  if (/^\s*<|^PK\x03|^%PDF|\0/.test(plain)) return wrong(found, "not-text");
  if (/^\s*[[{]/.test(plain)) return readJson(plain, found, name);
  const delimiter = delimiterOf(plain);
  const first = delimiter && plain.trimStart().split("\n", 1)[0];
  const cells = first ? Papa.parse(first, { delimiter }).data[0] : [plain.trimStart().split("\n", 1)[0]];
  if (isHeader(cells) || /^price\b.*\n\s*ticker\b/i.test(plain)) return readTable(plain, delimiter, found, chosen, name);
  if (looksLikeDate(plain.trimStart().split(/[\s,;\t]/, 1)[0])) return readDated(plain, found, chosen, name);
  return readList(plain, found, chosen, name);
}

const wrong = (found, code, more = {}) => ({ ...found, series: [], faults: [{ code, ...more }] });

function delimiterOf(text) {
  const line = text.trimStart().split("\n", 1)[0];
  return [";", "\t", "|", ","].find((mark) => line.includes(mark)) ?? "";
}

/** The API's own request, or a bare list. */
function readJson(text, found, name) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return wrong(found, "not-json");
  }
  const many = Array.isArray(body) ? [{ id: name, prices: body }] : body.series ?? [{ id: name, prices: body.prices }];
  if (!Array.isArray(many) || !many.length) return wrong(found, "not-json");
  for (const [position, one] of many.entries()) {
    if (!Array.isArray(one?.prices)) return wrong(found, "not-json");
    one.prices.forEach((price, i) => {
      if (typeof price !== "number") fault(found, "not-number", i + 1, JSON.stringify(price) ?? "", true);
      else check(found, price, i + 1, String(price), true);
    });
    found.series.push({ id: String(one.id ?? `${position + 1}`), prices: one.prices, dates: null });
  }
  return found;
}

/** Closes alone, apart by line breaks, spaces, semicolons or commas. */
function readList(text, found, chosen, name) {
  const tokens = [];
  text.split("\n").forEach((line, at) => {
    for (const token of line.replace(/(R\$|US\$|[$€£¥])\s+/gi, "$1").split(/[\s;|]+/)) {
      const kept = token.replace(/^,+|,+$/g, "");
      if (kept) tokens.push({ text: kept, line: at + 1 });
    }
  });
  const style = decide(found, tokens.map((token) => token.text), chosen, false);
  const prices = [];
  if (tokens.length && !tokens.some((token) => read(token.text, style))) return wrong(found, "no-numbers");
  for (const token of tokens) {
    const values = read(token.text, style);
    if (!values) fault(found, "not-number", token.line, token.text);
    for (const value of values ?? []) if (check(found, value, token.line, token.text)) prices.push(value);
  }
  found.series = [{ id: name, prices, dates: null }];
  return found;
}

/** A date and a close on each line, without a header. */
function readDated(text, found, chosen, name) {
  const rows = [];
  text.split("\n").forEach((line, at) => {
    if (!line.trim()) return;
    const parts = /^\s*"?([^\s,;\t"]+)"?[\s,;\t]+(.+?)[,;\s]*$/.exec(line);
    rows.push({ id: name, day: parts?.[1] ?? line.trim(), value: (parts?.[2] ?? "").replace(/^"|"$/g, ""), line: at + 1 });
  });
  return assemble(rows, true, found, chosen);
}

function readTable(text, delimiter, found, chosen, name) {
  const table = Papa.parse(text, { delimiter: delimiter || ",", skipEmptyLines: false });
  let line = 1;
  const rows = [];
  for (const cells of table.data) {
    if (cells.some((cell) => cell.trim())) rows.push({ cells, line });
    line += 1 + cells.join("").split("\n").length - 1;
  }
  const wide = wideColumnsOf(rows.slice(0, 4).map((row) => row.cells));
  const header = rows[0].cells;
  const columns = wide ?? columnsOf(header);
  if (!columns) return wrong(found, "columns", { text: header.map((cell) => cell.trim().slice(0, 30)).slice(0, 8).join(", ") });
  const given = rows.slice(columns.rows).flatMap(({ cells, line: at }) => {
    const row = (id, value) => ({ id, day: cells[columns.day ?? 0] ?? "", value: cells[value] ?? "", line: at });
    if (wide) return wide.closes.map((close) => row(close.name, close.at));
    return [row(columns.name < 0 ? name : (cells[columns.name] ?? "").trim(), columns.value)];
  });
  if (columns.isAdjusted) found.notes.push({ code: "adjusted" });
  if (columns.name >= 0) {
    const nameless = given.find((row) => !row.id);
    if (nameless) fault(found, "no-name", nameless.line, "");
  }
  return assemble(given, wide !== null || columns.day >= 0, found, chosen);
}

/** Rows to series: numbers and dates read, in the order of their days, each day once. */
function assemble(rows, isDated, found, chosen) {
  const kept = rows.filter((row) => !MISSING.has(bare(row.value).toLowerCase()));
  if (kept.length < rows.length) found.notes.push({ code: "missing", count: rows.length - kept.length });
  const style = decide(found, kept.map((row) => row.value), chosen, true);
  const { order, options, isOpen } = isDated ? orderOf(kept.map((row) => row.day), chosen.dates) : { options: [] };
  ask(found, "dates", order, options, isOpen, kept.find((row) => readDate(row.day, "dmy") !== readDate(row.day, "mdy"))?.day);
  const series = new Map();
  for (const row of kept) {
    const value = read(row.value, style)?.[0];
    const day = isDated ? readDate(row.day, order) : null;
    if (value === undefined) fault(found, "not-number", row.line, row.value);
    else if (isDated && !day) fault(found, "not-date", row.line, row.day);
    else if (check(found, value, row.line, row.value)) {
      if (!series.has(row.id)) series.set(row.id, []);
      series.get(row.id).push({ day, value, line: row.line });
    }
  }
  let resorted = 0;
  for (const [id, days] of series) {
    if (isDated && days.some((one, i) => i && days[i - 1].day > one.day)) {
      resorted += 1;
      days.sort((a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : a.line - b.line));
    }
    const once = days.filter((one, i) => {
      if (!isDated || !i || days[i - 1].day !== one.day) return true;
      if (days[i - 1].value !== one.value) fault(found, "twice", one.line, one.day);
      return false;
    });
    found.series.push({ id, prices: once.map((one) => one.value), dates: isDated ? once.map((one) => one.day) : null });
  }
  if (resorted) found.notes.push({ code: "sorted", count: resorted });
  return found;
}

function decide(found, tokens, chosen, inTable) {
  const { style, options, isOpen } = styleOf(tokens, { inTable, chosen: chosen.numbers });
  ask(found, "numbers", style, options, isOpen, tokens.find((token) => /\d[.,]\d/.test(token)));
  if (style === "comma" && options.length === 1 && tokens.some((token) => token.includes(","))) {
    found.notes.push({ code: "comma" });
  }
  return style;
}

function ask(found, kind, chosen, options, isOpen, example) {
  if (options.length < 2) return;
  const question = { kind, chosen, options, example, isOpen };
  found.choices.push(question);
  if (isOpen) found.questions.push(question);
}

function check(found, price, line, text, isPosition = false) {
  if (price >= LOWEST && price <= HIGHEST) return true;
  fault(found, "range", line, text, isPosition);
  return false;
}

function fault(found, code, line, text, isPosition = false) {
  found.faultCount = (found.faultCount ?? 0) + 1;
  if (found.faults.length < MOST_FAULTS) found.faults.push({ code, line, text: text.trim().slice(0, 40), isPosition });
}

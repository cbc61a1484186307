// What people paste and drop is read as they mean it, or asked about, or refused in words.

import assert from "node:assert/strict";
import test from "node:test";
import { parse } from "../src/parse.js";

const prices = (text, options) => {
  const found = parse(text, options);
  assert.deepEqual(found.faults, []);
  return found.series[0].prices;
};
const asked = (text) => parse(text).questions.map((question) => question.kind);

for (const [name, text, expected] of [
  ["a line each", "41.5\n42\n43.25", [41.5, 42, 43.25]],
  ["spaces", "41.5 42  43.25", [41.5, 42, 43.25]],
  ["commas", "41.5,42,43.25", [41.5, 42, 43.25]],
  ["commas and spaces", "41.5, 42, 43.25,", [41.5, 42, 43.25]],
  ["integers and commas", "41,42,43", [41, 42, 43]],
  ["semicolons", "41.5;42;43.25", [41.5, 42, 43.25]],
  ["tabs", "41.5\t42\t43.25", [41.5, 42, 43.25]],
  ["decimal commas", "32,50\n33,1\n32,75", [32.5, 33.1, 32.75]],
  ["decimal commas, spaces", "32,50 33,1 32,75", [32.5, 33.1, 32.75]],
  ["decimal commas, semicolons", "32,50;33,1;32,75", [32.5, 33.1, 32.75]],
  ["decimal commas, comma and space", "32,50, 33,10, 32,75", [32.5, 33.1, 32.75]],
  ["Portuguese thousands", "1.234,56\n987,10\n1.234.567,89", [1234.56, 987.1, 1234567.89]],
  ["English thousands", "1,234.56\n987.10\n1,234,567.89", [1234.56, 987.1, 1234567.89]],
  ["currency signs", "R$ 32,50\nR$ 1.033,10", [32.5, 1033.1]],
  ["Windows line ends and a byte order mark", "\uFEFF41.5\r\n42\r\n", [41.5, 42]],
  ["scientific", "1.5e-3 2E2", [0.0015, 200]],
  ["JSON list", "[41.5, 42]", [41.5, 42]],
  ["the API's own request", '{"prices": [41.5, 42]}', [41.5, 42]],
]) {
  test(`prices apart by ${name} are read`, () => assert.deepEqual(prices(text), expected));
}

for (const text of ["1,234\n1,240", "1.234 1.240", "100,101,102,103", "1,234"]) {
  test(`${JSON.stringify(text)} can be read in two ways, so it is asked`, () => assert.deepEqual(asked(text), ["numbers"]));
}

test("an answer settles it", () => {
  assert.deepEqual(prices("1,234\n1,240", { chosen: { numbers: "dot" } }), [1234, 1240]);
  assert.deepEqual(prices("1,234\n1,240", { chosen: { numbers: "comma" } }), [1.234, 1.24]);
  assert.deepEqual(prices("1,234\n1,240", { chosen: { numbers: "list" } }), [1, 234, 1, 240]);
  assert.deepEqual(parse("1,234", { chosen: { numbers: "dot" } }).questions, []);
});

test("a reading that could be another is told even where it is not asked", () => {
  const found = parse("32,50\n33,10");
  assert.deepEqual(found.questions, []);
  assert.deepEqual(found.choices[0].options, ["comma", "list"]);
});

for (const [name, text] of [
  ["Nixtla's columns", "unique_id,ds,y\nA,2026-11-19,41.5\nA,2026-11-20,42\nB,2026-11-20,7\n"],
  ["ticker, date, close", "ticker,date,close\nA,2026-11-19,41.5\nA,2026-11-20,42\nB,2026-11-20,7\n"],
  ["semicolons and decimal commas", "ticker;date;close\nA;19/11/2026;41,5\nA;20/11/2026;42\nB;20/11/2026;7,0\n"],
  ["American dates", "ticker,date,close\nA,11/19/2026,41.5\nA,11/20/2026,42\nB,11/20/2026,7\n"],
  ["quoted decimal commas", 'ticker,date,close\nA,2026-11-19,"41,5"\nA,2026-11-20,"42"\nB,2026-11-20,"7"\n'],
  ["newest first", "unique_id,ds,y\nB,2026-11-20,7\nA,2026-11-20,42\nA,2026-11-19,41.5\n"],
]) {
  test(`a table with ${name} is read, series by series`, () => {
    const found = parse(text);
    assert.deepEqual([found.faults, found.questions], [[], []]);
    const series = Object.fromEntries(found.series.map((one) => [one.id, one]));
    assert.deepEqual(series.A, { id: "A", prices: [41.5, 42], dates: ["2026-11-19", "2026-11-20"] });
    assert.deepEqual(series.B.prices, [7]);
  });
}

test("Yahoo's table is one series, named like its file, by its adjusted close, without its holidays", () => {
  const found = parse(
    "Date,Open,High,Low,Close,Adj Close,Volume\n2026-11-18,1,1,1,43,41.5,9\n2026-11-19,null,null,null,null,null,null\n" +
      "2026-11-20,1,1,1,44,42,9\n",
    { name: "PETR4" },
  );
  assert.deepEqual(found.series, [{ id: "PETR4", prices: [41.5, 42], dates: ["2026-11-18", "2026-11-20"] }]);
  assert.deepEqual(found.notes, [{ code: "adjusted" }, { code: "missing", count: 1 }]);
});

test("what yfinance writes is a series for each ticker", () => {
  const found = parse("Price,Close,Close,High\nTicker,A,B,A\nDate,,,\n2026-11-19,41.5,7,9\n2026-11-20,42,8,9\n");
  assert.deepEqual(found.series.map((one) => [one.id, one.prices]), [["A", [41.5, 42]], ["B", [7, 8]]]);
});

test("a date and a close on each line need no header", () => {
  for (const text of ["2026-11-19 41.5\n2026-11-20 42", "19/11/2026;41,5\n20/11/2026;42,0", "2026-11-19,41,5\n2026-11-20,42,0"]) {
    const found = parse(text);
    assert.deepEqual(found.faults, []);
    assert.deepEqual(found.series[0].prices, [41.5, 42], text);
    assert.deepEqual(found.series[0].dates, ["2026-11-19", "2026-11-20"]);
  }
});

test("dates that fit both orders are read by the order that sorts them, and told", () => {
  const found = parse("date,close\n30/10/2026,41\n03/11/2026,42\n");
  assert.deepEqual(found.series[0].dates, ["2026-10-30", "2026-11-03"]);
  const told = parse("date,close\n10/11/2026,41\n11/11/2026,42\n12/11/2026,42\n");
  assert.deepEqual(told.questions.map((question) => question.kind), ["dates"]);
  const sorted = parse("date,close\n05/10/2026,41\n06/10/2026,42\n02/11/2026,42\n03/11/2026,43\n");
  assert.deepEqual(sorted.questions, []);
  assert.equal(sorted.choices[0].chosen, "dmy");
});

for (const [name, text, code] of [
  ["HTML", "<!doctype html><p>1 2 3</p>", "not-text"],
  ["a zip, such as an .xlsx", "PK\x03\x04\x14\x00", "not-text"],
  ["words", "buy low sell high", "no-numbers"],
  ["unknown columns", "name,when,value,close\nA,2026-11-20,1,2\n", "columns"],
  ["broken JSON", '{"prices": [1, 2', "not-json"],
  ["JSON of something else", '{"a": 1}', "not-json"],
]) {
  test(`${name} is refused in words`, () => assert.equal(parse(text).faults[0].code, code));
}

test("a fault says its line and what stands there", () => {
  assert.deepEqual(parse("41\nabc\n42").faults, [{ code: "not-number", line: 2, text: "abc", isPosition: false }]);
  assert.equal(parse("41\n-42").faults[0].code, "range");
  assert.equal(parse("date,close\n2026-11-20,41\n2026-13-20,41").faults[0].code, "not-date");
  assert.deepEqual(parse("date,close\n2026-11-20,41\n2026-11-20,42").faults[0], {
    code: "twice", line: 3, text: "2026-11-20", isPosition: false,
  });
});

test("a name is kept as it stands, whatever it holds", () => {
  const found = parse('ticker,date,close\n"<img src=x onerror=alert(1)>, ""q""",2026-11-20,41\n');
  assert.equal(found.series[0].id, '<img src=x onerror=alert(1)>, "q"');
});

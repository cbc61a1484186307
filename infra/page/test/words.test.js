// Both languages say the same things, and every word that the pages ask for is there.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { en } from "../src/words-en.js";
import { pt } from "../src/words-pt.js";

const shape = (part) =>
  part !== null && typeof part === "object" ? Object.fromEntries(Object.entries(part).map(([key, one]) => [key, shape(one)])) : typeof part;

test("English and Portuguese have the same shape", () => assert.deepEqual(shape(pt), shape(en)));

test("every name of words in the sources is there", () => {
  const folder = new URL("../src/", import.meta.url);
  const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
  const named = texts.flatMap((text) => [...text.matchAll(/(?:\bt\(|data-t(?:-\w+)?=)"([a-zA-Z0-9.-]+)"/g)].map((found) => found[1]));
  assert.ok(named.length > 100);
  const missing = named.filter((name) => name.split(".").reduce((part, key) => part?.[key], en) === undefined);
  assert.deepEqual(missing, []);
});

test("nothing is said that no source asks for", () => {
  const folder = new URL("../src/", import.meta.url);
  const text = readdirSync(folder).filter((name) => !name.startsWith("words-")).map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
  const unused = Object.entries(en).flatMap(([part, words]) =>
    typeof words === "string" ? [] : Object.keys(words).map((name) => `${part}.${name}`).filter((name) => !text.includes(name)));
  const built = ["theme", "examples", "calendars", "note", "question", "fault", "failed", "notes", "answer.constant", "answer.undated"];
  assert.deepEqual(unused.filter((name) => !built.some((part) => name === part || name.startsWith(`${part}.`))), []);
});

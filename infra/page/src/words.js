// Which language is spoken, and the words of the one asked for.

import { en } from "./words-en.js";
import { pt } from "./words-pt.js";

const ALL = { en, pt };
export const LANGUAGES = Object.keys(ALL);
let spoken = "en";

export const language = () => spoken;

export function setLanguage(name) {
  spoken = name;
  document.documentElement.lang = name === "pt" ? "pt-BR" : "en";
}

/** The words under a name; one that is a function is given `values`. */
export function t(name, values) {
  const found = name.split(".").reduce((part, key) => part?.[key], ALL[spoken]);
  if (found === undefined) throw new Error(`no words for ${name}`);
  return typeof found === "function" ? found(values) : found;
}

/** Fill every element that names its words: its text, its label, its title of the page. */
export function translate(root = document) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of root.querySelectorAll("[data-t-placeholder]")) node.placeholder = t(node.dataset.tPlaceholder);
}

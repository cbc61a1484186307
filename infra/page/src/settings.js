// Language and theme: the browser's until the reader chooses; the choice alone is kept, and never a price.

import { LANGUAGES, setLanguage } from "./words.js";

const KEPT = "efemera-page";

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function keep(more) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...kept(), ...more }));
  } catch {
    // a browser that keeps nothing forgets the choice, and that is all
  }
}

/** The first of the browser's languages that the page speaks. */
function browsersLanguage() {
  const found = (navigator.languages ?? []).map((name) => name.slice(0, 2).toLowerCase()).find((name) => LANGUAGES.includes(name));
  return found ?? "en";
}

/** Set language and theme now and whenever they are changed; `changed` is called after each change. */
export function settle(changed) {
  const { language, theme } = kept();
  speak(LANGUAGES.includes(language) ? language : browsersLanguage());
  paint(["light", "dark"].includes(theme) ? theme : "auto");
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      speak(button.dataset.language);
      keep({ language: button.dataset.language });
      changed();
    });
  }
  const chosen = document.getElementById("theme");
  chosen.addEventListener("change", () => {
    paint(chosen.value);
    keep({ theme: chosen.value });
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

function speak(language) {
  setLanguage(language);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

function paint(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").value = theme;
}

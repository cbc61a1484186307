// Numbers and days as the reader's language writes them.

import { language } from "./words.js";

const tag = () => (language() === "pt" ? "pt-BR" : "en-GB");
const number = (value, options) => new Intl.NumberFormat(tag(), options).format(value);

/** A price, in as many digits as tell it from its neighbours. */
export function price(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return number(value, { notation: "scientific", maximumFractionDigits: 4 });
  const digits = size >= 10 || size === 0 ? 2 : Math.min(8, 4 - Math.floor(Math.log10(size)) - 1);
  return number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A number in as few digits as tell its size. */
export const rough = (value) => number(value, { maximumSignificantDigits: 2 });

export const count = (value) => number(value, { maximumFractionDigits: 0 });
export const decimals = (value, digits = 3) => number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const signed = (value, digits = 3) =>
  number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "exceptZero" });
export const percent = (share, digits = 1) =>
  number(share, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
export const change = (share, digits = 2) =>
  number(share, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "exceptZero" });
export const size = (bytes) => number(bytes / 1e6, { maximumFractionDigits: bytes < 1e6 ? 2 : 0 });

const day = (iso, options) => new Intl.DateTimeFormat(tag(), { timeZone: "UTC", ...options }).format(new Date(`${iso}T00:00:00Z`));
export const shortDay = (iso) => day(iso, { day: "numeric", month: "short" });
export const longDay = (iso) => day(iso, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
export const plainDay = (iso) => day(iso, { day: "numeric", month: "long", year: "numeric" });

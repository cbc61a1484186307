// Finds a table's columns by the names in its header: the project's three layouts, and what spreadsheets write.

const VALUE = ["y", "adj close", "close", "price", "preço", "preco", "fechamento", "último", "ultimo"];
const DAY = ["ds", "date", "data", "datetime", "day"];
const NAME = ["unique_id", "ticker", "symbol", "ativo", "papel", "código", "codigo"];
// Any other name in a table without a column of names may tell several series apart, so it is not guessed.
const HARMLESS = [
  ...["", "open", "high", "low", "close", "adj close", "volume", "dividends", "stock splits", "capital gains"],
  ...["abertura", "máxima", "mínima", "variação", "var%", "vol."],
];

/** Whether a first row names columns rather than holding numbers and dates. */
export const isHeader = (row) => {
  const names = row.map(plain);
  return [VALUE, DAY, NAME].some((known) => names.some((name) => known.includes(name)));
};

/** Where a table keeps its names, days and closes; null where its header is none that is known. */
export function columnsOf(header) {
  const names = header.map(plain);
  const first = (known) => known.map((name) => names.indexOf(name)).find((at) => at >= 0) ?? -1;
  const [name, day, value] = [first(NAME), first(DAY), first(VALUE)];
  if (value < 0) return null;
  const others = names.filter((_, at) => ![name, day, value].includes(at));
  if (name < 0 && others.some((other) => !HARMLESS.includes(other) && !VALUE.includes(other))) return null;
  const isAdjusted = names[value] === "adj close" && names.includes("close");
  return { name, day, value, isAdjusted, rows: 1 };
}

/** The columns of the table that `yfinance.download(…).to_csv()` writes: three header rows, a column for each ticker. */
export function wideColumnsOf(rows) {
  const [fields, tickers, days] = rows;
  if (rows.length < 4 || plain(fields[0]) !== "price" || plain(tickers[0]) !== "ticker" || plain(days[0]) !== "date") {
    return null;
  }
  const wanted = fields.map(plain).includes("adj close") ? "adj close" : "close";
  const closes = fields.map((field, at) => ({ name: tickers[at]?.trim(), at, field: plain(field) }));
  return { closes: closes.filter((close) => close.field === wanted), rows: 3 };
}

const plain = (name) => (name ?? "").trim().toLowerCase();

// What is asked of the API, the same as a shell's `curl` line, and what comes back or goes wrong.

// The page is served at the API's root, which a stage or a base path can stand before: /, /prod or /prod/.
export const base = (page) => location.pathname.replace(new RegExp(`/${page}$`), "").replace(/\/$/, "");

const LONGEST_ARGUMENT = 100_000; // Linux takes 128 KB in one

/** The body of `POST /predict` for these series: the closes that the model reads, and what was asked. */
export function predictBody(series, options, window) {
  const closes = (one) => (one.prices.length > window ? one.prices.slice(-window) : one.prices);
  const body = series.length === 1 ? { prices: closes(series[0]) } : { series: [] };
  series.forEach((one) => body.series?.push({ id: one.id, prices: closes(one) }));
  return { ...body, ...options };
}

/** The shell's line for a request. */
export function curl(url, body) {
  const text = JSON.stringify(body);
  const line = `curl -s '${url.replaceAll("'", "%27")}' -H 'Content-Type: application/json'`;
  if (text.length > LONGEST_ARGUMENT) return `${line} --data-binary @- <<'EOF'\n${text}\nEOF`;
  return `${line} -d '${text.replaceAll("'", "'\\''")}'`;
}

/** A request that was refused, or never arrived (`status` 0). */
export class Refused extends Error {
  constructor(status, problem = {}) {
    super(problem.detail ?? `status ${status}`);
    this.status = status;
    this.errors = problem.errors ?? [];
    this.detail = problem.detail ?? problem.message ?? "";
    this.instance = problem.instance ?? "";
  }
}

/** Ask; gives the answer and its very text. Raises `Refused`. */
export async function ask(url, body, signal) {
  const posted = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let response, text;
  try {
    response = await fetch(url, { ...(body ? posted : {}), signal, cache: "no-store", credentials: "same-origin" });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0);
  }
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Refused(response.status);
  }
  if (!response.ok) throw new Refused(response.status, found);
  return { found, text };
}

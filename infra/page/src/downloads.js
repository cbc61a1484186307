// The answer as files: its own JSON, and a table with the columns of the nightly forecasts.

const HEAD = ["unique_id", "ds", "cutoff", "step", "efemera"];

/** The answer as CSV: a row for each series and step; numbers in all their digits. */
export function csv(forecasts, cutoffs) {
  const first = forecasts.find((one) => one.steps);
  const levels = first ? Object.keys(first.steps[0].intervals) : [];
  const down = [...levels].sort((a, b) => b - a);
  const head = [...HEAD, ...down.map((level) => `efemera-lo-${level}`), ...down.reverse().map((level) => `efemera-hi-${level}`)];
  const rows = forecasts.flatMap((one, at) =>
    (one.steps ?? []).map((step) => [
      ...[one.id ?? "", step.date ?? "", cutoffs[at] ?? "", step.step, step.median],
      ...[...levels].sort((a, b) => b - a).map((level) => step.intervals[level][0]),
      ...[...levels].sort((a, b) => a - b).map((level) => step.intervals[level][1]),
    ]),
  );
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

function cell(value) {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Hand a file to the browser's downloads. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

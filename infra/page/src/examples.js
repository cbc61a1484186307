// Made prices to try the page with: seeded, so that everyone sees the same ones. No market's data.

/** Mulberry32: a small seeded generator of numbers in [0, 1). */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function walk(seed, { start, days, drift = 0, shocks = {}, calm = 0.009 }) {
  const random = generator(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const prices = [start];
  let spread = calm;
  for (let day = 1; day < days; day += 1) {
    const step = shocks[day] ?? drift + spread * normal();
    spread = Math.sqrt(calm * calm * 0.08 + 0.84 * spread * spread + 0.08 * step * step);
    prices.push(prices[day - 1] * Math.exp(step));
  }
  return prices.map((price) => Number(price.toPrecision(price >= 1000 ? 6 : 4)));
}

function weekdaysBefore(last, count) {
  const found = [];
  for (let day = new Date(`${last}T00:00:00Z`); found.length < count; day.setUTCDate(day.getUTCDate() - 1)) {
    if (day.getUTCDay() % 6) found.unshift(day.toISOString().slice(0, 10));
  }
  return found;
}

function table(rows) {
  const days = weekdaysBefore("2026-11-20", Object.values(rows)[0].length);
  const lines = days.flatMap((day, i) => Object.entries(rows).map(([name, prices]) => `${name},${day},${prices[i]}`));
  return `ticker,date,close\n${lines.join("\n")}\n`;
}

const MORE = 15; // days than the model reads
const calm = (days) => walk(4, { start: 32.5, days, drift: 0.0008, calm: 0.006 });
const shock = (days) =>
  walk(20, { start: 58, days, drift: 0.0006, shocks: { [days - 23]: -0.082, [days - 22]: 0.031, [days - 21]: -0.044 } });

/** What each example puts into the field, for a model that reads a window of so many days. */
export const EXAMPLES = {
  shock: (window) => table({ SHOCK: shock(window + MORE) }),
  calm: (window) => calm(window).map((price) => price.toFixed(2)).join("\n"),
  several: (window) =>
    table({
      CALM: calm(window + MORE),
      SHOCK: shock(window + MORE),
      WILD: walk(9, { start: 1240, days: window + MORE, calm: 0.034 }),
      FALL: walk(31, { start: 14, days: window + MORE, drift: -0.004, calm: 0.015 }),
    }),
};

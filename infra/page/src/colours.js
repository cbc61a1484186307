// The theme's colours as a canvas takes them, and two maps that colour-blind people can read.

/** A custom property of the style sheet as rgb(). */
export function colour(name) {
  const probe = document.getElementById("probe");
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** A colour made lighter or less opaque. */
export const faded = (rgb, opacity) => rgb.replace(/^rgb\((.*)\)$/, `rgba($1, ${opacity})`);

const stops = (...hex) => hex.map((one) => [0, 2, 4].map((at) => parseInt(one.slice(at, at + 2), 16)));
const VIRIDIS = stops("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725");
const BLUE_ORANGE = stops("08306b", "2166ac", "67a9cf", "d1e5f0", "f7f7f7", "fddbc7", "f4a582", "d6604d", "67001f");

/** The colour of a share from 0 to 1 of the way along a map. */
function along(map, share) {
  const place = Math.max(0, Math.min(1, share)) * (map.length - 1);
  const low = Math.min(map.length - 2, Math.floor(place));
  const mixed = map[low].map((value, i) => Math.round(value + (place - low) * (map[low + 1][i] - value)));
  return `rgb(${mixed.join(",")})`;
}

/** How values are coloured, as far as they go: gates in twentieths between 0 and 1, states around 0. */
export function scaleOf(rows, isGate) {
  if (isGate) {
    const low = Math.floor(Math.min(...rows.map((row) => Math.min(...row))) * 20) / 20;
    const high = Math.max(low + 0.05, Math.ceil(Math.max(...rows.map((row) => Math.max(...row))) * 20) / 20);
    return { low, high, of: (value) => along(VIRIDIS, (value - low) / (high - low)) };
  }
  const reach = Math.max(1e-9, ...rows.map((row) => Math.max(...row.map(Math.abs))));
  return { low: -reach, high: reach, of: (value) => along(BLUE_ORANGE, (value / reach + 1) / 2) };
}

// Formatting of numbers, times and quantities. Pure.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** `1 viewer`, `2 viewers`. */
export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** `12.5 fps`. */
export const fps = (rate) => `${number.format(rate)} fps`;

/** `288 kB/s`; above a thousand, `1.2 MB/s`. */
export function rate(bytesPerSecond) {
  const kilobytes = bytesPerSecond / 1000;
  return kilobytes < 1000 ? `${whole.format(kilobytes)} kB/s` : `${number.format(kilobytes / 1000)} MB/s`;
}

/** `1.2 MB`. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${whole.format(bytes / 1000)} kB` : `${number.format(bytes / 1e6)} MB`;
}

/** `40 ms`; above a second, `1.2 s`. */
export const latency = (seconds) =>
  seconds < 1 ? `${whole.format(seconds * 1000)} ms` : `${number.format(seconds)} s`;

/** `12 s`, `3 min`, `2 h`, `5 days`. */
export function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

/** Formats the time of day of a Unix time, in the browser's locale. */
export const timeOfDay = (unixSeconds) => clock.format(new Date(unixSeconds * 1000));

/** Quotes a text for a shell. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// Numbers and times as people read them.

const THIN = "\u2009";

/** A time span of *ms* milliseconds, with three digits. */
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "";
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 0.0005) return `0${THIN}ms`;
  if (ms < 1) return `${digits(ms * 1000)}${THIN}µs`;
  if (ms < 999.5) return `${digits(ms)}${THIN}ms`;
  if (ms < 59_950) return `${digits(ms / 1000)}${THIN}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${THIN}min ${two(seconds % 60)}${THIN}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2880) return `${Math.floor(minutes / 60)}${THIN}h ${two(minutes % 60)}${THIN}min`;
  return `${Math.round(minutes / 1440)} days`;
}

function digits(number) {
  return number >= 99.95 ? number.toFixed(0) : number >= 9.995 ? number.toFixed(1) : number.toFixed(2);
}

function two(number) {
  return String(number).padStart(2, "0");
}

// By hand: to set up a formatter of Intl takes as long as all else that the first view needs.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A count, in full. */
export function count(number) {
  return number === null || number === undefined ? "" : String(number).replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ",");
}

/** A count in little room: `1.2 k`, `3.4 M`. */
export function short(number) {
  if (number === null || number === undefined) return "";
  if (Math.abs(number) < 10_000) return count(Math.round(number));
  const [size, unit] = Math.abs(number) < 1e6 ? [1e3, "k"] : Math.abs(number) < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${digits(number / size)}${THIN}${unit}`;
}

/** What stands beside a count of tokens that nobody counted. */
export const ESTIMATED = "Estimated from the text: the model has not said how many";

/** Tokens in and out; `~` where they are estimated. */
export function tokens(given, made, isEstimated) {
  const about = isEstimated ? "~" : "";
  return `${about}${short(given ?? 0)} → ${about}${short(made ?? 0)}`;
}

/** What something cost. */
export function money(amount, currency) {
  if (amount === null || amount === undefined) return "";
  const sign = { USD: "$", EUR: "€", GBP: "£" }[currency];
  const figure = amount === 0 ? "0" : amount >= 1 ? amount.toFixed(2) : amount >= 0.01 ? amount.toFixed(3) : amount.toPrecision(2);
  const plain = figure.includes("e") ? Number(figure).toFixed(8).replace(/0+$/, "") : figure;
  return sign ? `${sign}${plain}` : `${plain} ${currency ?? ""}`.trim();
}

/** So many things: `1 run`, `2 runs`. */
export function some(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function clock(date) {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function day(date) {
  return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
}

function zone(date) {
  const east = -date.getTimezoneOffset();
  const [hours, minutes] = [Math.floor(Math.abs(east) / 60), Math.abs(east) % 60];
  return `UTC${east ? `${east > 0 ? "+" : "−"}${hours}${minutes ? `:${two(minutes)}` : ""}` : ""}`;
}

/** A moment, in ms since 1970: the time, and the day where it is not today. */
export function moment(ms, now = Date.now()) {
  const date = new Date(ms);
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? clock(date) : `${day(date)} ${clock(date)}`;
}

/** A moment in full. */
export function fullMoment(ms) {
  const date = new Date(ms);
  return `${day(date)} ${date.getFullYear()}, ${clock(date)} ${zone(date)}`;
}

/** How long ago a moment was. */
export function ago(ms, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** A size in bytes. */
export function bytes(number) {
  if (number < 1000) return `${number} B`;
  return number < 1e6 ? `${digits(number / 1e3)} kB` : `${digits(number / 1e6)} MB`;
}

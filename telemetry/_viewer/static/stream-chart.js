// The stream of a model's call as a chart: how many chunks came when, with its gaps and stalls.

import { el, themeColours } from "./dom.js";
import { count, duration } from "./format.js";

const FOOT = 16;

/** Make the chart of a span's stream; null where it has none. */
export function streamChart(span) {
  if (span.first === null || !span.windows?.length) return null;
  const canvas = el("canvas.stream-chart", {
    role: "img",
    "aria-label": `Stream of ${count(span.chunks)} chunks, first after ${duration(span.first - span.start)}`
      + (span.stalls ? `, ${count(span.stalls)} stalls` : ""),
  });
  requestAnimationFrame(() => draw(canvas, span));
  return canvas;
}

function draw(canvas, span) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  const scale = window.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const last = span.windows.at(-1);
  const end = Math.max(span.end ?? 0, last[0] + last[1], span.last ?? 0);
  const x = (at) => ((at - span.start) / (end - span.start || 1)) * (width - 2) + 1;
  const colours = themeColours(["line", "chat", "warn", "dim", "text"]);
  const box = { width, height, base: height - FOOT, x, colours };
  drawChunks(pen, span, box);
  for (const stall of span.stallsAt ?? []) drawStall(pen, stall, box);
  drawTimes(pen, span, end, box);
}

function drawChunks(pen, { windows, usualGap }, { width, base, x, colours }) {
  const gap = usualGap ?? 0;
  const rates = windows.map(([, took, chunks], place) => chunks / Math.max(took, gap || 1, place ? 0 : 1));
  const most = rates.reduce((a, b) => Math.max(a, b), 0) || 1;
  pen.fillStyle = colours.line;
  pen.fillRect(0, base, width, 1);
  pen.fillStyle = colours.chat;
  windows.forEach(([at, took], place) => {
    const next = windows[place + 1]?.[0];
    const right = next !== undefined && next - at - took < gap * 3 ? next : at + Math.max(took, gap);
    const tall = 6 + (base - 10) * (rates[place] / most);
    pen.fillRect(x(at), base - tall, Math.max(x(right) - x(at) - 0.5, 1.5), tall);
  });
}

function drawStall(pen, [at, wait], { width, base, x, colours }) {
  pen.fillStyle = colours.warn;
  pen.globalAlpha = 0.18;
  pen.fillRect(x(at), 0, x(at + wait) - x(at), base);
  pen.globalAlpha = 1;
  pen.font = "600 11px system-ui, sans-serif";
  const text = `stall ${duration(wait)}`;
  const room = pen.measureText(text).width;
  pen.fillText(text, Math.min(Math.max(x(at + wait / 2) - room / 2, 2), width - room - 2), 14);
}

function drawTimes(pen, span, end, { width, height, base, x, colours }) {
  pen.fillStyle = colours.dim;
  pen.font = "10px system-ui, sans-serif";
  pen.fillText(`first ${duration(span.first - span.start)}`, Math.min(x(span.first), width - 80), height - 3);
  const text = duration(end - span.start);
  pen.fillText(text, width - pen.measureText(text).width - 1, height - 3);
  pen.fillStyle = colours.text;
  pen.fillRect(x(span.first) - 0.75, 0, 1.5, base);
}

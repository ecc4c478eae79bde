// The bars of a trace, drawn on one canvas beside its tree.

import { themeColours } from "./dom.js";
import { duration } from "./format.js";
import { hasFailed } from "./trace-tree.js";

const NAMES = ["surface", "line", "text", "dim", "faint", "accent", "error", "error-soft", "warn", "wait", "agent", "workflow", "node",
  "chat", "chat-soft", "tool", "retrieval", "other", "path", "chosen", "hover", "sunken"];
const EDGE = 10;

/** Steps of an axis that are round numbers, about so many. */
export function ticks(from, to, about) {
  const span = to - from;
  if (!(span > 0)) return [];
  const rough = span / Math.max(about, 1);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * size >= rough) * size;
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}

/** A time on an axis, with as many digits as tell it from its neighbours. */
export function tickText(at, step) {
  if (at === 0 || !step) return at === 0 ? "0" : duration(at);
  const unit = at >= 1000 ? 1000 : at >= 1 ? 1 : 0.001;
  const digits = Math.min(9, Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9)));
  return `${(at / unit).toFixed(digits)}\u2009${unit === 1000 ? "s" : unit === 1 ? "ms" : "µs"}`;
}

export class Waterfall {
  /** @param {HTMLCanvasElement} canvas @param {number} rowHeight in pixels */
  constructor(canvas, rowHeight) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.rowHeight = rowHeight;
    this.readTheme();
  }

  /** Read the colours of the theme anew. */
  readTheme() {
    this.colours = themeColours(NAMES);
    this.hatches = new Map();
  }

  /** Hatching in a colour of the theme, made when it is first drawn with. */
  hatch(name) {
    if (!this.hatches.has(name)) this.hatches.set(name, this.hatching(this.colours[name]));
    return this.hatches.get(name);
  }

  hatching(colour) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.strokeStyle = colour;
    pen.lineWidth = 1.4;
    pen.beginPath();
    for (const at of [-6, 0, 6]) {
      pen.moveTo(at, 6);
      pen.lineTo(at + 6, 0);
    }
    pen.stroke();
    return this.pen.createPattern(tile, "repeat");
  }

  /** Fit the canvas to its box. */
  fit(width, height) {
    const scale = window.devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.canvas.width !== across || this.canvas.height !== down) {
      this.canvas.width = across;
      this.canvas.height = down;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    this.pen.setTransform(scale, 0, 0, scale, 0, 0);
  }

  x(at) {
    return EDGE + ((at - this.from) / (this.to - this.from || 1)) * (this.width - 2 * EDGE);
  }

  /** The time at a place of the canvas. */
  at(x) {
    return this.from + ((x - EDGE) / (this.width - 2 * EDGE || 1)) * (this.to - this.from);
  }

  /**
   * Draw.
   * @param {{rows: import("./trace-tree.js").Row[], first: number, end: number, top: number, from: number, to: number,
   *   now: number, chosen: number, path: Set<number>|null, retries: Array, placeOf: Map<number, number>}} what
   */
  draw(what) {
    const { pen } = this;
    Object.assign(this, { from: what.from, to: what.to });
    pen.clearRect(0, 0, this.width, this.height);
    this.grid();
    this.connect(what);
    for (let index = what.first; index < what.end; index += 1) {
      const row = what.rows[index];
      const top = index * this.rowHeight - what.top;
      if (index === what.chosen) {
        pen.fillStyle = this.colours.chosen;
        pen.fillRect(0, top, this.width, this.rowHeight);
      }
      if (row.fold) this.fold(row.fold, top, what.now);
      else this.bar(row.span, top, what);
    }
  }

  grid() {
    const { pen } = this;
    pen.fillStyle = this.colours.line;
    for (const at of ticks(this.from, this.to, this.width / 110)) pen.fillRect(Math.round(this.x(at)), 0, 1, this.height);
  }

  bar(span, top, what) {
    const { pen, colours } = this;
    const end = span.end ?? Math.max(what.now, span.start);
    const left = this.x(span.start);
    const width = Math.max(this.x(end) - left, 2);
    if (left > this.width || left + width < 0) return;
    const y = top + 8;
    const height = this.rowHeight - 16;
    if (what.path?.has(span.index)) {
      pen.fillStyle = colours.path;
      pen.fillRect(left, top + this.rowHeight - 5, width, 2);
    }
    if (span.kind === "chat") this.stream(span, left, width, y, height, end);
    else this.plain(span, left, width, y, height);
    this.state(span, left, width, y, height);
    this.label(span, duration(end - span.start), left, width, y + height / 2);
  }

  plain(span, left, width, y, height) {
    const { pen, colours } = this;
    const isThin = span.kind === "node" || span.kind === "agent" || span.kind === "workflow";
    pen.fillStyle = hasFailed(span) ? colours.error : colours[span.kind] ?? colours.other;
    pen.globalAlpha = span.outcome === "lost" ? 0 : isThin ? 0.55 : 0.95;
    const inset = isThin ? 2 : 0;
    round(pen, left, y + inset, width, height - 2 * inset, 2);
    pen.fill();
    pen.globalAlpha = 1;
  }

  /** A model's call: pale until its first chunk, then as dense as its chunks came, with its gaps. */
  stream(span, left, width, y, height, end) {
    const { pen, colours } = this;
    pen.fillStyle = hasFailed(span) ? colours.error : colours.chat;
    if (span.first === null || span.outcome === "lost") {
      pen.globalAlpha = span.outcome === "lost" ? 0.12 : span.end === null ? 0.35 : 0.95;
      round(pen, left, y, width, height, 2);
      pen.fill();
      pen.globalAlpha = 1;
      return;
    }
    pen.globalAlpha = 0.28;
    round(pen, left, y, width, height, 2);
    pen.fill();
    pen.globalAlpha = 1;
    const first = this.x(span.first);
    if (span.windows?.length) this.windows(span, y, height);
    else {
      pen.globalAlpha = 0.85;
      pen.fillRect(first, y, Math.max(this.x(span.last ?? end) - first, 1), height);
      pen.globalAlpha = 1;
    }
    for (const [at, wait] of span.stallsAt ?? []) this.stall(at, wait, y, height);
    pen.fillStyle = colours.text;
    pen.fillRect(first - 0.75, y - 3, 1.5, height + 6);
  }

  windows(span, y, height) {
    const { pen } = this;
    const rates = span.windows.map(([, took, chunks]) => (took > 0 ? chunks / took : 0));
    const usual = [...rates].sort((a, b) => a - b)[Math.floor(rates.length * 0.9)] || 1;
    span.windows.forEach(([at, took], place) => {
      const left = this.x(at);
      const next = span.windows[place + 1];
      const isClose = next && next[0] - (at + took) < (span.usualGap ?? 0) * 3;
      const right = Math.max(this.x(isClose ? next[0] : at + took), left + 1.5);
      pen.globalAlpha = rates[place] ? 0.55 + 0.45 * Math.min(1, rates[place] / usual) : 0.9;
      pen.fillRect(left, y, right - left, height);
    });
    pen.globalAlpha = 1;
  }

  stall(at, wait, y, height) {
    const { pen, colours } = this;
    const left = this.x(at);
    const width = Math.max(this.x(at + wait) - left, 3);
    pen.fillStyle = colours.surface;
    pen.fillRect(left, y, width, height);
    pen.fillStyle = this.hatch("warn");
    pen.fillRect(left, y, width, height);
    pen.strokeStyle = colours.warn;
    pen.strokeRect(left + 0.5, y + 0.5, width - 1, height - 1);
    this.inside(`stall ${duration(wait)}`, left, width, y, height);
  }

  inside(text, left, width, y, height) {
    const { pen, colours } = this;
    pen.font = "600 10px system-ui, sans-serif";
    const room = pen.measureText(text).width + 8;
    if (room > width - 4) return;
    const x = left + (width - room) / 2;
    pen.fillStyle = colours.surface;
    round(pen, x, y - 2, room, height + 4, 3);
    pen.fill();
    pen.fillStyle = colours.warn;
    pen.textBaseline = "middle";
    pen.fillText(text, x + 4, y + height / 2 + 0.5);
  }

  /** How a span ended, beyond its colour. */
  state(span, left, width, y, height) {
    const { pen, colours } = this;
    const right = left + width;
    if (span.outcome === "running") {
      const fade = pen.createLinearGradient(right - Math.min(width, 40), 0, right, 0);
      fade.addColorStop(0, "transparent");
      fade.addColorStop(1, colours.accent);
      pen.fillStyle = fade;
      pen.fillRect(Math.max(left, right - 40), y, Math.min(width, 40), height);
      pen.fillStyle = colours.accent;
      pen.fillRect(right - 2, y - 2, 2, height + 4);
    } else if (span.outcome === "lost" || span.outcome === "cancelled" || span.outcome === "abandoned") {
      const isLost = span.outcome === "lost";
      pen.fillStyle = this.hatch(isLost ? "error" : "faint");
      pen.fillRect(left, y, width, height);
      pen.strokeStyle = isLost ? colours.error : colours.faint;
      pen.setLineDash(isLost ? [4, 3] : []);
      pen.strokeRect(left + 0.5, y + 0.5, Math.max(width - 1, 1), height - 1);
      pen.setLineDash([]);
    } else if (span.outcome === "interrupted") {
      pen.fillStyle = colours.wait;
      pen.fillRect(right + 3, y - 1, 2.5, height + 2);
      pen.fillRect(right + 7.5, y - 1, 2.5, height + 2);
    } else if (span.outcome === "error") {
      pen.fillStyle = colours.error;
      pen.fillRect(right - 2, y - 3, 3, height + 6);
    }
  }

  label(span, text, left, width, middle) {
    const { pen, colours } = this;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.fillStyle = colours.dim;
    const room = pen.measureText(text).width;
    const after = left + width + (span.outcome === "interrupted" ? 16 : 7);
    if (after + room < this.width - 2) pen.fillText(text, after, middle + 0.5);
    else if (left - room - 7 > 2) pen.fillText(text, left - room - 7, middle + 0.5);
    // A bar as wide as the view has no label: its row says how long it took.
  }

  fold(fold, top, now) {
    const { pen, colours } = this;
    const left = this.x(fold.start);
    const width = Math.max(this.x(fold.end ?? now) - left, 2);
    pen.fillStyle = fold.errors ? colours.error : colours.node;
    pen.globalAlpha = 0.35;
    round(pen, left, top + 10, width, this.rowHeight - 20, 2);
    pen.fill();
    pen.globalAlpha = 0.8;
    const rounds = Math.min(fold.rounds, width / 4);
    for (let at = 0; at <= rounds; at += 1) pen.fillRect(left + (width * at) / rounds - 0.5, top + 8, 1, this.rowHeight - 16);
    pen.globalAlpha = 1;
    this.label({ outcome: "ok" }, duration((fold.end ?? now) - fold.start), left, width, top + this.rowHeight / 2);
  }

  /** Arrows from failed attempts to the next ones. */
  connect({ retries, placeOf, top }) {
    const { pen, colours } = this;
    pen.strokeStyle = colours.warn;
    pen.lineWidth = 1.25;
    for (const [before, after] of retries) {
      const [above, below] = [placeOf.get(before.index), placeOf.get(after.index)];
      if (above === undefined || below === undefined) continue;
      const [x, y] = [this.x(before.end ?? before.start), (above + 1) * this.rowHeight - top - 8];
      const [toX, toY] = [this.x(after.start), below * this.rowHeight - top + 8];
      if (toY < 0 || y > this.height) continue;
      pen.setLineDash([3, 3]);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(x, toY + 3);
      pen.lineTo(toX - 2, toY + 3);
      pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = colours.warn;
      pen.beginPath();
      pen.moveTo(toX, toY + 3);
      pen.lineTo(toX - 5, toY);
      pen.lineTo(toX - 5, toY + 6);
      pen.fill();
    }
    pen.lineWidth = 1;
  }
}

function round(pen, x, y, width, height, radius) {
  pen.beginPath();
  pen.roundRect(x, y, width, Math.max(height, 1), Math.min(radius, width / 2));
}

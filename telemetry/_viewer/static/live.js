// What is running now: open streams with their speed, and their text as it comes.

import * as api from "./api.js";
import { el, show, write } from "./dom.js";
import { count, duration, some } from "./format.js";
import { goToList } from "./router.js";

const POINTS = 60;

/** Open the view of what is running. */
export function openLive(root) {
  return new LiveView(root);
}

class LiveView {
  constructor(root) {
    this.cards = new Map();
    this.offset = 0;
    this.grid = el("div.live-grid");
    this.note = el("span.dim", { role: "status" });
    this.empty = el("div.empty", {}, el("h1", { text: "Nothing is running" }), el("p", { text: "Runs and their streams appear here as they go on." }));
    this.empty.hidden = true;
    show(root, el("div.bar.view-head", {}, el("h1", { text: "Live" }), this.note), el("div.page", { tabindex: "0", role: "region", "aria-label": "Open runs" }, this.grid, this.empty));
    document.title = "Live · nodespan";
    this.unwatch = api.follow({ open: 1 }, {
      hello: ({ now }) => (this.offset = now - Date.now()),
      open: ({ runs }) => this.take(runs),
      up: () => this.isDown && write(this.note, ""),
      down: () => {
        this.isDown = true;
        write(this.note, "not connected");
      },
    });
    this.clock = setInterval(() => this.tick(), 500);
  }

  take(runs) {
    // A chat says more than the nodes and agents around it.
    const innermost = runs.filter((run) => ["chat", "completion", "tool", "retrieval"].includes(run.kind));
    const traces = new Set(innermost.map((run) => run.trace_id));
    const shown = [...innermost, ...runs.filter((run) => !traces.has(run.trace_id) && (run.kind === "agent" || run.kind === "workflow" || run.kind === "node" || run.kind === "other"))];
    const ids = new Set(shown.map((run) => run.span_id));
    for (const [id, card] of this.cards) {
      if (ids.has(id)) continue;
      card.box.remove();
      this.cards.delete(id);
    }
    for (const run of shown) this.card(run).take(run);
    this.empty.hidden = shown.length > 0;
    const speed = shown.reduce((sum, run) => sum + (run.per_second ?? 0), 0);
    write(this.note, shown.length ? `${some(shown.length, "run")} open${speed ? ` · ~${speed.toFixed(0)} tokens/s` : ""}` : "");
    this.tick();
  }

  card(run) {
    let card = this.cards.get(run.span_id);
    if (!card) {
      card = new Card(run);
      this.cards.set(run.span_id, card);
      this.grid.append(card.box);
    }
    return card;
  }

  tick() {
    const now = Date.now() + this.offset;
    for (const card of this.cards.values()) card.tick(now);
  }

  close() {
    this.unwatch();
    clearInterval(this.clock);
  }

  back() {
    goToList();
  }
}

class Card {
  constructor(run) {
    this.speeds = [];
    this.took = el("span.number.dim");
    this.speed = el("b.speed");
    this.unit = el("span.dim");
    this.state = el("span.badge");
    this.chunks = el("span.dim.number");
    this.text = el("div.text.live-text", { tabindex: "0", role: "region", "aria-label": "Text so far" });
    this.chart = el("canvas.sparkline", { "aria-hidden": "true" });
    this.box = el("article.card", {},
      el("header", {}, el(`span.glyph.${api.kindOf(run.kind)}`),
        el("a.cut", { href: `/traces/${run.trace_id}?span=${run.span_id}`, text: run.name, title: run.name }), this.state, el("span.grow"), this.took),
      el("p.dim.cut", { text: [run.agent, run.conversation].filter(Boolean).join(" · ") || " " }),
      el("div.card-speed", {}, this.speed, this.unit, this.chart, this.chunks),
      this.text);
  }

  take(run) {
    this.run = run;
    const isStream = run.first_chunk_at !== null;
    this.state.className = `badge ${run.is_stalled ? "stalled" : "running"}`;
    write(this.state, run.is_stalled ? "stalled" : isStream ? "streaming" : run.kind === "chat" ? "waiting for the first chunk" : "running");
    write(this.speed, run.per_second !== null && run.per_second !== undefined ? `~${run.per_second.toFixed(run.per_second < 10 ? 1 : 0)}` : "–");
    write(this.unit, "tokens/s");
    this.unit.title = run.tokens_per_chunk
      ? `How many it has had is known at its end: in this model's last calls a chunk was ${run.tokens_per_chunk.toPrecision(2)} tokens`
      : "How many it has had is known at its end: a chunk is taken for a token";
    write(this.chunks, run.chunks ? `${count(run.chunks)} chunks` : "");
    this.box.querySelector(".card-speed").hidden = run.kind !== "chat" && run.kind !== "completion";
    this.text.hidden = !run.text;
    if (run.text && this.text.textContent !== run.text) {
      this.text.textContent = run.text;
      this.text.scrollTop = this.text.scrollHeight;
    }
    this.speeds.push(this.speedNow(run));
    if (this.speeds.length > POINTS) this.speeds.shift();
    this.draw();
  }

  /** The chunks a second since the last look, which show a stall that the mean hides. */
  speedNow(run) {
    const at = Date.now();
    const speed = this.looked ? ((run.chunks - this.looked.chunks) * 1000) / Math.max(at - this.looked.at, 1) : 0;
    this.looked = { at, chunks: run.chunks };
    return speed;
  }

  tick(now) {
    write(this.took, duration(now - this.run.started_at));
  }

  draw() {
    const [width, height] = [this.chart.clientWidth, this.chart.clientHeight];
    if (!width) return;
    const scale = window.devicePixelRatio || 1;
    this.chart.width = width * scale;
    this.chart.height = height * scale;
    const pen = this.chart.getContext("2d");
    pen.scale(scale, scale);
    const most = this.speeds.reduce((a, b) => Math.max(a, b), 1);
    pen.strokeStyle = getComputedStyle(this.chart).color;
    pen.lineWidth = 1.5;
    pen.beginPath();
    this.speeds.forEach((speed, at) => pen.lineTo((at / (POINTS - 1)) * width, height - 2 - (speed / most) * (height - 4)));
    pen.stroke();
  }
}

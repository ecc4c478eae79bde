// Two traces side by side: what differs in structure, time, tokens, cost and parameters.

import * as api from "./api.js";
import { el, show } from "./dom.js";
import { asText } from "./messages.js";
import { count, duration, moment, money, short } from "./format.js";
import { go } from "./router.js";
import { VirtualRows } from "./virtual.js";

const ROW = 30;
/** Differences of a smaller share are those of any two runs. */
const NOISE = 0.02;

/** Open the comparison of two traces; without the second, one is chosen first. */
export function openCompare(root, left, right) {
  const view = new CompareView(root, left, right);
  view.load();
  return view;
}

class CompareView {
  constructor(root, left, right) {
    Object.assign(this, { root, left, right, onlyChanges: false });
  }

  async load() {
    document.title = "Compare · nodespan";
    show(this.root, el("div.bar.view-head", {}, el("h1", { text: "Compare" }), el("span.dim", { role: "status", text: "Reading …" })));
    try {
      if (!this.left || !this.right) await this.pick();
      else this.take(await api.compare({ left: this.left, right: this.right }));
    } catch (error) {
      if (!this.isClosed) show(this.root, el("div.empty", {}, el("h1", { text: "They cannot be compared" }), el("p", { text: error.message })));
    }
  }

  /** Let people choose the other trace. */
  async pick() {
    const first = this.left ? (await api.trace(this.left, 1)).summary : null;
    const told = await api.traces({ offset: 0, limit: 200, agent: first?.agent ?? "" });
    if (this.isClosed) return;
    const all = told.columns.trace_id.map((_, at) => api.record(told.columns, at)).filter((trace) => trace.trace_id !== first?.trace_id);
    show(this.root, el("div.bar.view-head", {}, el("h1", { text: first ? `Compare ${first.name} with …` : "Compare: choose the first" })),
      el("div.page", { tabindex: "0", role: "region", "aria-label": "Traces to compare with" },
        all.length ? el("ul.pick", {}, ...all.map((trace) => el("li", {}, el("a", { href: first ? `/compare?left=${first.trace_id}&right=${trace.trace_id}` : `/compare?left=${trace.trace_id}` },
          el(`span.dot.${trace.outcome}`), el("b.cut", { text: trace.name }), el("span.grow"), el("span.dim", { text: moment(trace.started_at) }),
          el("span.number", { text: trace.ended_at === null ? "running" : duration(trace.ended_at - trace.started_at) }))))) : el("p.empty", { text: "There is no other trace of this agent." })));
  }

  take(told) {
    if (this.isClosed) return;
    this.told = told;
    document.title = `${told.left.name} and ${told.right.name} · nodespan`;
    const changes = told.rows.filter((row) => row.state !== "same").length;
    const toggle = el("button", { type: "button", text: "Differences only", "aria-pressed": "false", onclick: () => {
      this.onlyChanges = !this.onlyChanges;
      toggle.setAttribute("aria-pressed", String(this.onlyChanges));
      this.layOut();
    } });
    const swap = el("button", { type: "button", text: "Swap", onclick: () => go(`/compare?left=${told.right.trace_id}&right=${told.left.trace_id}`) });
    const head = el("div.row.compare-head", { role: "row" }, ...["Span", "Left", "Right", "Difference", "Tokens, left | right", "Cost"].map((text) => el("div.cell", { role: "columnheader", text })));
    this.box = el("div.compare-rows", { role: "table", "aria-label": "Spans of both", tabindex: "0" }, el("div.list-head-group", { role: "rowgroup" }, head));
    show(this.root,
      el("div.bar.view-head", {}, el("h1", { text: "Compare" }), el("span.dim", { text: `${count(changes)} of ${count(told.rows.length)} spans differ` }), el("span.grow"), toggle, swap),
      el("div.sides", {}, side("Left", told.left), difference(told.left, told.right), side("Right", told.right)),
      told.parameters.length ? el("details.section.changed-parameters", { open: told.parameters.length < 6 }, el("summary", {}, el("h3", { text: `Parameters that differ · ${count(told.parameters.length)}` })), parameters(told.parameters)) : null,
      this.box);
    this.virtual = new VirtualRows(this.box, ROW, { make: makeRow, fill: (row, at) => fillRow(row, this.rows[at], told) });
    this.layOut();
  }

  layOut() {
    this.rows = this.onlyChanges ? this.told.rows.filter((row) => row.state !== "same") : this.told.rows;
    this.virtual.setCount(this.rows.length);
  }

  close() {
    this.isClosed = true;
    this.virtual?.close();
  }

  back() {
    go(this.left ? `/traces/${this.left}` : "/");
  }
}

function side(name, trace) {
  return el("section.side", { "aria-label": name },
    el("h2.cut", {}, el(`span.dot.${trace.outcome}`), el("a", { href: `/traces/${trace.trace_id}`, text: trace.name, title: trace.name })),
    el("p.dim", { text: [moment(trace.started_at), ...(trace.models ?? [])].join(" · ") }));
}

function took(trace) {
  return trace.ended_at === null ? null : trace.ended_at - trace.started_at;
}

function difference(left, right) {
  const facts = [
    ["Time", took(left), took(right), duration], ["Run's first chunk", left.first_chunk_ms, right.first_chunk_ms, duration],
    ["Spans", left.spans, right.spans, count], ["Tokens in", left.input_tokens, right.input_tokens, short, true], ["Tokens out", left.output_tokens, right.output_tokens, short, true],
    ["Cost", left.cost, right.cost, (value) => money(value, left.currency ?? right.currency)], ["Errors", left.errors, right.errors, count],
  ];
  const figure = (trace, value, as, areTokens) => `${areTokens && value && trace.is_estimated ? "~" : ""}${as(value) || "–"}`;
  return el("table.plain.difference", {},
    el("thead", {}, el("tr", {}, ...["", "Left", "Right", "Difference"].map((text) => el("th", { text, scope: "col", class: "number" })))),
    el("tbody", {}, ...facts.map(([name, a, b, as, areTokens]) => el("tr", {}, el("th", { text: name, scope: "row" }),
      el("td.number", { text: figure(left, a, as, areTokens) }), el("td.number", { text: figure(right, b, as, areTokens) }), changeCell("td", a, b, as)))));
}

/** The difference of two numbers, in a cell. */
function changeCell(tag, a, b, as) {
  const cell = el(`${tag}.number`);
  writeChange(cell, a, b, as);
  return cell;
}

function writeChange(cell, a, b, as, isShort = false) {
  cell.className = "number cell";
  cell.textContent = "";
  if (a === null || b === null || a === undefined || b === undefined || Math.abs(b - a) <= Math.abs(a) * NOISE) return;
  const ratio = a && !isShort ? ` (${b > a ? "+" : "−"}${Math.abs(Math.round(((b - a) / a) * 100))} %)` : "";
  cell.textContent = `${b > a ? "+" : "−"}${as(Math.abs(b - a))}${ratio}`;
  cell.classList.add(b > a ? "more" : "less");
}

function parameters(found) {
  return el("table.plain", {}, el("thead", {}, el("tr", {}, ...["Parameter", "Left", "Right"].map((text) => el("th", { text, scope: "col" })))),
    el("tbody", {}, ...found.map((each) => el("tr", {}, el("th", { text: each.name, scope: "row" }), el("td.mono", { text: asText(each.left) || "–" }), el("td.mono", { text: asText(each.right) || "–" })))));
}

const SIGNS = { same: "", changed: "≠", left_only: "−", right_only: "+" };
const SAID = { same: "same", changed: "changed", left_only: "only on the left", right_only: "only on the right" };

function makeRow() {
  const cells = Array.from({ length: 6 }, () => el("div.cell", { role: "cell" }));
  const row = el("div.row.compare-row", { role: "row" }, ...cells);
  row.cells_ = cells;
  return row;
}

function fillRow(row, shown, told) {
  const { left, right, state } = shown;
  const [name, a, b, change, tokens, cost] = row.cells_;
  row.className = `row compare-row ${state}`;
  name.style.paddingLeft = `${10 + Math.min(shown.depth, 20) * 14}px`;
  show(name, el("span.sign", { text: SIGNS[state] ?? "", title: SAID[state] }), el("span.sr", { text: SAID[state] ?? "" }), el(`span.glyph.${api.kindOf(shown.kind)}`), el("span.cut", { text: shown.name, title: shown.name }));
  show(a, sideCell(left, told.left.trace_id));
  show(b, sideCell(right, told.right.trace_id));
  writeChange(change, left?.duration_ms, right?.duration_ms, duration);
  tokens.className = "cell number";
  writeTokens(tokens, [left, told.left], [right, told.right]);
  writeChange(cost, left?.cost, right?.cost, (value) => money(value, told.left.currency ?? told.right.currency), true);
}

function sideCell(side_, trace) {
  if (!side_) return el("span.dim", { text: "–" });
  const isBad = side_.outcome !== "ok";
  return el("a.number", { href: `/traces/${trace}?span=${side_.span_id}`, text: `${duration(side_.duration_ms)}${isBad ? ` ${side_.error ?? side_.outcome}` : ""}`, class: isBad ? "bad" : null, tabindex: "-1" });
}

/** The tokens of both sides, each in and out together: no arrow, which stands for in and out elsewhere. */
function writeTokens(cell, ...both) {
  const sides = both.map(allTokens);
  const isNone = sides.every((text) => text === "–");
  cell.textContent = isNone ? "" : sides.join(" | ");
  cell.title = isNone ? "" : `Tokens in and out together: ${sides[0]} on the left, ${sides[1]} on the right`;
}

function allTokens([side_, trace]) {
  if (!side_ || (side_.input_tokens === null && side_.output_tokens === null)) return "–";
  return `${trace.is_estimated ? "~" : ""}${short((side_.input_tokens ?? 0) + (side_.output_tokens ?? 0))}`;
}

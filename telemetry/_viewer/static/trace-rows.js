// The rows of the tree of a trace.

import { el, renew, write } from "./dom.js";
import { duration, ESTIMATED, money, tokens } from "./format.js";

/** Height of a row, in pixels. */
export const ROW = 28;
const INDENT = 14;
const DEEPEST = 24;

/** What a row shows. */
export function keyOf({ span, fold }) {
  return span ? span.id : fold.key;
}

/** Make an empty row. */
export function makeRow() {
  const twist = el("button.twist", { type: "button", tabindex: "-1", "aria-hidden": "true" });
  const glyph = el("span.glyph");
  const name = el("span.cut.span-name");
  const badges = el("span.badges");
  const used = el("span.used.number.dim");
  const took = el("span.took.number");
  const cells = el("div.cell", { role: "gridcell" }, twist, glyph, name, badges, el("span.grow"), used, took);
  const row = el("div.row.tree-row", { role: "row" }, cells);
  row.parts = { twist, glyph, name, badges, used, took, cells };
  return row;
}

/** Fill a row. */
export function fillRow(row, view, index) {
  const shown = view.rows[index];
  row.id = `row-${index}`;
  row.setAttribute("aria-level", String(shown.depth + 1));
  row.setAttribute("aria-posinset", String(shown.place));
  row.setAttribute("aria-setsize", String(shown.siblings));
  if (shown.hasChildren) row.setAttribute("aria-expanded", String(shown.isOpen));
  else row.removeAttribute("aria-expanded");
  row.parts.cells.style.paddingLeft = `${6 + Math.min(shown.depth, DEEPEST) * INDENT}px`;
  row.parts.twist.className = `twist${shown.hasChildren ? (shown.isOpen ? " open" : " shut") : ""}`;
  if (shown.fold) fillFold(row, shown.fold, view);
  else fillSpan(row, shown.span, view);
}

function fillFold(row, fold, view) {
  const { name, glyph, badges, used, took } = row.parts;
  const text = `${fold.names.map(shortName).join(" → ")}  × ${fold.rounds}`;
  row.className = "row tree-row fold";
  row.setAttribute("aria-selected", "false");
  row.setAttribute("aria-label", `${text}, repeated, folded`);
  glyph.className = "glyph loop";
  write(name, text);
  name.title = text;
  renew(badges, fold.errors ? el("span.badge.error", { text: String(fold.errors) }) : null);
  write(used, "");
  write(took, duration((fold.end ?? view.now) - fold.start));
}

function fillSpan(row, span, view) {
  const { name, glyph, badges, used, took } = row.parts;
  const isChosen = span.id === view.chosenId;
  const end = span.end ?? Math.max(view.now, span.start);
  const time = duration(end - span.start);
  row.className = `row tree-row ${span.outcome}${isChosen ? " chosen" : ""}${view.critical?.has(span.index) ? " critical" : ""}`;
  row.setAttribute("aria-selected", String(isChosen));
  if (isChosen) view.box.setAttribute("aria-activedescendant", row.id);
  row.setAttribute("aria-label", spoken(span, time));
  glyph.className = `glyph ${span.kind}`;
  write(name, shortName(span.name));
  name.title = span.name;
  renew(badges, ...badgesOf(span));
  const paid = span.cost !== null && span.cost !== undefined ? money(span.cost, view.summary.currency) : "";
  write(used, span.input !== null || span.output !== null ? `${tokens(span.input, span.output, span.isEstimated)}${paid ? ` · ${paid}` : ""}` : "");
  used.title = span.isEstimated ? ESTIMATED : "Tokens in and out, and what they cost";
  write(took, time);
}

function badgesOf(span) {
  const found = [];
  if (span.attempt > 1) found.push(el("span.badge.retry", { text: `try ${span.attempt}`, title: `Attempt ${span.attempt}` }));
  if (span.stalls && span.kind === "chat") found.push(el("span.badge.stalled", { text: "stall" }));
  if (span.outcome !== "ok" && span.outcome !== "running") {
    found.push(el(`span.badge.${span.outcome}`, { text: span.outcome === "error" ? span.error ?? "error" : span.outcome }));
  }
  if (span.resumes) found.push(el("a.badge.resumed", { text: "↩ resumes", href: linkAddress(span.resumes), title: "To the run that this one goes on from", tabindex: "-1" }));
  if (span.resumedBy) found.push(el("a.badge.resumed", { text: "↪ resumed", href: linkAddress(span.resumedBy), title: "To the run that went on from here", tabindex: "-1" }));
  if (span.evaluations || span.judged) found.push(el("span.badge", { text: "evaluated" }));
  return found;
}

/** The address of the span that a link leads to. */
export function linkAddress(link) {
  return `/traces/${link.trace_id}?span=${link.span_id}`;
}

/** A span's name without what its symbol says. */
export function shortName(name) {
  return name.replace(/^(invoke_agent|invoke_workflow|execute_tool|node|chat) (?=\S)/, "");
}

function spoken(span, time) {
  const parts = [span.name, time, span.outcome === "ok" ? "" : `${span.outcome} ${span.error ?? ""}`.trim()];
  if (span.attempt > 1) parts.push(`attempt ${span.attempt}`);
  if (span.stalls) parts.push(`${span.stalls} stalls`);
  return parts.filter(Boolean).join(", ");
}

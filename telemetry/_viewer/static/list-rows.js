// The rows of the list of traces.

import { el, write } from "./dom.js";
import { duration, ESTIMATED, fullMoment, moment, money, some, tokens } from "./format.js";
import { go } from "./router.js";

/** Height of a row, in pixels. */
export const ROW = 34;
/** Texts and names of the columns. */
export const COLUMNS = [["Started", "when"], ["Name", "name"], ["Outcome", "outcome"], ["Time", "time"], ["Run's first chunk", "chunk"],
  ["Tokens", "tokens"], ["Cost", "cost"], ["Model", "model"], ["Conversation", "conversation"]];

/** Make an empty row. */
export function makeRow() {
  const cells = Object.fromEntries(COLUMNS.map(([, name]) => [name, el(`div.cell.${name}`, { role: "gridcell" })]));
  const dot = el("span.dot");
  const link = el("a.cut", { tabindex: "-1" });
  const badge = el("span.badge");
  const stalls = el("span.badge.stalled");
  cells.name.append(dot, link);
  cells.outcome.append(badge, stalls);
  const row = el("div.row.list-row", { role: "row" }, ...Object.values(cells));
  row.parts = { cells, dot, link, badge, stalls };
  row.addEventListener("click", (event) => {
    if (!event.target.closest("a") && row.traceId) go(`/traces/${row.traceId}`);
  });
  return row;
}

/** Fill a row with a trace; null where it has not been read yet. */
export function fillRow(row, trace, { isChosen, now }) {
  row.classList.toggle("chosen", isChosen);
  row.setAttribute("aria-selected", String(isChosen));
  row.classList.toggle("waiting", !trace);
  // A row that is used again stands for nothing until then.
  row.traceId = trace?.trace_id;
  row.isRunning = trace?.ended_at === null;
  if (!trace) return;
  const { cells, dot, link, badge, stalls } = row.parts;
  row.startedAt = trace.started_at;
  write(cells.when, moment(trace.started_at));
  cells.when.title = fullMoment(trace.started_at);
  dot.className = `dot ${trace.outcome}`;
  write(link, trace.name.replace(/^(invoke_agent|invoke_workflow) (?=\S)/, ""));
  link.title = trace.name;
  link.href = `/traces/${trace.trace_id}`;
  badge.className = `badge ${trace.outcome}`;
  badge.hidden = trace.outcome === "ok" && !trace.errors;
  write(badge, trace.outcome === "ok" ? some(trace.errors, "error") : trace.error ?? trace.outcome);
  badge.title = trace.error ? `${trace.outcome}: ${trace.error}` : trace.errors ? "Inside; the run went on" : "";
  if (trace.outcome === "ok" && trace.errors) badge.className = "badge error";
  stalls.hidden = !trace.stalls;
  write(stalls, trace.stalls === 1 ? "stall" : `${trace.stalls} stalls`);
  write(cells.time, duration((trace.ended_at ?? now) - trace.started_at));
  write(cells.chunk, trace.first_chunk_ms !== null ? duration(trace.first_chunk_ms) : "");
  write(cells.tokens, trace.input_tokens !== null ? tokens(trace.input_tokens, trace.output_tokens, trace.is_estimated) : "");
  cells.tokens.title = trace.is_estimated ? ESTIMATED : "";
  write(cells.cost, money(trace.cost, trace.currency));
  write(cells.model, trace.models.join(", "));
  cells.model.title = trace.models.join(", ");
  write(cells.conversation, trace.conversation ?? "");
  cells.conversation.title = trace.conversation ?? "";
}

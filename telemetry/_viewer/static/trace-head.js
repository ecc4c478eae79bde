// What stands above the tree of a trace: its name, what it comes to, and where to go from there.

import * as api from "./api.js";
import { el, renew } from "./dom.js";
import { count, duration, ESTIMATED, fullMoment, money, moment, some, tokens } from "./format.js";
import { hasFailed } from "./trace-tree.js";
import { shortName } from "./trace-rows.js";

/** Show the head of a trace, or what has changed in it. */
export function showHead(view) {
  const { summary } = view;
  renew(view.head,
    el(`span.dot.${summary.outcome}`, { "data-key": "dot" }),
    el("h1.cut", { text: shortName(summary.name), title: summary.name }),
    outcome(summary), stalls(view), errors(view),
    el("div.head-facts", {}, ...facts(summary).filter(([text]) => text).map(([text, title]) => el("span.fact.dim", { text, title }))),
    api.isFile ? null : el("nav.head-places", { "aria-label": "Views of the trace" }, ...places(view)),
    view.dropped ? el("span.badge.retry", { "data-key": "dropped", role: "status", text: view.isWhole ? `${count(view.dropped)} more spans are not shown` : `${count(view.dropped)} more spans are being read` }) : null);
  document.title = `${summary.name} · nodespan`;
}

function facts(summary) {
  return [
    [moment(summary.started_at), fullMoment(summary.started_at)],
    [summary.ended_at === null ? "running" : duration(summary.ended_at - summary.started_at)],
    [some(summary.spans, "span")],
    [summary.input_tokens !== null ? `${tokens(summary.input_tokens, summary.output_tokens, summary.is_estimated)} tokens` : "", summary.is_estimated ? ESTIMATED : "tokens in and out"],
    [money(summary.cost, summary.currency)],
    [summary.first_chunk_ms !== null ? `run's first chunk ${duration(summary.first_chunk_ms)}` : "", "From the start of the run to the first chunk of any of its model calls"],
  ];
}

function outcome({ outcome: name, error }) {
  if (name === "ok") return null;
  return el(`span.badge.${name}`, { "data-key": "outcome", text: error && error !== name ? `${name} · ${error}` : name });
}

function stalls(view) {
  const number = view.summary.stalls;
  if (!number) return null;
  return el("button.badge.stalled", { type: "button", "data-key": "stalls", text: some(number, "stall"), title: "Go to the stall", onclick: () => view.goTo((span) => span.stalls > 0 && span.kind === "chat") });
}

function errors(view) {
  const { summary } = view;
  if (!summary.errors) return null;
  const isLost = summary.outcome === "lost";
  return el("button.badge.error", {
    type: "button", "data-key": "errors", text: isLost ? "where it stopped" : some(summary.errors, "error"),
    title: isLost ? "Go to what its process was doing when it died" : "Go to where it failed first", onclick: () => view.goTo(hasFailed, true),
  });
}

function places({ id, summary }) {
  const talk = summary.conversation;
  return [
    talk && el("a.button", { "data-key": "conversation", href: `/conversation?id=${encodeURIComponent(talk)}`, title: talk, text: "Conversation" }),
    el("a.button", { "data-key": "graph", href: `/graph?trace=${id}`, text: "Graph" }),
    el("a.button", { "data-key": "compare", href: `/compare?left=${id}`, text: "Compare" }),
  ];
}

/** The menu of what a trace can be saved as; none in what was saved. */
export function savesOf(id) {
  if (api.isFile) return null;
  const files = [["trace.html", "HTML page"], ["otlp.json", "OTLP JSON"], ["chrome.json", "Perfetto trace"]];
  return el("details.menu", {}, el("summary.button", { text: "Save as" }),
    el("div.menu-items", {}, ...files.map(([file, text]) => el("a", { href: api.fileUrl(id, file), download: "", text }))));
}

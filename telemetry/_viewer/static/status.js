// What state the journal is in, as `nodespan doctor` says it.

import * as api from "./api.js";
import { el, show } from "./dom.js";
import { bytes, count, fullMoment } from "./format.js";
import { goToList } from "./router.js";

/** Open the view of the journal's state. */
export function openStatus(root) {
  const view = { back: () => goToList(), close: () => (view.isClosed = true) };
  document.title = "Journal · nodespan";
  show(root, el("div.bar.view-head", {}, el("h1", { text: "Journal" }), el("span.dim", { role: "status", text: "Reading …" })));
  load(root, view);
  return view;
}

async function load(root, view) {
  try {
    const [about, told] = await Promise.all([api.about(), api.status()]);
    if (!view.isClosed) fill(root, about, told);
  } catch (error) {
    if (!view.isClosed) show(root, el("div.empty", {}, el("h1", { text: "Journal" }), el("p", { text: error.message })));
  }
}

function fill(root, about, told) {
  const facts = [
    ["File", about.journal], ["Size", bytes(told.bytes)], ["Traces", count(told.traces)], ["Spans", count(told.spans)], ["Open spans", count(told.open_spans)],
    ["Oldest", told.oldest ? fullMoment(told.oldest) : "–"], ["Written by", told.writers.length ? told.writers.map((pid) => `process ${pid}`).join(", ") : "nobody now"],
    ["Dropped", count(told.dropped)], ["Lost with their process", count(told.lost)], ["Refused by endpoints", count(told.refused)],
    ["Takes OTLP at", about.receiver ?? "–"], ["nodespan", about.version],
  ];
  const waiting = told.backlogs.map((each) => el("tr", {}, el("th.mono", { text: each.url, scope: "row" }), el("td.number", { text: count(each.spans) }),
    el("td.number", { text: count(each.log_records) }), el("td", { text: each.oldest ? fullMoment(each.oldest) : "–" }), el("td.number", { text: count(each.refused) }), el("td", { text: each.forwarder ? `process ${each.forwarder}` : "nobody" })));
  const head = ["Endpoint", "Spans", "Log records", "Oldest", "Refused", "Sent by"];
  show(root, el("div.bar.view-head", {}, el("h1", { text: "Journal" })),
    el("div.page", { tabindex: "0", role: "region", "aria-label": "Journal" },
      el("dl.table.status", {}, ...facts.flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text, class: name === "File" ? "mono" : null })])),
      waiting.length ? el("section", {}, el("h2", { text: "Waiting to be sent" }), el("table.plain", {}, el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { text, scope: "col" })))), el("tbody", {}, ...waiting))) : null));
}

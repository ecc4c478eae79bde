// A saved trace as a page of its own: the same tree, waterfall and panel, without a server.

import { el } from "./dom.js";
import { fullMoment } from "./format.js";
import { setUpTheme } from "./theme.js";
import { openTrace } from "./trace.js";

const saved = JSON.parse(document.getElementById("trace").textContent);
const button = el("button.icon-button", { type: "button" });
const main = document.getElementById("app");
document.body.insertBefore(el("header.top", {},
  el("span.brand", { text: "nodespan" }),
  el("span.dim.cut.grow", { text: `saved ${fullMoment(saved.saved_at)}` }),
  saved.spans_cut ? el("span.badge.retry", { text: `without the details of ${saved.spans_cut} spans` }) : null,
  button), main);
setUpTheme(button);
const view = openTrace(main, { id: saved.skeleton.summary.trace_id, query: new URLSearchParams() });
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches?.("input");
  if (event.key === "Escape" && !isTyping) view.back();
  if (event.key === "Escape" && isTyping) event.target.blur();
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    view.find.focus();
  }
});

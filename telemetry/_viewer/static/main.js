// The page: its views by their addresses, its theme, its keys.

import * as api from "./api.js";
import { openCompare } from "./compare.js";
import { openConversation, openConversations } from "./conversation.js";
import { el, renew, show } from "./dom.js";
import { openGraph } from "./graph.js";
import { openList } from "./list.js";
import { openLive } from "./live.js";
import { openStatus } from "./status.js";
import { go, openView, route, start } from "./router.js";
import { setUpTheme } from "./theme.js";
import { openTrace } from "./trace.js";

const PLACES = [["/", "Traces"], ["/live", "Live"], ["/conversations", "Conversations"], ["/status", "Journal"]];
const KEYS = [
  ["/", "Search"], ["?", "This help"], ["Esc", "Close, or back to the list"],
  ["g t · g l · g c", "Go to traces, live, conversations"],
  ["↑ ↓", "Move through a list or a tree"], ["← →", "Close and open a span"], ["Enter", "Open a trace; into the panel"],
  ["e", "Errors only"], ["c", "Critical path"], ["+ − 0", "Zoom the waterfall, and out again (also Ctrl + wheel, or drag on its axis)"],
];

route(/^\/(?:traces)?$/, (box, _, query) => openList(box, query));
route(/^\/traces\/([^/]+)(?:\/spans\/([^/]+))?$/, (box, [id, span], query) => openTrace(box, { id, span, query }));
route(/^\/conversations$/, (box) => openConversations(box));
route(/^\/conversation$/, (box, _, query) => openConversation(box, query.get("id") ?? ""));
route(/^\/graph$/, (box, _, query) => openGraph(box, query.get("trace") ?? ""));
route(/^\/live$/, (box) => openLive(box));
route(/^\/compare$/, (box, _, query) => openCompare(box, query.get("left") ?? "", query.get("right") ?? ""));
route(/^\/status$/, (box) => openStatus(box));
route(/^/, (box) => void show(box, el("div.empty", {}, el("h1", { text: "There is no such view" }), el("a", { href: "/", text: "To the traces" }))));

function showPlaces() {
  const path = location.pathname;
  const here = (to) => path === to || (to === "/" && path.startsWith("/traces")) || (to === "/conversations" && path === "/conversation");
  renew(document.getElementById("places"), ...PLACES.map(([to, text]) => el("a", { href: to, text, "aria-current": here(to) ? "page" : null })));
}

function showHelp() {
  const close = el("button", { type: "button", text: "Close", autofocus: true, onclick: () => dialog.close() });
  const dialog = el("dialog", { "aria-label": "Keyboard" },
    el("h2", { text: "Keyboard" }),
    el("dl", {}, ...KEYS.flatMap(([keys, what]) => [el("dt", {}, ...keys.split(" ").map((key) => el("kbd", { text: key }))), el("dd", { text: what })])),
    close);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** For so many ms after `g` the next key says where to. */
const LEADS = 1_000;
const LEADS_TO = { t: "/", l: "/live", c: "/conversations" };
let led = -LEADS;

function isTyping(event) {
  return event.target.matches?.("input, select, textarea");
}

function isForPage(event) {
  return !(event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]"));
}

/** What follows `g` is for the page alone, and before any view. */
function onLedKey(event) {
  // When it was pressed, and not when there was time for it.
  const isLed = event.timeStamp - led < LEADS;
  led = -LEADS;
  if (!isForPage(event) || isTyping(event)) return;
  if (event.key === "g") led = event.timeStamp;
  else if (isLed && LEADS_TO[event.key]) {
    event.preventDefault();
    event.stopPropagation();
    go(LEADS_TO[event.key]);
  }
}

function onKey(event) {
  if (!isForPage(event)) return;
  if (event.key === "Escape") {
    if (isTyping(event)) event.target.blur();
    else openView()?.back?.();
    return;
  }
  if (isTyping(event)) return;
  if (event.key === "?") showHelp();
  else if (event.key === "/") {
    const field = openView()?.find;
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  }
}

setUpTheme(document.getElementById("theme"));
document.getElementById("help").addEventListener("click", showHelp);
document.addEventListener("keydown", onLedKey, { capture: true });
document.addEventListener("keydown", onKey);
document.addEventListener("viewchange", showPlaces);
start(document.getElementById("view"));
// Nobody waits for it: what the view asks for comes first. Not all browsers say when they are idle.
const whenIdle = globalThis.requestIdleCallback ?? setTimeout;
addEventListener("load", () => whenIdle(() => api.about().then((told) => {
  document.getElementById("state").title = told.journal;
}, () => {})));

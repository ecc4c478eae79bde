// All that one span says, beside the tree.

import { el, renew, show } from "./dom.js";
import { count, duration, ESTIMATED, fullMoment, money, some } from "./format.js";
import { asText, jsonView, messageView, valueView, UNSAID } from "./messages.js";
import { streamChart } from "./stream-chart.js";
import { hasFailed } from "./trace-tree.js";
import { linkAddress } from "./trace-rows.js";

/**
 * Show a span.
 * @param {HTMLElement} box
 * @param {import("./trace-tree.js").Span} span
 * @param {Object} detail attributes, events, links and the rest of it
 * @param {{t0: number, now: number, close: () => void, links: Array}} about
 */
export function showPanel(box, span, detail, about) {
  const attributes = detail.attributes;
  const isSame = box.dataset.span === span.id;
  // A span that goes on is told anew: what is open, focused and scrolled to in its panel stays so.
  const tell = isSame ? renew : show;
  tell(box,
    heading(span, about),
    facts(span, detail, about),
    failure(span, detail),
    links(detail, about),
    streamSection(span),
    section("Evaluations", evaluations(detail.evaluations ?? [])),
    ...content(span, detail),
    section("Identifying parameters", table(Object.entries(detail.parameters ?? {}))),
    section("Events", events(detail, span)),
    section("Attributes", table(Object.entries(attributes))),
    section("Process", table([...Object.entries(detail.resource ?? {}), ["scope", detail.scope ?? ""]]), false),
    detail.cut ? el("p.hint.dim", { text: `${some(detail.cut, "long text was", "long texts were")} cut; the OTLP file has all of it.` }) : null,
    identity(detail));
  box.dataset.span = span.id;
  box.setAttribute("aria-label", `Span ${span.name}`);
  if (!isSame) box.scrollTop = 0;
}

function heading(span, about) {
  return el("header.panel-head", {},
    el(`span.glyph.${span.kind}`),
    el("h2.cut", { text: span.name, title: span.name }),
    el(`span.badge.${span.outcome}`, { text: span.error && span.error !== span.outcome ? `${span.outcome} · ${span.error}` : span.outcome }),
    el("button.icon-button.panel-close", { type: "button", "aria-label": "Close the panel", title: "Close (Esc)", text: "✕", onclick: about.close }));
}

function facts(span, detail, about) {
  const { attributes } = detail;
  const end = span.end ?? about.now;
  const speed = attributes["nodespan.stream.tokens_per_second"];
  const isEstimated = attributes["nodespan.usage.is_estimated"] === true;
  const [about_, hint] = isEstimated ? ["~", ESTIMATED] : ["", undefined];
  const found = [
    ["Model", span.model && !span.name.includes(span.model) ? span.model : ""],
    ["Took", duration(end - span.start) + (span.end === null ? " so far" : "")],
    ["Started", `+${duration(span.start)}`, fullMoment(about.t0 + span.start)],
    ["First chunk", span.first !== null ? duration(span.first - span.start) : ""],
    ["Chunks", span.chunks ? count(span.chunks) : ""],
    ["Longest gap", duration((attributes["nodespan.stream.gap.max"] ?? NaN) * 1000)],
    ["Stalls", span.stalls ? count(span.stalls) : ""],
    ["Tokens/s", typeof speed === "number" ? speed.toFixed(1) : ""],
    ["Tokens in", span.input !== null ? about_ + count(span.input) : "", hint],
    ["Tokens out", span.output !== null ? about_ + count(span.output) : "", hint],
    ["Cost", money(span.cost, detail.currency)],
    ["Attempt", span.attempt > 1 ? count(span.attempt) : ""],
    ["Step", asText(attributes["langgraph.step"])],
  ];
  const shown = found.filter(([, text]) => text !== "" && text !== null);
  return el("dl.facts", {}, ...shown.map(([name, text, title]) =>
    el("div", { title }, el("dt", { text: name }), el("dd", { text }))));
}

function failure(span, { exception, error, status_message: said }) {
  if (!exception && !(error && hasFailed(span))) return null;
  // The conventions' own spans have no exception, and what it said in their status.
  if (!exception && said) return el("section.failure", { "aria-label": "Failure", "data-key": "failure" }, el("p", {}, el("b", { text: error }), ` ${said}`));
  if (!exception) return el("section.failure", { "aria-label": "Failure", "data-key": "failure" }, el("p", {}, el("b", { text: error }), " arose in a run beneath, or what it said was not recorded."));
  return el("section.failure", { "aria-label": "Failure", "data-key": "failure" },
    el("p", {}, el("b", { text: exception.type }), exception.message ? ` ${exception.message}` : ""),
    exception.stacktrace ? el("details", {}, el("summary", { text: "Stack trace" }), el("pre.text.mono", { text: exception.stacktrace })) : null);
}

const LINKS = { resumes: ["↩ resumes", "Goes on where this run was interrupted"], resumed_by: ["↪ resumed by", "The run that went on from here"] };

function links(detail, about) {
  const back = (about.links ?? []).filter((link) => link.kind === "resumed_by" && link.from_span === detail.span_id);
  const all = [...(detail.links ?? []), ...back.filter((link) => !(detail.links ?? []).some((each) => each.span_id === link.span_id))];
  if (!all.length) return null;
  return el("section.links", { "aria-label": "Links", "data-key": "links" }, ...all.map((link) => {
    const [text, title] = LINKS[link.kind] ?? ["→ linked to", "A span that this one links to"];
    return el("a.badge.resumed", { href: linkAddress(link), title, text: `${text} ${link.name ?? link.trace_id.slice(0, 8)}` });
  }));
}

function streamSection(span) {
  const chart = streamChart(span);
  return chart && section("Stream", chart);
}

function content(span, { messages, io, documents }) {
  const { system = [], input = [], output = [], tools = [] } = messages ?? {};
  const said = [...(system.length ? [messageView({ role: "system", parts: system })] : []), ...input.map(messageView)];
  const value = (title, given) => section(title, given !== null && given !== undefined ? valueView(given) : null);
  const found = [
    value("Arguments", io?.arguments),
    value("Result", io?.result),
    section("Documents", documents?.map(documentView)),
    section("Answer", output.map(messageView)),
    section(`Input · ${some(said.length, "message")}`, said, said.length < 6 || span.kind !== "chat"),
    input.length ? null : value("Input", io?.input),
    output.length ? null : value("Output", io?.output),
    section(`Tools · ${count(tools.length)}`, tools.map((tool) => jsonView(tool)), false),
  ].filter(Boolean);
  if (!found.length && ["chat", "tool", "agent", "retrieval"].includes(span.kind)) {
    found.push(el("p.hint.dim", {
      text: UNSAID,
    }));
  }
  return found;
}

function documentView(document) {
  const score = typeof document.score === "number" ? document.score.toPrecision(3) : "";
  return el("article.message", {}, el("header", { text: [asText(document.id), score].filter(Boolean).join(" · ") }),
    valueView(document.content), document.metadata ? jsonView(document.metadata) : null);
}

function evaluations(found) {
  return found.map((each) => el("div.evaluation", {},
    el("b", { text: asText(each.name) }),
    el("span.badge", { text: [each.score, each.label].filter((part) => part !== undefined && part !== null).map(asText).join(" · ") }),
    each.explanation ? el("p", { text: asText(each.explanation) }) : null));
}

function events(detail, span) {
  const shown = (detail.events ?? []).filter((event) => event.name !== "exception");
  const views = shown.map((event) => {
    const entries = Object.entries(event.attributes ?? {});
    const line = [el("span.mono.dim.event-time", { text: `+${duration(event.at_us / 1000)}` }), el("span", { text: event.name })];
    if (!entries.length) return el("div.event", { title: `after ${span.name} started` }, ...line);
    return el("details.event", {}, el("summary", {}, ...line), table(entries));
  });
  if (detail.events_cut) views.push(el("p.dim", { text: `${count(detail.events_cut)} more are not shown` }));
  return views;
}

function identity(detail) {
  return el("p.identity.mono.dim", {}, `span ${detail.span_id}`, detail.run_id ? ` · run ${detail.run_id}` : "");
}

/** Names and values, in order of the names. */
export function table(entries) {
  if (!entries.length) return null;
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return el("dl.table", {}, ...sorted.flatMap(([name, value]) => [
    el("dt", { text: name }),
    el("dd", {}, typeof value === "object" && value !== null ? jsonView(value) : valueView(value)),
  ]));
}

function section(title, body, isOpen = true) {
  const parts = (Array.isArray(body) ? body : [body]).filter(Boolean);
  if (!parts.length) return null;
  return el("details.section", { open: isOpen, "data-key": title.split(" · ")[0] }, el("summary", {}, el("h3", { text: title })), el("div.section-body", {}, ...parts));
}

// Made of the other files in this folder by `python -m tests.support.generated`.
"use strict";
const in_dom = (() => {
// Elements. Every text goes in as text: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag its name, with classes after dots: `span.dim.number`
 * @param {Object<string, any>} [given] attributes; `on…` are listeners, `text` is its text
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElement}
 */
function el(tag, given = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  return fill(made, given, children);
}

/** Make an element of SVG, as `el` does. */
function svg(name, given = {}, ...children) {
  return fill(document.createElementNS(SVG, name), given, children);
}

function fill(made, given, children) {
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) made.append(child);
  }
  return made;
}

/** Put these in the place of all that an element holds. */
function show(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

/** Set a text only where it differs: a write costs layout. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Call *act* once in the next frame, however often the result is called until then. */
function inNextFrame(act) {
  let asked = 0;
  return () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      act();
    });
  };
}

/** Call *act* after a rest of so many milliseconds. */
function afterRest(act, rest) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), rest);
  };
}

/** Call *act* at most once in so many milliseconds, however often the result is called. */
function atMostEvery(act, least) {
  let timer = 0;
  let last = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      last = Date.now();
      act();
    }, Math.max(0, last + least - Date.now()));
  };
}

/** A value of the theme, such as `--accent`. */
function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
return { el, svg, show, write, inNextFrame, afterRest, atMostEvery, themeColour };
})();

const in_format = (() => {
// Numbers and times as people read them.

const THIN = "\u2009";

/** A time span of *ms* milliseconds, with three digits. */
function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "";
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 0.0005) return `0${THIN}ms`;
  if (ms < 1) return `${digits(ms * 1000)}${THIN}µs`;
  if (ms < 999.5) return `${digits(ms)}${THIN}ms`;
  if (ms < 59_950) return `${digits(ms / 1000)}${THIN}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${THIN}min ${two(seconds % 60)}${THIN}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2880) return `${Math.floor(minutes / 60)}${THIN}h ${two(minutes % 60)}${THIN}min`;
  return `${Math.round(minutes / 1440)} days`;
}

function digits(number) {
  return number >= 99.95 ? number.toFixed(0) : number >= 9.995 ? number.toFixed(1) : number.toFixed(2);
}

function two(number) {
  return String(number).padStart(2, "0");
}

const WHOLE = new Intl.NumberFormat("en");

/** A count, in full. */
function count(number) {
  return number === null || number === undefined ? "" : WHOLE.format(number);
}

/** A count in little room: `1.2 k`, `3.4 M`. */
function short(number) {
  if (number === null || number === undefined) return "";
  if (Math.abs(number) < 10_000) return WHOLE.format(number);
  const [size, unit] = Math.abs(number) < 1e6 ? [1e3, "k"] : Math.abs(number) < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${digits(number / size)}${THIN}${unit}`;
}

/** What something cost. */
function money(amount, currency) {
  if (amount === null || amount === undefined) return "";
  const sign = { USD: "$", EUR: "€", GBP: "£" }[currency];
  const figure = amount === 0 ? "0" : amount >= 1 ? amount.toFixed(2) : amount >= 0.01 ? amount.toFixed(3) : amount.toPrecision(2);
  const plain = figure.includes("e") ? Number(figure).toFixed(8).replace(/0+$/, "") : figure;
  return sign ? `${sign}${plain}` : `${plain} ${currency ?? ""}`.trim();
}

/** So many things: `1 run`, `2 runs`. */
function some(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** A moment, in ms since 1970: the time, and the day where it is not today. */
function moment(ms, now = Date.now()) {
  const date = new Date(ms);
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? CLOCK.format(date) : `${DAY.format(date)} ${CLOCK.format(date)}`;
}

/** A moment in full. */
function fullMoment(ms) {
  return FULL.format(new Date(ms));
}

/** How long ago a moment was. */
function ago(ms, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** A size in bytes. */
function bytes(number) {
  if (number < 1000) return `${number} B`;
  return number < 1e6 ? `${digits(number / 1e3)} kB` : `${digits(number / 1e6)} MB`;
}
return { duration, count, short, money, some, moment, fullMoment, ago, bytes };
})();

const in_theme = (() => {
// Dark and light: as the system has it, until somebody chooses.

const KEY = "nodespan-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };
const SIGNS = { system: "◐", light: "☀", dark: "☾" };

/** Set the theme, and let a button change it. */
function setUpTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = read();
  const apply = () => {
    const isDark = chosen === "dark" || (chosen === "system" && system.matches);
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    if (button) {
      button.textContent = SIGNS[chosen];
      button.setAttribute("aria-label", `Theme: ${chosen}`);
      button.title = `Theme: ${chosen}`;
    }
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  system.addEventListener("change", apply);
  button?.addEventListener("click", () => {
    chosen = NEXT[chosen];
    write(chosen);
    apply();
  });
  apply();
}

function read() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept in NEXT ? kept : "system";
  } catch {
    return "system";
  }
}

function write(chosen) {
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // A page from a file may have no storage.
  }
}
return { setUpTheme };
})();

const in_api = (() => {
// What the server tells, in the shapes that the views use. Times are in ms.

const KINDS = { completion: "chat", embeddings: "retrieval", chain: "node" };
const SPAN_KINDS = new Set(["agent", "workflow", "node", "chat", "tool", "retrieval"]);

/** What a saved page brings along; null on the server's own page. */
const SAVED = document.getElementById("trace") ? JSON.parse(document.getElementById("trace").textContent) : null;

/** Whether this page is a file that somebody saved. */
const isFile = SAVED !== null;

/** An answer of the server that is none. */
class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function ask(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  const address = query.size ? `/api/${path}?${query}` : `/api/${path}`;
  let answer;
  try {
    answer = await fetch(address, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "The server does not answer. Is `nodespan ui` still running?");
  }
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => null);
  throw new ApiError(told?.error?.code ?? String(answer.status), told?.error?.message ?? `The server answers ${answer.status}.`);
}

const plain = (path) => (parameters, signal) => ask(path, parameters, signal);
const about = plain("about");
const status = plain("status");
const facets = plain("facets");
const totals = plain("totals");
const conversations = plain("conversations");
const conversation = plain("conversation");
const graph = plain("graph");
const compare = plain("compare");

/** A window of the list of traces; its `columns` as they come. */
const traces = plain("traces");

/** A line of a table of columns, as an object. */
function record(columns, at) {
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[at]]));
}

/** A trace with its spans, without their attributes. */
async function trace(id) {
  const told = SAVED ? SAVED.skeleton : await ask(`traces/${id}`);
  return { summary: told.summary, t0: told.origin, dropped: told.dropped, cursor: told.cursor, links: told.links ?? [], spans: spansOf(told) };
}

function spansOf(told) {
  const { spans: columns, names, kinds, outcomes, errors, models } = told;
  const ids = columns.span_id;
  return ids.map((id, index) => {
    const parent = columns.parent ? columns.parent[index] : -1;
    const start = columns.start_us[index] / 1000;
    const took = columns.duration_us[index];
    const first = columns.first_chunk_us[index];
    return {
      index,
      id,
      parent: columns.parent_id ? columns.parent_id[index] : parent >= 0 ? ids[parent] : null,
      name: names[columns.name[index]],
      kind: kindOf(kinds[columns.kind[index]]),
      start,
      end: took < 0 ? null : start + took / 1000,
      outcome: outcomes[columns.outcome[index]] ?? "ok",
      error: errors[columns.error[index]] ?? null,
      model: models[columns.model[index]] ?? null,
      input: columns.input_tokens[index],
      output: columns.output_tokens[index],
      cost: columns.cost[index],
      first: first < 0 ? null : start + first / 1000,
      chunks: columns.chunks[index],
      stalls: columns.stalls[index] ?? 0,
      attempt: null,
      children: [],
      depth: 0,
    };
  });
}

/** The symbol of a kind. */
function kindOf(name) {
  const known = KINDS[name] ?? name;
  return SPAN_KINDS.has(known) ? known : "other";
}

const FALLBACK_KINDS = ["agent", "workflow", "node", "chat", "completion", "embeddings", "tool", "retrieval", "chain", "other"];

/** The spans of a message about a trace that has changed. */
function changedSpans(message, kinds) {
  return spansOf({ ...message, kinds: message.kinds ?? kinds ?? FALLBACK_KINDS });
}

/** Write onto spans what their rows show beyond the skeleton. */
async function mark(id, spans) {
  const marks = SAVED ? SAVED.marks : (await ask(`traces/${id}/marks`, { spans: spans.map((span) => span.id).join(",") })).spans;
  for (const span of spans) {
    const told = marks[span.id];
    if (told) applyMark(span, told);
  }
}

/** Write onto a span what a mark, or its detail, says of it. */
function applyMark(span, told) {
  span.isMarked = true;
  if (told.attempt !== undefined) span.attempt = told.attempt;
  if (told.evaluations !== undefined) span.evaluations = Array.isArray(told.evaluations) ? told.evaluations.length : told.evaluations;
  if (told.is_cached) span.isCached = true;
  const { timeline } = told;
  if (timeline && timeline.start_us.length) {
    span.windows = timeline.start_us.map((at, place) => [span.start + at / 1000, timeline.duration_us[place] / 1000, timeline.chunks[place]]);
    span.usualGap = usualGap(timeline);
  }
  if (Array.isArray(told.stalls)) {
    span.stallsAt = told.stalls.map((stall) => [span.start + stall.at_us / 1000, stall.duration_us / 1000]);
  }
}

/** The median of the gaps between chunks, in ms. */
function usualGap(timeline) {
  const gaps = timeline.gap_max_us.slice(1).sort((a, b) => a - b);
  return gaps.length ? gaps[Math.floor(gaps.length / 2)] / 1000 : 0;
}

/** Everything of one span. */
async function span(id, spanId) {
  if (!SAVED) return ask(`traces/${id}/spans/${spanId}`);
  const told = SAVED.spans[spanId];
  if (!told) throw new ApiError("not_found", "this file holds no details of it: the trace was too large");
  return told;
}

/** After how many ms a stream that was refused is asked for again. */
const AGAIN = 3_000;

/** The address of a trace as a file. */
function fileUrl(id, name) {
  return `/api/traces/${id}/download/${name}`;
}

/**
 * Follow what the server tells as it happens.
 * @param {Object} wanted parameters of the stream
 * @param {Object<string, (data: any) => void>} heard by the name of the event; `up` and `down` tell of the connection
 * @returns {() => void} ends it
 */
function follow(wanted, heard) {
  if (SAVED) return () => {};
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== null && value !== undefined));
  let source = null;
  let timer = 0;
  const open = () => {
    source = new EventSource(`/api/live?${query}`);
    source.addEventListener("open", () => heard.up?.());
    source.addEventListener("error", () => {
      heard.down?.();
      // After an answer that is no stream, such as that there is no journal yet, nobody else asks again.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN);
    });
    for (const [name, act] of Object.entries(heard)) {
      if (name === "up" || name === "down") continue;
      // The connection has an event of its own that is named `open`, without data.
      source.addEventListener(name, (event) => event.data !== undefined && act(JSON.parse(event.data)));
    }
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
return { isFile, ApiError, about, status, facets, totals, conversations, conversation, graph, compare, traces, record, trace, kindOf, changedSpans, mark, applyMark, span, fileUrl, follow };
})();

const in_messages = (() => {
// What people wrote and models said, as text.

const { el } = in_dom;
const { bytes, count } = in_format;

const LONG = 1_200;

/** Read JSON, or give nothing. */
function parsed(text) {
  if (typeof text !== "string") return text ?? null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A message with its parts. */
function messageView(message) {
  const role = String(message.role ?? "");
  const parts = Array.isArray(message.parts) ? message.parts : [{ type: "text", content: message.content }];
  return el(`article.message.${/^(user|assistant|system|tool)$/.test(role) ? role : "other"}`, {},
    el("header", { text: message.name ? `${role} · ${message.name}` : role }),
    ...parts.map(partView));
}

/** A part of a message: text, reasoning, a call, its result, or the size of anything else. */
function partView(part) {
  if (typeof part === "string") return textView(part);
  if (!part || typeof part !== "object") return textView(String(part));
  switch (part.type) {
    case "text":
      return textView(asText(part.content));
    case "reasoning":
      return el("details.reasoning", {}, el("summary", { text: "Reasoning" }), textView(asText(part.content)));
    case "tool_call":
      return el("div.call", {},
        el("div.call-head", {}, el("span.glyph.tool"), el("b", { text: asText(part.name) }), el("span.dim.mono", { text: asText(part.id) })),
        jsonView(part.arguments));
    case "tool_call_response":
      return el("div.call", {}, el("div.call-head.dim", { text: `result ${asText(part.id)}` }), valueView(part.response ?? part.result));
    case "media":
      return el("div.media.dim", { text: mediaText(part) });
    default:
      return el("div.call", {}, el("div.call-head.dim", { text: asText(part.name ?? part.type) }), jsonView(part.content ?? part));
  }
}

function mediaText({ modality, mime_type: type, bytes: size, uri }) {
  return [modality ?? "media", type, typeof size === "number" ? bytes(size) : null, uri].filter(Boolean).join(" · ");
}

/** Text as it stands, cut with a button where it is long. */
function textView(text) {
  const body = el("div.text");
  if (text.length <= LONG) {
    body.textContent = text;
    return body;
  }
  const shown = el("span", { text: `${text.slice(0, LONG)}…` });
  const more = el("button.more", {
    type: "button",
    text: `Show all ${count(text.length)} characters`,
    onclick: () => {
      shown.textContent = text;
      more.remove();
    },
  });
  body.append(shown, more);
  return body;
}

/** A value of any kind: JSON laid out, other text as it stands. */
function valueView(value) {
  const read = typeof value === "string" && /^\s*[[{]/.test(value) ? parsed(value) : value;
  return read !== null && typeof read === "object" ? jsonView(read) : textView(asText(value));
}

/** JSON, laid out. */
function jsonView(value) {
  const read = parsed(value) ?? value;
  if (read === undefined || read === null) return null;
  const text = typeof read === "string" ? read : JSON.stringify(read, null, 2);
  const view = textView(text);
  view.classList.add("mono");
  return view;
}

/** Any value as a text. */
function asText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The text of a message alone. */
function plainText(message) {
  const parts = Array.isArray(message?.parts) ? message.parts : [];
  return parts.filter((part) => part?.type === "text").map((part) => asText(part.content)).join("\n");
}
return { parsed, messageView, partView, textView, valueView, jsonView, asText, plainText };
})();

const in_trace_tree = (() => {
// A trace as a tree of rows (pure: no element in here).

/**
 * @typedef {Object} Span
 * @property {number} index its place in the trace's spans
 * @property {string} id
 * @property {string|null} parent
 * @property {string} name
 * @property {string} kind one of agent, workflow, node, chat, tool, retrieval, other
 * @property {number} start in ms since the trace's start
 * @property {number|null} end as above; null while it is open
 * @property {string} outcome
 * @property {string|null} error
 * @property {string|null} model
 * @property {number|null} input tokens
 * @property {number|null} output tokens
 * @property {number|null} cost
 * @property {number|null} first when the first chunk came, in ms since the trace's start
 * @property {number|null} last as above, of the last chunk
 * @property {number|null} chunks
 * @property {number} stalls
 * @property {number|null} attempt
 * @property {number[]} children places of its children, by their start
 * @property {number} depth
 *
 * @typedef {Object} Row
 * @property {Span|null} span null where the row stands for a folded loop
 * @property {Fold|null} fold
 * @property {number} depth
 * @property {boolean} hasChildren
 * @property {boolean} isOpen
 * @property {number} place among its siblings, from 1
 * @property {number} siblings
 *
 * @typedef {{key: string, names: string[], rounds: number, members: number[], start: number, end: number|null, errors: number}} Fold
 */

const FAILED = new Set(["error", "lost"]);
const LEAST_ROUNDS = 4;
const LONGEST_ROUND = 6;

/** Say whether a span has failed. */
function hasFailed(span) {
  return FAILED.has(span.outcome);
}

class TraceTree {
  /** @param {Span[]} spans by their start */
  constructor(spans) {
    this.spans = spans;
    this.byId = new Map(spans.map((span) => [span.id, span]));
    this.roots = [];
    for (const span of spans) span.children = [];
    for (const span of spans) {
      const parent = span.parent ? this.byId.get(span.parent) : null;
      if (parent && parent !== span) parent.children.push(span.index);
      else this.roots.push(span.index);
    }
    this.layDown();
  }

  /** Set depths, and the end of each span's own tree. Spans in a circle of parents become roots. */
  layDown() {
    const seen = new Uint8Array(this.spans.length);
    const walk = (first) => {
      const stack = [[first, 0]];
      while (stack.length) {
        const [index, depth] = stack.pop();
        if (seen[index]) continue;
        seen[index] = 1;
        const span = this.spans[index];
        span.depth = depth;
        for (let at = span.children.length - 1; at >= 0; at -= 1) stack.push([span.children[at], depth + 1]);
      }
    };
    for (const root of this.roots) walk(root);
    for (const span of this.spans) {
      if (seen[span.index]) continue;
      const parent = this.byId.get(span.parent);
      if (parent) parent.children = parent.children.filter((child) => child !== span.index);
      this.roots.push(span.index);
      walk(span.index);
    }
  }

  /** When the last of the spans ended, or *now* where one is open; in ms since the start. */
  extent(now) {
    let latest = 0;
    for (const span of this.spans) latest = Math.max(latest, span.end ?? Math.max(now, span.start));
    return latest;
  }

  /**
   * The rows to show, in order.
   * @param {{closed: Set<string>, unfolded: Set<string>, keep: Set<number>|null, folds: boolean}} how
   *     `keep` are the spans to show, with what stands above them; null shows all
   * @returns {Row[]}
   */
  rows({ closed, unfolded, keep, folds }) {
    const rows = [];
    const stack = [];
    const push = (indices, depth, parentId) => {
      const items = this.items(indices, parentId, { unfolded, keep, folds });
      for (let at = items.length - 1; at >= 0; at -= 1) {
        stack.push({ item: items[at], depth, place: at + 1, siblings: items.length });
      }
    };
    push(this.roots, 0, "");
    while (stack.length) {
      const { item, depth, place, siblings } = stack.pop();
      if (item.members) {
        const isOpen = unfolded.has(item.key);
        rows.push({ span: null, fold: item, depth, hasChildren: true, isOpen, place, siblings });
        if (isOpen) {
          for (let at = item.members.length - 1; at >= 0; at -= 1) {
            const inner = { item: this.spans[item.members[at]], depth: depth + 1 };
            stack.push({ ...inner, place: at + 1, siblings: item.members.length });
          }
        }
        continue;
      }
      const hasChildren = item.children.length > 0;
      const isOpen = hasChildren && !closed.has(item.id);
      rows.push({ span: item, fold: null, depth, hasChildren, isOpen, place, siblings });
      if (isOpen) push(item.children, depth + 1, item.id);
    }
    return rows;
  }

  items(indices, parentId, { keep, folds }) {
    const shown = keep ? indices.filter((index) => keep.has(index)) : indices;
    const found = folds && !keep ? repeats(shown.map((index) => this.spans[index].name)) : [];
    const items = [];
    let at = 0;
    for (const { from, length, round } of found) {
      while (at < from) items.push(this.spans[shown[at++]]);
      items.push(this.fold(shown.slice(from, from + length), round, parentId));
      at = from + length;
    }
    while (at < shown.length) items.push(this.spans[shown[at++]]);
    return items;
  }

  fold(members, round, parentId) {
    const spans = members.map((index) => this.spans[index]);
    const isOpen = spans.some((span) => span.end === null);
    return {
      key: `${parentId}/${spans[0].id}`,
      names: spans.slice(0, round).map((span) => span.name),
      rounds: members.length / round,
      members,
      start: spans[0].start,
      end: isOpen ? null : spans.reduce((latest, span) => Math.max(latest, span.end), 0),
      errors: spans.filter(hasFailed).length,
    };
  }

  /** The spans that *wanted* says yes to, and all that stand above them. */
  withAncestors(wanted) {
    const keep = new Set();
    for (const span of this.spans) {
      if (!wanted(span)) continue;
      let up = span;
      while (up && !keep.has(up.index)) {
        keep.add(up.index);
        up = up.parent ? this.byId.get(up.parent) : null;
      }
    }
    return keep;
  }

  /** The spans that the trace's time was spent in, from the last end backwards. */
  criticalPath(now) {
    const path = new Set();
    const end = (span) => span.end ?? now;
    const stack = this.roots.length ? [this.roots.reduce((a, b) => (end(this.spans[b]) > end(this.spans[a]) ? b : a))] : [];
    while (stack.length) {
      const span = this.spans[stack.pop()];
      path.add(span.index);
      let until = end(span) + 1e-6;
      const children = span.children.map((index) => this.spans[index]);
      children.sort((a, b) => end(b) - end(a));
      for (const child of children) {
        if (end(child) > until) continue;
        stack.push(child.index);
        until = child.start + 1e-6;
      }
    }
    return path;
  }

  /** Pairs of a failed attempt and the one that tried again, as `[before, after]`. */
  retries() {
    const pairs = [];
    for (const span of this.spans) {
      const latest = new Map();
      for (const index of span.children) {
        const child = this.spans[index];
        const before = latest.get(child.name);
        if (child.attempt > 1 && before && hasFailed(before)) pairs.push([before, child]);
        latest.set(child.name, child);
      }
    }
    return pairs;
  }
}

/** Where a round of names comes again and again: `[{from, length, round}]`, in order. */
function repeats(names) {
  const found = [];
  let at = 0;
  while (at < names.length) {
    const best = longest(names, at);
    if (best) {
      found.push(best);
      at += best.length;
    } else at += 1;
  }
  return found;
}

function longest(names, from) {
  for (let round = 1; round <= LONGEST_ROUND; round += 1) {
    let length = round;
    while (from + length < names.length && names[from + length] === names[from + length - round]) length += 1;
    const rounds = Math.floor(length / round);
    if (rounds >= LEAST_ROUNDS) return { from, length: rounds * round, round };
  }
  return null;
}
return { hasFailed, TraceTree, repeats };
})();

const in_trace_rows = (() => {
// The rows of the tree of a trace.

const { el, write } = in_dom;
const { duration, money, short } = in_format;

/** Height of a row, in pixels. */
const ROW = 28;
const INDENT = 14;
const DEEPEST = 24;

/** Make an empty row. */
function makeRow(view) {
  const twist = el("button.twist", { type: "button", tabindex: "-1", "aria-hidden": "true" });
  const glyph = el("span.glyph");
  const name = el("span.cut.span-name");
  const badges = el("span.badges");
  const used = el("span.used.number.dim");
  const took = el("span.took.number");
  const cells = el("div.cell", { role: "gridcell" }, twist, glyph, name, badges, el("span.grow"), used, took);
  const row = el("div.row.tree-row", { role: "row" }, cells);
  row.parts = { twist, glyph, name, badges, used, took, cells };
  row.addEventListener("click", (event) => {
    const shown = view.rows[row.index];
    if (!shown) return;
    if (event.target === twist || shown.fold) view.open(shown, !shown.isOpen);
    else view.choose(shown.span.id);
  });
  row.addEventListener("dblclick", () => {
    const shown = view.rows[row.index];
    if (shown?.span && shown.hasChildren) view.open(shown, !shown.isOpen);
  });
  return row;
}

/** Fill a row. */
function fillRow(row, view, index) {
  const shown = view.rows[index];
  row.index = index;
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
  badges.replaceChildren(...(fold.errors ? [el("span.badge.error", { text: String(fold.errors) })] : []));
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
  badges.replaceChildren(...badgesOf(span));
  const paid = span.cost !== null && span.cost !== undefined ? money(span.cost, view.summary.currency) : "";
  write(used, span.input !== null || span.output !== null ? `${short(span.input ?? 0)}→${short(span.output ?? 0)}${paid ? ` · ${paid}` : ""}` : "");
  used.title = "Tokens in and out, and what they cost";
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
  if (span.evaluations) found.push(el("span.badge", { text: "evaluated" }));
  return found;
}

/** The address of the span that a link leads to. */
function linkAddress(link) {
  return `/traces/${link.trace_id}?span=${link.span_id}`;
}

/** A span's name without what its symbol says. */
function shortName(name) {
  return name.replace(/^(invoke_agent|invoke_workflow|execute_tool|node|chat) (?=\S)/, "");
}

function spoken(span, time) {
  const parts = [span.name, time, span.outcome === "ok" ? "" : `${span.outcome} ${span.error ?? ""}`.trim()];
  if (span.attempt > 1) parts.push(`attempt ${span.attempt}`);
  if (span.stalls) parts.push(`${span.stalls} stalls`);
  return parts.filter(Boolean).join(", ");
}
return { ROW, makeRow, fillRow, linkAddress, shortName };
})();

const in_panel = (() => {
// All that one span says, beside the tree.

const { el, show, themeColour } = in_dom;
const { count, duration, fullMoment, money, some } = in_format;
const { asText, jsonView, messageView, valueView } = in_messages;
const { hasFailed } = in_trace_tree;
const { linkAddress } = in_trace_rows;

/**
 * Show a span.
 * @param {HTMLElement} box
 * @param {import("./trace-tree.js").Span} span
 * @param {Object} detail attributes, events, links and the rest of it
 * @param {{t0: number, now: number, close: () => void, links: Array}} about
 */
function showPanel(box, span, detail, about) {
  const attributes = detail.attributes;
  const was = box.dataset.span === span.id ? stateOf(box) : null;
  show(box,
    heading(span, about),
    facts(span, detail, about),
    failure(span, detail),
    links(detail, about),
    streamChart(span),
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
  restore(box, was);
}

/** What is open in a panel, and how far it is scrolled: a span that goes on is shown anew. */
function stateOf(box) {
  const open = [...box.querySelectorAll("details")].map((each) => [each.querySelector("summary").textContent, each.open]);
  return { open: new Map(open), top: box.scrollTop };
}

function restore(box, was) {
  for (const each of was ? box.querySelectorAll("details") : []) each.open = was.open.get(each.querySelector("summary").textContent) ?? each.open;
  box.scrollTop = was?.top ?? 0;
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
  const found = [
    ["Took", duration(end - span.start) + (span.end === null ? " so far" : "")],
    ["Started", `+${duration(span.start)}`, fullMoment(about.t0 + span.start)],
    ["First chunk", span.first !== null ? duration(span.first - span.start) : ""],
    ["Chunks", span.chunks ? count(span.chunks) : ""],
    ["Longest gap", duration((attributes["nodespan.stream.gap.max"] ?? NaN) * 1000)],
    ["Stalls", span.stalls ? count(span.stalls) : ""],
    ["Tokens/s", typeof speed === "number" ? speed.toFixed(1) : ""],
    ["Tokens in", span.input !== null ? count(span.input) : ""],
    ["Tokens out", span.output !== null ? count(span.output) : ""],
    ["Cost", money(span.cost, detail.currency)],
    ["Attempt", span.attempt > 1 ? count(span.attempt) : ""],
    ["Step", asText(attributes["langgraph.step"])],
  ];
  const shown = found.filter(([, text]) => text !== "" && text !== null);
  return el("dl.facts", {}, ...shown.map(([name, text, title]) =>
    el("div", { title }, el("dt", { text: name }), el("dd", { text }))));
}

function failure(span, { exception, error }) {
  if (!exception && !(error && hasFailed(span))) return null;
  if (!exception) return el("section.failure", { "aria-label": "Failure" }, el("p", {}, el("b", { text: error }), " arose in a run beneath, or what it said was not recorded."));
  return el("section.failure", { "aria-label": "Failure" },
    el("p", {}, el("b", { text: exception.type }), exception.message ? ` ${exception.message}` : ""),
    exception.stacktrace ? el("details", {}, el("summary", { text: "Stack trace" }), el("pre.text.mono", { text: exception.stacktrace })) : null);
}

const LINKS = { resumes: ["↩ resumes", "Goes on where this run was interrupted"], resumed_by: ["↪ resumed by", "The run that went on from here"] };

function links(detail, about) {
  const back = (about.links ?? []).filter((link) => link.kind === "resumed_by" && link.from_span === detail.span_id);
  const all = [...(detail.links ?? []), ...back.filter((link) => !(detail.links ?? []).some((each) => each.span_id === link.span_id))];
  if (!all.length) return null;
  return el("section.links", { "aria-label": "Links" }, ...all.map((link) => {
    const [text, title] = LINKS[link.kind] ?? ["→ linked to", "A span that this one links to"];
    return el("a.badge.resumed", { href: linkAddress(link), title, text: `${text} ${link.name ?? link.trace_id.slice(0, 8)}` });
  }));
}

/** The stream of a model's call: how many chunks came when, with its gaps and stalls. */
function streamChart(span) {
  if (span.first === null || !span.windows?.length) return null;
  const canvas = el("canvas.stream-chart", {
    role: "img",
    "aria-label": `Stream of ${count(span.chunks)} chunks, first after ${duration(span.first - span.start)}`
      + (span.stalls ? `, ${count(span.stalls)} stalls` : ""),
  });
  requestAnimationFrame(() => drawStream(canvas, span));
  return section("Stream", canvas);
}

function drawStream(canvas, span) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  const scale = window.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const base = height - 16;
  const last = span.windows.at(-1);
  const end = Math.max(span.end ?? 0, last[0] + last[1], span.last ?? 0);
  const x = (at) => ((at - span.start) / (end - span.start || 1)) * (width - 2) + 1;
  const rates = span.windows.map(([, took, chunks], place) => chunks / Math.max(took, span.usualGap || 1, place ? 0 : 1));
  const most = rates.reduce((a, b) => Math.max(a, b), 0) || 1;
  pen.fillStyle = themeColour("--line");
  pen.fillRect(0, base, width, 1);
  pen.fillStyle = themeColour("--chat");
  span.windows.forEach(([at, took], place) => {
    const next = span.windows[place + 1]?.[0];
    const right = next !== undefined && next - at - took < (span.usualGap ?? 0) * 3 ? next : at + Math.max(took, span.usualGap ?? 0);
    const tall = 6 + (base - 10) * (rates[place] / most);
    pen.fillRect(x(at), base - tall, Math.max(x(right) - x(at) - 0.5, 1.5), tall);
  });
  for (const [at, wait] of span.stallsAt ?? []) {
    pen.fillStyle = themeColour("--warn");
    pen.globalAlpha = 0.18;
    pen.fillRect(x(at), 0, x(at + wait) - x(at), base);
    pen.globalAlpha = 1;
    pen.font = "600 11px system-ui, sans-serif";
    const text = `stall ${duration(wait)}`;
    const room = pen.measureText(text).width;
    pen.fillText(text, Math.min(Math.max(x(at + wait / 2) - room / 2, 2), width - room - 2), 14);
  }
  pen.fillStyle = themeColour("--dim");
  pen.font = "10px system-ui, sans-serif";
  pen.fillText(`first ${duration(span.first - span.start)}`, Math.min(x(span.first), width - 80), height - 3);
  const text = duration(end - span.start);
  pen.fillText(text, width - pen.measureText(text).width - 1, height - 3);
  pen.fillStyle = themeColour("--text");
  pen.fillRect(x(span.first) - 0.75, 0, 1.5, base);
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
      text: "What was said was not recorded. It is, once OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is SPAN_ONLY.",
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
function table(entries) {
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
  return el("details.section", { open: isOpen }, el("summary", {}, el("h3", { text: title })), el("div.section-body", {}, ...parts));
}
return { showPanel, table };
})();

const in_router = (() => {
// Which view an address shows. Each view has one, and going back leads back.

/** @typedef {{close?: () => void, back?: () => void, find?: HTMLElement}} View */

const ROUTES = [];
let current = null;
let box = null;

/** Say which view an address opens; `pattern` matches the path. */
function route(pattern, open) {
  ROUTES.push([pattern, open]);
}

/** Show the view of the address, in this element, now and whenever the address changes. */
function start(root) {
  box = root;
  window.addEventListener("popstate", openCurrent);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || link.hasAttribute("download")) return;
    const to = new URL(link.getAttribute("href"), location.href);
    if (to.origin !== location.origin || to.pathname.startsWith("/api/") || to.hash === "#view") return;
    event.preventDefault();
    go(to.pathname + to.search);
  });
  openCurrent();
}

/** Go to an address of this page. */
function go(address) {
  history.pushState(null, "", address);
  openCurrent();
}

/** Change parameters of the address, without opening the view anew. */
function setQuery(changes) {
  if (location.protocol === "file:") return;
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  history.replaceState(null, "", text ? `${location.pathname}?${text}` : location.pathname);
}

/** The view that is open. */
function openView() {
  return current;
}

function openCurrent() {
  current?.close?.();
  current = null;
  box.className = "";
  const path = location.pathname;
  for (const [pattern, open] of ROUTES) {
    const match = pattern.exec(path);
    if (!match) continue;
    current = open(box, match.slice(1).map((part) => (part === undefined ? null : decodeURIComponent(part))), new URLSearchParams(location.search)) ?? null;
    break;
  }
  document.dispatchEvent(new CustomEvent("viewchange"));
}
return { route, start, go, setQuery, openView };
})();

const in_trace_keys = (() => {
// The keyboard in the tree of a trace, as an ARIA treegrid has it.

/** Let the keyboard move through a trace's tree. */
function treeKeys(view) {
  view.box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = ACTS[event.key];
    if (!act || !view.rows.length) return;
    event.preventDefault();
    act(view, at(view));
  });
}

function at(view) {
  return view.rows.findIndex((row) => row.span && row.span.id === view.chosenId);
}

function moveTo(view, place) {
  const step = place < at(view) ? -1 : 1;
  let next = Math.min(Math.max(place, 0), view.rows.length - 1);
  while (view.rows[next] && !view.rows[next].span) {
    // A folded loop opens as one walks into it.
    view.open(view.rows[next], true);
    next += step > 0 ? 1 : -1;
  }
  const row = view.rows[next];
  if (!row) return;
  view.virtual.reveal(next);
  view.choose(row.span.id);
}

function pageOf(view) {
  return Math.max(1, Math.floor(view.box.clientHeight / view.virtual.height) - 1);
}

const ACTS = {
  ArrowDown: (view, place) => moveTo(view, place + 1),
  ArrowUp: (view, place) => moveTo(view, Math.max(place - 1, 0)),
  Home: (view) => moveTo(view, 0),
  End: (view) => moveTo(view, view.rows.length - 1),
  PageDown: (view, place) => moveTo(view, place + pageOf(view)),
  PageUp: (view, place) => moveTo(view, Math.max(place - pageOf(view), 0)),
  ArrowRight: (view, place) => {
    const row = view.rows[place];
    if (!row?.hasChildren) return;
    if (row.isOpen) moveTo(view, place + 1);
    else view.open(row, true);
  },
  ArrowLeft: (view, place) => {
    const row = view.rows[place];
    if (!row) return;
    if (row.hasChildren && row.isOpen) view.open(row, false);
    else {
      const parent = view.tree.byId.get(row.span.parent);
      if (parent && view.placeOf.has(parent.index)) moveTo(view, view.placeOf.get(parent.index));
    }
  },
  Enter: (view) => !view.panel.hidden && view.panel.focus(),
  e: (view) => view.errors.click(),
  c: (view) => view.path.click(),
  "+": (view) => view.zoomBy(0.7),
  "-": (view) => view.zoomBy(1 / 0.7),
  0: (view) => view.setZoom(null),
};
return { treeKeys };
})();

const in_trace_pointer = (() => {
// What a mouse or a finger does in a trace: zoom, choose, and share the width.

const { el } = in_dom;
const { ROW } = in_trace_rows;

const LEAST = 15;
const MOST = 85;

/** Zoom with Ctrl and the wheel, and by dragging along the axis. */
function zoomByPointer(view) {
  view.box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const x = event.clientX - view.canvas.getBoundingClientRect().left;
    view.zoomBy(event.deltaY > 0 ? 1.25 : 0.8, view.waterfall.at(x));
  }, { passive: false });
  view.axisTimes.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button")) return;
    const box = view.axisTimes.getBoundingClientRect();
    const from = view.waterfall.at(event.clientX - box.left);
    const stretch = el("div.stretch");
    view.axisTimes.append(stretch);
    const follow = (move) => {
      const [a, b] = [event.clientX - box.left, move.clientX - box.left].sort((x, y) => x - y);
      stretch.style.left = `${a}px`;
      stretch.style.width = `${b - a}px`;
    };
    const stop = (up) => {
      window.removeEventListener("pointermove", follow);
      stretch.remove();
      const to = view.waterfall.at(up.clientX - box.left);
      if (Math.abs(up.clientX - event.clientX) > 4) view.setZoom([Math.min(from, to), Math.max(from, to)]);
    };
    window.addEventListener("pointermove", follow);
    window.addEventListener("pointerup", stop, { once: true });
  });
}

/** Choose the span of a bar by a click, and zoom out by a double one. */
function chooseByPointer(view) {
  view.canvas.addEventListener("dblclick", () => view.setZoom(null));
  view.canvas.addEventListener("click", (event) => {
    const index = Math.floor((event.clientY - view.box.getBoundingClientRect().top + view.box.scrollTop) / ROW);
    const row = view.rows[index];
    if (row?.span) view.choose(row.span.id);
    else if (row?.fold) view.open(row, !row.isOpen);
  });
}

/** Let the line between tree and waterfall be dragged, and moved by its keys. */
function splitter(view) {
  const set = (share) => {
    const bounded = Math.min(MOST, Math.max(LEAST, share));
    view.area.style.setProperty("--tree", `${bounded}%`);
    view.split.setAttribute("aria-valuenow", String(Math.round(bounded)));
    view.redraw();
  };
  view.split.addEventListener("pointerdown", (event) => {
    view.split.setPointerCapture(event.pointerId);
    const box = view.area.getBoundingClientRect();
    view.split.onpointermove = (move) => set(((move.clientX - box.left) / box.width) * 100);
    view.split.onpointerup = () => (view.split.onpointermove = null);
  });
  view.split.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -3, ArrowRight: 3 }[event.key];
    if (!step) return;
    event.preventDefault();
    set(Number(view.split.getAttribute("aria-valuenow")) + step);
  });
}
return { zoomByPointer, chooseByPointer, splitter };
})();

const in_waterfall = (() => {
// The bars of a trace, drawn on one canvas beside its tree.

const { themeColour } = in_dom;
const { duration } = in_format;
const { hasFailed } = in_trace_tree;

const NAMES = ["surface", "line", "text", "dim", "faint", "accent", "error", "error-soft", "warn", "wait", "agent", "workflow", "node",
  "chat", "chat-soft", "tool", "retrieval", "other", "path", "chosen", "hover", "sunken"];
const EDGE = 10;

/** Steps of an axis that are round numbers, about so many. */
function ticks(from, to, about) {
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
function tickText(at, step) {
  if (at === 0 || !step) return at === 0 ? "0" : duration(at);
  const unit = at >= 1000 ? 1000 : at >= 1 ? 1 : 0.001;
  const digits = Math.min(9, Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9)));
  return `${(at / unit).toFixed(digits)}\u2009${unit === 1000 ? "s" : unit === 1 ? "ms" : "µs"}`;
}

class Waterfall {
  /** @param {HTMLCanvasElement} canvas @param {number} rowHeight in pixels */
  constructor(canvas, rowHeight) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.rowHeight = rowHeight;
    this.readTheme();
  }

  /** Read the colours of the theme anew. */
  readTheme() {
    this.colours = Object.fromEntries(NAMES.map((name) => [name, themeColour(`--${name}`)]));
    this.hatch = {};
    for (const name of ["error", "faint", "warn"]) this.hatch[name] = this.hatching(this.colours[name]);
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
    pen.fillStyle = this.hatch.warn;
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
      pen.fillStyle = isLost ? this.hatch.error : this.hatch.faint;
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
return { ticks, tickText, Waterfall };
})();

const in_virtual = (() => {
// Rows of which only those in sight are elements.

const { el, inNextFrame } = in_dom;

/** @typedef {{make: () => HTMLElement, fill: (row: HTMLElement, index: number) => void}} Rows */

/**
 * A list of rows of one height in a box that scrolls. Elements are used again as it scrolls.
 */
class VirtualRows {
  /**
   * @param {HTMLElement} box that scrolls
   * @param {number} height of a row, in pixels
   * @param {Rows} rows
   * @param {(first: number, end: number) => void} [seen] is told which rows are in sight
   */
  constructor(box, height, rows, seen = () => {}) {
    this.box = box;
    this.height = height;
    this.rows = rows;
    this.seen = seen;
    this.count = 0;
    this.pool = new Map();
    this.spare = [];
    this.body = el("div.rows", { role: "rowgroup" });
    box.append(this.body);
    this.render = this.render.bind(this);
    this.ask = inNextFrame(this.render);
    box.addEventListener("scroll", this.ask, { passive: true });
    this.observer = new ResizeObserver(this.ask);
    this.observer.observe(box);
  }

  /** Say how many rows there are, and fill those in sight anew. */
  setCount(count) {
    this.count = count;
    this.body.style.height = `${count * this.height}px`;
    this.refresh();
  }

  /** Fill the rows in sight anew. */
  refresh() {
    this.isStale = true;
    this.render();
  }

  /** The rows in sight, as a half-open range. */
  get range() {
    const top = Math.max(0, this.box.scrollTop - this.body.offsetTop);
    const first = Math.max(0, Math.floor(top / this.height) - 4);
    const end = Math.min(this.count, Math.ceil((top + this.box.clientHeight) / this.height) + 4);
    return [first, Math.max(first, end)];
  }

  render() {
    const [first, end] = this.range;
    for (const [index, row] of this.pool) {
      if (index >= first && index < end) continue;
      this.pool.delete(index);
      this.spare.push(row);
      row.hidden = true;
    }
    for (let index = first; index < end; index += 1) {
      let row = this.pool.get(index);
      if (row && !this.isStale) continue;
      row ??= this.take(index);
      this.rows.fill(row, index);
    }
    this.isStale = false;
    this.seen(first, end);
  }

  take(index) {
    let row = this.spare.pop();
    if (!row) {
      row = this.rows.make();
      this.body.append(row);
    }
    row.hidden = false;
    row.style.transform = `translateY(${index * this.height}px)`;
    row.setAttribute("aria-rowindex", String(index + 2));
    this.pool.set(index, row);
    return row;
  }

  /** The element of a row, where it is in sight. */
  element(index) {
    return this.pool.get(index);
  }

  /** Bring a row into sight. */
  reveal(index) {
    const top = this.body.offsetTop + index * this.height;
    const head = this.body.offsetTop;
    if (top - head < this.box.scrollTop) this.box.scrollTop = Math.max(0, top - head);
    else if (top + this.height > this.box.scrollTop + this.box.clientHeight) {
      this.box.scrollTop = top + this.height - this.box.clientHeight;
    }
    this.render();
  }

  close() {
    this.observer.disconnect();
    this.box.removeEventListener("scroll", this.ask);
  }
}
return { VirtualRows };
})();

const in_trace = (() => {
// One trace: its tree and its waterfall side by side, and a panel for the span that is chosen.

const api = in_api;
const { afterRest, el, inNextFrame, show, write } = in_dom;
const { count, duration, fullMoment, money, moment, short, some } = in_format;
const { showPanel } = in_panel;
const { go, setQuery } = in_router;
const { hasFailed, TraceTree } = in_trace_tree;
const { treeKeys } = in_trace_keys;
const { chooseByPointer, splitter, zoomByPointer } = in_trace_pointer;
const { fillRow, makeRow, ROW, shortName } = in_trace_rows;
const { ticks, tickText, Waterfall } = in_waterfall;
const { VirtualRows } = in_virtual;

const MOST_MARKS = 200;
/** While a key is held down, no span is asked for; in ms. */
const REST = 40;

/** Open the view of a trace. */
function openTrace(root, { id, span = null, query }) {
  const view = new TraceView(root, id, span ?? query.get("span"), query);
  view.load();
  return view;
}

class TraceView {
  constructor(root, id, span, query) {
    this.root = root;
    this.id = id;
    this.chosenId = span;
    this.errorsOnly = query.has("errors");
    this.showsPath = query.has("path");
    this.search = query.get("find") ?? "";
    this.closed = new Set();
    this.unfolded = new Set();
    this.rows = [];
    this.zoom = null;
    this.draw = inNextFrame(() => this.drawNow());
    this.tellAddress = afterRest(() => this.isClosed || setQuery({ span: this.shownId }), 200);
    this.clockOffset = 0;
    this.build();
  }

  build() {
    this.head = el("div.trace-head");
    this.find = el("input.find", {
      type: "search", placeholder: "Find in the trace", "aria-label": "Find spans by name", value: this.search,
      oninput: afterRest(() => this.setSearch(this.find.value), 80),
    });
    this.errors = this.toggle("Errors only", "errors", () => this.errorsOnly, (on) => (this.errorsOnly = on), "e");
    this.path = this.toggle("Critical path", "path", () => this.showsPath, (on) => (this.showsPath = on), "c");
    this.folding = el("button", { type: "button", text: "Collapse all", onclick: () => this.collapse() });
    this.tools = el("div.bar.trace-tools", {}, this.find, this.errors, this.path, this.folding, el("span.grow"), this.menu());
    this.axis = el("div.axis", { "aria-hidden": "true" });
    this.axisTimes = el("div.axis-times");
    this.axis.append(el("div.axis-names", {}, el("span", { text: "Span" })), this.axisTimes);
    this.canvas = el("canvas.bars", { "aria-hidden": "true" });
    this.layer = el("div.bars-layer", {}, this.canvas);
    this.box = el("div.tree", { role: "treegrid", "aria-label": "Spans of the trace", tabindex: "0" }, this.layer);
    this.split = el("div.split", { role: "separator", "aria-orientation": "vertical", "aria-label": "Width of the tree", tabindex: "0", "aria-valuemin": "15", "aria-valuemax": "85", "aria-valuenow": "42" });
    this.panel = el("aside.panel", { hidden: true, tabindex: "0", "aria-label": "Span" });
    this.area = el("div.tree-area", {}, this.axis, this.box, this.split);
    show(this.root, this.head, this.tools, el("div.trace-body", {}, this.area, this.panel));
    this.waterfall = new Waterfall(this.canvas, ROW);
    this.virtual = new VirtualRows(this.box, ROW, { make: () => makeRow(this), fill: (row, at) => fillRow(row, this, at) }, () => this.draw());
    treeKeys(this);
    zoomByPointer(this);
    chooseByPointer(this);
    splitter(this);
    this.onTheme = () => {
      this.waterfall.readTheme();
      this.draw();
      if (this.shownId) this.choose(this.shownId);
    };
    document.addEventListener("themechange", this.onTheme);
    this.resized = new ResizeObserver(() => this.redraw());
    this.resized.observe(this.area);
  }

  toggle(text, name, read, write_, key) {
    const button = el("button", { type: "button", text, "aria-pressed": String(read()), title: `${text} (${key})` });
    button.addEventListener("click", () => {
      write_(!read());
      button.setAttribute("aria-pressed", String(read()));
      setQuery({ [name]: read() ? "1" : null });
      this.layOut();
    });
    return button;
  }

  menu() {
    const saves = el("details.menu", {}, el("summary.button", { text: "Save as" }),
      el("div.menu-items", {},
        el("a", { href: api.fileUrl(this.id, "trace.html"), download: "", text: "HTML page" }),
        el("a", { href: api.fileUrl(this.id, "otlp.json"), download: "", text: "OTLP JSON" }),
        el("a", { href: api.fileUrl(this.id, "chrome.json"), download: "", text: "Perfetto trace" })));
    return api.isFile ? null : saves;
  }

  async load() {
    try {
      this.take(await api.trace(this.id));
    } catch (error) {
      if (!this.isClosed) show(this.root, el("div.empty", {}, el("h1", { text: "No such trace" }), el("p", { text: error.message })));
      return;
    }
    if (this.isClosed) return;
    this.unwatch = api.follow({ trace: this.summary.trace_id, cursor: this.cursor }, {
      hello: ({ now }) => (this.clockOffset = now - Date.now()),
      spans: (message) => this.merge(message),
      reset: () => this.reload(),
    });
    this.clock = setInterval(() => this.isRunning && this.tick(), 250);
    if (document.activeElement === document.body) this.box.focus({ preventScroll: true });
  }

  async reload() {
    try {
      this.take(await api.trace(this.id));
    } catch {
      // It may be gone: what was read of it stays.
    }
  }

  /** Take spans that are new or have changed. */
  merge({ summary, ...message }) {
    const byId = new Map(this.tree.spans.map((span) => [span.id, span]));
    for (const span of api.changedSpans(message)) {
      const known = byId.get(span.id);
      if (known) Object.assign(known, span, { index: known.index, attempt: known.attempt, parent: span.parent ?? known.parent, isMarked: false, askedAt: undefined });
      else byId.set(span.id, span);
    }
    const spans = [...byId.values()].sort((a, b) => a.start - b.start);
    spans.forEach((span, index) => (span.index = index));
    const shown = this.shownId;
    this.take({ summary: summary ?? this.summary, t0: this.t0, dropped: this.dropped, cursor: message.cursor, links: this.links, spans });
    if (shown && message.spans.span_id.includes(shown)) this.choose(shown);
  }

  take(loaded) {
    if (this.isClosed) return;
    this.summary = loaded.summary;
    this.dropped = loaded.dropped;
    this.t0 = loaded.t0;
    this.cursor = loaded.cursor;
    this.links = loaded.links;
    this.tree = new TraceTree(loaded.spans);
    this.isRunning = loaded.spans.some((span) => span.end === null);
    this.retries = this.tree.retries();
    this.placeLinks();
    this.tick();
    this.layOut();
    this.showHead();
    if (this.chosenId && !this.tree.byId.has(this.chosenId)) this.chosenId = null;
    if (this.chosenId && this.shownId !== this.chosenId) this.choose(this.chosenId, { reveals: true });
    this.askMarks();
  }

  placeLinks() {
    for (const link of this.links) {
      const span = this.tree.byId.get(link.from_span) ?? this.tree.spans[0];
      if (!span) continue;
      if (link.kind === "resumes") span.resumes = link;
      else if (link.kind === "resumed_by") span.resumedBy = link;
    }
  }

  tick() {
    this.now = Date.now() + this.clockOffset - this.t0;
    this.extent = this.tree.extent(this.now);
    this.drawAxis();
    this.draw();
    if (this.isRunning) this.virtual.refresh();
  }

  /** Draw axis and bars anew. */
  redraw() {
    if (!this.tree) return;
    this.drawAxis();
    this.draw();
  }

  get range() {
    return this.zoom ?? [0, this.extent || 1];
  }

  layOut() {
    const wanted = this.search.toLowerCase();
    let keep = null;
    if (this.errorsOnly) keep = this.tree.withAncestors(hasFailed);
    if (wanted) {
      const found = this.tree.withAncestors((span) => span.name.toLowerCase().includes(wanted) || (span.model ?? "").toLowerCase().includes(wanted));
      keep = keep ? new Set([...keep].filter((index) => found.has(index))) : found;
    }
    this.rows = this.tree.rows({ closed: this.closed, unfolded: this.unfolded, keep, folds: true });
    this.placeOf = new Map();
    this.rows.forEach((row, place) => row.span && this.placeOf.set(row.span.index, place));
    this.critical = this.showsPath ? this.tree.criticalPath(this.now) : null;
    this.box.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.virtual.setCount(this.rows.length);
    this.root.classList.toggle("nothing-found", this.rows.length === 0);
    this.draw();
  }

  showHead() {
    const { summary } = this;
    const facts = [
      [moment(summary.started_at), fullMoment(summary.started_at)],
      [summary.ended_at === null ? "running" : duration(summary.ended_at - summary.started_at)],
      [some(summary.spans, "span")],
      [summary.input_tokens !== null ? `${short(summary.input_tokens)} → ${short(summary.output_tokens)} tokens` : "", "tokens in and out"],
      [money(summary.cost, summary.currency)],
      [summary.first_chunk_ms !== null ? `first chunk ${duration(summary.first_chunk_ms)}` : ""],
    ];
    show(this.head,
      el(`span.dot.${summary.outcome}`),
      el("h1.cut", { text: shortName(summary.name), title: summary.name }),
      summary.outcome === "ok" ? null : el(`span.badge.${summary.outcome}`, { text: summary.error ? `${summary.outcome} · ${summary.error}` : summary.outcome }),
      summary.stalls ? el("button.badge.stalled", { type: "button", text: some(summary.stalls, "stall"), title: "Go to the stall", onclick: () => this.goTo((span) => span.stalls > 0 && span.kind === "chat") }) : null,
      summary.errors ? el("button.badge.error", { type: "button", text: some(summary.errors, "error"), title: "Go to where it failed first", onclick: () => this.goTo(hasFailed, true) }) : null,
      el("div.head-facts", {}, ...facts.filter(([text]) => text).map(([text, title]) => el("span.fact.dim", { text, title }))),
      summary.conversation && !api.isFile ? el("a.button", { href: `/conversation?id=${encodeURIComponent(summary.conversation)}`, title: summary.conversation, text: "Conversation" }) : null,
      api.isFile ? null : el("a.button", { href: `/graph?trace=${this.id}`, text: "Graph" }),
      api.isFile ? null : el("a.button", { href: `/compare?left=${this.id}`, text: "Compare" }));
    if (this.dropped) this.head.append(el("span.badge.retry", { text: `${count(this.dropped)} more spans are not shown` }));
    document.title = `${summary.name} · nodespan`;
  }

  /** Choose the deepest, or the first, of the spans that *wanted* says yes to. */
  goTo(wanted, deepest = false) {
    const found = this.tree.spans.filter(wanted);
    if (!found.length) return;
    const best = deepest ? found.reduce((a, b) => (b.depth > a.depth ? b : a)) : found[0];
    this.choose(best.id, { reveals: true, opens: true });
  }

  /** Choose a span, and show all of it. */
  choose(id, { reveals = false } = {}) {
    const span = this.tree.byId.get(id);
    if (!span) return;
    this.chosenId = this.shownId = id;
    this.tellAddress();
    if (reveals) this.reveal(span);
    this.virtual.refresh();
    this.draw();
    this.panel.hidden = false;
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.showDetail(span), REST);
  }

  async showDetail(span) {
    const about = { t0: this.t0, now: this.now, close: () => this.closePanel(), links: this.links };
    const isShown = () => this.shownId === span.id && !this.isClosed;
    try {
      const detail = await api.span(this.id, span.id);
      if (!isShown()) return;
      api.applyMark(span, { timeline: detail.timeline });
      showPanel(this.panel, span, detail, about);
      this.draw();
    } catch (error) {
      if (isShown()) show(this.panel, el("p.empty", { text: `The span cannot be read: ${error.message}` }));
    }
  }

  reveal(span) {
    for (let up = this.tree.byId.get(span.parent); up; up = this.tree.byId.get(up.parent)) this.closed.delete(up.id);
    this.layOut();
    if (!this.placeOf.has(span.index)) {
      for (const row of this.rows) {
        const { fold } = row;
        if (!fold) continue;
        let up = span;
        while (up && !fold.members.includes(up.index)) up = this.tree.byId.get(up.parent);
        if (up) this.unfolded.add(fold.key);
      }
      this.layOut();
    }
    const place = this.placeOf.get(span.index);
    if (place !== undefined) this.virtual.reveal(place);
  }

  closePanel() {
    this.panel.hidden = true;
    this.shownId = null;
    this.tellAddress();
    this.box.focus({ preventScroll: true });
  }

  setSearch(text) {
    this.search = text;
    setQuery({ find: text || null });
    this.layOut();
  }

  open(row, isOpen) {
    if (row.fold) isOpen ? this.unfolded.add(row.fold.key) : this.unfolded.delete(row.fold.key);
    else isOpen ? this.closed.delete(row.span.id) : this.closed.add(row.span.id);
    this.layOut();
  }

  collapse() {
    const isAll = this.closed.size === 0;
    this.closed = new Set(isAll ? this.tree.spans.filter((span) => span.children.length && span.depth > 0).map((span) => span.id) : []);
    write(this.folding, isAll ? "Expand all" : "Collapse all");
    this.layOut();
  }

  /** Ask for what the rows in sight show beyond the skeleton: attempts, timelines of streams, stalls. */
  askMarks() {
    if (this.isAsking || this.isClosed || !this.tree) return;
    const [first, end] = this.virtual.range;
    const isDue = (span) => span && (span.askedAt === undefined || (span.end === null && Date.now() - span.askedAt > 900));
    const missing = this.rows.slice(first, end).map((row) => row.span).filter(isDue).slice(0, MOST_MARKS);
    if (!missing.length) return;
    this.isAsking = true;
    for (const span of missing) span.askedAt = Date.now();
    const done = () => {
      this.isAsking = false;
      if (this.isClosed) return;
      this.retries = this.tree.retries();
      this.virtual.refresh();
      this.draw();
    };
    api.mark(this.id, missing).then(done, () => (this.isAsking = false));
  }

  drawNow() {
    if (this.isClosed || !this.tree) return;
    const left = this.area.querySelector(".axis-names").offsetWidth;
    const width = this.box.clientWidth - left;
    const height = this.box.clientHeight;
    if (width < 20 || height < 1) return;
    this.layer.style.marginLeft = `${left}px`;
    this.waterfall.fit(width, height);
    const [first, end] = this.virtual.range;
    const [from, to] = this.range;
    const chosen = this.rows.findIndex((row) => row.span?.id === this.chosenId && row.span);
    this.waterfall.draw({
      rows: this.rows, first, end, top: this.box.scrollTop, from, to, now: this.now, chosen,
      path: this.critical, retries: this.retries, placeOf: this.placeOf,
    });
    this.askMarks();
  }

  drawAxis() {
    const [from, to] = this.range;
    const width = this.axisTimes.clientWidth;
    const place = (at) => 10 + ((at - from) / (to - from || 1)) * (width - 20);
    const shown = ticks(from, to, width / 110).filter((at) => place(at) < width - 46);
    const step = shown.length > 1 ? shown[1] - shown[0] : 0;
    const marks = shown.map((at) => {
      const mark = el("span.tick", { text: tickText(at, step) });
      mark.style.left = `${place(at)}px`;
      return mark;
    });
    show(this.axisTimes, ...marks, this.zoom ? el("button.unzoom", { type: "button", text: "Whole trace", onclick: () => this.setZoom(null) }) : null);
  }

  setZoom(range) {
    const whole = this.extent || 1;
    this.zoom = range && range[1] - range[0] < whole * 0.999 ? [Math.max(0, range[0]), Math.min(whole, range[1])] : null;
    this.drawAxis();
    this.draw();
  }

  /** Zoom by a factor around a time. */
  zoomBy(factor, around) {
    const [from, to] = this.range;
    const at = around ?? (from + to) / 2;
    this.setZoom([at - (at - from) * factor, at + (to - at) * factor]);
  }

  close() {
    this.isClosed = true;
    this.unwatch?.();
    clearInterval(this.clock);
    document.removeEventListener("themechange", this.onTheme);
    this.resized.disconnect();
    this.virtual.close();
  }

  /** Where `Escape` leads. */
  back() {
    if (!this.panel.hidden) this.closePanel();
    else if (!api.isFile) go("/");
  }
}
return { openTrace };
})();

const in_file_page = (() => {
// A saved trace as a page of its own: the same tree, waterfall and panel, without a server.

const { el } = in_dom;
const { fullMoment } = in_format;
const { setUpTheme } = in_theme;
const { openTrace } = in_trace;

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
return {  };
})();

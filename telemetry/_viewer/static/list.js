// The list of traces: newest first, live, with filters and what the shown ones come to.

import * as api from "./api.js";
import { atMostEvery, el, inOrder, renew, show, write } from "./dom.js";
import { Filters } from "./filters.js";
import { count, duration, money, short } from "./format.js";
import { COLUMNS, fillRow, makeRow, ROW } from "./list-rows.js";
import { go, setQuery } from "./router.js";
import { VirtualRows } from "./virtual.js";

const WINDOW = 200;
const MOST_WINDOWS = 12;
const MOST_NEWS = 1_000;
const AIMING = 1_500;
/** What the list can be ordered by, the most first: the column, and its name for the server. */
const ORDERS = { when: "started", time: "time", chunk: "first_chunk", tokens: "tokens", cost: "cost" };
/** The same for the menu of a narrow window, which has not all headings. */
const ORDER_TEXTS = { started: "Newest first", time: "Longest first", first_chunk: "Slowest run's first chunk first", tokens: "Most tokens first", cost: "Most expensive first" };
/** So many windows are asked for at once: who scrolls fast has passed the others by. */
const MOST_ASKED = 2;

/** Open the list. */
export function openList(root, query) {
  return new ListView(root, query);
}

class ListView {
  constructor(root, query) {
    this.root = root;
    this.windows = new Map();
    this.asking = new Map();
    this.total = 0;
    this.version = 0;
    this.chosen = -1;
    this.chosenId = null;
    this.clockOffset = 0;
    this.merged = [];
    this.totalsAsked = inOrder();
    this.order = Object.values(ORDERS).includes(query.get("order")) ? query.get("order") : "started";
    this.filters = new Filters(query, () => this.restart());
    this.find = this.filters.text;
    this.refreshLater = atMostEvery(() => this.refresh(), 500);
    this.totalsLater = atMostEvery(() => this.askTotals(), 1_000);
    this.build();
    this.restart().then(() => this.filters.askFacets());
    this.unwatch = api.follow({ traces: 1 }, {
      hello: ({ now }) => {
        this.clockOffset = now - Date.now();
        this.catchUp();
      },
      traces: (message) => this.merge(message),
      reset: () => this.restart(),
      up: () => this.say(""),
      down: () => this.say("not connected", true),
    });
    this.clock = setInterval(() => this.tick(), 1_000);
  }

  build() {
    this.totals = el("dl.totals", { "aria-label": "Totals of what is shown", "aria-live": "off" });
    this.more = el("button.new-traces", { type: "button", hidden: true, onclick: () => this.restart() });
    const head = el("div.row.list-head", { role: "row", "aria-rowindex": "1" },
      ...COLUMNS.map(([text, name]) => this.heading(text, name)));
    this.orders = el("select.order-menu", { "aria-label": "Order", onchange: () => this.setOrder(this.orders.value) },
      ...Object.entries(ORDER_TEXTS).map(([value, text]) => el("option", { value, text })));
    this.filters.bar.append(this.orders);
    this.showOrder();
    this.box = el("div.list", { role: "grid", "aria-label": "Traces", tabindex: "0" }, el("div.list-head-group", { role: "rowgroup" }, head));
    this.empty = el("div.empty", { hidden: true });
    show(this.root, el("h1.sr", { text: "Traces" }), this.filters.bar, this.totals, this.more, this.box, this.empty);
    this.virtual = new VirtualRows(this.box, ROW, { make: makeRow, fill: (row, at) => this.fillRow(row, at), key: (at) => this.idAt(at) }, (first, end) => this.need(first, end));
    this.pointedAt = 0;
    for (const name of ["pointermove", "pointerdown"]) this.box.addEventListener(name, () => (this.pointedAt = Date.now()), { passive: true });
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    document.title = "Traces · nodespan";
  }

  heading(text, name) {
    const order = ORDERS[name];
    if (!order) return el(`div.cell.${name}`, { role: "columnheader", text });
    const button = el("button.order", { type: "button", text, title: name === "when" ? "Newest first" : `Most first: ${text.toLowerCase()}`, onclick: () => this.setOrder(order) });
    const cell = el(`div.cell.${name}`, { role: "columnheader" }, button);
    (this.headings ??= new Map()).set(order, cell);
    return cell;
  }

  setOrder(order) {
    if (order === this.order) return;
    this.order = order;
    setQuery({ order: order === "started" ? null : order });
    this.showOrder();
    this.restart();
  }

  showOrder() {
    this.orders.value = this.order;
    for (const [order, cell] of this.headings) {
      if (order === this.order) cell.setAttribute("aria-sort", "descending");
      else cell.removeAttribute("aria-sort");
    }
  }

  /** Begin anew, with the filters as they are. */
  async restart() {
    // At first it is there already, and to ask where it is costs a layout.
    if (this.version > 0) this.virtual.scrollTo(0);
    await this.readAnew();
    this.askTotals();
  }

  /** Read the list from its top; what is shown stays until the answer is there, and can be opened. */
  readAnew() {
    this.beginAnew();
    return this.load(0);
  }

  beginAnew() {
    this.version += 1;
    this.isOld = true;
    this.asking.clear();
    this.asOf = null;
    this.more.hidden = true;
    this.news = new Set();
  }

  async load(window) {
    if (this.asking.has(window)) return;
    const { version } = this;
    this.asking.set(window, this.merged.length);
    try {
      const told = await this.ask(window, this.asOf);
      if (version !== this.version) return;
      const known = this.asking.get(window);
      this.asking.delete(window);
      this.take(window, told, known);
    } catch (error) {
      if (version === this.version) this.fail(error);
    } finally {
      if (version === this.version) this.asking.delete(window);
    }
  }

  ask(window, asOf) {
    return api.traces({ ...this.filters.values, order: this.order, offset: window * WINDOW, limit: WINDOW, as_of: asOf });
  }

  /** Take an answer; *known* of the changes that were told had been told when it was asked for. */
  take(window, told, known) {
    this.asOf ??= told.as_of;
    const wasOld = this.isOld;
    if (wasOld) this.windows.clear();
    this.isOld = false;
    this.windows.delete(window);
    this.windows.set(window, told.columns);
    // What was told meanwhile may be newer, and is not told again.
    for (const [id, columns, at] of this.merged.slice(known)) this.replace(id, columns, at);
    if (!this.asking.size && !this.isReading) this.merged = [];
    while (this.windows.size > MOST_WINDOWS) this.windows.delete(this.windows.keys().next().value);
    this.total = told.total;
    if (wasOld) this.choose(this.place(this.chosenId));
    else this.chosenId ??= this.idAt(this.chosen);
    this.isComplete = told.is_complete;
    this.showEmpty(null);
    this.box.setAttribute("aria-rowcount", String(told.total + 1));
    if (this.virtual.count === told.total) this.virtual.refresh();
    else this.virtual.setCount(told.total);
    if (!told.is_complete) {
      const { version } = this;
      this.totalsLater();
      setTimeout(() => version === this.version && this.load(window), 30);
    }
    if (this.opensChosen) this.openChosen();
    if (this.isBehind && !this.asking.size) this.catchUp();
  }

  /** Read what has changed before changes began to be told, or while nobody could tell. */
  catchUp() {
    this.isBehind = this.asking.size > 0;
    if (this.isBehind || this.isClosed) return;
    if (!this.windows.size) this.restart();
    else if (this.isAtTop) this.refreshLater();
    else {
      const [first, end] = this.virtual.range.map((index) => Math.floor(index / WINDOW));
      for (const window of [...this.windows.keys()]) if (window < first || window > end) this.windows.delete(window);
      for (const window of this.windows.keys()) this.load(window);
    }
  }

  fail(error) {
    if (error.code === "no_journal") {
      this.total = 0;
      this.windows.clear();
      this.virtual.setCount(0);
      this.showEmpty(el("div", {}, el("h1", { text: "Nothing has been recorded yet" }),
        el("p", { text: "This list fills as soon as a program does so. Try it:" }), el("pre", { text: "nodespan chat \"Meow!\"" })));
      clearTimeout(this.retry);
      this.retry = setTimeout(() => this.isClosed || this.restart(), 2_000);
    } else this.say(error.message, true);
  }

  showEmpty(what) {
    const isEmpty = this.total === 0 && (this.isComplete ?? true);
    const hint = this.filters.isSet
      ? el("div", {}, el("h1", { text: "No trace is like that" }), el("button", { type: "button", text: "Clear the filters", onclick: () => this.filters.clear() }))
      : el("div", {}, el("h1", { text: "No traces" }), el("p", { text: "They appear here as programs run." }));
    this.empty.hidden = !isEmpty;
    this.box.hidden = isEmpty;
    if (isEmpty) show(this.empty, what ?? hint);
  }

  need(first, end) {
    if (!this.total) return;
    for (let window = Math.floor(first / WINDOW); window <= Math.floor((end - 1) / WINDOW); window += 1) {
      if (window >= 0 && this.asking.size < MOST_ASKED && !this.windows.has(window)) this.load(window);
    }
  }

  at(index) {
    const columns = this.windows.get(Math.floor(index / WINDOW));
    const place = index % WINDOW;
    return columns && columns.trace_id.length > place ? [columns, place] : null;
  }

  idAt(index) {
    const [columns, place] = this.at(index) ?? [];
    return columns?.trace_id[place] ?? null;
  }

  /** Where a trace stands, of what has been read; else -1. */
  place(id) {
    for (const [window, columns] of this.windows) {
      const place = columns.trace_id.indexOf(id);
      if (place >= 0) return window * WINDOW + place;
    }
    return -1;
  }

  /** Take traces that are new or have changed. */
  merge({ columns }) {
    let isNew = false;
    columns.trace_id.forEach((id, at) => {
      if (this.asking.size || this.isReading) this.merged.push([id, columns, at]);
      if (!this.replace(id, columns, at)) {
        if (this.news.size < MOST_NEWS) this.news.add(id);
        isNew = true;
      }
    });
    this.virtual.refresh();
    // What has changed may be no longer what the filters ask for, or stand elsewhere.
    if (isNew || this.filters.isSet || this.order !== "started") this.refreshLater();
    this.totalsLater();
  }

  replace(id, columns, at) {
    for (const known of this.windows.values()) {
      const place = known.trace_id.indexOf(id);
      if (place < 0) continue;
      for (const [name, values] of Object.entries(columns)) if (known[name]) known[name][place] = values[at];
      return true;
    }
    return false;
  }

  /** Show what is new: at once where people look at the top, else behind a button. */
  async refresh() {
    if (this.isClosed) return;
    if (this.isPointedAt || this.isReading || this.asking.size) this.refreshLater();
    else if (this.isAtTop) await this.readNews();
    else if (this.news.size) {
      this.more.hidden = false;
      write(this.more, `${count(this.news.size)}${this.news.size < MOST_NEWS ? "" : " or more"} new · show`);
    }
  }

  async readNews() {
    const { version } = this;
    const known = this.merged.length;
    this.isReading = true;
    try {
      const told = await this.ask(0, null);
      if (version !== this.version) return;
      // Somebody has come nearer while it was read.
      if (this.isPointedAt || !this.isAtTop) this.refreshLater();
      else {
        this.beginAnew();
        this.take(0, told, known);
      }
    } catch (error) {
      if (version === this.version) this.fail(error);
    } finally {
      this.isReading = false;
      if (!this.asking.size) this.merged = [];
    }
  }

  /** Rows do not move under a hand that is about to click one. */
  get isPointedAt() {
    return Date.now() - this.pointedAt < AIMING;
  }

  get isAtTop() {
    return this.virtual.top < ROW;
  }

  async askTotals() {
    if (this.isClosed) return;
    const isNews = this.totalsAsked();
    const { address } = this.filters;
    try {
      const told = await api.totals({ ...this.filters.values, as_of: this.asOf });
      if (!this.isClosed && address === this.filters.address && isNews()) this.showTotals(told);
    } catch {
      // The list says what is wrong.
    }
  }

  showTotals(told) {
    const money_ = told.costs.map((cost) => money(cost.amount, cost.currency)).join(" + ");
    const about = told.is_estimated ? "~" : "";
    const facts = [
      ["Runs", count(told.runs)], ["Running", told.running ? count(told.running) : "0"],
      ["Errors", count(told.errors), told.errors ? "bad" : ""], ["Stalls", count(told.stalls), told.stalls ? "warned" : ""],
      ["Tokens in", about + short(told.input_tokens)], ["Tokens out", about + short(told.output_tokens)], ["Cost", money_ || "–"],
      ["p95 run's first chunk", duration(told.first_chunk_p95_ms) || "–"], ["p95 time", duration(told.duration_p95_ms) || "–"],
    ];
    renew(this.totals, ...facts.map(([name, text, look]) =>
      el("div", {}, el("dt", { text: name }), el("dd", { text, class: look || null }))));
  }

  fillRow(row, index) {
    row.id = `trace-${index}`;
    const found = this.at(index);
    fillRow(row, found && api.record(...found), { isChosen: index === this.chosen, now: this.now });
  }

  /** The server's time. */
  get now() {
    return Date.now() + this.clockOffset;
  }

  /** Let running traces grow. */
  tick() {
    for (const row of this.virtual.pool.values()) {
      if (row.isRunning) write(row.parts.cells.time, duration(this.now - row.startedAt));
    }
  }

  onKey(event) {
    // A heading's own button, or a link.
    if (event.key === "Enter" && event.target !== this.box) return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 2);
    const to = { ArrowDown: this.chosen + 1, ArrowUp: this.chosen - 1, PageDown: this.chosen + page, PageUp: this.chosen - page, Home: 0, End: this.total - 1 }[event.key];
    this.opensChosen = event.key === "Enter" && this.chosen >= 0;
    if (this.opensChosen) this.openChosen();
    if (to === undefined) return;
    event.preventDefault();
    this.choose(Math.min(Math.max(to, 0), this.total - 1));
    this.virtual.reveal(this.chosen);
    this.virtual.refresh();
  }

  choose(index) {
    this.chosen = index;
    this.chosenId = this.idAt(index);
    if (index >= 0) this.box.setAttribute("aria-activedescendant", `trace-${index}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  /** Open the chosen trace, as soon as it has been read. */
  openChosen() {
    const id = this.idAt(this.chosen);
    if (id) go(`/traces/${id}`);
  }

  say(text, isBad = false) {
    const state = document.getElementById("state");
    write(state, text);
    state.classList.toggle("bad", isBad);
  }

  close() {
    this.isClosed = true;
    // What is still to come is for nobody.
    this.version += 1;
    this.filters.close();
    this.unwatch?.();
    this.say("");
    clearInterval(this.clock);
    clearTimeout(this.retry);
    this.virtual.close();
  }
}

// One trace: its tree and its waterfall side by side, and a panel for the span that is chosen.

import * as api from "./api.js";
import { afterRest, el, inNextFrame, inOrder, show, write } from "./dom.js";
import { Gathering } from "./gathering.js";
import { showPanel } from "./panel.js";
import { goToList, setQuery } from "./router.js";
import { Axis } from "./trace-axis.js";
import { savesOf, showHead } from "./trace-head.js";
import { treeKeys } from "./trace-keys.js";
import { askMarks } from "./trace-marks.js";
import { chooseByPointer, splitter, zoomByPointer } from "./trace-pointer.js";
import { fillRow, keyOf, makeRow, ROW } from "./trace-rows.js";
import { hasFailed, TraceTree } from "./trace-tree.js";
import { Waterfall } from "./waterfall.js";
import { VirtualRows } from "./virtual.js";

/** So many spans are shown before the others of a large trace are read, as the header of the page tells the browser. */
const FIRST = 2_000;
/** While a key is held down, no span is asked for; in ms. */
const REST = 40;
/** After how many ms a trace that could not be loaded anew is looked at again. */
const AGAIN = 1_000;

/** Open the view of a trace. */
export function openTrace(root, { id, span = null, query }) {
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
    this.awaited = [];
    this.extent = 0;
    this.zoom = null;
    this.detailAsked = inOrder();
    this.draw = inNextFrame(() => this.drawNow());
    this.tellAddress = afterRest(() => this.isClosed || setQuery({ span: this.shownId }), 200);
    this.clockOffset = 0;
    this.gathering = new Gathering((messages) => this.merge(messages));
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
    this.folding = el("button", { type: "button", text: "Collapse all", onclick: () => this.whenWhole(() => this.collapse()) });
    this.tools = el("div.bar.trace-tools", {}, this.find, this.errors, this.path, this.folding, el("span.grow"), savesOf(this.id));
    this.axis = new Axis(() => this.setZoom(null));
    this.canvas = el("canvas.bars", { "aria-hidden": "true" });
    this.layer = el("div.bars-layer", {}, this.canvas);
    this.box = el("div.tree", { role: "treegrid", "aria-label": "Spans of the trace", tabindex: "0" }, this.layer);
    this.split = el("div.split", { role: "separator", "aria-orientation": "vertical", "aria-label": "Width of the tree", tabindex: "0", "aria-valuemin": "15", "aria-valuemax": "85", "aria-valuenow": "42" });
    this.panel = el("aside.panel", { hidden: true, tabindex: "0", "aria-label": "Span" });
    this.area = el("div.tree-area", {}, this.axis.box, this.box, this.split);
    show(this.root, this.head, this.tools, el("div.trace-body", {}, this.area, this.panel));
    this.waterfall = new Waterfall(this.canvas, ROW);
    this.virtual = new VirtualRows(this.box, ROW, { make: makeRow, fill: (row, at) => fillRow(row, this, at), key: (at) => keyOf(this.rows[at]) }, () => this.draw());
    this.pressEarlyKeys = treeKeys(this);
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
    // Who comes by the keyboard goes on with it, and need not wait for the answer.
    if (document.activeElement === document.body) this.box.focus({ preventScroll: true });
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

  async load() {
    try {
      this.take(await api.trace(this.id, FIRST));
    } catch (error) {
      if (!this.isClosed) show(this.root, el("div.empty", {}, el("h1", { text: error.code === "unreachable" ? "The trace cannot be read" : "No such trace" }), el("p", { text: error.message })));
      return;
    }
    this.pressEarlyKeys();
    await this.readRest();
  }

  /** Read all of it, where there is more than what is shown first; then follow it. */
  async readRest() {
    if (this.isClosed) return;
    try {
      if (!this.isWhole) this.take(await api.trace(this.id));
    } catch {
      this.clock = setTimeout(() => this.readRest(), AGAIN);
      return;
    }
    if (this.isClosed) return;
    this.watch();
    this.clock = setInterval(() => this.isRunning && this.tick(), 250);
    this.pressEarlyKeys();
    this.awaited.splice(0).forEach((act) => act());
  }

  /** Do it when all spans are there: among the first of them it would do something else. */
  whenWhole(act) {
    if (this.isWhole) act();
    else this.awaited.push(act);
  }

  /** Follow what happens from the state on that is shown. */
  watch() {
    if (this.isClosed) return;
    this.unwatch = api.follow({ trace: this.summary.trace_id, cursor: this.cursor, origin: this.t0 }, {
      hello: ({ now }) => (this.clockOffset = now - Date.now()),
      spans: (message) => this.gathering.add(message),
      reset: () => this.reload(),
    });
  }

  /** Load it anew; what is told meanwhile is told from the new state on. */
  async reload() {
    this.unwatch();
    this.gathering.forget();
    try {
      this.take(await api.trace(this.id));
    } catch {
      // It may be gone: what was read of it stays.
      setTimeout(() => this.watch(), AGAIN);
      return;
    }
    if (this.shownId) this.choose(this.shownId);
    this.watch();
  }

  /** Take spans that are new or have changed. */
  merge(messages) {
    const byId = new Map(this.tree.spans.map((span) => [span.id, span]));
    for (const span of messages.flatMap(api.spansOf)) {
      const known = byId.get(span.id);
      if (known) Object.assign(known, span, { index: known.index, attempt: known.attempt, judged: known.judged, parent: span.parent ?? known.parent, isMarked: false, askedAt: undefined });
      else byId.set(span.id, span);
    }
    const spans = [...byId.values()].sort((a, b) => a.start - b.start);
    spans.forEach((span, index) => (span.index = index));
    const shown = this.shownId;
    const summary = messages.reduce((found, message) => message.summary ?? found, this.summary);
    this.take({ summary, t0: this.t0, dropped: this.dropped, isWhole: true, cursor: messages.at(-1).cursor, links: this.links, spans });
    if (shown && messages.some((message) => message.spans.span_id.includes(shown))) this.choose(shown);
  }

  take(loaded) {
    if (this.isClosed) return;
    this.summary = loaded.summary;
    this.dropped = loaded.dropped;
    this.isWhole = loaded.isWhole;
    this.t0 = loaded.t0;
    this.cursor = loaded.cursor;
    this.links = loaded.links;
    this.tree = new TraceTree(loaded.spans);
    this.isRunning = loaded.spans.some((span) => span.end === null);
    this.retries = this.tree.retries();
    this.placeLinks();
    this.tick();
    this.layOut();
    showHead(this);
    if (this.isWhole && this.chosenId && !this.tree.byId.has(this.chosenId)) this.chosenId = null;
    if (this.chosenId && this.shownId !== this.chosenId) this.choose(this.chosenId, { reveals: true });
    askMarks(this);
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
    const { ended_at: ended } = this.summary;
    this.extent = Math.max(this.tree.extent(this.now), ended === null ? 0 : ended - this.t0);
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
    // Who is quick chooses what to see before there is something.
    if (!this.tree) return;
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
    this.root.classList.toggle("nothing-found", this.isWhole && this.rows.length === 0);
    this.draw();
  }

  /** Choose the deepest, or the first, of the spans that *wanted* says yes to. */
  goTo(wanted, deepest = false) {
    this.whenWhole(() => this.goToOne(wanted, deepest));
  }

  goToOne(wanted, deepest) {
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
    const isNews = this.detailAsked();
    const isShown = () => this.shownId === span.id && !this.isClosed && isNews();
    try {
      const detail = await api.span(this.id, span.id);
      if (!isShown()) return;
      api.applyMark(span, { timeline: detail.timeline });
      showPanel(this.panel, span, detail, about);
      this.draw();
    } catch (error) {
      if (!isShown()) return;
      show(this.panel, el("p.empty", { text: `The span cannot be read: ${error.message}` }));
      delete this.panel.dataset.span;
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
    if (this.isClosed) return;
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

  drawNow() {
    if (this.isClosed || !this.tree) return;
    const left = this.axis.names.offsetWidth;
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
    askMarks(this);
  }

  drawAxis() {
    this.axis.draw(this.range, this.zoom !== null);
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
    clearTimeout(this.asking);
    this.gathering.forget();
    document.removeEventListener("themechange", this.onTheme);
    this.resized.disconnect();
    this.virtual.close();
  }

  /** Where `Escape` leads. */
  back() {
    if (!this.panel.hidden) this.closePanel();
    else if (!api.isFile) goToList();
  }
}

// Conversations: all of them in a list, and one as a chat with the times that people waited.

import * as api from "./api.js";
import { atMostEvery, el, inOrder, renew, show } from "./dom.js";
import { ago, count, duration, ESTIMATED, fullMoment, money, moment, short, some, tokens } from "./format.js";
import { messageView, UNSAID } from "./messages.js";
import { go, goToList } from "./router.js";

const PAGE = 100;
/** The server gives at most a thousand. */
const MOST_PAGES = 10;
const LONG_WAIT = 3_600_000;

/** Open the list of conversations. */
export function openConversations(root) {
  const view = new ConversationsView(root);
  view.load();
  return view;
}

class ConversationsView {
  constructor(root) {
    this.root = root;
    this.pages = 1;
    this.asked = inOrder();
    this.body = el("tbody");
    this.more = el("button", { type: "button", text: "Show more", hidden: true, onclick: () => this.showMore() });
    this.count = el("span.dim");
    const head = ["Conversation", "Last", "Runs", "Agent", "Tokens", "Cost", "Errors"];
    const table = el("table.plain.talks", {}, el("thead", {}, el("tr", {}, ...head.map((text, at) => el("th", { text, scope: "col", class: at === 2 || at > 3 ? "number" : null })))), this.body);
    show(root, el("div.bar.view-head", {}, el("h1", { text: "Conversations" }), this.count), el("div.page", { tabindex: "0", role: "region", "aria-label": "Conversations" }, table, this.more));
    document.title = "Conversations · nodespan";
    this.reload = atMostEvery(() => this.load(), 800);
    this.unwatch = api.follow({ traces: 1 }, { hello: () => this.reload(), traces: () => this.reload(), reset: () => this.reload() });
  }

  showMore() {
    this.pages = Math.min(this.pages + 1, MOST_PAGES);
    return this.load();
  }

  async load() {
    if (this.isClosed) return;
    const isNews = this.asked();
    try {
      const told = await api.conversations({ offset: 0, limit: this.pages * PAGE });
      if (!this.isClosed && isNews()) this.take(told);
    } catch (error) {
      if (!this.isClosed && isNews()) renew(this.body, remark(error.message));
    }
  }

  take({ total, conversations }) {
    renew(this.body, ...(total ? conversations.map(line) : [remark("No conversation has been recorded. One is the runs that share a thread_id.")]));
    this.count.textContent = count(total);
    this.more.hidden = conversations.length >= total || this.pages >= MOST_PAGES;
  }

  close() {
    this.isClosed = true;
    this.unwatch();
  }

  back() {
    goToList();
  }
}

function remark(text) {
  return el("tr", { "data-key": "remark" }, el("td.dim", { colspan: "7", text }));
}

function line(each) {
  return el("tr", { "data-key": `conversation ${each.id}` },
    el("td.cut", {}, each.running ? el("span.dot.running") : null, el("a", { href: `/conversation?id=${encodeURIComponent(each.id)}`, text: each.id, title: each.id })),
    el("td.dim.nowrap", { text: ago(each.last_at), title: fullMoment(each.last_at) }),
    el("td.number", { text: count(each.runs) }),
    el("td.cut", { text: each.agent ?? "", title: each.agent }),
    el("td.number.nowrap", { title: each.is_estimated ? ESTIMATED : null, text: each.input_tokens !== null ? tokens(each.input_tokens, each.output_tokens, each.is_estimated) : "" }),
    el("td.number", { text: money(each.cost, each.currency) }),
    el("td.number", {}, each.errors ? el("span.badge.error", { text: count(each.errors) }) : ""));
}

/** Open one conversation. */
export function openConversation(root, id) {
  const view = new ConversationView(root, id);
  view.load();
  return view;
}

class ConversationView {
  constructor(root, id) {
    this.root = root;
    this.id = id;
    this.page = el("div.page.chat", { tabindex: "0", role: "region", "aria-label": "Conversation" });
    this.head = el("div.bar.view-head");
    show(root, this.head, this.page);
    document.title = `${id} · nodespan`;
    this.asked = inOrder();
    this.reload = atMostEvery(() => this.load(), 500);
    this.unwatch = api.follow({ traces: 1 }, {
      hello: () => this.reload(),
      traces: ({ columns }) => columns.conversation.includes(id) && this.reload(),
      reset: () => this.reload(),
    });
  }

  async load() {
    if (this.isClosed) return;
    const isNews = this.asked();
    try {
      const told = await api.conversation({ id: this.id });
      if (!this.isClosed && isNews()) this.take(told);
    } catch (error) {
      if (!this.isClosed && isNews()) this.fail(error);
    }
  }

  fail(error) {
    renew(this.head, el("h1.cut", { text: this.id, title: this.id }));
    renew(this.page, el("div.empty", { "data-key": "failure" }, el("h1", { text: error.code === "not_found" ? "No such conversation" : "The conversation cannot be read" }), el("p", { text: error.message })));
  }

  take(told) {
    if (!told.runs.length) {
      this.fail({ code: "not_found", message: `No run in the journal has the conversation ${JSON.stringify(this.id)}. One appears here as soon as it has.` });
      return;
    }
    const isAtEnd = this.page.scrollTop + this.page.clientHeight > this.page.scrollHeight - 40;
    const wasShown = this.page.childElementCount > 0;
    const about = told.runs.some((run) => run.trace.is_estimated) ? "~" : "";
    const sum = told.runs.reduce((all, run) => all + (run.trace.input_tokens ?? 0) + (run.trace.output_tokens ?? 0), 0);
    renew(this.head, el("h1.cut", { text: this.id, title: this.id }), el("span.dim", { text: `${some(told.runs.length, "run")} · ${about}${short(sum)} tokens` }), el("span.grow"), el("a.button", { href: `/?conversation=${encodeURIComponent(this.id)}`, text: "As a list" }));
    renew(this.page,
      told.dropped ? el("p.dim", { "data-key": "dropped", text: `${some(told.dropped, "earlier run is", "earlier runs are")} not shown` }) : null,
      ...told.runs.map(turn));
    if (wasShown && isAtEnd) this.page.scrollTop = this.page.scrollHeight;
  }

  close() {
    this.isClosed = true;
    this.unwatch();
  }

  back() {
    go("/conversations");
  }
}

function turn(run) {
  const { trace } = run;
  const wait = run.wait_before_ms;
  const took = (trace.ended_at ?? Date.now()) - trace.started_at;
  const facts = [duration(took), trace.first_chunk_ms !== null ? `run's first chunk ${duration(trace.first_chunk_ms)}` : "",
    trace.input_tokens !== null ? `${tokens(trace.input_tokens, trace.output_tokens, trace.is_estimated)} tokens` : "", money(trace.cost, trace.currency)];
  return el("article.turn", { "aria-label": `Run ${trace.name}`, "data-key": trace.trace_id },
    wait !== null && wait !== undefined ? el("p.wait", { class: wait > LONG_WAIT ? "long" : null }, el("span", { text: run.resumes ? `a person answered after ${duration(wait)}` : `${duration(wait)} later` })) : null,
    el("header.turn-head", {},
      el(`span.dot.${trace.outcome}`),
      el("a", { href: `/traces/${trace.trace_id}`, text: trace.name.replace(/^(invoke_agent|invoke_workflow) (?=\S)/, "") }),
      el("span.dim", { text: moment(trace.started_at), title: fullMoment(trace.started_at) }),
      run.resumes ? el("a.badge.resumed", { href: `/traces/${run.resumes}`, text: "↩ resumes" }) : null,
      trace.outcome !== "ok" ? el(`span.badge.${trace.outcome}`, { text: trace.error ?? trace.outcome }) : null,
      trace.stalls ? el("span.badge.stalled", { text: some(trace.stalls, "stall") }) : null,
      el("span.grow"),
      el("span.dim.facts-line", { text: facts.filter(Boolean).join(" · ") })),
    run.messages.length ? el("div.said", {}, ...run.messages.map(messageView)) : el("p.dim.unsaid", { text: run.has_content ? "Nothing new was said." : UNSAID }));
}

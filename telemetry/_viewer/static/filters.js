// The filters of the list, which its address carries.

import * as api from "./api.js";
import { afterRest, el } from "./dom.js";
import { setQuery } from "./router.js";

const OUTCOMES = ["ok", "error", "running", "interrupted", "cancelled", "abandoned", "lost"];
const TIMES = [["", "Any time"], ["900000", "Last 15 minutes"], ["3600000", "Last hour"], ["86400000", "Last day"], ["604800000", "Last week"]];
const SLOW = [["", "Any speed"], ["1000", "Slower than 1 s"], ["5000", "Slower than 5 s"], ["30000", "Slower than 30 s"], ["120000", "Slower than 2 min"]];
const NAMES = ["text", "outcome", "agent", "model", "conversation", "within", "slower_than", "stalled"];

export class Filters {
  /** @param {URLSearchParams} query @param {() => void} changed */
  constructor(query, changed) {
    this.changed = changed;
    this.given = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
    const type = afterRest(() => this.set("text", this.text.value.trim()), 120);
    this.text = el("input.search", { type: "search", placeholder: "Search names and content", "aria-label": "Search names and content", value: this.given.text, oninput: type });
    const talk = afterRest(() => this.set("conversation", this.conversation.value.trim()), 200);
    this.conversation = el("input.of-conversation", { type: "search", placeholder: "Conversation", "aria-label": "Conversation", value: this.given.conversation, oninput: talk });
    this.outcome = this.choice("outcome", "Outcome", [["", "Any outcome"], ...OUTCOMES.map((name) => [name, name])]);
    this.agent = this.choice("agent", "Agent", [["", "Any agent"]]);
    this.model = this.choice("model", "Model", [["", "Any model"]]);
    this.time = this.choice("within", "Time", TIMES);
    this.slow = this.choice("slower_than", "Speed", SLOW);
    this.stalled = el("button", { type: "button", text: "Stalled", "aria-pressed": String(this.given.stalled === "1"), onclick: () => this.set("stalled", this.given.stalled === "1" ? "" : "1") });
    this.reset = el("button.quiet", { type: "button", text: "Clear", onclick: () => this.clear() });
    this.bar = el("div.bar.filters", { role: "search", "aria-label": "Filters" },
      this.text, this.outcome, this.agent, this.model, this.conversation, this.time, this.slow, this.stalled, this.reset);
    this.look();
  }

  choice(name, label, options) {
    const menu = el("select", { "aria-label": label, onchange: () => this.set(name, menu.value) });
    this.fill(menu, options, this.given[name]);
    return menu;
  }

  fill(menu, options, chosen) {
    const all = options.some(([value]) => value === chosen) ? options : [...options, [chosen, chosen]];
    menu.replaceChildren(...all.map(([value, text]) => el("option", { value, text, selected: value === chosen })));
    menu.value = chosen;
  }

  /** Ask what can be chosen: after the rows, which people wait for. */
  async askFacets() {
    if (this.isClosed) return;
    try {
      const told = await api.facets();
      this.fill(this.agent, [["", "Any agent"], ...told.agents.map((name) => [name, name])], this.given.agent);
      this.fill(this.model, [["", "Any model"], ...told.models.map((name) => [name, name])], this.given.model);
    } catch {
      // The list says what is wrong.
    }
  }

  set(name, value) {
    // What was typed last may come when the address is another view's.
    if (this.isClosed || this.given[name] === value) return;
    this.given[name] = value;
    this.look();
    setQuery({ [name]: value });
    this.changed();
  }

  clear() {
    this.given = Object.fromEntries(NAMES.map((name) => [name, ""]));
    this.text.value = this.conversation.value = "";
    for (const menu of [this.outcome, this.agent, this.model, this.time, this.slow]) menu.value = "";
    this.look();
    setQuery(this.given);
    this.changed();
  }

  look() {
    this.stalled.setAttribute("aria-pressed", String(this.given.stalled === "1"));
    for (const menu of [this.outcome, this.agent, this.model, this.time, this.slow]) menu.classList.toggle("set", menu.value !== "");
    this.reset.hidden = !this.isSet;
  }

  close() {
    this.isClosed = true;
  }

  /** All that is set, as one text. */
  get address() {
    return new URLSearchParams(this.given).toString();
  }

  /** Whether any filter is set. */
  get isSet() {
    return Object.values(this.given).some(Boolean);
  }

  /** What the server is asked. */
  get values() {
    const { within, ...others } = this.given;
    return { ...others, since: within ? Math.round(Date.now() - Number(within)) : "" };
  }
}

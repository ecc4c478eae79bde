// The graph that LangGraph compiled, with the visits that a trace made to its nodes.

import * as api from "./api.js";
import { atMostEvery, el, inOrder, renew, show, svg } from "./dom.js";
import { count, duration, some } from "./format.js";
import { go } from "./router.js";

const HEIGHT = 46;
const PADDING = 24;
/** Characters of a name that are shown. */
const LONGEST = 28;

/** Open the graph of a trace. */
export function openGraph(root, id) {
  const view = new GraphView(root, id);
  view.load();
  return view;
}

class GraphView {
  constructor(root, id) {
    this.root = root;
    this.id = id;
    this.by = "time";
    this.head = el("div.bar.view-head");
    this.page = el("div.page.graphs", { tabindex: "0", role: "region", "aria-label": "Graphs" });
    show(root, this.head, this.page);
    this.asked = inOrder();
    this.reload = atMostEvery(() => this.load(), 300);
  }

  async load() {
    if (this.isClosed) return;
    const isNews = this.asked();
    try {
      const [told, skeleton, dagre] = await Promise.all([api.graph({ trace: this.id }), this.summary ? null : api.trace(this.id), import("./dagre.js")]);
      if (this.isClosed || !isNews()) return;
      this.summary ??= skeleton.summary;
      this.told = told;
      this.dagre = dagre;
      this.unwatch ??= api.follow({ trace: this.summary.trace_id, cursor: skeleton?.cursor }, { spans: () => this.reload(), reset: () => this.beginAnew() });
      this.show();
    } catch (error) {
      if (!this.isClosed && isNews()) renew(this.page, el("div.empty", { "data-key": "failure" }, el("h1", { text: "No graph" }), el("p", { text: error.message })));
    }
  }

  /** Follow from a newer state on: from the old one too much has changed. */
  beginAnew() {
    this.unwatch();
    this.unwatch = this.summary = null;
    this.reload();
  }

  show() {
    const { told } = this;
    // It is read anew.
    if (!this.summary) return;
    document.title = `Graph of ${this.summary.name} · nodespan`;
    const pick = (by, text) => el("button", { type: "button", text, "aria-pressed": String(this.by === by), onclick: () => ((this.by = by), this.show()) });
    renew(this.head, el("h1.cut", {}, el("a", { href: `/traces/${this.id}`, text: this.summary.name })), el("span.dim", { text: "graph" }), el("span.grow"),
      el("div.choice", { role: "group", "aria-label": "Colour nodes by" }, pick("time", "By time"), pick("outcome", "By outcome")));
    if (!told.is_known) {
      const seen = { nodes: told.visits.map((visit) => ({ id: visit.node, name: visit.node })) };
      renew(this.page,
        el("div.empty", {}, el("h1", { text: "The shape of this graph is not known" }), el("p", { text: told.reason ?? "" })),
        visitsTable(seen, new Map(told.visits.map((visit) => [visit.node, visit])), this.id));
      return;
    }
    const isRoot = (graph) => this.summary.name.endsWith(graph.name);
    const graphs = [...told.graphs].sort((a, b) => isRoot(b) - isRoot(a));
    renew(this.page, ...graphs.map((graph, at) => this.figure(graph, told.visits.filter((visit) => visit.graph === graph.id), at)));
  }

  figure(graph, visits, number) {
    const byNode = new Map(visits.map((visit) => [visit.node, visit]));
    return el("figure.graph", { "data-key": graph.id }, el("figcaption", { text: graph.name }), this.drawing(graph, byNode, number), visitsTable(graph, byNode, this.id));
  }

  drawing(graph, byNode, number) {
    const { dagre } = this;
    const plan = new dagre.Graph({ multigraph: true }).setGraph({ rankdir: "TB", nodesep: 34, ranksep: 46, marginx: PADDING, marginy: PADDING }).setDefaultEdgeLabel(() => ({}));
    for (const node of graph.nodes) {
      const isEdge = node.type === "start" || node.type === "end";
      plan.setNode(node.id, { node, width: isEdge ? 62 : Math.max(104, Math.min(node.name.length, LONGEST) * 7.6 + 32, factOf(byNode.get(node.id)).length * 6.2 + 24), height: isEdge ? 26 : HEIGHT });
    }
    graph.edges.forEach((edge, at) => plan.hasNode(edge.source) && plan.hasNode(edge.target) && plan.setEdge(edge.source, edge.target, { edge }, String(at)));
    dagre.layout(plan);
    const { width, height } = plan.graph();
    const most = [...byNode.values()].reduce((a, visit) => Math.max(a, visit.total_ms), 0) || 1;
    const arrow = `arrow-${number}`;
    const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `Graph ${graph.name}: ${some(graph.nodes.length, "node")}, ${some(graph.edges.length, "edge")}` },
      svg("defs", {}, svg("marker", { id: arrow, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" }, svg("path", { d: "M0 0.5 L8 4 L0 7.5 z", class: "arrow-head" }))));
    for (const key of plan.edges()) {
      const { points, edge } = plan.edge(key);
      const wasTaken = visited(byNode, edge.source, graph) && visited(byNode, edge.target, graph);
      drawn.append(svg("path", { d: curve(points), class: `edge${edge.is_conditional ? " conditional" : ""}${wasTaken ? " taken" : ""}`, "marker-end": `url(#${arrow})` }));
      if (edge.label) {
        const middle = points[Math.floor(points.length / 2)];
        drawn.append(svg("text", { x: middle.x + 5, y: middle.y, class: "edge-label", text: edge.label }));
      }
    }
    for (const name of plan.nodes()) {
      const placed = plan.node(name);
      drawn.append(this.node(placed, byNode.get(name), most));
    }
    return el("div.graph-box", { tabindex: "0", role: "region", "aria-label": `Drawing of ${graph.name}` }, drawn);
  }

  node({ node, x, y, width, height }, visit, most) {
    const isEdge = node.type === "start" || node.type === "end";
    const look = visit ? (visit.running ? "running" : visit.errors ? "error" : Object.keys(visit.outcomes ?? {}).find((name) => name !== "ok") ?? "ok") : "unvisited";
    const box = svg("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: isEdge ? 13 : 8, class: "box" });
    const parts = [svg("title", { text: visit ? `${node.name}: ${some(visit.visits, "visit")}, ${duration(visit.total_ms)} in all, at most ${duration(visit.max_ms)}` : node.name }), box];
    if (visit && this.by === "time") {
      parts.push(svg("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 8, class: "heat", opacity: (0.06 + 0.34 * (visit.total_ms / most)).toFixed(3) }));
    }
    const name = node.name.length > LONGEST ? `${node.name.slice(0, LONGEST - 1)}…` : node.name;
    parts.push(svg("text", { x, y: isEdge || !visit ? y + 4 : y - 3, "text-anchor": "middle", class: "node-name", text: isEdge ? node.type : name }));
    if (visit) parts.push(svg("text", { x, y: y + 13, "text-anchor": "middle", class: "node-fact", text: factOf(visit) }));
    const group = svg("g", { class: `node ${look} by-${this.by} ${node.type}` }, ...parts);
    if (!visit?.spans.length) return group;
    return svg("a", { href: `/traces/${this.id}?span=${visit.spans[0]}` }, group);
  }

  close() {
    this.isClosed = true;
    this.unwatch?.();
  }

  back() {
    go(`/traces/${this.id}`);
  }
}

function factOf(visit) {
  return visit ? `${count(visit.visits)}× · ${duration(visit.total_ms)}${visit.errors ? ` · ${some(visit.errors, "error")}` : ""}` : "";
}

function visited(byNode, id, graph) {
  const node = graph.nodes.find((each) => each.id === id);
  return byNode.has(id) || node?.type === "start" || node?.type === "end";
}

function curve(points) {
  const [first, ...rest] = points;
  let path = `M${first.x} ${first.y}`;
  for (let at = 0; at < rest.length - 1; at += 1) {
    const [a, b] = [rest[at], rest[at + 1]];
    const end = at === rest.length - 2 ? b : { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    path += ` Q${a.x} ${a.y} ${end.x} ${end.y}`;
  }
  return rest.length === 1 ? `${path} L${rest[0].x} ${rest[0].y}` : path;
}

function visitsTable(graph, byNode, id) {
  const rows = graph.nodes.filter((node) => byNode.has(node.id)).map((node) => [node, byNode.get(node.id)]);
  if (!rows.length) return null;
  rows.sort(([, a], [, b]) => b.total_ms - a.total_ms);
  const head = ["Node", "Visits", "In all", "Longest", "Errors"];
  return el("table.plain.visits", {},
    el("thead", {}, el("tr", {}, ...head.map((text, at) => el("th", { text, scope: "col", class: at ? "number" : null })))),
    el("tbody", {}, ...rows.map(([node, visit]) => el("tr", {},
      el("td.cut", {}, visit.running ? el("span.dot.running") : null, visit.spans.length ? el("a", { href: `/traces/${id}?span=${visit.spans[0]}`, text: node.name }) : node.name),
      el("td.number", { text: count(visit.visits) }), el("td.number", { text: duration(visit.total_ms) }), el("td.number", { text: duration(visit.max_ms) }),
      el("td.number", {}, visit.errors ? el("span.badge.error", { text: count(visit.errors) }) : "")))));
}

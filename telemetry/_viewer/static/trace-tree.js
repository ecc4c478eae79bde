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
export function hasFailed(span) {
  return FAILED.has(span.outcome);
}

export class TraceTree {
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
      if (span.children.length < 2) continue;
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
export function repeats(names) {
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

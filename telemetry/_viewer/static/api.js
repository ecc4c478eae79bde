// What the server tells, in the shapes that the views use. Times are in ms.

const KINDS = { completion: "chat", embeddings: "retrieval", chain: "node" };
const SPAN_KINDS = new Set(["agent", "workflow", "node", "chat", "tool", "retrieval"]);

/** What a saved page brings along; null on the server's own page. */
const SAVED = document.getElementById("trace") ? JSON.parse(document.getElementById("trace").textContent) : null;

/** Whether this page is a file that somebody saved. */
export const isFile = SAVED !== null;

/** An answer of the server that is none. */
export class ApiError extends Error {
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
export const about = plain("about");
export const status = plain("status");
export const facets = plain("facets");
export const totals = plain("totals");
export const conversations = plain("conversations");
export const conversation = plain("conversation");
export const graph = plain("graph");
export const compare = plain("compare");

/** A window of the list of traces; its `columns` as they come. */
export const traces = plain("traces");

/** A line of a table of columns, as an object. */
export function record(columns, at) {
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[at]]));
}

/** A trace with its spans, without their attributes; of very many *most*, the first. */
export async function trace(id, most = null) {
  const told = SAVED ? SAVED.skeleton : await ask(`traces/${id}`, { max_spans: most });
  return { summary: told.summary, t0: told.origin, dropped: told.dropped, isWhole: !most || SAVED !== null || !told.dropped, cursor: told.cursor, links: told.links ?? [], spans: spansOf(told) };
}

/** The spans of a skeleton, or of a message about a trace that has changed. */
export function spansOf(told) {
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
      judged: told.evaluations?.[index] ?? 0,
      children: null,
      depth: 0,
    };
  });
}

/** The symbol of a kind. */
export function kindOf(name) {
  const known = KINDS[name] ?? name;
  return SPAN_KINDS.has(known) ? known : "other";
}

/** Write onto spans what their rows show beyond the skeleton. */
export async function mark(id, spans) {
  const marks = SAVED ? SAVED.marks : (await ask(`traces/${id}/marks`, { spans: spans.map((span) => span.id).join(",") })).spans;
  for (const span of spans) {
    const told = marks[span.id];
    if (told) applyMark(span, told);
  }
}

/** Write onto a span what a mark, or its detail, says of it. */
export function applyMark(span, told) {
  span.isMarked = true;
  if (told.attempt !== undefined) span.attempt = told.attempt;
  if (told.evaluations !== undefined) span.evaluations = Array.isArray(told.evaluations) ? told.evaluations.length : told.evaluations;
  if (told.is_cached) span.isCached = true;
  if (told.is_estimated) span.isEstimated = true;
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
export async function span(id, spanId) {
  if (!SAVED) return ask(`traces/${id}/spans/${spanId}`);
  const told = SAVED.spans[spanId];
  if (!told) throw new ApiError("not_found", "this file holds no details of it: the trace was too large");
  return told;
}

/** After how many ms a stream that was refused is asked for again. */
const AGAIN = 3_000;

/** The address of a trace as a file. */
export function fileUrl(id, name) {
  return `/api/traces/${id}/download/${name}`;
}

/**
 * Follow what the server tells as it happens.
 * @param {Object} wanted parameters of the stream
 * @param {Object<string, (data: any) => void>} heard by the name of the event; `up` and `down` tell of the connection
 * @returns {() => void} ends it
 */
export function follow(wanted, heard) {
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

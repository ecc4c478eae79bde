// What the rows in sight show beyond the skeleton: attempts, timelines of streams, stalls.

import * as api from "./api.js";

const MOST_MARKS = 200;
/** Of a span that goes on they are asked for again after so many ms. */
const HOLD = 900;

/** Ask for the marks of the rows in sight that have none, one question at a time. */
export function askMarks(view) {
  if (view.isAsking || view.isClosed || !view.tree) return;
  const [first, end] = view.virtual.range;
  const missing = view.rows.slice(first, end).map((row) => row.span).filter(isDue).slice(0, MOST_MARKS);
  if (!missing.length) return;
  view.isAsking = true;
  for (const span of missing) span.askedAt = Date.now();
  api.mark(view.id, missing).then(() => taken(view), () => {
    view.isAsking = false;
    for (const span of missing) span.askedAt = undefined;
  });
}

function isDue(span) {
  return span && (span.askedAt === undefined || (span.end === null && Date.now() - span.askedAt > HOLD));
}

function taken(view) {
  view.isAsking = false;
  if (view.isClosed) return;
  view.retries = view.tree.retries();
  view.virtual.refresh();
  view.draw();
}

// The keyboard in the tree of a trace, as an ARIA treegrid has it.

/** So many keys that come before the trace are kept. */
const MOST_EARLY = 64;

/**
 * Let the keyboard move through a trace's tree.
 * @returns {() => void} does what was pressed before the tree was there
 */
export function treeKeys(view) {
  const early = [];
  view.box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !ACTS[event.key]) return;
    event.preventDefault();
    if (early.length < MOST_EARLY) early.push(event.key);
    pressEarly();
  });
  const pressEarly = () => {
    // Where the last row is, is known when all are there.
    while (view.tree && early.length && (view.isWhole || early[0] !== "End")) press(view, early.shift());
  };
  return pressEarly;
}

function press(view, key) {
  if (view.rows.length || VIEW_KEYS.has(key)) ACTS[key](view, at(view));
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
/** What these do needs no row: without one, they lead back to where there are some. */
const VIEW_KEYS = new Set(["e", "c", "+", "-", "0"]);

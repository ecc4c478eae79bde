// What a mouse or a finger does in a trace: zoom, choose, and share the width.

import { el } from "./dom.js";
import { go } from "./router.js";
import { ROW } from "./trace-rows.js";

const LEAST = 15;
const MOST = 85;
/** A hand that clicks moves by so many pixels at most. */
const SHAKES = 6;

/** Zoom with Ctrl and the wheel, and by dragging along the axis. */
export function zoomByPointer(view) {
  view.box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const x = event.clientX - view.canvas.getBoundingClientRect().left;
    view.zoomBy(event.deltaY > 0 ? 1.25 : 0.8, view.waterfall.at(x));
  }, { passive: false });
  view.axis.times.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button")) return;
    const box = view.axis.times.getBoundingClientRect();
    const from = view.waterfall.at(event.clientX - box.left);
    const stretch = el("div.stretch");
    view.axis.times.append(stretch);
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

/** Choose a span by a click on its row or its bar, open and close it, and zoom out by a double click on the bars. */
export function chooseByPointer(view) {
  pressable(view.virtual.body, (event) => rowOf(view, event), ({ row, isTwist, link }, event) => {
    if (event.target.closest("a")) return;
    if (link) go(link);
    else if (isTwist || row.fold) view.open(row, !row.isOpen);
    else view.choose(row.span.id);
  });
  view.virtual.body.addEventListener("dblclick", (event) => {
    const { row } = rowOf(view, event) ?? {};
    if (row?.span && row.hasChildren) view.open(row, !row.isOpen);
  });
  view.canvas.addEventListener("dblclick", () => view.setZoom(null));
  pressable(view.canvas, (event) => view.rows[Math.floor((event.clientY - view.box.getBoundingClientRect().top + view.box.scrollTop) / ROW)], (row) => {
    if (row.span) view.choose(row.span.id);
    else view.open(row, !row.isOpen);
  });
}

function rowOf(view, { target }) {
  const row = view.rows[target.closest(".tree-row")?.place];
  return row && { row, isTwist: target.matches(".twist"), link: target.closest("a")?.getAttribute("href") };
}

/** Act on what was there when the button went down: rows may come in between until it is up. */
function pressable(box, find, act) {
  let pressed = null;
  box.addEventListener("pointerdown", (event) => (pressed = { found: find(event), at: event }));
  box.addEventListener("click", (event) => {
    // Without one, no button was pressed: a program has clicked.
    const held = event.detail ? pressed : null;
    pressed = null;
    const wasMoved = held && Math.hypot(event.clientX - held.at.clientX, event.clientY - held.at.clientY) > SHAKES;
    const found = held ? held.found : find(event);
    if (found && !wasMoved) act(found, event);
  });
}

/** Let the line between tree and waterfall be dragged, and moved by its keys. */
export function splitter(view) {
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

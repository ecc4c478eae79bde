// What a mouse or a finger does in a trace: zoom, choose, and share the width.

import { el } from "./dom.js";
import { ROW } from "./trace-rows.js";

const LEAST = 15;
const MOST = 85;

/** Zoom with Ctrl and the wheel, and by dragging along the axis. */
export function zoomByPointer(view) {
  view.box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const x = event.clientX - view.canvas.getBoundingClientRect().left;
    view.zoomBy(event.deltaY > 0 ? 1.25 : 0.8, view.waterfall.at(x));
  }, { passive: false });
  view.axisTimes.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button")) return;
    const box = view.axisTimes.getBoundingClientRect();
    const from = view.waterfall.at(event.clientX - box.left);
    const stretch = el("div.stretch");
    view.axisTimes.append(stretch);
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

/** Choose the span of a bar by a click, and zoom out by a double one. */
export function chooseByPointer(view) {
  view.canvas.addEventListener("dblclick", () => view.setZoom(null));
  view.canvas.addEventListener("click", (event) => {
    const index = Math.floor((event.clientY - view.box.getBoundingClientRect().top + view.box.scrollTop) / ROW);
    const row = view.rows[index];
    if (row?.span) view.choose(row.span.id);
    else if (row?.fold) view.open(row, !row.isOpen);
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

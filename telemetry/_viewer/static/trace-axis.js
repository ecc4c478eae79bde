// The axis of times above the waterfall of a trace.

import { el, renew } from "./dom.js";
import { ticks, tickText } from "./waterfall.js";

/** About so many pixels from one time to the next. */
const APART = 110;
const EDGE = 10;
/** A time has so much room before the end. */
const ROOM = 46;

export class Axis {
  /** @param {() => void} zoomOut shows the whole trace */
  constructor(zoomOut) {
    this.marks = el("div");
    this.unzoom = el("button.unzoom", { type: "button", text: "Whole trace", hidden: true, onclick: zoomOut });
    this.times = el("div.axis-times", {}, this.marks, this.unzoom);
    this.names = el("div.axis-names", {}, el("span", { text: "Span" }));
    this.box = el("div.axis", { "aria-hidden": "true" }, this.names, this.times);
  }

  /** Draw the times of a range. */
  draw([from, to], isZoomed) {
    const width = this.times.clientWidth;
    const place = (at) => EDGE + ((at - from) / (to - from || 1)) * (width - 2 * EDGE);
    const shown = ticks(from, to, width / APART).filter((at) => place(at) < width - ROOM);
    const step = shown.length > 1 ? shown[1] - shown[0] : 0;
    renew(this.marks, ...shown.map((at) => {
      const mark = el("span.tick", { text: tickText(at, step) });
      mark.style.left = `${place(at)}px`;
      return mark;
    }));
    this.unzoom.hidden = !isZoomed;
  }
}

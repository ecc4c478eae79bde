// Rows of which only those in sight are elements.

import { el, inNextFrame } from "./dom.js";

/**
 * @typedef {{make: () => HTMLElement, fill: (row: HTMLElement, index: number) => void, key?: (index: number) => any}} Rows
 *   `key` is what a row shows: its element goes with it when others come before it
 */

/**
 * A list of rows of one height in a box that scrolls. Elements are used again as it scrolls.
 */
export class VirtualRows {
  /**
   * @param {HTMLElement} box that scrolls
   * @param {number} height of a row, in pixels
   * @param {Rows} rows
   * @param {(first: number, end: number) => void} [seen] is told which rows are in sight
   */
  constructor(box, height, rows, seen = () => {}) {
    this.box = box;
    this.height = height;
    this.rows = rows;
    this.seen = seen;
    this.count = 0;
    this.pool = new Map();
    this.spare = [];
    this.size = null;
    this.top = 0;
    this.body = el("div.rows", { role: "rowgroup" });
    box.append(this.body);
    this.render = this.render.bind(this);
    this.ask = inNextFrame(this.render);
    this.follow = () => {
      this.top = box.scrollTop;
      this.ask();
    };
    box.addEventListener("scroll", this.follow, { passive: true });
    this.observer = new ResizeObserver(() => {
      this.isLaidOut = true;
      this.size = null;
      this.ask();
    });
    this.observer.observe(box);
  }

  /** Say how many rows there are, and fill those in sight anew. */
  setCount(count) {
    this.count = count;
    this.body.style.height = `${count * this.height}px`;
    this.refresh();
  }

  /** Fill the rows in sight anew. */
  refresh() {
    this.isStale = true;
    this.render();
  }

  /** The height of the box, and of what stands above the rows in it: read once, since that costs a layout. */
  get measures() {
    if (this.size) return this.size;
    // Before its first layout it is as high as the window at most, and is not laid out to be asked.
    if (!this.isLaidOut) return { head: 0, height: window.innerHeight };
    const read = { head: this.body.offsetTop, height: this.box.clientHeight };
    // A box that is not shown yet has none to keep.
    if (read.height) this.size = read;
    return read;
  }

  /** The rows in sight, as a half-open range. */
  get range() {
    const { head, height } = this.measures;
    const top = Math.max(0, this.top - head);
    const first = Math.max(0, Math.floor(top / this.height) - 4);
    const end = Math.min(this.count, Math.ceil((top + height) / this.height) + 4);
    return [first, Math.max(first, end)];
  }

  render() {
    if (this.isClosed) return;
    const [first, end] = this.range;
    const keys = this.keys(first, end);
    for (const [key, row] of this.pool) {
      if (keys.has(key)) continue;
      this.pool.delete(key);
      this.spare.push(row);
    }
    for (const [key, index] of keys) {
      const known = this.pool.get(key);
      const row = known ?? this.take(key);
      if (row.place !== index) this.place(row, index);
      if (!known || this.isStale) this.rows.fill(row, index);
    }
    // To hide one and show it again costs more than to move it.
    for (const row of this.spare) if (!row.hidden) row.hidden = true;
    this.isStale = false;
    this.seen(first, end);
  }

  /** What the rows of a range show, each once, with its place. */
  keys(first, end) {
    const found = new Map();
    for (let index = first; index < end; index += 1) {
      const key = this.rows.key?.(index) ?? index;
      found.set(found.has(key) ? `${key} again at ${index}` : key, index);
    }
    return found;
  }

  take(key) {
    let row = this.spare.pop();
    if (!row) {
      row = this.rows.make();
      this.body.append(row);
    }
    if (row.hidden) row.hidden = false;
    this.pool.set(key, row);
    return row;
  }

  place(row, index) {
    row.place = index;
    row.style.transform = `translateY(${index * this.height}px)`;
    row.setAttribute("aria-rowindex", String(index + 2));
  }

  /** Bring a row into sight. */
  reveal(index) {
    const { head, height } = this.measures;
    const top = index * this.height;
    const end = head + top + this.height;
    if (top < this.top) this.scrollTo(top);
    else if (end > this.top + height) this.scrollTo(end - height);
    this.render();
  }

  scrollTo(top) {
    this.box.scrollTop = top;
    // To ask how far it could be scrolled is a layout.
    this.top = top ? this.box.scrollTop : 0;
  }

  close() {
    this.isClosed = true;
    this.observer.disconnect();
    this.box.removeEventListener("scroll", this.follow);
  }
}

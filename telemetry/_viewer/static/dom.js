// Elements. Every text goes in as text: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag its name, with classes after dots: `span.dim.number`
 * @param {Object<string, any>} [given] attributes; `on…` are listeners, `text` is its text
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function el(tag, given = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  return fill(made, given, children);
}

/** Make an element of SVG, as `el` does. */
export function svg(name, given = {}, ...children) {
  return fill(document.createElementNS(SVG, name), given, children);
}

function fill(made, given, children) {
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made[key] = value;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) made.append(child);
  }
  return made;
}

/** Put these in the place of all that an element holds. */
export function show(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

/** What of an element is not an attribute, and goes over with it. */
const LISTENERS = ["onclick", "oninput", "onchange"];

/**
 * Put these in the place of all that an element holds, and keep the elements that are there already: who has the focus, or is
 * about to click, does not lose it when a view is told anew. Those that may come and go have a `data-key`.
 */
export function renew(parent, ...children) {
  renewChildren(parent, children.filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

function renewChildren(parent, wanted) {
  const known = [...parent.childNodes];
  let from = 0;
  const placed = wanted.map((node) => {
    const at = known.findIndex((each, place) => place >= from && isLike(each, node));
    if (at < 0) return node;
    from = at + 1;
    liken(known[at], node);
    return known[at];
  });
  // What goes, goes first: an element that is moved loses the focus.
  const stay = new Set(placed);
  for (const each of known) if (!stay.has(each)) each.remove();
  placed.forEach((node, place) => parent.childNodes[place] === node || parent.insertBefore(node, parent.childNodes[place] ?? null));
}

function isLike(known, node) {
  return known === node || (known.nodeName === node.nodeName && known.nodeName !== "CANVAS" && known.dataset?.key === node.dataset?.key);
}

function liken(known, node) {
  if (known === node) return;
  if (known.nodeType !== Node.ELEMENT_NODE) {
    if (known.data !== node.data) known.data = node.data;
    return;
  }
  for (const name of LISTENERS) known[name] = node[name];
  // Whoever has opened a part of the text, has done so for as long as it is the same.
  if (known.says !== undefined && known.says === node.says) return;
  known.says = node.says;
  likenAttributes(known, node);
  renewChildren(known, [...node.childNodes]);
}

function likenAttributes(known, node) {
  for (const { name, value } of [...node.attributes]) {
    if (name !== "style" && name !== "open" && known.getAttribute(name) !== value) known.setAttribute(name, value);
  }
  for (const { name } of [...known.attributes]) if (name !== "style" && name !== "open" && !node.hasAttribute(name)) known.removeAttribute(name);
  // The page's policy lets no attribute be a style, and a script write one.
  if (known.style.cssText !== node.style.cssText) known.style.cssText = node.style.cssText;
}

/**
 * Say of answers whether they are newer than those that were taken: one may overtake another.
 * @returns {() => () => boolean} called when it is asked, for what is called when the answer is there
 */
export function inOrder() {
  let asked = 0;
  let taken = 0;
  return () => {
    const number = (asked += 1);
    return () => {
      if (number < taken) return false;
      taken = number;
      return true;
    };
  };
}

/** Set a text only where it differs: a write costs layout. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Call *act* once in the next frame, however often the result is called until then. */
export function inNextFrame(act) {
  let asked = 0;
  return () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      act();
    });
  };
}

/** Call *act* after a rest of so many milliseconds. */
export function afterRest(act, rest) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), rest);
  };
}

/** Call *act* at most once in so many milliseconds, however often the result is called. */
export function atMostEvery(act, least) {
  let timer = 0;
  let last = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      last = Date.now();
      act();
    }, Math.max(0, last + least - Date.now()));
  };
}

/** Values of the theme by their names, such as `accent`. */
export function themeColours(names) {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

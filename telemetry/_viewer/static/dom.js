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
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
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

// Which view an address shows. Each view has one, and going back leads back.

/** @typedef {{close?: () => void, back?: () => void, find?: HTMLElement}} View */

const ROUTES = [];
let current = null;
let box = null;

/** Say which view an address opens; `pattern` matches the path. */
export function route(pattern, open) {
  ROUTES.push([pattern, open]);
}

/** Show the view of the address, in this element, now and whenever the address changes. */
export function start(root) {
  box = root;
  window.addEventListener("popstate", change);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented) return;
    const link = event.target.closest?.("a[href]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || link.hasAttribute("download")) return;
    const to = new URL(link.getAttribute("href"), location.href);
    if (to.origin !== location.origin || to.pathname.startsWith("/api/") || to.hash === "#view") return;
    event.preventDefault();
    go(to.pathname + to.search);
  });
  openCurrent();
}

/** Go to an address of this page. */
export function go(address) {
  history.pushState({ list: listAddress() }, "", address);
  change();
}

/** Go to the list, with the filters that it had when it was left. */
export function goToList() {
  go(listAddress());
}

/** The address of the list as it was seen last on the way here; each place of the history knows its own. */
function listAddress() {
  if (/^\/(?:traces)?$/.test(location.pathname)) return location.pathname + location.search;
  return history.state?.list ?? "/";
}

/** Open the view of the address in the place of another. */
function change() {
  openCurrent();
  // Who has come by the keyboard goes on in the view, and not at the top of the page.
  if (document.activeElement === document.body) (box.querySelector("[tabindex='0']") ?? box).focus({ preventScroll: true });
}

/** Change parameters of the address, without opening the view anew. */
export function setQuery(changes) {
  if (location.protocol === "file:") return;
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  history.replaceState(history.state, "", text ? `${location.pathname}?${text}` : location.pathname);
}

/** The view that is open. */
export function openView() {
  return current;
}

function openCurrent() {
  current?.close?.();
  current = null;
  box.className = "";
  // A view that was left does nothing any more, however long the next one waits for its answer.
  box.replaceChildren();
  const path = location.pathname;
  for (const [pattern, open] of ROUTES) {
    const match = pattern.exec(path);
    if (!match) continue;
    current = open(box, match.slice(1).map((part) => (part === undefined ? null : decodeURIComponent(part))), new URLSearchParams(location.search)) ?? null;
    break;
  }
  document.dispatchEvent(new CustomEvent("viewchange"));
}

// Dark and light: as the system has it, until somebody chooses.

const KEY = "nodespan-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };
const SIGNS = { system: "◐", light: "☀", dark: "☾" };

/** Set the theme, and let a button change it. */
export function setUpTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = read();
  const apply = () => {
    const isDark = chosen === "dark" || (chosen === "system" && system.matches);
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    if (button) {
      button.textContent = SIGNS[chosen];
      button.setAttribute("aria-label", `Theme: ${chosen}`);
      button.title = `Theme: ${chosen}`;
    }
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  system.addEventListener("change", apply);
  button?.addEventListener("click", () => {
    chosen = NEXT[chosen];
    write(chosen);
    apply();
  });
  apply();
}

function read() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept in NEXT ? kept : "system";
  } catch {
    return "system";
  }
}

function write(chosen) {
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // A page from a file may have no storage.
  }
}

// Light or dark: as the system has it, unless the reader has chosen. Loaded before anything is painted.

import { recall, remember } from "./memory.js";

const themes = ["auto", "light", "dark"];

let theme = recall("theme", "auto");
apply();

// themeButton makes a button go through the themes, and calls changed whenever colours have changed.
export function themeButton(button, changed) {
  const show = () => {
    button.textContent = `Theme: ${theme}`;
  };
  show();
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    remember("theme", theme);
    apply();
    show();
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

function apply() {
  if (!themes.includes(theme)) theme = "auto";
  document.documentElement.dataset.theme = theme;
}

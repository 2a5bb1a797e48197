// Keys: one for the search box, two for each part of the dashboard, two for the rows of a table. They can be turned off, and do nothing
// where something is typed (WCAG 2.2, 2.1.4).
import { say } from "./say.js";

const OFF = "netloom-keys-off";
const PATIENCE = 1200;

const isOff = () => localStorage.getItem(OFF) === "1";
const isTyping = (event) => event.target.closest?.("input, select, textarea, [contenteditable]");

function step(by) {
  const rows = [...document.querySelectorAll("main tbody tr, main [data-key] > a")]
    .map((row) => (row.matches("a") ? row : row.querySelector("a")))
    .filter(Boolean);
  if (!rows.length) return;
  const at = rows.findIndex((link) => link === document.activeElement || link.closest("tr")?.contains(document.activeElement));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

export function listenToKeys() {
  const help = document.getElementById("keys");
  const find = document.getElementById("find");
  if (!help || !find) return;
  const off = help.querySelector("input");
  off.checked = isOff();
  off.addEventListener("change", () => {
    localStorage.setItem(OFF, off.checked ? "1" : "0");
    say(off.checked ? "Keys are off, but for this window" : "Keys are on");
  });
  for (const open of document.querySelectorAll("[data-keys]")) {
    open.hidden = false;
    open.addEventListener("click", () => help.showModal());
  }
  // What was typed stays; the keys of the page are to be had again.
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape") find.blur();
  });
  const places = new Map([...document.querySelectorAll("[data-go]")].map((link) => [link.dataset.go, link]));
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || help.open || isOff()) return;
    const gone = Date.now() - going < PATIENCE;
    going = 0;
    if (gone && places.has(event.key)) {
      event.preventDefault();
      places.get(event.key).click();
    } else if (event.key === "g") {
      going = Date.now();
    } else if (event.key === "/") {
      event.preventDefault();
      find.focus();
      find.select();
    } else if (event.key === "?") {
      help.showModal();
    } else if (event.key === "j" || event.key === "k") {
      step(event.key === "j" ? 1 : -1);
    }
  });
}

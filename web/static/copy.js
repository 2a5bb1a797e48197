// Copy buttons on everything that is marked with data-copy, where the browser has a clipboard for us (secure contexts, which loopback is).
// A button is marked data-added: it is no part of the page as the server draws it, nor of what is copied.
import { say } from "./say.js";

const LABEL = 40;

function textOf(place) {
  const copy = place.cloneNode(true);
  for (const added of copy.querySelectorAll("[data-added]")) added.remove();
  return copy.textContent.trim();
}

function button(place) {
  const made = document.createElement("button");
  const text = textOf(place);
  made.type = "button";
  made.className = "copy";
  made.dataset.added = "";
  made.textContent = "Copy";
  made.setAttribute("aria-label", "Copy " + (text.length > LABEL ? text.slice(0, LABEL) + "…" : text));
  made.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(textOf(place));
      made.textContent = "Copied";
      say("Copied");
    } catch {
      made.textContent = "Not copied";
      say("Not copied: the browser refused");
    }
    setTimeout(() => { made.textContent = "Copy"; }, 1600);
  });
  return made;
}

export function addCopyButtons(root) {
  if (!navigator.clipboard) return;
  for (const place of root.querySelectorAll("[data-copy]")) {
    if (place.querySelector(":scope > [data-added]")) continue;
    if (place.tagName === "PRE") place.append(button(place));
    else place.append(button(place));
  }
}

// The list of what can be copied closes as a menu does: by Escape, which leaves the focus at its button, and by a press beside it.
export function closeCopies() {
  const open = () => document.querySelector(".copy-as[open]");
  document.addEventListener("keydown", (event) => {
    const list = event.key === "Escape" && open();
    if (!list) return;
    list.open = false;
    list.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    const list = open();
    if (list && !list.contains(event.target)) list.open = false;
  });
}

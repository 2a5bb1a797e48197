// Makes a piece of the page equal to a newer one, in place: what is the same stays untouched, so that focus, selection, scroll positions and
// opened details stay where they are. Children are matched by `id`, else by `data-key`, rows else by where they lead, all others by their place.

const MARK = 1500;

// What a child is known by: told apart from its like by how many of them came before it.
function keys(children) {
  const seen = new Map();
  return children.map((node) => {
    if (node.nodeType !== Node.ELEMENT_NODE) return null;
    const row = node.localName === "tr" || node.localName === "li";
    const key = node.id || node.dataset.key || (row && node.querySelector("a[href]")?.getAttribute("href"));
    if (!key) return null;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return `${key} ${count}`;
  });
}
const isOurs = (node) => node.nodeType === Node.ELEMENT_NODE && node.hasAttribute("data-added");
const fits = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName;

// What a person is in the middle of: a field that was typed into, a list that was opened.
const isTheirs = (element) =>
  element === document.activeElement ||
  (element.matches("input, textarea") && element.value !== element.defaultValue) ||
  (element.matches("select") && [...element.options].some((option) => option.selected !== option.defaultSelected));

function patchAttributes(old, now) {
  let changed = false;
  for (const { name } of [...old.attributes]) {
    // Whether details are open is the reader's.
    if (!now.hasAttribute(name) && !(old.localName === "details" && name === "open")) {
      old.removeAttribute(name);
      changed = true;
    }
  }
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value && !(old.localName === "details" && name === "open")) {
      old.setAttribute(name, value);
      changed = true;
    }
  }
  return changed;
}

function mark(element) {
  if (!element || element.closest("time")) return;
  const row = element.closest("tr, [data-key], li, dd");
  if (!row || row.hasAttribute("data-changed")) return;
  row.setAttribute("data-changed", "");
  setTimeout(() => row.removeAttribute("data-changed"), MARK);
}

function patchText(old, now) {
  if (old.data === now.data) return;
  old.data = now.data;
  mark(old.parentElement);
}

function patchNode(old, now) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeType === Node.TEXT_NODE) patchText(old, now);
    return;
  }
  if (old.matches("input, select, textarea") && isTheirs(old)) return;
  if (patchAttributes(old, now)) mark(old);
  patchChildren(old, now);
}

export function patchChildren(old, now) {
  const keyed = new Map();
  const plain = [];
  const present = [...old.childNodes].filter((child) => !isOurs(child));
  const wantedAll = [...now.childNodes];
  const names = keys(wantedAll);
  keys(present).forEach((key, at) => {
    if (key) keyed.set(key, present[at]);
    else plain.push(present[at]);
  });
  let place = old.firstChild;
  const skipOurs = () => {
    while (place && isOurs(place)) place = place.nextSibling;
  };
  for (const [at, wanted] of wantedAll.entries()) {
    const key = names[at];
    let match = null;
    if (key) {
      match = keyed.get(key) ?? null;
      if (match && !fits(match, wanted)) match = null;
      if (match) keyed.delete(key);
    } else if (plain.length && fits(plain[0], wanted)) {
      match = plain.shift();
    }
    skipOurs();
    if (match) {
      patchNode(match, wanted);
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
    } else {
      const added = document.importNode(wanted, true);
      old.insertBefore(added, place);
      if (added.nodeType === Node.ELEMENT_NODE) mark(added);
    }
  }
  for (const gone of [...keyed.values(), ...plain]) gone.remove();
}

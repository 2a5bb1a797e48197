// Makes a piece of the page equal to a newer one, in place: what is the same stays untouched, so that focus, selection, scroll positions and
// opened details stay where they are. Children are matched by `id`, else by `data-key` or
// by what names them, rows else by where they lead, all others by their kind and order.

const MARK = 1500;

// What a child is known by: told apart from its like by how many of them came before it.
function keys(children) {
  const seen = new Map();
  return children.map((node) => {
    if (node.nodeType !== Node.ELEMENT_NODE) return null;
    const row = node.localName === "tr" || node.localName === "li";
    const key = node.id || node.dataset.key || node.getAttribute("aria-labelledby") || (row && node.querySelector("a[href]")?.getAttribute("href"));
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

// What no newer page decides: whether details are open is the reader's, which cell of a map the tab key leads to is `map`'s, and a mark goes by itself.
const isKept = (element, name) =>
  name === "data-changed" || (name === "open" && element.localName === "details") || (name === "tabindex" && element.matches(".map a"));

function patchAttributes(old, now) {
  let changed = false;
  for (const { name } of [...old.attributes]) {
    if (!now.hasAttribute(name) && !isKept(old, name)) {
      old.removeAttribute(name);
      changed = true;
    }
  }
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value && !isKept(old, name)) {
      old.setAttribute(name, value);
      changed = true;
    }
  }
  return changed;
}

// What changes by itself, such as an age or a counter, is no news: marked all the time, it would hide what is.
function mark(element) {
  if (!element || element.closest("time, [data-quiet]")) return;
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

// Text between elements that says nothing: it is made anew where it stands, so that none stays behind of a child that went.
const isBlank = (node) => node?.nodeType === Node.TEXT_NODE && !node.data.trim();

// Which old child each wanted one is: by its key, else the next that is alike. One that nothing wanted any more is like is passed over, so that
// it does not stand in the way of those behind it.
function matches(old, wanted) {
  const present = [...old.childNodes].filter((child) => !isOurs(child) && !isBlank(child));
  const keyed = new Map();
  const plain = [];
  keys(present).forEach((key, at) => {
    if (key) keyed.set(key, present[at]);
    else plain.push(present[at]);
  });
  const names = keys(wanted);
  const found = wanted.map((one, at) => {
    if (isBlank(one)) return null;
    if (names[at]) {
      const match = keyed.get(names[at]);
      return match && fits(match, one) ? match : null;
    }
    const next = plain.findIndex((child) => fits(child, one));
    const rest = () => wanted.slice(at + 1).filter((other, step) => !names[at + 1 + step]);
    if (next < 0 || plain.slice(0, next).some((child) => rest().some((other) => fits(child, other)))) return null;
    return plain.splice(0, next + 1).pop();
  });
  const kept = new Set(found);
  return { found, gone: present.filter((child) => !kept.has(child)) };
}

// Puts a child where it is wanted. One that has the focus is not moved, which would take the focus from it: what is between goes behind it.
function move(parent, child, place) {
  if (!child.contains(document.activeElement)) {
    parent.insertBefore(child, place);
    return;
  }
  const behind = child.nextSibling;
  for (let one = place; one && one !== child; ) {
    const next = one.nextSibling;
    parent.insertBefore(one, behind);
    one = next;
  }
}

export function patchChildren(old, now) {
  const wantedAll = [...now.childNodes];
  const { found, gone } = matches(old, wantedAll);
  // What is not wanted goes first: else all that follows it would have to be moved past it.
  for (const child of gone) child.remove();
  let place = old.firstChild;
  for (const [at, wanted] of wantedAll.entries()) {
    const blank = isBlank(wanted);
    while (place && (isOurs(place) || (!blank && isBlank(place)))) {
      const next = place.nextSibling;
      if (!isOurs(place)) place.remove();
      place = next;
    }
    if (blank && isBlank(place)) {
      if (place.data !== wanted.data) place.data = wanted.data;
      place = place.nextSibling;
      continue;
    }
    const match = found[at];
    if (match) {
      patchNode(match, wanted);
      if (match !== place) move(old, match, place);
      place = match.nextSibling;
    } else {
      const added = document.importNode(wanted, true);
      old.insertBefore(added, place);
      if (added.nodeType === Node.ELEMENT_NODE) mark(added);
    }
  }
  while (place) {
    const next = place.nextSibling;
    if (isBlank(place)) place.remove();
    place = next;
  }
}

// A map is one stop of the tab key: arrows lead from cell to cell, Home and End to the ends of a row. Without this every cell is a link like any other,
// and a link before the map leads past it.

const cells = (map) => [...map.querySelectorAll("tbody a")];

// Makes one cell of a map its stop: the wanted one, else the one that is, else the one that is pointed at.
function stopAt(map, wanted) {
  const all = cells(map);
  const known = () => all.find((cell) => cell.getAttribute("tabindex") === "0") ?? all.find((cell) => cell.hasAttribute("aria-current"));
  const stop = wanted ?? known() ?? all[0];
  for (const cell of all) {
    const place = cell === stop ? "0" : "-1";
    if (cell.getAttribute("tabindex") !== place) cell.setAttribute("tabindex", place);
  }
}

// Cells that a newer page brought are no stops of their own.
export function gatherStops(root) {
  for (const map of root.querySelectorAll(".map")) {
    stopAt(map);
    // Its cells scroll it: the frame around it would be a second stop.
    if (cells(map).length) map.closest(".map-frame")?.removeAttribute("tabindex");
  }
}

// Where a key leads from a cell. Rows are those that are seen, which on a narrow screen are half as long.
function beside(all, cell, key) {
  const at = all.indexOf(cell);
  if (key === "ArrowLeft") return all[at - 1];
  if (key === "ArrowRight") return all[at + 1];
  const here = cell.getBoundingClientRect();
  const placed = all.map((one) => ({ one, box: one.getBoundingClientRect() }));
  if (key === "Home" || key === "End") {
    const row = placed.filter(({ box }) => box.top === here.top);
    return row.at(key === "Home" ? 0 : -1).one;
  }
  const there = placed.filter(({ box }) => (key === "ArrowUp" ? box.bottom <= here.top : key === "ArrowDown" && box.top >= here.bottom));
  const nearest = Math.min(...there.map(({ box }) => Math.abs(box.top - here.top)));
  const row = there.filter(({ box }) => Math.abs(box.top - here.top) === nearest);
  const aside = ({ box }) => Math.abs(box.left - here.left);
  return row.reduce((best, next) => (best && aside(best) <= aside(next) ? best : next), undefined)?.one;
}

export function walkMaps() {
  gatherStops(document);
  document.addEventListener("focusin", ({ target }) => {
    const map = target.matches?.(".map tbody a") && target.closest(".map");
    if (map) stopAt(map, target);
  });
  document.addEventListener("keydown", (event) => {
    const map = event.target.matches?.(".map tbody a") && event.target.closest(".map");
    if (!map || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (!/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) return;
    event.preventDefault();
    beside(cells(map), event.target, event.key)?.focus();
  });
}

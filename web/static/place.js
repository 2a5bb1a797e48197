// Keeps the reader's place while a newer page is put in: what is being read stays where it is on the screen, whatever came or went above it. A browser's own
// way of doing so does not look into frames that scroll sideways, as tables have them.

const PIECES = "tr, li, [data-key], section, h2, p";

const isSeen = (element) => {
  const box = element.getBoundingClientRect();
  return box.height > 0 && box.bottom > 0 && box.top < innerHeight;
};

// What is on the screen: what has the focus first, then from the top. At the top of the page nobody is in the middle of anything.
function places(main) {
  if (window.scrollY === 0) return [];
  const at = document.activeElement;
  const focused = at !== main && main.contains(at) && isSeen(at) ? [at] : [];
  const whole = [...main.querySelectorAll(PIECES)].filter((piece) => isSeen(piece) && piece.getBoundingClientRect().top >= 0);
  return [...focused, ...whole].map((piece) => ({ piece, top: piece.getBoundingClientRect().top }));
}

export function keepPlace(main, change) {
  const before = places(main);
  change();
  const still = before.find(({ piece }) => piece.isConnected);
  const moved = still ? still.piece.getBoundingClientRect().top - still.top : 0;
  if (moved) window.scrollBy({ top: moved, behavior: "instant" });
}

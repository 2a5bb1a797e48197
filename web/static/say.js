// Tells who listens rather than looks: one polite line, of what somebody did or asked to hear of (WCAG 2.2, 4.1.3).

export function say(text) {
  const line = document.querySelector("[data-said]");
  if (line) line.textContent = text;
}

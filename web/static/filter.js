// A filter shows what its page was asked for. A page that Back leads to may come as it was left, with what was chosen for the next one.
export function resetFilters() {
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form.filter")) form.reset();
  });
}

// Adds to pages that are complete without it: copy buttons, a key for the search box, a note that something has changed.
"use strict";
(() => {
  const said = document.querySelector("[data-said]");
  const say = (text) => { if (said) said.textContent = text; };

  // Copy buttons, where the browser has a clipboard for us (secure contexts, which loopback is).
  if (navigator.clipboard) {
    for (const place of document.querySelectorAll("[data-copy]")) {
      const button = document.createElement("button");
      const text = place.textContent.trim();
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", "Copy " + (text.length > 40 ? text.slice(0, 40) + "…" : text));
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = "Copied";
          say("Copied");
        } catch {
          button.textContent = "Not copied";
          say("Not copied: the browser refused");
        }
        setTimeout(() => { button.textContent = "Copy"; }, 1600);
      });
      if (place.tagName === "PRE") {
        const holder = document.createElement("div");
        holder.className = "copyable";
        place.replaceWith(holder);
        holder.append(place, button);
      } else {
        place.append(" ", button);
      }
    }
  }

  // "/" goes to the search box, unless something is being typed.
  const find = document.getElementById("find");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !find) return;
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (typing) return;
    event.preventDefault();
    find.focus();
    find.select();
  });

  // What happened since the page was made is announced, not shown: nothing moves under the reader's hand.
  // The stream is open only while the page is looked at, because browsers open few connections to one host.
  const live = document.querySelector("[data-live]");
  if (live && window.EventSource) {
    let source = null;
    let last = "";
    let count = 0;
    const show = () => {
      live.hidden = false;
      live.replaceChildren(" · ");
      const link = document.createElement("a");
      link.href = location.href;
      link.textContent = count === 1 ? "1 event since then, reload" : count + " events since then, reload";
      live.append(link);
    };
    const open = () => {
      if (source) return;
      source = new EventSource("/api/v1/events" + (last ? "?since=" + encodeURIComponent(last) : ""));
      source.onmessage = (event) => {
        last = event.lastEventId || last;
        count += 1;
        show();
      };
    };
    const close = () => {
      if (source) source.close();
      source = null;
    };
    document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
    window.addEventListener("pagehide", close);
    if (!document.hidden) open();
  }
})();

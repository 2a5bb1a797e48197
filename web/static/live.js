// A page follows what happens: when the one event stream tells of something, the page is asked for again and what differs is put in its place.
// However fast events come, there is one request at a time and some time between two. What has no event, such as an age, is renewed slowly.
// The stream is open only while the page is looked at, because browsers open few connections to one host.
import { addCopyButtons } from "./copy.js";
import { patchChildren } from "./patch.js";
import { say } from "./say.js";

// Least time between two requests, and how many times as long as the last one took, in milliseconds: a slow server is asked less often.
const PAUSE = 700;
const SHARE = 4;
// How old a page gets without an event.
const OLD = 15_000;
const PAUSED = "netloom-paused";

class Live {
  constructor(bar) {
    this.age = bar.querySelector("[data-age]");
    this.button = bar.querySelector("button");
    this.note = document.querySelector("[data-new]");
    this.main = document.getElementById("main");
    this.made = Date.now();
    // The event up to which the page tells: the stream goes on from there, so that nothing falls between.
    this.last = bar.dataset.since ?? "";
    this.wanted = false;
    this.running = false;
    this.timer = null;
    this.trouble = "";
    this.paused = sessionStorage.getItem(PAUSED) === "1";
    bar.hidden = false;
    this.button.addEventListener("click", () => this.toggle());
    document.addEventListener("visibilitychange", () => this.attend());
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", () => this.attend());
    setInterval(() => this.tick(), 1000);
    this.attend();
    this.show();
  }

  toggle() {
    this.paused = !this.paused;
    sessionStorage.setItem(PAUSED, this.paused ? "1" : "0");
    say(this.paused ? "This page no longer follows what happens" : "This page follows what happens");
    this.attend();
    if (!this.paused) this.want();
    this.show();
  }

  attend() {
    if (this.paused || document.hidden) this.close();
    else this.open();
  }

  open() {
    if (this.source) return;
    this.source = new EventSource("/api/v1/events" + (this.last ? "?since=" + encodeURIComponent(this.last) : ""));
    this.source.onmessage = (event) => {
      this.last = event.lastEventId || this.last;
      this.want();
    };
    this.source.onopen = () => {
      if (this.trouble) this.want();
    };
    this.source.onerror = () => {
      this.trouble = "not connected";
      // Closed for good: where it would go on from is no longer kept.
      if (this.source?.readyState === EventSource.CLOSED) this.again();
      this.show();
    };
  }

  again() {
    this.close();
    this.last = "";
    setTimeout(() => this.attend(), OLD);
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
  }

  tick() {
    if (!this.paused && !document.hidden && Date.now() - this.made > OLD) this.want();
    this.show();
  }

  want() {
    this.wanted = true;
    if (this.running || this.timer || this.paused) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.renew();
    }, this.wait ?? PAUSE / 4);
  }

  async renew() {
    this.wanted = false;
    this.running = true;
    const begin = performance.now();
    try {
      const answer = await fetch(location.href, { headers: { "x-netloom-live": "1" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") {
        this.trouble = "signed out, reload the page";
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.getElementById("main");
      if (answer.ok && now) this.take(now, page);
      else this.trouble = "the page can't be had: " + answer.status;
    } catch {
      this.trouble = "not connected";
    } finally {
      this.wait = Math.max(PAUSE, SHARE * (performance.now() - begin));
      this.running = false;
      this.show();
    }
    if (this.wanted) this.want();
  }

  take(now, page) {
    this.trouble = "";
    this.made = Date.now();
    const held = heldBack(this.main, now);
    if (held) this.offer(held, now);
    else this.put(now);
    document.title = page.title;
  }

  put(now) {
    patchChildren(this.main, now);
    addCopyButtons(this.main);
    this.note.replaceChildren();
  }

  // New rows above those that are being read are offered, not pushed in.
  offer(count, now) {
    const text = count === 1 ? "1 new row, show it" : count + " new rows, show them";
    let show = this.note.querySelector("button");
    if (!show) {
      show = document.createElement("button");
      show.type = "button";
      this.note.replaceChildren(show);
      say("There is something new");
    }
    show.textContent = text;
    show.onclick = () => {
      this.put(now);
      this.main.focus();
    };
  }

  show() {
    const seconds = Math.round((Date.now() - this.made) / 1000);
    const age = seconds < 2 ? "now" : seconds < 120 ? seconds + " s ago" : Math.round(seconds / 60) + " min ago";
    const state = this.paused ? "paused" : this.trouble || "live";
    this.age.textContent = state + ", " + age;
    this.age.dataset.state = this.paused ? "paused" : this.trouble ? "bad" : "live";
    this.button.textContent = this.paused ? "Follow" : "Pause";
  }
}

// How many rows a list in order of time, marked data-newest-first, would get above its first one, where somebody is reading further down or is
// at one of its rows.
function heldBack(main, now) {
  const list = main.querySelector("[data-newest-first]");
  const newer = now.querySelector("[data-newest-first]");
  if (!list || !newer) return 0;
  const reads = list.getBoundingClientRect().top < 0 || list.contains(document.activeElement) || !getSelection().isCollapsed;
  const first = list.querySelector("[data-key]");
  if (!reads || !first) return 0;
  const keys = [...newer.querySelectorAll("[data-key]")].map((row) => row.dataset.key);
  const at = keys.indexOf(first.dataset.key);
  return at < 0 ? keys.length : at;
}

export function follow() {
  const bar = document.querySelector("[data-live]");
  if (bar && window.EventSource) new Live(bar);
}

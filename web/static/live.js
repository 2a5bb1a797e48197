// A page follows what happens: when it hears of something (`stream`), the page is asked for again and what differs is put in its place. However
// fast events come, there is one request at a time and some time between two. What has no event, such as an age, is renewed slowly; a page that says
// `data-renew` as often as that, and a page that hears of nothing more often than slowly.
import { addCopyButtons } from "./copy.js";
import { gatherStops } from "./map.js";
import { patchChildren } from "./patch.js";
import { keepPlace } from "./place.js";
import { say } from "./say.js";
import { Stream } from "./stream.js";

// Least time between two requests, and how many times as long as the last one took, in milliseconds: a slow server is asked less often.
const PAUSE = 700;
const SHARE = 4;
// How old a page gets without an event, and where no events are heard of.
const OLD = 15_000;
const DEAF = 5_000;
const PAUSED = "netloom-paused";

// What is told to whom listens, when the state changes to this.
const SAID = {
  live: "This page is live again",
  deaf: "No events are heard of: this page is asked for every few seconds",
  lost: "Not connected: this page may be out of date",
  signedOut: "You are signed out: this page is out of date",
  refused: "This page can't be had any more",
};

class Live {
  constructor(bar) {
    this.age = bar.querySelector("[data-age]");
    this.button = bar.querySelector("button");
    this.note = document.querySelector("[data-new]");
    this.main = document.getElementById("main");
    this.made = Date.now();
    this.hears = true;
    this.state = "live";
    this.tag = "";
    this.wanted = false;
    this.running = false;
    this.timer = null;
    this.paused = sessionStorage.getItem(PAUSED) === "1";
    // The event up to which the page tells: the stream goes on from there, so that nothing falls between.
    this.stream = new Stream(bar.dataset.since ?? "", () => this.want(), (hears) => this.stands(hears));
    bar.hidden = false;
    this.button.addEventListener("click", () => this.toggle());
    document.addEventListener("visibilitychange", () => this.attend());
    window.addEventListener("pagehide", () => this.stream.close());
    window.addEventListener("pageshow", () => this.attend());
    this.clock = setInterval(() => this.tick(), 1000);
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
    if (this.paused || document.hidden || this.ended) this.stream.close();
    else this.stream.open();
  }

  // Whether events are heard of. What happened while they were not is asked for.
  stands(hears) {
    if (hears === this.hears) return;
    this.hears = hears;
    if (hears) this.want();
    else this.turn(this.state);
    this.show();
  }

  // Whether the page can be had is one thing, whether events are heard of another: only both make it live.
  turn(state) {
    const before = this.told ?? "live";
    this.state = state;
    this.told = state === "live" && !this.hears ? "deaf" : state;
    if (this.told !== before && SAID[this.told]) say(SAID[this.told]);
  }

  tick() {
    if (this.paused || document.hidden || this.ended) return;
    const own = Number(this.main.querySelector("[data-renew]")?.dataset.renew) * 1000;
    const old = Math.min(own || OLD, this.hears ? OLD : DEAF);
    if (Date.now() - this.made > old) this.want();
    this.show();
  }

  want() {
    this.wanted = true;
    if (this.running || this.timer || this.paused || this.ended) return;
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
      const headers = { "x-netloom-live": "1" };
      if (this.tag) headers["if-none-match"] = this.tag;
      const answer = await fetch(location.href, { headers, redirect: "manual" });
      await this.answered(answer);
    } catch {
      this.turn("lost");
    } finally {
      this.wait = Math.max(PAUSE, SHARE * (performance.now() - begin));
      this.running = false;
      this.show();
    }
    if (this.wanted) this.want();
  }

  async answered(answer) {
    if (answer.type === "opaqueredirect") {
      this.turn("signedOut");
      return;
    }
    if (answer.status === 304) {
      this.made = Date.now();
      this.turn("live");
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById("main");
    if (answer.ok && now) {
      this.tag = answer.headers.get("etag") ?? "";
      this.take(now, page);
    } else if ((answer.status === 404 || answer.status === 410) && now) {
      this.end(now, page);
    } else {
      this.status = answer.status;
      this.turn("refused");
    }
  }

  take(now, page) {
    this.made = Date.now();
    this.turn("live");
    const held = heldBack(this.main, now);
    if (held) this.offer(held, now);
    else this.put(now);
    document.title = page.title;
  }

  // What the page showed is gone: what is said of that stands in its place, and nothing more is asked.
  end(now, page) {
    this.ended = true;
    this.stream.close();
    clearInterval(this.clock);
    this.note.replaceChildren();
    this.main.replaceChildren(...document.importNode(now, true).childNodes);
    addCopyButtons(this.main);
    document.title = page.title;
    this.main.focus();
    this.button.hidden = true;
    say("What this page showed was removed");
  }

  put(now) {
    const at = document.activeElement;
    keepPlace(this.main, () => patchChildren(this.main, now));
    addCopyButtons(this.main);
    gatherStops(this.main);
    this.note.replaceChildren();
    // What had the focus is gone: whoever uses the keyboard is not sent back to the top of the page.
    if (at && at !== document.body && !at.isConnected) this.main.focus({ preventScroll: true });
  }

  // New rows above those that are being read are offered, not pushed in.
  offer({ count, all }, now) {
    const some = count === 1 ? "1 new row, show it" : count + " new rows, show them";
    const text = all ? count + " new rows or more, show them" : some;
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
    const state = this.ended ? "ended" : this.paused ? "paused" : this.told ?? "live";
    const words = {
      ended: "removed",
      paused: "paused",
      live: "live",
      deaf: "without events",
      lost: "not connected",
      refused: "the page can't be had: " + this.status,
    };
    this.button.textContent = this.paused ? "Follow" : "Pause";
    this.age.dataset.state = state === "live" || state === "paused" ? state : "bad";
    if (state === "signedOut") {
      this.signIn();
      return;
    }
    const text = this.ended ? words.ended : words[state] + ", " + age;
    if (this.age.textContent !== text) this.age.textContent = text;
  }

  signIn() {
    if (this.age.querySelector("a")) return;
    const link = document.createElement("a");
    link.href = "/ui/login?next=" + encodeURIComponent(location.pathname + location.search);
    link.textContent = "signed out, sign in";
    this.age.replaceChildren(link);
  }
}

// How many rows a list in order of time, marked data-newest-first, would get above its first one, where somebody is reading further down or is
// at one of its rows; and whether those are all that there is room for, so that there may be more. Nothing, where nothing is held back.
function heldBack(main, now) {
  const list = main.querySelector("[data-newest-first]");
  const newer = now.querySelector("[data-newest-first]");
  if (!list || !newer) return null;
  const reads = list.getBoundingClientRect().top < 0 || list.contains(document.activeElement) || !getSelection().isCollapsed;
  const first = list.querySelector("[data-key]");
  if (!reads || !first) return null;
  const keys = [...newer.querySelectorAll("[data-key]")].map((row) => row.dataset.key);
  const at = keys.indexOf(first.dataset.key);
  if (at === 0) return null;
  return at < 0 ? { count: keys.length, all: true } : { count: at, all: false };
}

export function follow() {
  const bar = document.querySelector("[data-live]");
  if (bar && window.EventSource) new Live(bar);
}

// Tells that something happened. However many windows show the dashboard, one of those that are looked at has the event stream and tells the
// others: browsers open six connections to one host, and streams of six windows would leave none for pages. Where the browser can't agree on one
// (Web Locks are for secure contexts, which loopback is), each window has its own, and one that gets no connection asks now and then instead.

const NAME = "netloom-events";
// How long a stream may take to begin, in milliseconds, and how long until one that was closed is tried again.
const PATIENCE = 6_000;
const AGAIN = 15_000;

export class Stream {
  // `since` is the event that the page tells of; `happened` is called when there is a later one, `stands` with whether events are heard of.
  constructor(since, happened, stands) {
    this.last = since;
    this.happened = happened;
    this.stands = stands;
    this.wanted = false;
    this.source = null;
    this.release = null;
    this.shared = Boolean(navigator.locks && window.BroadcastChannel);
    if (!this.shared) return;
    this.channel = new BroadcastChannel(NAME);
    this.channel.onmessage = ({ data }) => this.heard(data);
  }

  open() {
    if (this.wanted) return;
    this.wanted = true;
    if (!this.shared) {
      this.begin();
      return;
    }
    this.channel.postMessage({ asks: true });
    this.leaving = new AbortController();
    const held = () => new Promise((release) => {
      this.release = release;
      this.begin();
    });
    navigator.locks.request(NAME, { signal: this.leaving.signal }, held).catch(() => {});
  }

  close() {
    this.wanted = false;
    this.leaving?.abort();
    this.end();
    this.release?.();
    this.release = null;
  }

  // What the window says that has the stream; what one asks that does not know how it stands.
  heard(data) {
    if (data.asks) {
      if (this.release) this.channel.postMessage({ open: this.isOpen, last: this.last });
      return;
    }
    if (!this.wanted || this.release) return;
    this.tell(data.open, data.last);
  }

  tell(isOpen, last) {
    this.stands(isOpen);
    if (last && last !== this.last) {
      this.last = last;
      this.happened();
    }
  }

  begin() {
    if (!this.wanted) return;
    this.isOpen = false;
    this.source = new EventSource("/api/v1/events" + (this.last ? "?since=" + encodeURIComponent(this.last) : ""));
    this.source.onmessage = (event) => this.pass(true, event.lastEventId);
    this.source.onopen = () => this.pass(true, "");
    this.source.onerror = () => {
      this.pass(false, "");
      // Closed for good: where it would go on from is no longer kept.
      if (this.source?.readyState === EventSource.CLOSED) this.again("");
    };
    this.late = setTimeout(() => {
      if (!this.isOpen) this.again(this.last);
    }, PATIENCE);
  }

  pass(isOpen, last) {
    this.isOpen = isOpen;
    this.tell(isOpen, last);
    this.channel?.postMessage({ open: isOpen, last: this.last });
  }

  // Lets go of the connection, and tries again later.
  again(last) {
    this.end();
    this.last = last;
    this.pass(false, "");
    this.retry = setTimeout(() => this.begin(), AGAIN);
  }

  end() {
    clearTimeout(this.late);
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  }
}

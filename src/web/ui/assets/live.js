// A page's only connection: frames of all subscribed streams, and reports on all streams.
//
// Each frame is acknowledged when it is drawn, which paces the server: it skips frames that a slow page would not draw
// in time. A lost connection is opened again with growing delays, and all streams are subscribed again.

/** The silence after which the connection counts as lost; reports arrive each second. */
const SILENT_MS = 6000;
const FIRST_DELAY_MS = 500;
const MOST_DELAY_MS = 15000;
/** Subscription (u32), number (u32), time (f64). */
const HEADER_BYTES = 16;
const GOING_AWAY = 1001;

// Relative to the page, so that it works under any path of a proxy.
const address = new URL("../api/live", import.meta.url);
address.protocol = address.protocol.replace("http", "ws");

/**
 * Events: `report`, with the state of all streams; `connected`; `lost`, with the seconds until the next try.
 */
export class Live extends EventTarget {
  #socket = null;
  #subscriptions = new Map();
  #lastId = 0;
  #failures = 0;
  #retry = null;
  #watchdog = null;

  constructor() {
    super();
    this.#connect();
    addEventListener("online", () => this.#connectNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#connectNow();
    });
  }

  /**
   * Subscribes to a stream: `wish` has its name as `stream`, and optionally `width`, `height` and `fps`; `show` is
   * called with each frame as an ImageBitmap. Returns a handle that ends the subscription.
   */
  subscribe(wish, show) {
    this.#lastId += 1;
    const id = this.#lastId;
    const subscription = { id, wish, show, decoding: 0, drawn: 0, ended: false };
    this.#subscriptions.set(id, subscription);
    this.#say({ type: "subscribe", id, ...wish });
    return {
      id,
      end: () => {
        this.#subscriptions.delete(id);
        this.#say({ type: "unsubscribe", id });
      },
    };
  }

  get isConnected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #say(message) {
    if (this.isConnected) this.#socket.send(JSON.stringify(message));
  }

  #connectNow() {
    if (this.#retry === null) return;
    clearTimeout(this.#retry);
    this.#connect();
  }

  #connect() {
    this.#retry = null;
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      for (const { id, wish } of this.#subscriptions.values()) this.#say({ type: "subscribe", id, ...wish });
    };
    socket.onmessage = ({ data }) => {
      this.#watch();
      if (typeof data === "string") this.#hear(JSON.parse(data));
      else this.#draw(data);
    };
    // An error event is always followed by a close event.
    socket.onclose = ({ code }) => this.#lost(code);
    this.#socket = socket;
    this.#watch();
  }

  /** Closes a silent connection: a browser may take minutes to report it. */
  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      const dead = this.#socket;
      dead.onclose = dead.onmessage = null;
      dead.close();
      this.#lost(0);
    }, SILENT_MS);
  }

  #lost(code) {
    clearTimeout(this.#watchdog);
    // A server that announces its shutdown is usually back soon.
    if (code === GOING_AWAY) this.#failures = 0;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#failures, MOST_DELAY_MS) * (0.75 + Math.random() / 2);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#connect(), delay);
    this.dispatchEvent(new CustomEvent("lost", { detail: delay / 1000 }));
  }

  #hear(message) {
    if (message.type === "report") {
      // An open socket is no proof that the server works; a report is.
      if (this.#failures > 0 || !this.wasConnected) this.dispatchEvent(new Event("connected"));
      this.#failures = 0;
      this.wasConnected = true;
      this.#subscribeAgain(new Set(message.streams.map((stream) => stream.name)), message.mosaic);
      this.dispatchEvent(new CustomEvent("report", { detail: message }));
    } else if (message.type === "ended" || message.type === "error") {
      const subscription = this.#subscriptions.get(message.id);
      if (subscription) subscription.ended = true;
      if (message.type === "error") console.warn(message.detail);
    }
  }

  /** Subscribes again to streams that have returned. */
  #subscribeAgain(names, mosaic) {
    for (const subscription of this.#subscriptions.values()) {
      const { stream } = subscription.wish;
      if (!subscription.ended || !(names.has(stream) || stream === mosaic)) continue;
      subscription.ended = false;
      this.#say({ type: "subscribe", id: subscription.id, ...subscription.wish });
    }
  }

  async #draw(message) {
    const header = new DataView(message, 0, HEADER_BYTES);
    const [id, seq, time] = [header.getUint32(0), header.getUint32(4), header.getFloat64(8)];
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    subscription.decoding += 1;
    const turn = subscription.decoding;
    try {
      const jpeg = new Blob([new Uint8Array(message, HEADER_BYTES)], { type: "image/jpeg" });
      const picture = await createImageBitmap(jpeg);
      // Of two frames decoded at the same time the second may be ready first.
      if (turn > subscription.drawn && this.#subscriptions.has(id)) {
        subscription.drawn = turn;
        subscription.show(picture, time);
      }
    } catch {
      // A broken frame must not stop the tile.
    }
    this.#say({ type: "ack", id, seq });
  }
}

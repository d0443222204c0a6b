// The one connection of a page: pictures of all subscribed streams, and what all streams are doing.
//
// Each picture is acknowledged once it is drawn, which paces the server: what a slow page does not draw in time it is
// never sent. When the connection breaks it is made again, later and later, and everything is subscribed anew.

/** Without a word for so long (reports come each second) the connection is dead, whatever the browser thinks. */
const SILENT_MS = 6000;
const FIRST_DELAY_MS = 500;
const MOST_DELAY_MS = 15000;
/** Subscription (u32), number (u32), time (f64). */
const HEADER_BYTES = 16;
const GOING_AWAY = 1001;

// Beside the page's own folder, wherever a proxy has put the whole.
const address = new URL("../api/live", import.meta.url);
address.protocol = address.protocol.replace("http", "ws");

/**
 * Events: `report`, with what all streams are doing; `connected`; `lost`, with the seconds until the next try.
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
   * Shows the pictures of a stream: `wish` is its name as `stream`, and `width`, `height` and `fps` at will; `show` is
   * given each picture as an ImageBitmap. Answers what ends it.
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
    // An error is always followed by this.
    socket.onclose = ({ code }) => this.#lost(code);
    this.#socket = socket;
    this.#watch();
  }

  /** Lets go of a connection on which nothing comes: a browser may wait for minutes before it says so. */
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
    // A server that says that it goes is mostly back in a moment.
    if (code === GOING_AWAY) this.#failures = 0;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#failures, MOST_DELAY_MS) * (0.75 + Math.random() / 2);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#connect(), delay);
    this.dispatchEvent(new CustomEvent("lost", { detail: delay / 1000 }));
  }

  #hear(message) {
    if (message.type === "report") {
      // Only now is it sure that the server serves.
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

  /** Streams that had gone and are there (again). */
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
      // Of two that are decoded at the same time the second may be ready first.
      if (turn > subscription.drawn && this.#subscriptions.has(id)) {
        subscription.drawn = turn;
        subscription.show(picture, time);
      }
    } catch {
      // A broken picture must not stop the tile.
    }
    this.#say({ type: "ack", id, seq });
  }
}

// One stream on the dashboard: its picture and its state.

import { Spark } from "./spark.js";
import * as words from "./words.js";

/** A frame is stale if it is older than this, and older than three times the usual interval. */
const STALE_S = 5;
/** A tile whose size changes by less than this factor keeps its subscription. */
const SAME_SIZE = 1.15;
/** The frame rate of a small tile; one that is wider than `LARGE` gets all frames. */
const TILE_FPS = 15;
const LARGE = 960;

const template = document.getElementById("tile");

export class Tile {
  #live;
  #subscription = null;
  #asked = null;
  #onScreen = false;
  #hasPicture = false;
  #before = { time: 0, bytes: 0 };
  #rate = null;
  #usualAge = 0;
  #lastAge = 0;

  constructor(name, live) {
    this.name = name;
    this.#live = live;
    this.element = template.content.firstElementChild.cloneNode(true);
    const part = (selector) => this.element.querySelector(selector);
    this.canvas = part("canvas");
    this.context = this.canvas.getContext("bitmaprenderer");
    this.note = part(".note");
    this.title = part(".title");
    this.state = part(".state");
    this.facts = part(".facts");
    this.grip = part(".grip");
    this.spark = new Spark(part("svg.spark"));
    const address = `view/${encodeURIComponent(name)}`;
    part(".picture").href = address;
    this.title.href = address;
  }

  /** Whether the tile is visible; only visible tiles subscribe to frames. */
  set onScreen(seen) {
    this.#onScreen = seen;
    this.fit();
  }

  /** Subscribes with the current size of the tile, or unsubscribes if it is not visible. */
  fit() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!this.#onScreen || document.hidden || width === 0) {
      this.#subscription?.end();
      this.#subscription = this.#asked = null;
      return;
    }
    const scale = window.devicePixelRatio;
    const wanted = { width: Math.ceil(width * scale), height: Math.ceil(height * scale) };
    const asked = this.#asked;
    const near = asked && Math.max(wanted.width / asked.width, asked.width / wanted.width) < SAME_SIZE;
    if (near) return;
    this.#subscription?.end();
    this.#asked = wanted;
    this.#subscription = this.#live.subscribe(
      { stream: this.name, ...wanted, ...(wanted.width < LARGE ? { fps: TILE_FPS } : {}) },
      (picture) => this.#draw(picture),
    );
  }

  #draw(picture) {
    if (this.canvas.width !== picture.width || this.canvas.height !== picture.height) {
      this.canvas.width = picture.width;
      this.canvas.height = picture.height;
    }
    this.context.transferFromImageBitmap(picture);
    if (!this.#hasPicture) this.element.classList.add("seen");
    this.#hasPicture = true;
  }

  /** Shows the state of the stream from a report. */
  update(stream, report) {
    this.title.textContent = stream.title;
    this.canvas.setAttribute("aria-label", `Live picture of ${stream.title}`);
    const stale = this.#isStale(stream);
    const shown = stale ? "stale" : stream.state;
    this.element.dataset.state = shown;
    if (this.state.textContent !== shown) this.state.textContent = shown;
    this.#showFacts(stream, report);
    this.#showNote(stream, report, stale);
    this.spark.count(stream.frames_in, report.time);
  }

  /** Returns whether the newest frame is stale, relative to the usual interval of the stream. */
  #isStale({ state, frame_age_s: age }) {
    if (state !== "live" || age === null) return false;
    if (age < this.#lastAge) this.#usualAge = Math.max(this.#lastAge, this.#usualAge * 0.8);
    this.#lastAge = age;
    return age > STALE_S && age > 3 * this.#usualAge;
  }

  #showFacts(stream, report) {
    const { time: before, bytes } = this.#before;
    // A report sent for a change of state follows too soon to measure a rate.
    if (report.time - before > 0.9) {
      this.#rate = before > 0 ? Math.max(0, stream.bytes_in - bytes) / (report.time - before) : null;
      this.#before = { time: report.time, bytes: stream.bytes_in };
    }
    const facts = [];
    if (stream.state === "live") facts.push(words.fps(stream.fps_in));
    if (stream.state === "live" && this.#rate !== null) facts.push(words.rate(this.#rate));
    facts.push(words.plural(stream.viewers, "viewer"));
    const late = report.latency_s[this.#subscription?.id];
    if (late !== undefined && stream.state === "live") facts.push(words.latency(late));
    this.facts.textContent = facts.join(" · ");
  }

  #showNote(stream, report, stale) {
    const lines = [];
    let command = null;
    if (stale) {
      lines.push(`No new frame for ${words.span(stream.frame_age_s)}`);
    } else if (stream.state === "waiting" && stream.push && stream.frames_in === 0) {
      const token = stream.push === "token" ? " -H 'Authorization: Bearer TOKEN'" : "";
      lines.push("No frame received yet. Push a picture:");
      command = `curl${token} --data-binary @picture.jpg ${new URL(`streams/${stream.name}/frame`, location)}`;
    } else if (stream.state === "waiting") {
      lines.push(stream.reason, `since ${words.timeOfDay(stream.since)}`);
      if (stream.next_try_in_s !== null) lines.push(`next try in ${Math.ceil(stream.next_try_in_s)} s`);
    } else if (stream.state !== "live") {
      lines.push(stream.state === "stopped" ? "stopped" : "waiting for the first frame…");
    } else if (!this.#hasPicture) {
      lines.push("loading…");
    }
    const text = lines.join(" · ");
    this.note.hidden = text === "";
    if (this.note.firstChild?.textContent === text && !command) return;
    const code = document.createElement("code");
    code.textContent = command;
    const span = document.createElement("span");
    span.textContent = text;
    this.note.replaceChildren(span, ...(command ? [code] : []));
  }

  /** Removes the tile and its subscription. */
  remove() {
    this.#subscription?.end();
    this.element.remove();
  }
}

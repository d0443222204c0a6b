// A small graph of the frame rate in the last minutes. It starts with the history of the server.

const SVG = "http://www.w3.org/2000/svg";
/** The number of values in five minutes. */
const REMEMBERED = 150;
const STEP_S = 2;
const HEIGHT = 20;

export class Spark {
  #values = [];
  #before = null;
  #area = document.createElementNS(SVG, "path");
  #line = document.createElementNS(SVG, "path");

  /** Draws into `svg`. */
  constructor(svg) {
    svg.setAttribute("viewBox", `0 0 ${REMEMBERED - 1} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    this.#area.setAttribute("class", "area");
    this.#line.setAttribute("class", "line");
    svg.append(this.#area, this.#line);
  }

  /** Starts with the server's history, oldest first. */
  fill(values) {
    this.#values = values.slice(-REMEMBERED);
    this.#before = null;
    this.#draw();
  }

  /** Adds a measurement: the total number of frames at a time. */
  count(frames, time) {
    const before = this.#before;
    // A count that went back means that the server was restarted.
    if (before === null || frames < before.frames) {
      this.#before = { frames, time };
      return;
    }
    if (time - before.time < STEP_S) return;
    this.#before = { frames, time };
    this.#values.push((frames - before.frames) / (time - before.time));
    if (this.#values.length > REMEMBERED) this.#values.shift();
    this.#draw();
  }

  #draw() {
    if (this.#values.length === 0) return;
    // Space above, so that a steady rate is not at the edge.
    const most = Math.max(1, ...this.#values) * 1.15;
    const first = REMEMBERED - this.#values.length;
    const points = this.#values.map(
      (each, n) => `${first + n} ${(HEIGHT - 1 - (each / most) * (HEIGHT - 2)).toFixed(2)}`,
    );
    const line = `M${points.join("L")}`;
    this.#line.setAttribute("d", line);
    this.#area.setAttribute("d", `${line}L${REMEMBERED - 1} ${HEIGHT}L${first} ${HEIGHT}Z`);
  }
}

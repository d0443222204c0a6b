// A small graph of the last minutes: how many pictures a second came.

const SVG = "http://www.w3.org/2000/svg";
/** Two minutes of reports, one a second. */
const REMEMBERED = 120;
const HEIGHT = 20;

export class Spark {
  #values = [];
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

  add(value) {
    this.#values.push(value);
    if (this.#values.length > REMEMBERED) this.#values.shift();
    // Room above, so that a steady rate is not at the edge.
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

// The list of viewers of a stream, for administrators.

import { ask } from "./api.js";
import * as words from "./words.js";

const LOOK_EVERY_MS = 2000;
/** The maximum number of rows; the status shows the number of viewers. */
const SHOWN = 100;

/** Lists the viewers of the stream `name` in `section`, and updates the list while the page is visible. */
export function showWatching(section, name) {
  const rows = section.querySelector("tbody");
  const none = section.querySelector("#nobody");
  const route = `api/streams/${encodeURIComponent(name)}/viewers`;

  async function look() {
    if (document.hidden) return;
    try {
      const { viewers } = await ask("GET", route);
      rows.replaceChildren(...viewers.slice(0, SHOWN).map(row));
      section.querySelector("table").hidden = viewers.length === 0;
      none.hidden = viewers.length > 0;
      section.hidden = false;
    } catch {
      // Retried at the next update.
    }
  }

  look();
  setInterval(look, LOOK_EVERY_MS);
}

function row(viewer) {
  const seconds = Date.now() / 1000 - viewer.since;
  const cells = [
    String(viewer.id),
    [viewer.user, viewer.client ?? "Unix socket"].filter(Boolean).join(", "),
    viewer.agent ?? "",
    viewer.kind.replaceAll("_", " "),
    words.span(seconds),
    `${viewer.frames}${viewer.skipped > 0 ? `, ${viewer.skipped} skipped` : ""}`,
    words.size(viewer.bytes),
  ];
  const line = document.createElement("tr");
  line.append(
    ...cells.map((text) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      return cell;
    }),
  );
  return line;
}

// Who watches a stream: for administrators.

import { ask } from "./api.js";
import * as words from "./words.js";

const LOOK_EVERY_MS = 2000;
/** More than anybody reads; the count above the list says how many there are. */
const SHOWN = 100;

/** Shows in `section` who watches the stream `name`, and looks again as long as the page is seen. */
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
      // The next look says more.
    }
  }

  look();
  setInterval(look, LOOK_EVERY_MS);
}

function row(viewer) {
  const seconds = Date.now() / 1000 - viewer.since;
  const cells = [
    String(viewer.id),
    [viewer.user, viewer.client ?? "this machine"].filter(Boolean).join(", "),
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

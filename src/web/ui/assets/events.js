// The list of recent events. The server keeps it; reports carry the number of the last event.

import { ask } from "./api.js";
import * as words from "./words.js";

/** The maximum number of events in the list. */
const SHOWN = 200;

/** Updates `list`, a list element, while `panel` is open. */
export function showEvents(panel, list, live) {
  let last = 0;
  let known = 0;
  let asking = false;

  async function fetchNew() {
    if (panel.hidden || asking || known <= last) return;
    asking = true;
    try {
      const answer = await ask("GET", `api/events?after=${last}`);
      last = answer.last;
      list.prepend(...answer.events.reverse().map(item));
      while (list.children.length > SHOWN) list.lastChild.remove();
    } catch {
      // Retried at the next report.
    }
    asking = false;
  }

  live.addEventListener("report", ({ detail: report }) => {
    // Event numbers restart when framecast restarts.
    if (report.last_event < known) {
      last = 0;
      list.replaceChildren();
    }
    known = report.last_event;
    fetchNew();
  });
  return fetchNew;
}

function item({ time, stream, kind, state, message }) {
  const entry = document.createElement("li");
  entry.dataset.state = state ?? kind;
  const when = document.createElement("time");
  when.dateTime = new Date(time * 1000).toISOString();
  when.textContent = words.timeOfDay(time);
  const what = document.createElement("span");
  what.textContent = [stream ?? "framecast", state ?? kind.replaceAll("-", " ")].join(" ");
  entry.append(when, what);
  if (message) {
    const why = document.createElement("small");
    why.textContent = message;
    entry.append(why);
  }
  return entry;
}

// What an administrator may do with one stream.

import { ask, at } from "./api.js";
import { openForm } from "./form.js";

/** Shows `section`, with its buttons, for the stream `name`. `say` tells what was done. */
export async function manage(section, name, say) {
  const route = `api/streams/${encodeURIComponent(name)}`;
  const button = (id) => section.querySelector(`#${id}`);
  const note = section.querySelector("#managed");

  async function attempt(what, does) {
    try {
      await does();
      say(what);
      note.textContent = what;
    } catch (error) {
      note.textContent = error.message;
    }
  }

  button("restart").addEventListener("click", () => attempt("Started anew", () => ask("POST", `${route}/restart`)));
  button("pause").addEventListener("click", () => attempt("Paused", () => ask("POST", `${route}/pause`)));
  button("resume").addEventListener("click", () => attempt("Goes on", () => ask("POST", `${route}/resume`)));

  let config = null;
  try {
    config = await ask("GET", `${route}/config`);
  } catch {
    // The mosaic of all streams was configured by nobody.
  }
  const own = config?.added === true;
  button("edit").hidden = button("remove").hidden = !own;
  if (config && !own) note.textContent = "It stands in the configuration file: its settings are changed there.";
  section.hidden = false;

  button("edit").addEventListener("click", async () => {
    const kept = await openForm(await ask("GET", `${route}/config`));
    if (kept) say("Saved");
  });
  button("remove").addEventListener("click", () => {
    if (!confirm(`Remove the stream ${name}? Its viewers are let go.`)) return;
    attempt("Removed", async () => {
      await ask("DELETE", route);
      location.assign(at(""));
    });
  });
}

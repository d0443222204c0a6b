// An administrator's controls for one stream.

import { ask, at } from "./api.js";
import { openForm } from "./form.js";

/** Shows `section`, with its buttons, for the stream `name`. `say` announces the results. */
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

  button("restart").addEventListener("click", () => attempt("Restarted", () => ask("POST", `${route}/restart`)));
  button("pause").addEventListener("click", () => attempt("Paused", () => ask("POST", `${route}/pause`)));
  button("resume").addEventListener("click", () => attempt("Resumed", () => ask("POST", `${route}/resume`)));

  let config = null;
  try {
    config = await ask("GET", `${route}/config`);
  } catch {
    // The mosaic of all streams has no configuration.
  }
  const own = config?.added === true;
  button("edit").hidden = button("remove").hidden = !own;
  if (config && !own) note.textContent = "This stream is defined in the configuration file. Change its settings there.";
  section.hidden = false;

  button("edit").addEventListener("click", async () => {
    const kept = await openForm(await ask("GET", `${route}/config`));
    if (kept) say("Saved");
  });
  button("remove").addEventListener("click", () => {
    if (!confirm(`Remove the stream ${name}? Its viewers will be disconnected.`)) return;
    attempt("Removed", async () => {
      await ask("DELETE", route);
      location.assign(at(""));
    });
  });
}

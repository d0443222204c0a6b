// Requests to the server, wherever a proxy has put it.

const root = new URL("../", import.meta.url);

/** The address of a route, such as `api/streams`. */
export const at = (route) => new URL(route, root);

/** Asks, with JSON if there is any. Throws an Error whose message is the server's, for people. */
export async function ask(method, route, json) {
  const options = { method, cache: "no-store" };
  if (json !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(json);
  }
  const answer = await fetch(at(route), options);
  const text = await answer.text();
  const kind = answer.headers.get("Content-Type") ?? "";
  const body = /\bjson\b/.test(kind) ? JSON.parse(text) : text;
  if (answer.ok) return body;
  throw new Error(body.detail ?? `the server answered ${answer.status}`);
}

/** Frame rates of the last minutes by stream, of one or of all; none if they cannot be had: the graph grows by itself. */
export async function history(name) {
  try {
    const route = name === undefined ? "api/history" : `api/streams/${encodeURIComponent(name)}/history`;
    return (await ask("GET", route)).fps;
  } catch {
    return {};
  }
}

/** Who looks at this page: `{ name, admin, loggedIn }`. */
export async function session() {
  try {
    const { name, role, all_streams: all, session: cookie } = await ask("GET", "api/session");
    return { name, admin: role === "admin" && all, loggedIn: cookie && name !== null };
  } catch {
    return { name: null, admin: false, loggedIn: false };
  }
}

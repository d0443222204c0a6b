// Requests to the server, relative to the path under which a proxy serves it.

const root = new URL("../", import.meta.url);

/** Returns the URL of a route such as `api/streams`. */
export const at = (route) => new URL(route, root);

/** Sends a request, with a JSON body if given. Throws an Error with the server's message. */
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
  throw new Error(body.detail ?? `the server returned status ${answer.status}`);
}

/** Returns the frame rates of the last minutes by stream, or an empty object if the request fails. */
export async function history(name) {
  try {
    const route = name === undefined ? "api/history" : `api/streams/${encodeURIComponent(name)}/history`;
    return (await ask("GET", route)).fps;
  } catch {
    return {};
  }
}

/** Returns this page's user: `{ name, admin, loggedIn }`. */
export async function session() {
  try {
    const { name, role, all_streams: all, session: cookie } = await ask("GET", "api/session");
    return { name, admin: role === "admin" && all, loggedIn: cookie && name !== null };
  } catch {
    return { name: null, admin: false, loggedIn: false };
  }
}

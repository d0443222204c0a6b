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

/** Who looks at this page: `{ name, admin }`. */
export async function session() {
  try {
    const { name, role, all_streams: all } = await ask("GET", "api/session");
    return { name, admin: role === "admin" && all };
  } catch {
    return { name: null, admin: false };
  }
}

// The page's settings, kept in its URL: a bookmark restores them.
//
// `columns=4`: tiles in a row; without it as many as fit. `order=door,garden`: these first. `full=*`: only the pictures,
// filling the window; `full=door`: only that stream.

const MOST_COLUMNS = 12;

/** Reads the settings from the URL. */
export function read() {
  const query = new URLSearchParams(location.search);
  const columns = Number(query.get("columns"));
  return {
    columns: Number.isInteger(columns) && columns >= 1 && columns <= MOST_COLUMNS ? columns : null,
    order: (query.get("order") ?? "").split(",").filter((name) => name !== ""),
    full: query.get("full"),
  };
}

/** Writes changes to the URL without loading the page. `null` removes a setting. */
export function write(changes) {
  const url = new URL(location);
  for (const [key, value] of Object.entries(changes)) {
    const text = Array.isArray(value) ? value.join(",") : value;
    if (text === null || text === "") url.searchParams.delete(key);
    else url.searchParams.set(key, text);
  }
  // Commas are legal in a query, and unescaped ones are easier to read.
  url.search = url.search.replaceAll("%2C", ",");
  history.replaceState(null, "", url);
}

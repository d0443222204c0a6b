// What a page shows and how, kept in its address: a bookmark or a link to the wall's screen brings back the same.
//
// `columns=4`: so many tiles in a row; as many as fit if not said. `order=door,garden`: these first. `full=1`: the pictures
// alone, filling the window; `full=door`: that one alone.

const MOST_COLUMNS = 12;

/** What the address says. */
export function read() {
  const query = new URLSearchParams(location.search);
  const columns = Number(query.get("columns"));
  return {
    columns: Number.isInteger(columns) && columns >= 1 && columns <= MOST_COLUMNS ? columns : null,
    order: (query.get("order") ?? "").split(",").filter((name) => name !== ""),
    full: query.get("full"),
  };
}

/** Puts changes into the address, without loading anything. `null` takes one out. */
export function write(changes) {
  const url = new URL(location);
  for (const [key, value] of Object.entries(changes)) {
    const text = Array.isArray(value) ? value.join(",") : value;
    if (text === null || text === "") url.searchParams.delete(key);
    else url.searchParams.set(key, text);
  }
  // Commas may stand in a query as they are, and names are read more easily so.
  url.search = url.search.replaceAll("%2C", ",");
  history.replaceState(null, "", url);
}

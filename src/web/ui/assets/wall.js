// Full screen: only the pictures, filling the window; all of them, or one.

import * as settings from "./settings.js";

/** The value of `full` for all streams. No stream has such a name. */
const ALL = "*";
const RATIO = 16 / 9;

/** Returns the number of columns that makes `count` tiles largest in a window of this size. */
function bestColumns(count, width, height) {
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const size = Math.min(width / columns, (height / rows) * RATIO);
    if (size > best.size) best = { columns, size };
  }
  return best.columns;
}

/** Handles the URL's `full`, its button, and keys: F on a tile shows it alone, Escape exits. */
export function wall(board, changed) {
  const button = document.getElementById("wall");
  const leave = document.getElementById("leave");
  let entered = false;

  function show() {
    const { full, columns } = settings.read();
    document.body.classList.toggle("wall", full !== null);
    for (const tile of board.children) tile.hidden = full !== null && full !== ALL && tile.dataset.name !== full;
    const count = [...board.children].filter((tile) => !tile.hidden).length;
    const across = (full === ALL && columns) || bestColumns(count, innerWidth, innerHeight);
    board.style.setProperty("--across", across);
    board.style.setProperty("--down", Math.max(1, Math.ceil(count / across)));
    changed();
  }

  function enter(what) {
    settings.write({ full: what });
    show();
    // Refused by browsers without full screen; the pictures fill the window anyway.
    document.documentElement.requestFullscreen?.().then(() => (entered = true), () => {});
    leave.focus();
  }

  function exit() {
    if (settings.read().full === null) return;
    settings.write({ full: null });
    entered = false;
    if (document.fullscreenElement) document.exitFullscreen();
    show();
    button.focus();
  }

  button.addEventListener("click", () => enter(ALL));
  leave.addEventListener("click", exit);
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && entered) exit();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") exit();
    const tile = event.target.closest?.("#tiles > *");
    if (event.key === "f" && tile && !event.ctrlKey && !event.metaKey) enter(tile.dataset.name);
  });
  addEventListener("resize", show);
  new MutationObserver(show).observe(board, { childList: true });
  show();
}

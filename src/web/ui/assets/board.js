// The dashboard: all streams as live tiles.

import { at, history, session } from "./api.js";
import { movable } from "./arrange.js";
import { showEvents } from "./events.js";
import { openForm } from "./form.js";
import { Live } from "./live.js";
import * as settings from "./settings.js";
import { Tile } from "./tile.js";
import { wall } from "./wall.js";
import * as words from "./words.js";

const byId = (id) => document.getElementById(id);
const board = byId("tiles");
const summary = byId("summary");
const said = byId("said");
const columns = byId("columns");

const live = new Live();
const tiles = new Map();
/** The state of each stream in the last report; changes are announced. */
const states = new Map();
/** Frame rates of the last minutes, for the graphs. */
let rates = {};
let reported = null;

const onScreen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) tiles.get(target.dataset.name).onScreen = isIntersecting;
  },
  // Starts a little before a tile scrolls into view.
  { rootMargin: "80px" },
);
const fitting = new ResizeObserver(() => fitAll());

function fitAll() {
  for (const tile of tiles.values()) tile.fit();
}

function newTile(name) {
  const tile = new Tile(name, live);
  tile.element.dataset.name = name;
  tile.grip.setAttribute("aria-label", `Move ${name}`);
  movable(tile.element, tile.grip, (element) => {
    const order = [...board.children].map((each) => each.dataset.name);
    const own = reported.streams.map((stream) => stream.name);
    settings.write({ order: order.join() === own.join() ? null : order });
    say(`${tile.title.textContent} is at position ${order.indexOf(element.dataset.name) + 1} of ${order.length}`);
  });
  tile.spark.fill(rates[name] ?? []);
  tiles.set(name, tile);
  board.append(tile.element);
  onScreen.observe(tile.element);
  fitting.observe(tile.canvas);
  return tile;
}

function removeTile(name) {
  const tile = tiles.get(name);
  onScreen.unobserve(tile.element);
  fitting.unobserve(tile.canvas);
  tile.remove();
  tiles.delete(name);
  states.delete(name);
}

/** Sorts the tiles: first those named in the page's URL, then all others in the server's order. */
function putInOrder(streams) {
  const { order } = settings.read();
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = streams.map((stream) => stream.name).sort((one, other) => place(one) - place(other));
  const now = [...board.children].map((each) => each.dataset.name);
  if (names.join() === now.join() || board.querySelector(".dragged")) return;
  board.append(...names.map((name) => tiles.get(name).element));
}

/** Announces a text to screen readers, in a polite live region. */
function say(text) {
  said.textContent = text;
}

function sayChanges(streams) {
  const changes = streams
    .filter((stream) => states.has(stream.name) && states.get(stream.name) !== stream.state)
    .map((stream) => `${stream.title}: ${stream.state}${stream.reason ? `, ${stream.reason}` : ""}`);
  for (const stream of streams) states.set(stream.name, stream.state);
  if (changes.length > 0) say(changes.join("; "));
}

live.addEventListener("report", ({ detail: report }) => {
  reported = report;
  const { streams } = report;
  const names = new Set(streams.map((stream) => stream.name));
  for (const name of tiles.keys()) if (!names.has(name)) removeTile(name);
  for (const stream of streams) (tiles.get(stream.name) ?? newTile(stream.name)).update(stream, report);
  putInOrder(streams);
  sayChanges(streams);
  const count = (state) => streams.filter((stream) => stream.state === state).length;
  const viewers = streams.reduce((sum, stream) => sum + stream.viewers, 0);
  const parts = [`${count("live")} of ${words.plural(streams.length, "stream")} live`];
  if (count("waiting") > 0) parts.push(`${count("waiting")} waiting`);
  parts.push(words.plural(viewers, "viewer"));
  summary.textContent = parts.join(" · ");
  byId("version").textContent = report.version;
  byId("mosaic").hidden = report.mosaic === null;
  byId("mosaic").href = `view/${report.mosaic}`;
  byId("empty").hidden = streams.length > 0;
});

live.addEventListener("connected", () => {
  document.body.classList.remove("lost");
  byId("lost").hidden = true;
  say("Connected");
  fillGraphs();
});

/** Fills the graphs with the server's history, which covers the time before this page was opened. */
async function fillGraphs() {
  rates = await history();
  for (const [name, tile] of tiles) tile.spark.fill(rates[name] ?? []);
}

live.addEventListener("lost", ({ detail: seconds }) => {
  document.body.classList.add("lost");
  const text = `No connection to framecast; next try in ${words.span(Math.max(1, seconds))}`;
  byId("lost").textContent = text;
  byId("lost").hidden = false;
  say(text);
});

document.addEventListener("visibilitychange", fitAll);

function showColumns() {
  const wanted = settings.read().columns;
  columns.value = wanted ?? "";
  board.style.setProperty("--columns", wanted ?? "");
  board.classList.toggle("counted", wanted !== null);
}

columns.addEventListener("change", () => {
  settings.write({ columns: columns.value === "" ? null : columns.value });
  showColumns();
});

const fetchEvents = showEvents(byId("events"), byId("happened"), live);
byId("log").addEventListener("click", () => {
  const open = byId("events").hidden;
  byId("events").hidden = !open;
  byId("log").setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("logged", open);
  fetchEvents();
});

byId("add").addEventListener("click", async () => {
  const name = await openForm();
  if (name) say(`Added ${name}`);
});

/** Shows the buttons for which the user has permission. */
async function showWho() {
  const { name, admin, loggedIn } = await session();
  byId("add").hidden = !admin;
  byId("logout").hidden = !loggedIn;
  byId("logout").textContent = `Log out ${name}`;
  byId("login").hidden = admin;
  if (name && !admin) byId("login").textContent = `${name}: switch user`;
}

byId("logout").addEventListener("click", async () => {
  try {
    await fetch(at("logout"), { method: "POST" });
  } finally {
    // Leads to the login form if viewing needs a login.
    location.reload();
  }
});

showColumns();
showWho();
wall(board, fitAll);

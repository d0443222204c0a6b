// The page of one stream: the stream in an <img>, its status, and its URLs for other programs.

import { history, session } from "./api.js";
import { Live } from "./live.js";
import { manage } from "./manage.js";
import * as snippets from "./snippets.js";
import { Sparkline } from "./sparkline.js";
import { showViewers } from "./viewers.js";
import * as format from "./format.js";

const byId = (id) => document.getElementById(id);
const name = decodeURIComponent(location.pathname.split("/").pop());
const address = new URL(`../streams/${encodeURIComponent(name)}`, location).href;
const picture = byId("picture");
const spark = new Sparkline(byId("spark"));
const live = new Live();
let before = null;
let shown = "";

function say(text) {
  byId("said").textContent = text;
}

/** Opens the stream with a new query each time; otherwise the browser shows the response that has ended. */
function showStream() {
  picture.src = `${address}?page=${Date.now()}`;
}

// The connection of the reports breaks when that of the picture does, and only the former fires an event.
live.addEventListener("connected", () => {
  byId("lost").hidden = true;
  showStream();
  history(name).then((fps) => spark.fill(fps[name] ?? []));
});
live.addEventListener("lost", ({ detail: seconds }) => {
  byId("lost").textContent = `No connection to framecast; next try in ${format.span(Math.max(1, seconds))}`;
  byId("lost").hidden = false;
  say(byId("lost").textContent);
});
picture.addEventListener("error", () => setTimeout(showStream, 1000));

live.addEventListener("report", ({ detail: report }) => {
  // Reports do not contain the mosaic of all streams.
  const stream = report.streams.find((each) => each.name === name);
  if (stream) showReport(stream, report);
  else fetchReport(report);
});

async function fetchReport(report) {
  const answer = await fetch(`../api/streams/${encodeURIComponent(name)}`, { cache: "no-store" });
  if (answer.ok) showReport(await answer.json(), report);
}

function showReport(stream, report) {
  document.title = `${stream.title} · framecast`;
  byId("title").textContent = stream.title;
  picture.alt = `Live picture of ${stream.title}`;
  document.body.dataset.state = stream.state;
  if (byId("state").textContent !== stream.state) {
    byId("state").textContent = stream.state;
    say(`${stream.state}${stream.reason ? `, ${stream.reason}` : ""}`);
  }
  const note = stream.reason ?? "";
  byId("note").textContent = note && stream.next_try_in_s !== null ? `${note} · next try in ${Math.ceil(stream.next_try_in_s)} s` : note;
  byId("note").hidden = note === "";
  spark.count(stream.frames_in, report.time);
  showFacts(facts(stream, report));
  showPast(stream.replay);
  // Only after a change, because replacing the texts clears a selection.
  const now = JSON.stringify([stream.title, stream.push]);
  if (now !== shown) snippets.show(byId("snippets"), snippets.snippets(stream, address), say);
  shown = now;
}

/** Returns the facts about the sources: which one is used, and why the others are not. */
function sources({ source, detected, sources: several }) {
  const kind = (type, found) => (found ? `${type} (${found})` : type);
  if (!several) return [["Source", kind(source, detected)]];
  return several.map(({ type, detected, place, state, reason }, n) => {
    const named = [kind(type, detected), place].filter(Boolean).join(" ");
    return [`Source ${n + 1}`, [named, state === "in_use" ? "in use" : null, reason].filter(Boolean).join(": ")];
  });
}

function facts(stream, report) {
  const all = sources(stream);
  if (stream.size) all.push(["Size", `${stream.size.width} × ${stream.size.height}, ${format.size(stream.frame_bytes)} per frame`]);
  let rate = "";
  if (before && report.time > before.time) {
    rate = `, ${format.rate(Math.max(0, stream.bytes_in - before.bytes) / (report.time - before.time))}`;
  }
  before = { time: report.time, bytes: stream.bytes_in };
  all.push(["Rate", `${format.fps(stream.fps_in)}${rate}`]);
  all.push(["Viewers", `${stream.viewers}, including this page`]);
  all.push(["State since", `${format.timeOfDay(stream.since)} (${format.span(report.time - stream.since)})`]);
  if (stream.reconnects > 0) all.push(["Reconnects", String(stream.reconnects)]);
  const dropped = Object.entries(stream.dropped).filter(([, count]) => count > 0);
  if (dropped.length > 0) all.push(["Dropped", dropped.map(([why, count]) => `${count} ${why}`).join(", ")]);
  if (stream.skipped > 0) all.push(["Skipped", `${format.plural(stream.skipped, "frame")} by slow viewers`]);
  const quirks = Object.entries(stream.quirks);
  if (quirks.length > 0) all.push(["Quirks", quirks.map(([quirk, count]) => `${quirk} (${count})`).join(", ")]);
  if (stream.saving) all.push(["Recording", `${stream.saving.state}${stream.saving.reason ? `: ${stream.saving.reason}` : ""}`]);
  return all;
}

function showFacts(pairs) {
  const list = byId("facts");
  const nodes = pairs.flatMap(([term, text]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.textContent = term;
    dd.textContent = text;
    return [dt, dd];
  });
  list.replaceChildren(...nodes);
}

function showPast(replay) {
  byId("past").hidden = replay === null;
  if (replay === null) return;
  byId("kept").textContent = `The last ${format.span(replay.span_s)}: ${format.plural(replay.frames, "frame")}, ${format.size(replay.bytes)}.`;
}

byId("replay").addEventListener("click", () => {
  // It continues with the live stream.
  picture.src = `${address}/replay?then=live&speed=${byId("speed").value}&page=${Date.now()}`;
  say("Playing the replay");
});
byId("format").addEventListener("change", showClip);
byId("fill").addEventListener("click", () => document.querySelector(".stage").requestFullscreen?.());

function showClip() {
  byId("clip").href = `${address}/clip?format=${byId("format").value}`;
}

session().then(({ admin }) => {
  if (!admin) return;
  manage(byId("manage"), name, say);
  showViewers(byId("watching"), name);
});
byId("snapshot").href = `${address}/snapshot`;
byId("snapshot").download = `${name}.jpg`;
showClip();

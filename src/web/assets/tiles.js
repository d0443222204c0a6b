// All streams as live tiles. Browsers allow six connections to one server, so a tile is no endless stream: a few
// fetches at a time go round the tiles on the screen, and an unchanged picture costs one 304.

const PICTURES_AT_A_TIME = 3;
const PICTURE_EVERY_MS = 80;
const RETRY_PICTURE_MS = 1000;
const STATUS_EVERY_MS = 1000;

const tiles = new Map();
const board = document.getElementById("tiles");
const summary = document.getElementById("summary");
const mosaic = document.getElementById("mosaic");
const template = document.getElementById("tile");

const onScreen = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.target.tile.visible = entry.isIntersecting;
});

function newTile(name) {
  const article = template.content.firstElementChild.cloneNode(true);
  const part = (selector) => article.querySelector(selector);
  const tile = {
    name, article, visible: true, busy: false, due: 0, etag: null, url: null,
    image: part("img"), note: part(".note"), title: part(".title"), state: part(".state b"), facts: part(".facts"),
  };
  article.tile = tile;
  part(".picture").href = tile.title.href = `view/${name}`;
  onScreen.observe(article);
  board.append(article);
  return tile;
}

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function showStatus(tile, stream) {
  tile.title.textContent = stream.title;
  tile.image.alt = `Live picture of ${stream.title}`;
  tile.article.className = `tile ${stream.state}`;
  tile.state.textContent = stream.state;
  const facts = [`${number.format(stream.fps_in)} fps`, plural(stream.viewers, "viewer")];
  if (stream.size) facts.unshift(`${stream.size.width} × ${stream.size.height}`);
  if (stream.next_try_in_s !== null) facts.push(`next try in ${Math.ceil(stream.next_try_in_s)} s`);
  tile.facts.textContent = [stream.name, ...facts].join(" · ");
  if (tile.url && stream.state !== "waiting") return;
  tile.note.replaceChildren();
  if (stream.push && stream.frames_in === 0) {
    const token = stream.push === "token" ? " -H 'Authorization: Bearer TOKEN'" : "";
    const command = document.createElement("code");
    command.textContent = `curl${token} --data-binary @picture.jpg ${new URL(`streams/${stream.name}/frame`, location)}`;
    tile.note.append("Nothing pushed yet. Push a picture:", command);
  } else {
    tile.note.append(stream.reason ?? "waiting for the first picture…");
  }
}

function clearPicture(tile) {
  if (tile.url) URL.revokeObjectURL(tile.url);
  tile.url = tile.etag = null;
  tile.image.hidden = true;
}

async function fetchPicture(tile) {
  const headers = tile.etag ? { "If-None-Match": tile.etag } : {};
  const answer = await fetch(`streams/${tile.name}/snapshot`, { cache: "no-store", headers });
  if (answer.status === 304) return PICTURE_EVERY_MS;
  if (!answer.ok) {
    clearPicture(tile);
    return RETRY_PICTURE_MS;
  }
  const url = URL.createObjectURL(await answer.blob());
  const before = tile.url;
  tile.image.src = url;
  // A broken picture must not stop the tile.
  await tile.image.decode().catch(() => {});
  tile.image.hidden = false;
  tile.note.replaceChildren();
  tile.url = url;
  tile.etag = answer.headers.get("ETag");
  if (before) URL.revokeObjectURL(before);
  return PICTURE_EVERY_MS;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function keepFetching() {
  for (;;) {
    const now = performance.now();
    const waiting = [...tiles.values()].filter((tile) => tile.visible && !tile.busy && tile.due <= now);
    waiting.sort((one, other) => one.due - other.due);
    const tile = waiting[0];
    if (!tile || document.hidden) {
      await pause(30);
      continue;
    }
    tile.busy = true;
    const delay = await fetchPicture(tile).catch(() => RETRY_PICTURE_MS);
    tile.due = now + delay;
    tile.busy = false;
  }
}

async function keepStatus() {
  for (;;) {
    try {
      const answer = await fetch("api/streams", { cache: "no-store" });
      const report = await answer.json();
      const live = report.streams.filter((stream) => stream.state === "live").length;
      const viewers = report.streams.reduce((sum, stream) => sum + stream.viewers, 0);
      summary.textContent = `${live} of ${plural(report.streams.length, "stream")} live · ${plural(viewers, "viewer")} · ${report.version}`;
      mosaic.hidden = report.mosaic === null;
      mosaic.href = `view/${report.mosaic}`;
      for (const stream of report.streams) {
        if (!tiles.has(stream.name)) tiles.set(stream.name, newTile(stream.name));
        showStatus(tiles.get(stream.name), stream);
      }
    } catch {
      summary.textContent = "framecast does not answer; trying again…";
    }
    await pause(STATUS_EVERY_MS);
  }
}

keepStatus();
for (let n = 0; n < PICTURES_AT_A_TIME; n += 1) keepFetching();

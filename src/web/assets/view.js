// One stream at full size: the stream itself, as any page would embed it.

const STATUS_EVERY_MS = 1000;
const name = location.pathname.split("/").pop();
const picture = document.getElementById("picture");
const stream = new URL(`../streams/${name}`, location);
const snapshot = new URL(`../streams/${name}/snapshot`, location);

picture.src = stream;
picture.addEventListener("error", () => setTimeout(() => { picture.src = `${stream}?again=${Date.now()}`; }, STATUS_EVERY_MS));

function address(label, text) {
  const term = document.createElement("dt");
  const value = document.createElement("dd");
  const code = document.createElement("code");
  term.textContent = label;
  code.textContent = text;
  value.append(code);
  document.getElementById("addresses").append(term, value);
}

function showAddresses(report) {
  address("Stream", stream.href);
  address("Snapshot", snapshot.href);
  address("In a page", `<img src="${stream.href}">`);
  address("ffplay", `ffplay -f mpjpeg ${stream.href}`);
  if (report.push) {
    const token = report.push === "token" ? " -H 'Authorization: Bearer TOKEN'" : "";
    address("Push", `curl${token} --data-binary @picture.jpg ${stream.href}/frame`);
  }
}

// Which of several sources is used, and what is wrong with those before it.
function sourcesInWords({ sources }) {
  if (!sources) return [];
  const named = (source) => [source.type, source.place].filter(Boolean).join(" ");
  const used = sources.findIndex((source) => source.state === "in_use");
  const away = sources.filter((source, n) => n !== used && source.reason);
  const facts = used < 0 ? [] : [`source ${used + 1} of ${sources.length}: ${named(sources[used])}`];
  return facts.concat(away.map((source) => `${named(source)}: ${source.reason}`));
}

async function keepStatus() {
  let first = true;
  for (;;) {
    try {
      const report = await (await fetch(`../api/streams/${name}`, { cache: "no-store" })).json();
      document.title = `${report.title} · framecast`;
      document.getElementById("title").textContent = report.title;
      picture.alt = `Live picture of ${report.title}`;
      const facts = [report.state, `${report.fps_in.toFixed(1)} fps`, `${report.viewers} viewer${report.viewers === 1 ? "" : "s"}`];
      if (report.size) facts.push(`${report.size.width} × ${report.size.height}`);
      if (report.reason) facts.push(report.reason);
      facts.push(...sourcesInWords(report));
      document.getElementById("summary").textContent = facts.join(" · ");
      if (first) showAddresses(report);
      first = false;
    } catch {
      document.getElementById("summary").textContent = "framecast does not answer; trying again…";
    }
    await new Promise((resolve) => setTimeout(resolve, STATUS_EVERY_MS));
  }
}

keepStatus();

// The form that adds or changes a stream. It can test the camera before the stream is saved.

import { ask } from "./api.js";
import * as format from "./format.js";

/** The types of a new stream. The first four have a camera that can be tested. */
const KINDS = [
  ["auto", "Camera"],
  ["mjpeg", "Camera, MJPEG stream"],
  ["snapshot", "Camera, snapshots"],
  ["rtsp", "Camera, RTSP"],
  ["push", "Push (frames from another program)"],
  ["pattern", "Test pattern"],
  ["json", "Other (JSON)"],
];
const WITH_CAMERA = ["auto", "mjpeg", "snapshot", "rtsp"];

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

let lastId = 0;

/** Returns a field with its label and an optional hint. */
function field(label, input, help) {
  lastId += 1;
  input.id = `field-${lastId}`;
  const parts = [make("label", { htmlFor: input.id, textContent: label }), input];
  if (help) {
    const hint = make("small", { id: `${input.id}-help`, textContent: help });
    input.setAttribute("aria-describedby", hint.id);
    parts.push(hint);
  }
  return make("div", { className: "field" }, ...parts);
}

/** Returns whether the form has fields for all of these settings; otherwise they are edited as JSON. */
function isSimple(settings) {
  const known = (object, keys) => Object.keys(object).every((key) => keys.includes(key));
  const { source } = settings;
  return (
    known(settings, ["title", "source"]) &&
    source !== null && typeof source === "object" && !Array.isArray(source) &&
    WITH_CAMERA.includes(source.type) && known(source, source.type === "rtsp" ? ["type", "url", "decoder"] : ["type", "url", "insecure", "interval"]) &&
    (source.type !== "rtsp" || source.decoder === "native")
  );
}

/**
 * Opens the form. `known` is `{ name, settings }` of an existing stream, or undefined. Resolves to the stream's name when
 * it is saved, or to null when the form is cancelled.
 */
export function openForm(known) {
  const name = make("input", { name: "name", required: true, pattern: "[a-z0-9_\\-]{1,64}", autocomplete: "off", spellcheck: false });
  const title = make("input", { name: "title", autocomplete: "off" });
  const kind = make("select", { name: "kind" }, ...KINDS.map(([value, text]) => make("option", { value, textContent: text })));
  const url = make("input", { name: "url", type: "url", autocomplete: "off", spellcheck: false, placeholder: "http://user:password@192.168.1.20/video.mjpg" });
  const interval = make("input", { name: "interval", autocomplete: "off", placeholder: "1s" });
  const insecure = make("input", { name: "insecure", type: "checkbox" });
  const token = make("input", { name: "token", autocomplete: "off", spellcheck: false });
  const json = make("textarea", { name: "json", rows: 12, spellcheck: false });
  const test = make("button", { type: "button", className: "button", textContent: "Test the camera" });
  const found = make("div", { className: "found" });
  found.setAttribute("role", "status");
  const wrong = make("p", { className: "wrong" });
  wrong.setAttribute("role", "alert");
  const keep = make("button", { className: "button main", textContent: known ? "Save" : "Add" });
  const cancel = make("button", { type: "button", className: "button", textContent: "Cancel" });

  const camera = make("div", {},
    field("URL", url, "The URL that a browser or (rtsp://) a player would open, with user and password if the camera needs them."),
    make("div", { className: "field check" }, make("label", {}, insecure, " Accept any certificate")),
    make("p", { className: "row" }, test), found);
  const pictures = field("Interval", interval, "Time between two snapshots, such as 1s or 500ms.");
  const pushing = field("Token", token, "Publishers must send it. If it is empty, everybody may push.");
  const settings = field("Settings", json, "The stream's settings, with the keys of the configuration file.");
  const heading = make("h2", { id: "form-title", textContent: known ? `Change ${known.name}` : "Add a stream" });
  const form = make("form", { method: "dialog" }, heading,
    field("Name", name, "Part of the URL: a-z, 0-9, _ and -."), field("Title", title, "Shown to viewers instead of the name."),
    field("Type", kind), camera, pictures, pushing, settings, wrong,
    make("p", { className: "row end" }, cancel, keep));
  const dialog = make("dialog", { className: "form" }, form);
  dialog.setAttribute("aria-labelledby", heading.id);

  function showKind() {
    const hasCamera = WITH_CAMERA.includes(kind.value);
    camera.hidden = !hasCamera;
    url.required = hasCamera;
    insecure.closest(".field").hidden = kind.value === "rtsp";
    pictures.hidden = kind.value !== "snapshot";
    pushing.hidden = kind.value !== "push";
    settings.hidden = kind.value !== "json";
    title.parentElement.hidden = kind.value === "json";
  }

  /** Returns the settings of the fields, in the form of the configuration. */
  function said() {
    if (kind.value === "json") return JSON.parse(json.value);
    const source = { type: kind.value };
    if (WITH_CAMERA.includes(kind.value)) {
      source.url = url.value.trim();
      // Without ffmpeg, which streams of the page may not start unless the configuration says so.
      if (kind.value === "rtsp") source.decoder = "native";
      else if (insecure.checked) source.insecure = true;
    }
    if (kind.value === "snapshot" && interval.value.trim() !== "") source.interval = interval.value.trim();
    if (kind.value === "push") source.token = token.value.trim() || "none";
    return { ...(title.value.trim() === "" ? {} : { title: title.value.trim() }), source };
  }

  if (known) {
    name.value = known.name;
    name.readOnly = true;
    json.value = JSON.stringify(known.settings, null, 2);
    if (isSimple(known.settings)) {
      const { source } = known.settings;
      title.value = known.settings.title ?? "";
      kind.value = source.type;
      url.value = source.url;
      interval.value = source.interval ?? "";
      insecure.checked = source.insecure === true;
    } else {
      kind.value = "json";
    }
  } else {
    json.value = JSON.stringify({ source: { type: "text", text: "%H:%M:%S" } }, null, 2);
  }
  showKind();

  kind.addEventListener("change", showKind);
  test.addEventListener("click", async () => {
    if (!url.reportValidity()) return;
    test.disabled = true;
    found.replaceChildren(make("p", { textContent: "Contacting the camera…" }));
    try {
      const report = await ask("POST", "api/probe", { url: url.value.trim(), insecure: insecure.checked });
      found.replaceChildren(...shown(report));
      if (report.type && kind.value !== "auto") kind.value = report.type;
      showKind();
    } catch (error) {
      found.replaceChildren(make("p", { className: "wrong", textContent: error.message }));
    }
    test.disabled = false;
  });

  return new Promise((resolve) => {
    const close = (result) => {
      dialog.close();
      dialog.remove();
      resolve(result);
    };
    cancel.addEventListener("click", () => close(null));
    dialog.addEventListener("cancel", () => close(null));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      wrong.textContent = "";
      keep.disabled = true;
      try {
        await ask(known ? "PUT" : "POST", `api/streams/${encodeURIComponent(name.value)}`, said());
        return close(name.value);
      } catch (error) {
        wrong.textContent = error instanceof SyntaxError ? `Invalid JSON: ${error.message}` : error.message;
        keep.disabled = false;
      }
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Returns the elements that show a probe report. */
function shown(report) {
  if (report.problem) return [make("p", { className: "wrong", textContent: report.problem })];
  const lines = [];
  const sizes = report.sizes.map(([width, height]) => `${width} × ${height}`).join(" and ");
  const rate = report.fps === null ? [] : [format.fps(report.fps), format.rate(report.bytes_per_s)];
  lines.push(report.type === "snapshot" ? `It works: single pictures, ${sizes}` : `It works: ${[sizes, ...rate].join(", ")}`);
  const sent = report.codec ? `${report.codec} over ${report.transport.toUpperCase()}` : (report.content_type ?? "no content type");
  if (report.keyframe_interval_s !== null) lines.push(`a keyframe each ${report.keyframe_interval_s.toFixed(1)} s`);
  lines.push(`${sent}, frames up to ${format.size(report.largest_frame_bytes)}`);
  for (const { what, times } of [...report.quirks, ...report.left_out]) lines.push(`${what} (${format.plural(times, "time")})`);
  if (report.ended) lines.push(report.ended);
  const list = make("ul", {}, ...lines.map((line) => make("li", { textContent: line })));
  return report.picture === null ? [list] : [list, picture(report.picture)];
}

function picture(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  const image = make("img", { alt: "Current picture of the camera", src: address });
  image.addEventListener("load", () => URL.revokeObjectURL(address));
  return image;
}

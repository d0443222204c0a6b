// Commands and settings with which other programs use a stream.

import { quoted } from "./words.js";

const markup = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text) => text.replace(/[&<>"]/g, (each) => markup[each]);

/** Returns pairs of a label and a text to copy. `stream` is the stream's URL. */
export function snippets({ title, name, push, source }, stream) {
  const snapshot = `${stream}/snapshot`;
  const all = [
    ["Stream", stream],
    ["Snapshot", snapshot],
    ["HTML", `<img src="${escaped(stream)}" alt="${escaped(title)}">`],
    ["VLC", `vlc ${quoted(stream)}`],
    ["ffmpeg, record", `ffmpeg -use_wallclock_as_timestamps 1 -f mpjpeg -i ${quoted(stream)} -c copy ${name}.mkv`],
    ["OpenCV", `import cv2\ncamera = cv2.VideoCapture(${JSON.stringify(stream)})\ngood, picture = camera.read()`],
    ["Home Assistant", `# Settings, Devices & services, Add integration, MJPEG IP Camera\nMJPEG URL: ${stream}\nStill image URL: ${snapshot}`],
    ["OctoPrint", `# config.yaml, or Settings, Classic Webcam\nplugins:\n  classicwebcam:\n    stream: ${stream}\n    snapshot: ${snapshot}`],
  ];
  if (!push) return all;
  const token = push === "token" ? " -H 'Authorization: Bearer TOKEN'" : "";
  if (source === "push") {
    all.push(
      ["Push a picture", `curl${token} --data-binary @picture.jpg ${quoted(`${stream}/frame`)}`],
      ["Push a feed", `ffmpeg -re -i video.mp4 -q:v 5 -f mpjpeg - |\n  curl${token} -T - -X POST ${quoted(`${stream}/feed`)}`],
    );
  }
  return all;
}

/** Shows the pairs in `list`, each with a button that copies it. `say` announces the copy. */
export function show(list, pairs, say) {
  const items = pairs.map(([label, text]) => {
    const item = document.createElement("div");
    item.className = "snippet";
    const heading = document.createElement("h3");
    heading.textContent = label;
    const pre = document.createElement("pre");
    // Focusable, so that long lines can be scrolled by keyboard.
    pre.tabIndex = 0;
    pre.setAttribute("aria-label", label);
    pre.setAttribute("role", "region");
    const code = document.createElement("code");
    code.textContent = text;
    pre.append(code);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${label}`);
    button.addEventListener("click", async () => {
      await copy(text, code);
      button.textContent = "Copied";
      say(`Copied: ${label}`);
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    item.append(heading, pre, button);
    return item;
  });
  list.replaceChildren(...items);
}

/** Copies a text. Browsers offer the clipboard only over TLS and on localhost; elsewhere the selection is copied. */
async function copy(text, element) {
  if (navigator.clipboard) {
    try {
      return await navigator.clipboard.writeText(text);
    } catch {
      // Not allowed: copy the selection instead.
    }
  }
  getSelection().selectAllChildren(element);
  document.execCommand("copy");
}

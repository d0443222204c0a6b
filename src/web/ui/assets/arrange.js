// Reorders tiles, by dragging their grips or with the arrow keys.

const KEYS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };

/**
 * Lets `grip` move `element` among its siblings. `moved` is called after each move by key, and after a drag.
 */
export function movable(element, grip, moved) {
  grip.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const siblings = [...element.parentElement.children];
    const from = siblings.indexOf(element);
    const to = Math.min(Math.max(from + step, 0), siblings.length - 1);
    if (to === from) return;
    place(element, siblings[to]);
    grip.focus();
    moved(element);
  });
  grip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    drag(element, event.pointerId, moved);
  });
}

/** Moves `element` to the position of `other`. */
function place(element, other) {
  const behind = element.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (behind) other.after(element);
  else other.before(element);
}

function drag(element, pointer, moved) {
  element.classList.add("dragged");
  const listening = new AbortController();
  const options = { signal: listening.signal };
  const move = ({ pointerId, clientX, clientY }) => {
    if (pointerId !== pointer) return;
    const over = document.elementFromPoint(clientX, clientY)?.closest("#tiles > *");
    if (over && over !== element) place(element, over);
  };
  const end = ({ pointerId }) => {
    if (pointerId !== pointer) return;
    listening.abort();
    element.classList.remove("dragged");
    moved(element);
  };
  addEventListener("pointermove", move, options);
  addEventListener("pointerup", end, options);
  addEventListener("pointercancel", end, options);
}

// Small helpers to build elements. Text always becomes a text node, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element. `props`: attributes by name; `on…` are listeners, `false`, null and undefined are left out. */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Make an SVG element. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** A small line icon from one path. */
export function icon(path, box = 20) {
  return svg("svg", { viewBox: `0 0 ${box} ${box}`, "aria-hidden": "true", class: "icon" }, svg("path", { d: path }));
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** An id that nobody guesses; also where `crypto.randomUUID` is missing (plain http on another host). */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

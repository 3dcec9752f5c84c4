/** Building and keeping elements. Text goes in as text: no markup is ever made from data. */

/**
 * @typedef {string | number | boolean | null | undefined | Record<string, (event: any) => void>} Attribute
 * @typedef {Node | string | null | undefined | false} Child
 */

/**
 * An element: attributes as in HTML (`true` for a bare one, `false` or null for none), listeners
 * under `on`.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, Attribute>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "object") {
      for (const [event, listener] of Object.entries(value))
        element.addEventListener(event, listener);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...present(children));
  return element;
}

/**
 * Replace what an element holds.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/** @param {Child[]} children @returns {(Node | string)[]} */
function present(children) {
  return /** @type {(Node | string)[]} */ (children.filter((child) => child || child === ""));
}

/**
 * @typedef {object} Row
 * @property {string} key Which it is.
 * @property {string} signature What it shows: the same means that nothing is to be done.
 */

/** @type {WeakMap<Element, Map<string, {element: HTMLElement, signature: string}>>} */
const kept = new WeakMap();

/**
 * Make an element's children be these rows, in this order, touching only what changed. A row
 * keeps its element, and with it focus and place, through every change of what it shows.
 * @template {Row} R
 * @param {Element} parent
 * @param {R[]} rows
 * @param {(row: R) => HTMLElement} make An empty element for a row.
 * @param {(element: HTMLElement, row: R) => void} show Fill it.
 */
export function keep(parent, rows, make, show) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  const keys = new Set(rows.map(({ key }) => key));
  for (const [key, { element }] of before) if (!keys.has(key)) element.remove();
  let here = parent.firstElementChild;
  for (const row of rows) {
    const held = before.get(row.key) ?? { element: make(row), signature: null };
    if (held.signature !== row.signature) refill(held.element, row, show);
    if (held.element === here) here = held.element.nextElementSibling;
    else parent.insertBefore(held.element, here);
    after.set(row.key, { element: held.element, signature: row.signature });
  }
  kept.set(parent, after);
}

/**
 * @template {Row} R
 * @param {HTMLElement} element
 * @param {R} row
 * @param {(element: HTMLElement, row: R) => void} show
 */
function refill(element, row, show) {
  const hadFocus = element.contains(document.activeElement);
  show(element, row);
  // What held the focus inside may be gone: stay in the row.
  if (hadFocus && !element.contains(document.activeElement)) element.focus();
}

/** A label for who cannot see what others do. @param {string} text */
export function hidden(text) {
  return h("span", { class: "sr-only" }, text);
}

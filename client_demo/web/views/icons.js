/** The page's few icons: strokes in the text's colour, hidden from assistive technology. */

const SVG = "http://www.w3.org/2000/svg";

/** @type {Record<string, string>} Paths on a grid of 24. */
const PATHS = {
  back: "M15 5l-7 7 7 7",
  write: "M4 20h4L19.5 8.5a2.1 2.1 0 0 0-3-3L5 17v3M14.5 7.5l3 3",
  send: "M12 19V6M6 11.5L12 5.5l6 6",
  close: "M6 6l12 12M18 6L6 18",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M8.5 14.5a4.2 4.2 0 0 0 7 0M9 9.5v.5M15 9.5v.5",
  pencil: "M4 20h4L18.5 9.5a2.1 2.1 0 0 0-3-3L5 17v3",
  reply: "M9 7L4.5 11.5 9 16M5 11.5h8.5a6 6 0 0 1 6 6v1",
  bin: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  down: "M12 5v13M6 12.5l6 6 6-6",
  more: "M5 12h1M11.5 12h1M18 12h1",
  muted: "M6 16.5h12l-1.5-2.5v-4a4.5 4.5 0 0 0-9 0v4zM10.5 20h3M4 4l16 16",
  group: 
    "M12 11.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6M6.5 19.5a5.5 5.5 0 0 1 11 0M5.5 7.5a2.3 2.3 0 0 0 0 4.6M2 17.5a4.6 4.6 0 0 1 3-3.8M18.5 7.5a2.3 2.3 0 0 1 0 4.6M22 17.5a4.6 4.6 0 0 0-3-3.8",
  people:
    "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 19.5a6.5 6.5 0 0 1 13 0M16 5a3.5 3.5 0 0 1 0 6.5M18 14.5a6.5 6.5 0 0 1 3.5 5",
  settings:
    "M4 7h9M17 7h3M15 9.5a2.2 2.2 0 1 0 0-5 2.2 2.2 0 0 0 0 5M4 17h3M11 17h9M9 19.5a2.2 2.2 0 1 0 0-5 2.2 2.2 0 0 0 0 5",
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 24 24",
    class: "icon",
    "aria-hidden": "true",
  })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

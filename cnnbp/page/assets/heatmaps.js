/* Tensors too large for a table: a colour for each number. */

/* A heat map on a canvas, with a layer of SVG over it for what is lit up. */
function drawMap(plane, title, size, small = false) {
  const { rows, columns } = plane;
  const canvas = element("canvas", { width: columns, height: rows, role: "img", "aria-label": `${title}, ${rows} by ${columns}` });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${columns} ${rows}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const box = element("span", { class: "map", tabindex: small ? null : "0" }, canvas, svg);
  const [width, height] = extent(rows, columns, size, small);
  box.style.width = `${width}px`;
  box.style.aspectRatio = `${width} / ${height}`;
  const map = { plane, canvas, svg, box, keys: null };
  box.map = map;
  maps.push(map);
  paint(map);
  return box;
}

/* How large a map is drawn: in its proportions, but a long row of numbers gets the height to be seen. */
function extent(rows, columns, size, small) {
  if (small || columns <= 4 * rows) return columns >= rows ? [size, (size * rows) / columns] : [(size * columns) / rows, size];
  const width = Math.min(720, Math.max(size, 8 * columns));
  return [width, rows * Math.max(width / columns, Math.min(14, 200 / rows))];
}

function paint({ plane, canvas }) {
  const { tensor, rows, columns } = plane;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const [paper, positive, negative] = ["--paper", "--positive", "--negative"].map(colour);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const number = plane.number(r, c);
      const value = number ? valueOf(plane, number) : 0;
      const share = strength(value, tensor);
      const hue = value < 0 ? negative : positive;
      for (let k = 0; k < 3; k++) image.data[4 * (r * columns + c) + k] = paper[k] + (hue[k] - paper[k]) * share;
      image.data[4 * (r * columns + c) + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

function colour(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}

/* Light up numbers: cells by a class, places of a heat map by rectangles; of many, one around them all. */
function lightUp(factors, chosen = []) {
  for (const lit of document.querySelectorAll("td.lit, td.chosen")) lit.classList.remove("lit", "chosen");
  for (const map of maps) map.svg.replaceChildren();
  for (const [list, name] of [[factors, "lit"], [chosen, "chosen"]]) {
    const wanted = new Set(list.filter(({ symbol }) => symbol).map(key));
    for (const wantedKey of wanted) cells.get(wantedKey)?.classList.add(name);
    const symbols = new Set(list.map(({ symbol }) => symbol));
    for (const map of maps) if (symbols.has(map.plane.tensor.symbol)) frame(map, wanted, name);
  }
}

function frame({ plane, svg }, wanted, name) {
  const found = [];
  for (let r = 0; r < plane.rows; r++) {
    for (let c = 0; c < plane.columns; c++) {
      const number = plane.number(r, c);
      if (number && wanted.has(key(number))) found.push([c, r]);
    }
  }
  if (!found.length) return;
  const boxes = found.length > 64 ? [around(found)] : found.map(([c, r]) => [c, r, 1, 1]);
  for (const [x, y, width, height] of boxes) {
    const rectangle = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [attribute, value] of Object.entries({ x, y, width, height, class: name })) rectangle.setAttribute(attribute, value);
    svg.append(rectangle);
  }
}

function around(found) {
  const [columns, rows] = [found.map(([c]) => c), found.map(([, r]) => r)];
  const [left, top] = [Math.min(...columns), Math.min(...rows)];
  return [left, top, Math.max(...columns) - left + 1, Math.max(...rows) - top + 1];
}

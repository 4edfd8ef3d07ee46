/* Tensors on the screen: matrices of numbers where they fit, heat maps where they don't.

   A plane is two axes of a tensor. */

const MOST_NUMBERS = 160;
const MOST_TABLES = 4;
const WIDEST = 12;
const cells = new Map(); // by key, the cells of the tables on the screen
let maps = []; // the heat maps on the screen

const key = ({ symbol, place, m }) => `${symbol}|${place.join()}|${tensors.get(symbol).batched ? m : 0}`;

/* The planes of a tensor: maps of one image, a filter's kernels, a column for each image, or a row. `number(r, c)` says
   which number of the tensor stands where; it is null where a last row is not full. */
function planes(tensor, m, filter) {
  const { shape } = tensor;
  const plane = (name, rows, columns, place, further = {}) => ({ tensor, name, rows, columns, number: (r, c) => ({ symbol: tensor.symbol, place: place(r, c), m }), ...further });
  if (shape.length === 4) {
    const kernels = (f) => range(shape[1]).map((c) => plane(`filter ${f}${shape[1] > 1 ? `, channel ${c}` : ""}`, shape[2], shape[3], (i, j) => [f, c, i, j]));
    const few = tensor.size <= MOST_NUMBERS || shape[1] === 1;
    return few ? range(shape[0]).flatMap(kernels) : kernels(Math.min(filter, shape[0] - 1));
  }
  if (shape.length === 3) return range(shape[0]).map((c) => plane(`channel ${c}`, shape[1], shape[2], (h, w) => [c, h, w]));
  if (shape.length === 2) return [plane("", shape[0], shape[1], (u, k) => [u, k])];
  if (tensor.batched && tensor.size <= 32) return [columnForEachImage(tensor)];
  return [inRows(tensor, m)];
}

/* A vector in rows of a width that can be read, the last one perhaps not full. */
function inRows(tensor, m) {
  const columns = Math.min(tensor.size, tensor.size <= 4 * WIDEST ? WIDEST : 32);
  const rows = Math.ceil(tensor.size / columns);
  const number = (r, c) => (columns * r + c < tensor.size ? { symbol: tensor.symbol, place: [columns * r + c], m } : null);
  return { tensor, name: tensor.batched ? `image ${m + 1}` : "", rows, columns, number, rowNames: range(rows).map((r) => (rows > 1 ? `${columns * r}…` : "0")) };
}

function columnForEachImage(tensor) {
  const number = (r, m) => ({ symbol: tensor.symbol, place: tensor.shape.length ? [r] : [], m });
  const classes = [page.loss.logits, page.loss.activation, "Y"].includes(tensor.symbol) && tensor.size === page.classes.length;
  const rowNames = classes ? page.classes : null;
  return { tensor, name: "", rows: tensor.size, columns: tensor.images, number, rowNames, columnNames: range(tensor.images).map((m) => `m=${m + 1}`) };
}

const range = (length) => Array.from({ length }, (_, index) => index);
const valueOf = ({ tensor }, number) => tensor.at(number.place, number.m);

/* A tensor with its name and shape. `role` is "result" for what the station finds. */
function drawTensor(symbol, { m, role = "operand", title = symbol, filter = 0, channel = 0, images = null, choose = () => {} }) {
  const tensor = tensors.get(symbol);
  const shape = element("small", {}, tensor.written);
  const caption = element("figcaption", {}, typeset(title), " ", shape);
  const figure = element("figure", { class: `tensor ${role}`, "data-symbol": symbol }, caption);
  if (!tensor.data) {
    figure.append(element("p", { class: "left-out" }, "left out of this page; ", summary(tensor)));
    return figure;
  }
  for (const image of images || [m]) figure.append(drawPlanes(tensor, image, { filter, channel, choose, title, several: images && images.length > 1 }));
  if (tensor.shape.length > 2 && tensor.size > MOST_NUMBERS) figure.append(element("p", { class: "summary" }, summary(tensor)));
  return figure;
}

function drawPlanes(tensor, m, { filter, channel, choose, title, several }) {
  const all = planes(tensor, m, filter);
  const numbers = all.reduce((total, plane) => total + plane.rows * plane.columns, 0);
  const box = element("div", { class: "planes" });
  if (several && tensor.batched) box.append(element("span", { class: "image-label" }, `m=${m + 1}`));
  const fits = numbers <= MOST_NUMBERS && all.length <= MOST_TABLES && all.every((plane) => plane.columns <= WIDEST);
  if (fits) return append(box, all.map((plane) => drawTable(plane, all.length > 1 ? plane.name : "", title)));
  if (all.length === 1) return append(box, [drawPlane(all[0], title)]);
  const chosen = Math.min(channel, all.length - 1);
  const thumbs = element("div", { class: "thumbs", role: "group", "aria-label": `${title}: ${all.length} maps` });
  all.forEach((plane, index) => thumbs.append(thumb(plane, index, index === chosen, choose)));
  return append(box, [thumbs, element("div", { class: "enlarged" }, element("small", {}, all[chosen].name), drawPlane(all[chosen], `${title}, ${all[chosen].name}`))]);
}

const append = (box, children) => (box.append(...children), box);
const drawPlane = (plane, title) => (plane.columns <= WIDEST && plane.rows <= 2 * WIDEST ? drawTable(plane, "", title) : drawMap(plane, title, 220));

/* A map small enough to stand among many; a dead one has no number but 0. */
function thumb(plane, index, chosen, choose) {
  const dead = isDead(plane);
  const map = drawMap(plane, plane.name, 44, true);
  const label = `${plane.name}${dead ? ", dead: 0 everywhere" : ""}`;
  const attributes = { type: "button", class: dead ? "thumb dead" : "thumb", "aria-pressed": String(chosen), title: label, on: { click: () => choose(index) } };
  return element("button", attributes, map, element("span", {}, dead ? `${index} †` : String(index)));
}

/* Whether a map of a ReLU is 0 for every image on the page. */
function isDead(plane) {
  const { tensor, rows, columns } = plane;
  if (nodeOf.get(tensor.symbol)?.type !== "relu") return false;
  const at = (r, c, m) => tensor.at(plane.number(r, c).place, m);
  return range(tensor.images).every((m) => range(rows).every((r) => range(columns).every((c) => at(r, c, m) === 0)));
}

function summary(tensor) {
  const parts = [`mean ${short(tensor.mean)}`, `largest ${short(tensor.largest)}`, `${Math.round(100 * tensor.zeros)} % are 0`];
  if (tensor.data && nodeOf.get(tensor.symbol)?.type === "relu" && tensor.shape.length === 3) parts.push(`${planes(tensor, 0, 0).filter(isDead).length} of ${tensor.shape[0]} maps are dead`);
  return parts.join(" · ");
}

/* Colour: the sign by its hue, the size by its strength. */
const strength = (value, tensor) => (tensor.largest ? Math.min(1, Math.abs(value) / tensor.largest) ** 0.7 : 0);

function drawTable(plane, name, title) {
  const { tensor, rows, columns } = plane;
  const table = element("table", { class: "matrix", style: `--width: ${widest(plane)}ch` }, element("caption", {}, name || element("span", { class: "spoken" }, title)));
  const head = element("tr", {}, element("td", { class: "corner" }));
  for (let c = 0; c < columns; c++) head.append(element("th", { scope: "col" }, columnName(plane, c)));
  table.append(element("thead", {}, head));
  const body = element("tbody");
  for (let r = 0; r < rows; r++) {
    const row = element("tr", {}, element("th", { scope: "row", class: plane.rowNames === page.classes ? "name" : null }, rowName(plane, r)));
    for (let c = 0; c < columns; c++) row.append(cell(plane, plane.number(r, c)));
    body.append(row);
  }
  table.append(body);
  return table;
}

/* The width of the widest number that stands in the matrix, or could for another image: nothing jumps. */
function widest({ tensor }) {
  const sign = tensor.data.some((value) => value < 0) ? 1 : 0;
  return sign + Math.max(written(tensor.largest, tensor.digits).length, tensor.digits < 0 ? 8 : 0, 2);
}

const columnName = ({ columnNames }, c) => (columnNames ? columnNames[c] : String(c));
const rowName = ({ rowNames }, r) => (rowNames ? rowNames[r] : String(r));

function cell(plane, number) {
  if (!number) return element("td", { class: "corner" });
  const value = valueOf(plane, number);
  const made = element("td", { tabindex: "-1", class: value < 0 ? "negative" : value > 0 ? "positive" : "zero" }, written(value, plane.tensor.digits));
  made.style.setProperty("--strength", strength(value, plane.tensor).toFixed(3));
  made.number = number;
  cells.set(key(number), made);
  return made;
}

/* The number under the pointer: a cell's, or a place of a heat map. */
function numberAt(event) {
  const td = event.target.closest?.("td");
  if (td?.number) return td.number;
  const map = event.target.closest?.(".map")?.map;
  if (!map || event.clientX === undefined) return null;
  const { left, top, width, height } = map.canvas.getBoundingClientRect();
  const [r, c] = [Math.floor(((event.clientY - top) / height) * map.plane.rows), Math.floor(((event.clientX - left) / width) * map.plane.columns)];
  return numberOf(map.plane, r, c);
}

const numberOf = (plane, r, c) => (r < 0 || c < 0 || r >= plane.rows || c >= plane.columns ? null : plane.number(r, c));

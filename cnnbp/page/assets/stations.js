/* One station on the screen: its equation, the tensors that it reads and finds, and where a number comes from. */

const MOST_TERMS = 24; // products that are written out; what is left is one more, with its sum
const state = { station: 0, image: 0, summed: false, target: null, channels: {}, pinned: null, optimizer: 0 };

const LOOK = { symbol: "look", row: "extra", column: 0, title: "look" };
const UPDATE = { symbol: "update", row: "extra", column: 0, title: "update" };
const chain = [...page.stations, ...(page.attention ? [LOOK] : []), UPDATE];
const current = () => chain[state.station];

/* The row of stations: forward, backward below it, and in each column the parameters that its layer learns. */
function drawChain(list, go) {
  const below = {};
  list.replaceChildren(
    ...chain.map((station, index) => {
      const side = station.row === "parameter" || station.row === "extra" || isFactor(station);
      const row = side ? 3 + (below[station.column] = (below[station.column] ?? -1) + 1) : station.row === "forward" ? 1 : 2;
      const label = station.title ? station.title : typeset(station.symbol);
      const attributes = { type: "button", "data-station": station.symbol, class: `station ${station.row}`, title: station.layer || null, on: { click: () => go(index) } };
      const item = element("li", { class: side ? "side" : station.row }, element("button", attributes, label));
      item.style.gridColumn = station.column + 1;
      item.style.gridRow = row;
      return item;
    }),
  );
}

const isFactor = ({ symbol }) => symbol.startsWith("∂") && !symbol.startsWith("∂L/");

function drawStation(main) {
  cells.clear();
  maps = [];
  const station = current();
  const parts = station === UPDATE ? drawUpdate() : station === LOOK ? drawLook() : drawEquation(station);
  main.replaceChildren(...parts);
}

function drawEquation(station) {
  const heading = element("h2", {}, typeset(station.symbol), " = ", typeset(station.formula, { share: station.share || isLogits(station) }));
  const layer = station.layer ? element("p", { class: "layer" }, `${station.layer}: ${describe(station)}`) : "";
  const note = element("p", { class: "note" }, station.note);
  const parts = [heading, layer, note];
  if (station.share) parts.push(element("p", { class: "note" }, element("mark", { class: "share" }, "1/M"), ` enters here, M = ${page.loss.images}, and nowhere else: all that follows is a plain sum over the images.`));
  if (station.symbol === "L") parts.push(element("p", { class: "note" }, "The mean over the images: L = ", element("mark", { class: "share" }, "1/M"), ` Σₘ Lₘ = ${short(page.loss.value)}`));
  return [...parts, drawOperands(station)];
}

const isLogits = ({ symbol }) => symbol === slopeOf(page.loss.logits);

function describe(station) {
  const node = page.nodes.find(({ name }) => name === station.layer);
  if (!node?.window) return station.type.replaceAll("_", " ");
  const { kernel, stride, pad } = node.window;
  const padding = pad.flat().some(Boolean) ? `, padding ${[...new Set(pad.flat())].join("/")}` : "";
  return `${station.type.replaceAll("_", " ")}, ${kernel.join("×")}, stride ${stride[0]}${padding}`;
}

function drawOperands(station) {
  const operands = station.reads.filter((symbol) => tensors.has(symbol) && symbol !== station.symbol);
  if (state.summed && isStacked(station)) return drawStack(station, operands);
  const figures = operands.map((symbol) => drawTensor(symbol, options(symbol)));
  const result = element("div", { class: "results" }, ...drawResults(station));
  return element("div", { class: "equation" }, ...figures, ...(figures.length ? [element("span", { class: "becomes", "aria-hidden": "true" }, "→")] : []), result);
}

/* What is chosen of a tensor: the image, and of many maps one; a filter of W goes with the channel that it makes. */
function options(symbol, further = {}) {
  const owner = ownerOf.get(symbol.replace(/^(∂L\/∂|Δ)/, ""));
  const made = owner ? state.channels[owner.node.y] ?? 0 : 0;
  return {
    m: state.image,
    filter: made,
    channel: state.channels[symbol] ?? 0,
    images: state.summed && tensors.get(symbol).batched && tensors.get(symbol).shape.length === 3 && page.small ? range(Math.min(page.shown, 8)) : null,
    choose: (index) => chooseChannel(symbol, index),
    ...further,
  };
}

const stackOf = ({ symbol }) => `${symbol} by image`;
const isStacked = (station) => station.row === "parameter" && page.small && !page.bug && tensors.get(stackOf(station))?.data;

/* The result; of a parameter's gradient the chosen image's share, where the page has them apart. */
function drawResults(station) {
  if (page.bug && tensors.has(`wrong ${station.symbol}`)) return drawWrong(station);
  const own = options(station.symbol, { role: "result" });
  if (station.row !== "parameter") return [drawTensor(station.symbol, own)];
  const [stack, images] = [stackOf(station), page.loss.images];
  if (state.summed || !tensors.get(stack)?.data) {
    const note = page.coupled ? `batch norm couples the images: one sum over all ${images}` : `the sum over ${images} images`;
    return [drawTensor(station.symbol, own), element("p", { class: "summary" }, note)];
  }
  const share = drawTensor(stack, { ...own, ...options(stack), filter: own.filter, role: "result", title: station.symbol });
  return [share, element("p", { class: "summary" }, `image ${state.image + 1}'s share, a slice of ${tensors.get(stack).written}; their sum is the batch's gradient`)];
}

/* A parameter's gradient as one adds it up by hand: a line for each image, and the sum below. */
function drawStack(station, operands) {
  const stack = stackOf(station);
  const sign = (text) => element("span", { class: "plus" }, text);
  const lines = range(Math.min(page.shown, 8)).map((m) => {
    const figures = operands.map((symbol) => drawTensor(symbol, options(symbol, { m, images: null })));
    return element("div", { class: "line" }, element("b", {}, `m=${m + 1}`), ...figures, sign("→"), drawTensor(stack, options(stack, { m, title: station.symbol })));
  });
  if (page.loss.images > lines.length) lines.push(element("p", { class: "summary" }, `and ${page.loss.images - lines.length} more images`));
  return element("div", { class: "stack" }, ...lines, element("div", { class: "line sum" }, element("b", {}, "Σ"), drawTensor(station.symbol, options(station.symbol, { role: "result" }))));
}

/* The update: each parameter, its gradient, its change, and what it becomes. */
function drawUpdate() {
  const update = page.updates[state.optimizer];
  const choices = page.updates.map((each, index) => element("label", {}, element("input", { type: "radio", name: "optimizer", checked: index === state.optimizer, on: { change: () => chooseOptimizer(index) } }), ` ${each.plain ? "gradient descent" : each.optimizer}, η = ${short(each.lr)}`));
  const falls = update.after < update.before;
  const loss = element("p", { class: "loss" }, `L ${falls ? "falls" : "rises"} from `, element("b", {}, short(update.before)), " to ", element("b", {}, short(update.after)), falls ? "" : ": the step is too long");
  const formula = update.plain ? "θ − η·∂L/∂θ" : `${update.formula.replaceAll("g", "∂L/∂θ")}, its first step`;
  const parts = [element("h2", {}, "One update: ", typeset(formula)), element("p", { class: "choices" }, ...choices), loss];
  return [...parts, page.small ? drawChanges(update) : drawNorms(update)];
}

function drawChanges(update) {
  const rows = [...ownerOf.keys()].map((symbol) => {
    const figures = [drawTensor(symbol, options(symbol)), drawTensor(slopeOf(symbol), options(slopeOf(symbol)))];
    const [change, moved] = [changed(symbol, update), `${symbol} + Δ${symbol}`];
    return element("div", { class: "equation" }, ...figures, element("span", { class: "becomes" }, "→"), drawTensor(change, { m: 0 }), drawTensor(becoming(symbol, change, moved), { m: 0, role: "result", title: moved }));
  });
  return element("div", { class: "changes" }, ...rows);
}

/* Δθ: the optimizer's own is in the page, gradient descent's is −η·∂L/∂θ. */
function changed(symbol, update) {
  if (!update.plain) return `Δ${symbol}`;
  const gradient = tensors.get(slopeOf(symbol));
  return made(`Δ${symbol}`, `−η·∂L/∂${symbol}`, gradient, gradient.data.map((g) => -update.lr * g));
}

function becoming(symbol, change, moved) {
  const [theta, delta] = [tensors.get(symbol), tensors.get(change)];
  return made(moved, moved, theta, theta.data.map((value, index) => value + delta.data[index]));
}

/* A tensor that is worked out here; it may take the place of one in the page under another name. */
function made(title, symbol, like, data) {
  const tensor = new Tensor(symbol, { ...like, largest: Math.max(...data.map(Math.abs)), whole: data.every(Number.isInteger) });
  tensor.decoded = data;
  tensors.set(symbol, tensor);
  return symbol;
}

function drawNorms(update) {
  const norm = (data) => Math.sqrt(data.reduce((total, value) => total + value * value, 0));
  const rows = [...ownerOf].map(([symbol, { node }]) => {
    const [theta, gradient, own] = [symbol, slopeOf(symbol), `Δ${symbol}`].map((name) => tensors.get(name)?.data);
    const change = update.plain ? gradient && update.lr * norm(gradient) : own && norm(own);
    const numbers = [theta && norm(theta), gradient && norm(gradient), change].map((value) => element("td", {}, value === undefined || value === null ? "left out" : short(value)));
    return element("tr", {}, element("th", { scope: "row" }, typeset(symbol)), element("td", {}, node.name), ...numbers);
  });
  const heads = ["θ", "layer", "‖θ‖", "‖∂L/∂θ‖", "‖Δθ‖"].map((text) => element("th", { scope: "col" }, text));
  return element("table", { class: "norms" }, element("caption", { class: "spoken" }, "The parameters' norms"), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
}

/* Where a number comes from, written out. */
function drawExplanation(box, number) {
  if (!number) return box.replaceChildren(element("p", { class: "hint" }, "Point at a number of the result, or move to it with Tab and the arrow keys: its products are written out here. A click keeps them."));
  const { symbol, place, m } = number;
  const name = `${symbol.replace(/^wrong | by image$/, "")}[${place.join(", ")}]`;
  const image = tensors.get(symbol)?.batched ? `, image ${m + 1}` : "";
  const heading = element("h3", {}, typeset(name), image);
  const found = derived(number);
  if (!found) return box.replaceChildren(heading, element("p", {}, uses(number) || `= ${short(valueAt(number))}`));
  lightUp([...found.lights, ...found.groups.flatMap(litOf)], [number, ...(found.chosen ? [found.chosen] : [])]);
  box.replaceChildren(heading, ...(found.text ? [element("p", {}, "= ", typeset(found.text))] : []), ...found.groups.map((group) => drawGroup(group, found)), ...drawEnd(found, number));
}

/* What a group lights up: a window whole, else what adds something. */
const litOf = ({ terms, columns }) => (columns ? terms : terms.filter((term) => product(term) !== 0)).flat();
const valueAt = ({ symbol, place, m }) => tensors.get(symbol).at(place, m);

/* The explanation of a number on the screen: of a stack's slice that image's, of a sum all of them. */
function derived({ symbol, place, m }) {
  const of = symbol.replace(/^wrong | by image$/, "");
  const station = page.stations.find((each) => each.symbol === of);
  if (current() === UPDATE) return moved(symbol, place);
  if (!station) return explain(of, place, m);
  return explain(of, place, station.row === "parameter" && !symbol.endsWith(" by image") ? null : m);
}

/* A number of the update: θ + Δθ, and of gradient descent −η·∂L/∂θ. */
function moved(symbol, place) {
  const update = page.updates[state.optimizer];
  const theta = symbol.replace(/ \+ Δ.*$|^Δ|^∂L\/∂/, "");
  const [before, change, gradient] = [theta, `Δ${theta}`, slopeOf(theta)].map((name) => at(name, place, 0));
  if (symbol.includes(" + ")) return { lights: [], groups: [{ terms: [[before], [change]] }], text: "", computed: before.value + change.value };
  if (symbol !== change.symbol || !update.plain) return null;
  return { lights: [gradient], groups: [], text: `−${short(update.lr)} · ${bracketed(gradient.value)}`, computed: -update.lr * gradient.value };
}

function drawGroup({ label, terms, columns }, { groups, divisor }) {
  const shown = shownOf(terms, columns);
  const list = element("p", { class: columns && shown.length === terms.length ? "terms window" : "terms" });
  if (columns) list.style.setProperty("--columns", columns);
  if (label) list.append(element("b", { class: "group" }, typeset(label)), " ");
  shown.forEach((term, index) => list.append(element("span", { class: "term" }, index ? "+ " : "", ...factors(term))));
  const left = terms.filter((term) => !shown.includes(term));
  const idle = left.every((term) => product(term) === 0);
  if (left.length) list.append(element("span", { class: "term total" }, idle ? `and ${left.length} that are 0` : `+ ${left.length} more: ${short(sum(left))}`));
  if (groups.length > 1 || label) list.append(element("span", { class: "term total" }, `= ${short(sum(terms) / (divisor || 1))}`));
  return list;
}

/* A window's products are all shown, in its form. Of others those that are not 0, the largest where they are many. */
function shownOf(terms, columns) {
  if (columns && terms.length <= MOST_TERMS) return terms;
  const telling = terms.filter((term) => product(term) !== 0);
  if (!telling.length && terms.length <= 4) return terms;
  if (telling.length <= MOST_TERMS) return telling;
  const largest = [...telling].sort((a, b) => Math.abs(product(b)) - Math.abs(product(a))).slice(0, MOST_TERMS - 1);
  return telling.filter((term) => largest.includes(term));
}

function factors(term) {
  return [term.map(({ value, as }) => (as && !as.startsWith("x̂") ? as.replace(/^.* = /, "") : bracketed(value))).join(" · ")];
}

function drawEnd(found, number) {
  const shown = valueAt(number);
  const parts = [];
  if (found.divisor) parts.push(element("p", { class: "terms" }, `divided by ${found.divisor}`));
  if (found.rest) parts.push(element("p", { class: "terms" }, `+ ${found.rest} more images: ${short(shown - sum(found.groups.flatMap(({ terms }) => terms)))}`));
  const value = verdictful(number) && found.computed !== null ? found.computed : shown;
  const told = revealed && differ(value, shown, tensors.get(number.symbol).largest) ? `; with the bug it is ${short(shown)}` : "";
  return [...parts, element("p", { class: "value" }, "= ", element("b", { "data-value": value }, short(value)), told)];
}

/* An operand has no products of its own here; it says in which numbers of the result it takes part. */
function uses(number) {
  const station = current();
  const result = tensors.get(station.symbol);
  if (!page.small || !result?.data || !page.stations.includes(station)) return "";
  const m = tensors.get(number.symbol).batched ? number.m : state.image;
  const results = range(result.size).map((offset) => ({ symbol: station.symbol, place: result.place(offset), m }));
  const taking = results.filter((each) => takesPart(number, derived(each)));
  lightUp(taking, [number]);
  return `= ${short(valueAt(number))}: in ${taking.length} of the ${result.size} numbers of ${station.symbol}`;
}

function takesPart(number, why) {
  const factors = why ? [...why.lights, ...why.groups.flatMap(({ terms }) => terms.flat())] : [];
  return factors.some((factor) => factor.symbol && key(factor) === key(number));
}

/* Which pixels move the loss, and which places speak for a class. */
function drawLook() {
  const { saliency, maps: cam, classes, over } = page.attention;
  const own = Math.max(0, classes.indexOf(page.images[state.image].label));
  const chosen = state.channels[cam] ?? own;
  const select = element("select", { "aria-label": "Class", on: { change: (event) => chooseChannel(cam, event.target.selectedIndex) } }, ...classes.map((label, index) => element("option", { selected: index === chosen }, page.classes[label])));
  const picture = (title, layer) => element("figure", { class: "tensor picture" }, element("figcaption", {}, ...title), overlaid(layer));
  return [
    element("h2", {}, "Where the network looks"),
    element("p", { class: "note" }, "Saliency is |∂L/∂X|: the pixels whose change would move the loss most. Grad-CAM weighs the maps of ", typeset(over), " by the mean slope of a class's logit, and keeps what speaks for it."),
    element("p", { class: "choices" }, element("label", {}, "class ", select)),
    element("div", { class: "equation" }, picture(["the image"], null), picture([typeset("|∂L/∂X|")], layerOf(saliency, 0)), picture([`Grad-CAM, ${page.classes[classes[chosen]]}`], layerOf(cam, chosen))),
  ];
}

function layerOf(symbol, plane) {
  const tensor = tensors.get(symbol);
  const [, rows, columns] = tensor.shape;
  const values = range(rows * columns).map((k) => tensor.at([plane, Math.floor(k / columns), k % columns], state.image));
  return { values, rows, columns, largest: Math.max(...values, 0) };
}

/* The image in grey, and a layer over it: the stronger, the more of it is seen. */
function overlaid(layer) {
  const image = element("canvas", { role: "img", "aria-label": "the image" });
  paintImage(image, state.image);
  const box = element("span", { class: "overlaid" }, image);
  if (!layer) return box;
  const smooth = layer.columns < image.width ? "layer-over smooth" : "layer-over";
  const canvas = element("canvas", { width: layer.columns, height: layer.rows, class: smooth, role: "img", "aria-label": layer.largest ? "where it is strong" : "0 everywhere" });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(layer.columns, layer.rows);
  const hue = colour("--positive");
  layer.values.forEach((value, k) => pixels.data.set([...hue, 230 * (layer.largest ? value / layer.largest : 0)], 4 * k));
  context.putImageData(pixels, 0, 0);
  box.append(canvas);
  return box;
}

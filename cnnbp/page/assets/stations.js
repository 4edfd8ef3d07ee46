/* One station on the screen: its equation, and the tensors that it reads and finds. */

const state = { station: 0, image: 0, summed: false, target: null, channels: {}, pinned: null, optimizer: 0 };

const LOOK = { symbol: "look", row: "extra", column: 0, title: "saliency" };
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

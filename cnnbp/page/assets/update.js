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

/* A number of the update: θ + Δθ, and of gradient descent −η·∂L/∂θ. */
function moved(symbol, place) {
  const update = page.updates[state.optimizer];
  const theta = symbol.replace(/ \+ Δ.*$|^Δ|^∂L\/∂/, "");
  const [before, change, gradient] = [theta, `Δ${theta}`, slopeOf(theta)].map((name) => at(name, place, 0));
  if (symbol.includes(" + ")) return { lights: [], groups: [{ terms: [[before], [change]] }], text: "", computed: before.value + change.value };
  if (symbol !== change.symbol || !update.plain) return null;
  return { lights: [gradient], groups: [], text: `−${short(update.lr)} · ${bracketed(gradient.value)}`, computed: -update.lr * gradient.value };
}

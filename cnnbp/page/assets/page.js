/* What the reader does: step, choose an image, point at numbers, move by keyboard, print. */

const [chainList, mainBox, explanationBox, pathBox, bugBox] = ["chain", "station", "explanation", "path", "bug"].map((id) => document.getElementById(id));
const slider = document.getElementById("image");

function redraw() {
  drawStation(mainBox);
  hideNumbers(answerNumber);
  drawExplanation(explanationBox, state.pinned);
  drawPathPanel();
  drawToolbar();
  roving();
}

function go(index) {
  state.station = Math.max(0, Math.min(chain.length - 1, index));
  state.pinned = null;
  explanationBox.style.minHeight = "";
  lightUp([]);
  redraw();
  const item = chainList.children[state.station];
  for (const each of chainList.querySelectorAll("[aria-current]")) each.removeAttribute("aria-current");
  item.firstChild.setAttribute("aria-current", "step");
  chainList.scrollLeft = item.offsetLeft - chainList.clientWidth / 2 + item.offsetWidth / 2;
  history.replaceState(null, "", `#${encodeURIComponent(current().symbol)}`);
}

function drawToolbar() {
  const many = page.loss.images;
  document.getElementById("where").textContent = `${state.station + 1} of ${chain.length}`;
  document.getElementById("back").disabled = state.station === 0;
  document.getElementById("next").disabled = state.station === chain.length - 1;
  slider.value = state.summed ? page.shown + 1 : state.image + 1;
  const image = page.images[state.image];
  const verdict = image.label === image.prediction ? "" : `, taken for ${page.classes[image.prediction]}`;
  const text = state.summed ? `Σ over all ${many}` : `image ${state.image + 1} of ${many}: ${image.name} (${page.classes[image.label]}${verdict}), loss ${short(image.loss)}`;
  document.getElementById("which").textContent = text;
  slider.setAttribute("aria-valuetext", text);
  const thumbnail = document.getElementById("thumbnail");
  thumbnail.hidden = state.summed;
  if (!state.summed) paintImage(thumbnail, state.image);
  if (page.quiz) document.getElementById("score").textContent = score();
}

/* An image in its own colours: one or three channels, its smallest number black, its largest white. */
function paintImage(canvas, m) {
  const x = tensors.get("X");
  if (!x.data) return;
  const [C, H, W] = x.shape;
  Object.assign(canvas, { width: W, height: H });
  const values = range(x.size).map((offset) => x.data[offset * x.images + m]);
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  const context = canvas.getContext("2d");
  const image = context.createImageData(W, H);
  for (let pixel = 0; pixel < H * W; pixel++) {
    for (let k = 0; k < 3; k++) image.data[4 * pixel + k] = (255 * (values[(C === 3 ? k : 0) * H * W + pixel] - low)) / (high - low || 1);
    image.data[4 * pixel + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function drawPathPanel() {
  const station = current();
  const by = station.row === "parameter" ? station.symbol.slice(4) : null;
  const targets = Object.keys(page.paths);
  if (by) state.target = by;
  else if (station.row === "backward" && !holds(page.paths[state.target] ?? [], station)) state.target = targets.find((symbol) => holds(page.paths[symbol], station)) ?? state.target;
  state.target ??= targets.findLast((symbol) => symbol.startsWith("W")) ?? targets[0];
  const choice = element("select", { "aria-label": "The product of the path to", on: { change: (event) => ((state.target = event.target.value), drawPathPanel()) } }, ...targets.map((symbol) => element("option", { value: symbol, selected: symbol === state.target }, slopeOf(symbol))));
  const factors = drawPath(page.paths[state.target], (factor) => isHere(factor, station), (factor) => go(stationOf(factor)));
  const size = tensors.get(state.target).size;
  pathBox.classList.toggle("long", factors.length > 30);
  pathBox.replaceChildren(choice, element("span", { class: "times" }, "="), ...factors, element("span", { class: "times" }, `is 1×${size}`), element("span", { class: "per-image" }, "for each image"));
  pathBox.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/* The factor that a station is about: forward the layer's own, backward the one that is multiplied with there. */
function isHere({ of, by }, { symbol, row, reads }) {
  if (row === "forward") return of === symbol;
  if (symbol === `∂${of}/∂${by}`) return true;
  return row !== "extra" && symbol === slopeOf(by) && of !== "L" && (reads.includes(slopeOf(of)) || symbol === slopeOf(page.loss.logits));
}

/* Whether a path goes through what a station is about. */
const holds = (path, station) => path.some((part) => (part.fork ? part.fork.some((way) => holds(way, station)) : isHere(part, station)));

function stationOf({ of, by }) {
  const own = chain.findIndex(({ symbol }) => symbol === `∂${of}/∂${by}`);
  return own >= 0 ? own : chain.findIndex(({ symbol }) => symbol === slopeOf(by));
}

function chooseImage(value) {
  state.summed = value > page.shown;
  if (!state.summed) state.image = value - 1;
  state.pinned = null;
  redraw();
}

function chooseChannel(symbol, index) {
  state.channels[symbol] = index;
  redraw();
}

function chooseOptimizer(index) {
  state.optimizer = index;
  redraw();
}

/* A filled-in number: right or wrong at once, with the products that would have given it. */
function answerNumber(number, text, input) {
  const tensor = tensors.get(number.symbol);
  const right = isRight(text, valueAt(number), tensor.digits);
  quiz.answers.set(key(number), right);
  state.pinned = number;
  redraw();
  const td = cells.get(key(number));
  td.classList.add(right ? "right" : "mistaken");
  explanationBox.prepend(element("p", { class: right ? "verdict right" : "verdict mistaken", role: "status" }, right ? "Right." : `${input.value} is not right.`));
}

/* One number of each matrix can be reached with Tab; the arrow keys move from it. */
function roving() {
  for (const table of mainBox.querySelectorAll("table.matrix")) table.querySelector("td[tabindex]")?.setAttribute("tabindex", "0");
}

function moveCell(td, { key: pressed }) {
  const row = td.parentElement;
  const rows = [...row.parentElement.children];
  const [r, c] = [rows.indexOf(row), [...row.children].indexOf(td)];
  const next = { ArrowLeft: row.children[c - 1], ArrowRight: row.children[c + 1], ArrowUp: rows[r - 1]?.children[c], ArrowDown: rows[r + 1]?.children[c] }[pressed];
  if (!next?.number) return;
  td.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function moveMap(box, { key: pressed }) {
  const { plane } = box.map;
  const [r, c] = box.map.cursor || [0, 0];
  const [down, right] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[pressed];
  if (!numberOf(plane, r + down, c + right)) return;
  box.map.cursor = [r + down, c + right];
  show(numberOf(plane, ...box.map.cursor));
}

function show(number) {
  if (number && isHidden(number)) number = null;
  if (!number) lightUp([]);
  drawExplanation(explanationBox, number || state.pinned);
  keepHeight();
}

/* The box stays as high as it was at this station: it must not move what the pointer is on. */
function keepHeight() {
  const before = parseFloat(explanationBox.style.minHeight) || 0;
  explanationBox.style.minHeight = `${Math.max(before, explanationBox.offsetHeight)}px`;
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("input, select")) return;
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (event.key.startsWith("Arrow") && event.target.number) moveCell(event.target, event);
  else if (event.key.startsWith("Arrow") && event.target.map) moveMap(event.target, event);
  else if (event.key === "Escape") event.target.blur();
  else if (event.key in steps) go(state.station + steps[event.key]);
  else if (event.key === "Home" || event.key === "End") go(event.key === "Home" ? 0 : chain.length - 1);
  else if (["ArrowUp", "ArrowDown"].includes(event.key) && !document.documentElement.matches(":focus-within")) return;
  else return;
  event.preventDefault();
}

function listen() {
  document.addEventListener("keydown", onKey);
  mainBox.addEventListener("mouseover", (event) => show(numberAt(event)));
  mainBox.addEventListener("mousemove", (event) => event.target.closest(".map") && show(numberAt(event)));
  mainBox.addEventListener("mouseleave", () => show(null));
  mainBox.addEventListener("focusin", (event) => event.target.number && show(event.target.number));
  mainBox.addEventListener("click", (event) => {
    const number = numberAt(event);
    if (!number || isHidden(number)) return;
    state.pinned = state.pinned && key(state.pinned) === key(number) ? null : number;
    show(number);
  });
  slider.addEventListener("input", () => chooseImage(Number(slider.value)));
  document.getElementById("back").addEventListener("click", () => go(state.station - 1));
  document.getElementById("next").addEventListener("click", () => go(state.station + 1));
  document.getElementById("theme").addEventListener("click", switchTheme);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => maps.forEach(paint));
  window.addEventListener("hashchange", () => go(fromHash()));
  window.addEventListener("beforeprint", printAll);
  window.addEventListener("afterprint", () => document.getElementById("printed").replaceChildren());
}

function switchTheme() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  maps.forEach(paint);
}

/* On paper a small network has all its stations, one below the other; a large one the station on the screen. */
function printAll() {
  if (!page.small) return;
  const [here, box] = [state.station, document.getElementById("printed")];
  for (let index = 0; index < chain.length; index++) {
    state.station = index;
    const section = element("section");
    drawStation(section);
    hideNumbers(() => {});
    box.append(section);
  }
  state.station = here;
  drawStation(mainBox);
  hideNumbers(answerNumber);
}

const fromHash = () => Math.max(0, chain.findIndex(({ symbol }) => symbol === decodeURIComponent(location.hash.slice(1))));

chooseHidden();
slider.max = page.shown + 1;
drawChain(chainList, go);
listen();
drawBug(bugBox, redraw);
go(fromHash());

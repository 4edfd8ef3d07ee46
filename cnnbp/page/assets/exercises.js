/* A bug to find, and numbers to fill in. */

const wrongAt = ({ symbol }) => symbol.startsWith("wrong ");
const answer = () => new TextDecoder().decode(Uint8Array.from(atob(page.bug.answer), (c) => c.charCodeAt(0))).split("\n");
let revealed = Boolean(page.bug && !page.bug.hidden);
if (page.bug && !revealed) swapWrong();

/* Whether a number's products may come to something else than the number. */
const verdictful = (number) => Boolean(page.bug) && (!revealed || wrongAt(number));

/* While the reader looks for the bug, all gradients are those that were computed with it. */
function swapWrong() {
  for (const symbol of [...tensors.keys()].filter((name) => name.startsWith("wrong "))) {
    const right = symbol.slice(6);
    const [a, b] = [tensors.get(symbol), tensors.get(right)];
    tensors.set(right, Object.assign(a, { symbol: right }));
    tensors.set(symbol, Object.assign(b, { symbol }));
  }
}

/* Of a station with the bug: its numbers, the right ones beside them unless the reader is still looking for it. */
function drawWrong(station) {
  const wrong = `wrong ${station.symbol}`;
  const right = drawTensor(station.symbol, options(station.symbol, { role: "result" }));
  if (!revealed) return [right];
  const shown = drawTensor(wrong, options(station.symbol, { role: "result", title: station.symbol }));
  shown.querySelector("figcaption").append(element("strong", { class: "with-bug" }, " with the bug"));
  right.querySelector("figcaption").append(element("strong", {}, " right"));
  markDifferences(wrong, station.symbol);
  const count = differing(station.symbol).length;
  const size = tensors.get(wrong).data.length;
  return [right, shown, element("p", { class: "summary" }, count ? `${count} of ${size} numbers differ` : "the bug changes nothing here")];
}

function markDifferences(wrong, symbol) {
  const [a, b] = [tensors.get(wrong), tensors.get(symbol)];
  for (const td of cells.values()) {
    if (td.number.symbol === wrong && differ(a.at(td.number.place, td.number.m), b.at(td.number.place, td.number.m), b.largest)) {
      td.classList.add("differs");
      td.append(element("span", { class: "spoken" }, ", wrong"));
    }
  }
}

const differ = (a, b, largest) => Math.abs(a - b) > 1e-6 * Math.max(largest, 1e-300) || Number.isNaN(a) !== Number.isNaN(b);

function differing(symbol) {
  const [a, b] = [tensors.get(`wrong ${symbol}`), tensors.get(symbol)];
  if (!a?.data || !b?.data) return [];
  return range(a.data.length).filter((index) => differ(a.data[index], b.data[index], b.largest));
}

/* The panel of the bug: its story, or the question which one it is. */
function drawBug(box, redraw) {
  if (!page.bug) return;
  if (revealed) {
    const [spelling, story] = answer();
    box.replaceChildren(element("h2", {}, "The bug: ", element("code", {}, spelling)), element("p", {}, story));
    markStations();
    return;
  }
  const select = element("select", { id: "suspect", "aria-label": "Layer and mistake" }, ...page.bug.candidates.map(({ layer, bugs }) => element("optgroup", { label: layer }, ...bugs.map(({ bug, story }) => element("option", { value: `${layer}:${bug}` }, `${layer}:${bug}, ${story}`)))));
  const verdict = element("output", { for: "suspect" });
  const guess = () => {
    const right = select.value === answer()[0];
    verdict.textContent = right ? "Right." : select.value.split(":")[0] === answer()[0].split(":")[0] ? "The layer is right, the mistake is another one." : "No: look where the numbers stop following from what comes in.";
    if (right) reveal(box, redraw);
  };
  const buttons = [element("button", { type: "button", on: { click: guess } }, "Is it this one?"), element("button", { type: "button", class: "quiet", on: { click: () => reveal(box, redraw) } }, "Tell me")];
  box.replaceChildren(element("h2", {}, "One layer's backward pass has a bug. Which?"), element("p", { class: "note" }, "Every number of the backward pass on this page is computed with it. Point at one: the products say what it should be."), element("p", { class: "choices" }, select, ...buttons, verdict));
}

function reveal(box, redraw) {
  revealed = true;
  swapWrong();
  drawBug(box, redraw);
  redraw();
}

/* Mark in the chain where the bug shows. */
function markStations() {
  for (const button of document.querySelectorAll("[data-station]")) {
    if (!differing(button.dataset.station).length) continue;
    button.classList.add("wrong");
    button.append(element("span", { class: "spoken" }, ", differs"));
  }
}

/* The quiz: in every station two numbers of the first image are to be filled in. */
const quiz = { answers: new Map(), hidden: new Set() };

function chooseHidden() {
  if (!page.quiz) return;
  const random = generator(page.seed);
  for (const { symbol, row } of page.stations) {
    const tensor = tensors.get(symbol);
    if (symbol === "X" || !tensor.data || tensor.size > MOST_NUMBERS) continue;
    const stack = row === "parameter" ? tensors.get(`${symbol} by image`) : null;
    for (const one of [tensor, ...(stack?.data ? [stack] : [])]) {
      for (const offset of drawn(one, 0, random)) quiz.hidden.add(key({ symbol: one.symbol, place: one.place(offset), m: 0 }));
    }
  }
}

/* Numbers that are not 0, where there are some: those teach more. */
function drawn(tensor, m, random) {
  const offsets = range(tensor.size).map((offset) => [tensor.at(tensor.place(offset), m) !== 0, random(), offset]);
  offsets.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  return offsets.slice(0, Math.min(2, Math.ceil(tensor.size / 2))).map(([, , offset]) => offset);
}

/* Numbers in [0, 1) from a seed (mulberry32, in the public domain). */
function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const isHidden = (number) => quiz.hidden.has(key(number)) && !quiz.answers.has(key(number));

const isToFillIn = () => [...cells.values()].some((td) => td.querySelector("input"));

/* Put an entry field in the place of each hidden number of the result; elsewhere it is a question mark. */
function hideNumbers(tell) {
  for (const td of cells.values()) {
    if (!isHidden(td.number)) continue;
    td.classList.add("hidden-number");
    td.style.setProperty("--strength", "0");
    if (!td.closest("figure").matches(".result, .slice")) td.replaceChildren("?");
    else td.replaceChildren(entry(td, tell));
  }
}

function entry(td, tell) {
  const { symbol, place, m } = td.number;
  const label = `${symbol.replace(" by image", "")}[${place.join(", ")}]${tensors.get(symbol).batched ? `, image ${m + 1}` : ""}`;
  const input = element("input", { type: "text", inputmode: "text", size: 5, "aria-label": label, autocomplete: "off", "data-key": key(td.number) });
  input.addEventListener("change", () => input.value.trim() && tell(td.number, input.value, input));
  return input;
}

/* Right is what rounds to the shown digits, or is off by at most one in the last of three. */
function isRight(text, value, digits) {
  const given = Number(text.trim().replaceAll("−", "-").replace(",", "."));
  if (Number.isNaN(given)) return false;
  const rounding = digits < 0 ? 0.01 * Math.abs(value) : 1.01 * 10 ** -digits;
  return Math.abs(given - value) <= Math.max(rounding, 0.005 * Math.abs(value));
}

function score() {
  const given = [...quiz.answers.values()];
  return `${given.filter(Boolean).length} right of ${given.length} answered; ${quiz.hidden.size} to fill in`;
}

/* Formulas as on a blackboard: ∂L/∂W1 as a fraction, W1 with its index below, the 1/M marked where it enters. */

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const SYMBOL = "[A-Za-zγβμσθ]²?\\d*′*(?![A-Za-z²])";
const TOKEN = new RegExp(`∂(${SYMBOL})/∂(${SYMBOL})|(?<![A-Za-z])(${SYMBOL})|(/M\\b|1/M)|(ᵀ)`, "gu");

/* Return the nodes of a formula. Read aloud it is the text that it was. */
function typeset(text, { share = false } = {}) {
  const shown = element("span", { "aria-hidden": "true" });
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    shown.append(text.slice(end, match.index), token(match, share));
    end = match.index + match[0].length;
  }
  shown.append(text.slice(end));
  return element("span", { class: "math" }, shown, element("span", { class: "spoken" }, text));
}

function token([text, of, by, symbol, , transposed], share) {
  if (of) return fraction(of, by);
  if (symbol) return indexed(symbol);
  if (transposed) return element("sup", {}, "T");
  return share ? element("mark", { class: "share" }, text) : document.createTextNode(text);
}

function fraction(of, by) {
  const over = element("span", {}, "∂", indexed(of));
  return element("span", { class: "fraction" }, over, element("span", {}, "∂", indexed(by)));
}

function indexed(symbol) {
  const [, letter, index, primes] = symbol.match(/^(\D²?)(\d*)(′*)$/u) || [null, symbol, "", ""];
  return element("i", {}, letter, primes, ...(index ? [element("sub", {}, index)] : []));
}

/* The product of the path: a factor for each step from L, with its shape; what is on screen is marked. */
function drawPath(path, here, onChoose) {
  return path.flatMap((part, index) => [...(index ? [element("span", { class: "times" }, "·")] : []), pathPart(part, here, onChoose)]);
}

function pathPart(part, here, onChoose) {
  if (!part.fork) return factorButton(part, here, onChoose);
  const ways = part.fork.flatMap((way, index) => [...(index ? [element("span", { class: "times" }, "+")] : []), ...drawPath(way, here, onChoose)]);
  return element("span", { class: "fork" }, element("span", { class: "bracket" }, "("), ...ways, element("span", { class: "bracket" }, ")"));
}

function factorButton(factor, here, onChoose) {
  const name = `∂${factor.of}/∂${factor.by}`;
  const marked = here(factor);
  const label = `${name}, ${factor.rows} by ${factor.columns}`;
  const attributes = { type: "button", class: "factor", "data-factor": name, "aria-label": label, "aria-current": marked ? "true" : null, on: { click: () => onChoose(factor) } };
  return element("button", attributes, fraction(factor.of, factor.by), element("small", {}, `${factor.rows}×${factor.columns}`));
}

/* Where a number comes from, written out. */

const MOST_TERMS = 24; // products that are written out; what is left is one more, with its sum

function drawExplanation(box, number) {
  box.hidden = !number && !cells.size && !maps.length; // there is nothing to point at
  if (!number) return box.replaceChildren(element("p", { class: "hint" }, hint()));
  const { symbol, place, m } = number;
  const name = `${symbol.replace(/^wrong | by image$/, "")}[${place.join(", ")}]`;
  const image = tensors.get(symbol)?.batched ? `, image ${m + 1}` : "";
  const heading = element("h3", {}, typeset(name), image);
  const found = derived(number);
  if (!found) return box.replaceChildren(heading, element("p", {}, uses(number) || `= ${short(valueAt(number))}`));
  lightUp([...found.lights, ...found.groups.flatMap(litOf)], [number, ...(found.chosen ? [found.chosen] : [])]);
  box.replaceChildren(heading, ...(found.text ? [element("p", {}, "= ", typeset(found.text))] : []), ...found.groups.map((group) => drawGroup(group, found)), ...drawEnd(found, number));
}

function hint() {
  const fill = isToFillIn() ? "Fill in an empty box, then Enter: right or wrong is told at once. " : "";
  return `${fill}Point at a number of the result, or move to it with Tab and the arrow keys: its products are written out here. A click keeps them.`;
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
  if (!page.small || !result?.data || !page.stations.includes(station) || number.symbol === station.symbol) return "";
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

/* Where a number comes from: the products that it is the sum of.

   A factor is { symbol, place, m, value }. A term is a list of factors, and stands for their product; a group is the
   terms of one image. An explanation has groups, or a sentence, or both, what else to light up, and `computed`: the
   number anew, from the numbers that it is explained with. `computed` is null where not all of them are on the page. */

/* Batch norm's statistics: of a whole channel. */
function explainStatistic(node, name, [c]) {
  const lights = [];
  for (let m = 0; m < page.shown; m++) {
    const of = name === "mean" || name === "variance" ? [node.inputs[0]] : name === "dmean" ? [slopeOf(node.y)] : [slopeOf(node.y), node.inputs[0]];
    for (const place of channel(node, c)) lights.push(...of.map((symbol) => at(symbol, place, m)));
  }
  const texts = { mean: "the mean", variance: "the mean squared distance from μ", dmean: "the mean of what comes back", dproduct: "the mean of what comes back, times x̂" };
  return { lights, text: `${texts[name]}, over all places and images of channel ${c}`, computed: null };
}

/* Explain the number of a tensor at a place; m is the image, or null for the sum over the batch. */
function explain(symbol, place, m) {
  const found = derivation(symbol, place, m);
  if (!found) return null;
  const groups = found.groups || [];
  const total = groups.reduce((value, group) => value + sum(group.terms), 0) / (found.divisor || 1);
  return { lights: [], text: "", ...found, groups, computed: "computed" in found ? found.computed : total };
}

function derivation(symbol, place, m) {
  try {
    if (nodeOf.has(symbol)) return forwardOf(nodeOf.get(symbol), place, m);
    if (symbol === page.loss.activation) return explainActivation(place, m);
    if (symbol === "L") return explainLoss(m);
    const statistic = page.nodes.flatMap((node) => Object.entries(node.statistics || {}).map(([name, of]) => [of, node, name])).find(([of]) => of === symbol);
    if (statistic) return explainStatistic(statistic[1], statistic[2], place);
    const by = symbol.startsWith("∂L/∂") ? symbol.slice(4) : null;
    if (by && ownerOf.has(by)) return parameterOf(ownerOf.get(by), symbol, place, m);
    if (by && readersOf(by).length) return backwardOf(by, place, m);
    return by === null && !symbol.startsWith("∂") ? null : explainStart(symbol, place, m);
  } catch (error) {
    if (error instanceof TypeError) return null; // a tensor whose numbers the page had to leave out
    throw error;
  }
}

function forwardOf(node, place, m) {
  const own = functions[node.type];
  if (!own) return forward[node.type] ? forward[node.type](node, place, m) : null;
  const x = at(node.inputs[0], place, m);
  const value = own.f(x.value, node.options);
  const text = node.type === "relu" ? `max(${short(x.value)}, 0)` : `${node.type}(${short(x.value)})`;
  return { lights: [x], text, computed: value };
}

function backwardOf(by, place, m) {
  const parts = readersOf(by).flatMap((node) => (node.inputs[0] === node.inputs[1] ? [node, node] : [node]));
  const found = parts.map((node) => {
    const own = functions[node.type];
    if (!own) return backward[node.type] ? backward[node.type](node, place, m) : null;
    const x = at(by, place, m);
    const slope = { ...x, value: own.slope(x.value, node.options), as: `${node.type}′(${short(x.value)}) = ${short(own.slope(x.value, node.options))}` };
    return { groups: [{ terms: [[at(slopeOf(node.y), place, m), slope]] }] };
  });
  if (found.some((part) => part === null)) return null;
  if (found.length === 1) return found[0];
  return {
    groups: found.flatMap((part, index) => (part.groups || []).map((group) => ({ ...group, label: `from ${parts[index].name}` }))),
    lights: found.flatMap((part) => part.lights || []),
    text: found.map((part) => part.text).filter(Boolean).join("; "),
    computed: found.reduce((total, part) => total + ("computed" in part ? part.computed : (part.groups || []).reduce((value, group) => value + sum(group.terms), 0) / (part.divisor || 1)), 0),
  };
}

function parameterOf({ node, name }, symbol, place, m) {
  const terms = parameter[`${node.type} ${name}`];
  if (!terms) return null;
  const images = m === null ? Array.from({ length: page.shown }, (_, index) => index) : [m];
  const groups = images.map((image) => ({ label: `m=${image + 1}`, m: image, terms: terms(node, place, image) }));
  const complete = m !== null || page.shown === page.loss.images;
  return complete ? { groups } : { groups, rest: page.loss.images - page.shown, computed: null };
}

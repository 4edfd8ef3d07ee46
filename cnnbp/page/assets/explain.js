/* Where a number comes from: the products that it is the sum of.

   A factor is { symbol, place, m, value }. A term is a list of factors, and stands for their product; a group is the
   terms of one image. An explanation has groups, or a sentence, or both, what else to light up, and `computed`: the
   number anew, from the numbers that it is explained with. `computed` is null where not all of them are on the page. */

const at = (symbol, place, m, as) => ({ symbol, place, m, value: tensors.get(symbol).at(place, m), as });
const product = (term) => term.reduce((value, factor) => value * factor.value, 1);
const sum = (terms) => terms.reduce((value, term) => value + product(term), 0);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const root = Math.sqrt(2 / Math.PI);

/* Activations: f, and its slope at x where y = f(x). */
const functions = {
  relu: { f: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0) },
  leaky_relu: { f: (x, o) => (x > 0 ? x : o.slope * x), slope: (x, o) => (x > 0 ? 1 : o.slope) },
  elu: { f: (x, o) => (x > 0 ? x : o.alpha * Math.expm1(x)), slope: (x, o) => (x > 0 ? 1 : o.alpha * Math.exp(x)) },
  sigmoid: { f: sigmoid, slope: (x) => sigmoid(x) * (1 - sigmoid(x)) },
  tanh: { f: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  silu: { f: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))) },
  gelu: {
    f: (x) => x * sigmoid(2 * root * (x + 0.044715 * x ** 3)),
    slope(x) {
      const s = sigmoid(2 * root * (x + 0.044715 * x ** 3));
      return s + x * 2 * root * s * (1 - s) * (1 + 3 * 0.044715 * x * x);
    },
  },
  dropout: { f: (x) => x, slope: () => 1 },
};

/* The places of a window over (H, W) that lie inside: [i, j, h, w]. */
function* inside({ kernel, stride, pad, dilation }, oh, ow, [, H, W]) {
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const h = oh * stride[0] + i * dilation[0] - pad[0][0];
      const w = ow * stride[1] + j * dilation[1] - pad[1][0];
      if (h >= 0 && w >= 0 && h < H && w < W) yield [i, j, h, w];
    }
  }
}

/* The windows that see (h, w): [i, j, oh, ow]. */
function* windowsOver({ kernel, stride, pad, dilation }, h, w, [, OH, OW]) {
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const oh = (h + pad[0][0] - i * dilation[0]) / stride[0];
      const ow = (w + pad[1][0] - j * dilation[1]) / stride[1];
      if (Number.isInteger(oh) && Number.isInteger(ow) && oh >= 0 && ow >= 0 && oh < OH && ow < OW) yield [i, j, oh, ow];
    }
  }
}

/* What a filter f sees: its first channel, and how many filters share it. */
function grouped(node, x) {
  const W = tensors.get(node.parameters.W);
  const perGroup = W.shape[1];
  const filters = (W.shape[0] * perGroup) / x.shape[0];
  return { perGroup, filters, first: (f) => Math.floor(f / filters) * perGroup };
}

/* The first largest number of a window, in reading order: [h, w]. */
function winner(node, [c, oh, ow], m) {
  const x = tensors.get(node.inputs[0]);
  let best = null;
  for (const [, , h, w] of inside(node.window, oh, ow, x.shape)) {
    if (best === null || x.at([c, h, w], m) > x.at([c, ...best], m)) best = [h, w];
  }
  return best;
}

/* Forward: y at a place of image m. */
const forward = {
  conv2d(node, [f, oh, ow], m) {
    const { W, b } = node.parameters;
    const [input] = node.inputs;
    const x = tensors.get(input);
    const { perGroup, first } = grouped(node, x);
    const terms = [];
    for (let c = 0; c < perGroup; c++) {
      for (const [i, j, h, w] of inside(node.window, oh, ow, x.shape)) {
        terms.push([at(input, [first(f) + c, h, w], m), at(W, [f, c, i, j])]);
      }
    }
    if (b) terms.push([at(b, [f])]);
    return { groups: [{ terms, columns: node.window.kernel[1] }] };
  },
  dense(node, [u], m) {
    const { W, b } = node.parameters;
    const [input] = node.inputs;
    const terms = Array.from({ length: tensors.get(input).size }, (_, k) => [at(W, [u, k]), at(input, [k], m)]);
    if (b) terms.push([at(b, [u])]);
    return { groups: [{ terms }] };
  },
  maxpool2d(node, place, m) {
    const [input] = node.inputs;
    const best = winner(node, place, m);
    const lights = [...inside(node.window, place[1], place[2], tensors.get(input).shape)].map(([, , h, w]) => at(input, [place[0], h, w], m));
    const chosen = at(input, [place[0], ...best], m);
    const numbers = lights.map(({ value }) => short(value)).join(", ");
    return { lights, chosen, text: `the largest of ${numbers}`, computed: chosen.value };
  },
  avgpool2d(node, [c, oh, ow], m) {
    const [input] = node.inputs;
    const terms = [...inside(node.window, oh, ow, tensors.get(input).shape)].map(([, , h, w]) => [at(input, [c, h, w], m)]);
    return { groups: [{ terms }], divisor: averaged(node, oh, ow) };
  },
  global_avgpool2d(node, [c], m) {
    const [input] = node.inputs;
    const [, H, W] = tensors.get(input).shape;
    const terms = Array.from({ length: H * W }, (_, k) => [at(input, [c, Math.floor(k / W), k % W], m)]);
    return { groups: [{ terms }], divisor: H * W };
  },
  batchnorm(node, place, m) {
    const { x, xhat, spread, mean } = normalised(node, place, m);
    const [gamma, beta] = [at(node.parameters.gamma, [place[0]]), at(node.parameters.beta, [place[0]])];
    return {
      lights: [x, gamma, beta, mean, spread],
      text: `x̂ = (${short(x.value)} − ${short(mean.value)})/√(${short(spread.value)} + ε) = ${short(xhat)}, then ${short(gamma.value)}·x̂ + ${short(beta.value)}`,
      computed: gamma.value * xhat + beta.value,
    };
  },
  flatten(node, [k], m) {
    const [input] = node.inputs;
    return { groups: [{ terms: [[at(input, tensors.get(input).place(k), m)]] }] };
  },
  add: (node, place, m) => ({ groups: [{ terms: node.inputs.map((input) => [at(input, place, m)]) }] }),
};

/* Backward: what comes back to input `input` of a node at a place of image m, given ∂L/∂y. */
const backward = {
  conv2d(node, [c, h, w], m) {
    const { W } = node.parameters;
    const dy = slopeOf(node.y);
    const y = tensors.get(node.y);
    const { perGroup, filters } = grouped(node, tensors.get(node.inputs[0]));
    const group = Math.floor(c / perGroup);
    const terms = [];
    for (let f = group * filters; f < (group + 1) * filters; f++) {
      for (const [i, j, oh, ow] of windowsOver(node.window, h, w, y.shape)) {
        terms.push([at(dy, [f, oh, ow], m), at(W, [f, c % perGroup, i, j])]);
      }
    }
    return { groups: [{ terms }] };
  },
  dense(node, [k], m) {
    const length = tensors.get(node.y).size;
    const terms = Array.from({ length }, (_, u) => [at(node.parameters.W, [u, k]), at(slopeOf(node.y), [u], m)]);
    return { groups: [{ terms }] };
  },
  maxpool2d(node, [c, h, w], m) {
    const over = [...windowsOver(node.window, h, w, tensors.get(node.y).shape)];
    const won = over.filter(([, , oh, ow]) => winner(node, [c, oh, ow], m).join() === [h, w].join());
    const lights = [at(node.inputs[0], [c, h, w], m), ...over.map(([, , oh, ow]) => at(slopeOf(node.y), [c, oh, ow], m))];
    const text = won.length ? "the largest of its window: it gets the window's gradient" : over.length ? "not the largest of its window: it gets 0" : "no window sees it";
    return { groups: won.length ? [{ terms: won.map(([, , oh, ow]) => [at(slopeOf(node.y), [c, oh, ow], m)]) }] : [], lights, text };
  },
  avgpool2d(node, [c, h, w], m) {
    const over = [...windowsOver(node.window, h, w, tensors.get(node.y).shape)];
    const share = (oh, ow) => ({ value: 1 / averaged(node, oh, ow), as: `1/${averaged(node, oh, ow)}` });
    return { groups: [{ terms: over.map(([, , oh, ow]) => [at(slopeOf(node.y), [c, oh, ow], m), share(oh, ow)]) }] };
  },
  global_avgpool2d(node, [c], m) {
    const [, H, W] = tensors.get(node.inputs[0]).shape;
    return { groups: [{ terms: [[at(slopeOf(node.y), [c, 0, 0], m)]] }], divisor: H * W };
  },
  batchnorm(node, place, m) {
    const { x, xhat, spread, inverse } = normalised(node, place, m);
    const gamma = at(node.parameters.gamma, [place[0]]);
    const dy = at(slopeOf(node.y), place, m);
    const [dmean, dproduct] = ["dmean", "dproduct"].map((name) => at(node.statistics[name], [place[0]]));
    return {
      lights: [dy, x, gamma, spread, dmean, dproduct],
      text: `${short(gamma.value)}/√(${short(spread.value)} + ε) · (${short(dy.value)} − ${bracketed(dmean.value)} − ${bracketed(xhat)}·${bracketed(dproduct.value)})`,
      computed: gamma.value * inverse * (dy.value - dmean.value - xhat * dproduct.value),
    };
  },
  flatten(node, place, m) {
    return { groups: [{ terms: [[at(slopeOf(node.y), [tensors.get(node.inputs[0]).offset(place)], m)]] }] };
  },
  add: (node, place, m) => ({ groups: [{ terms: [[at(slopeOf(node.y), place, m)]] }] }),
};

/* The share of image m of a parameter's gradient at a place. */
const parameter = {
  "conv2d W"(node, [f, c, i, j], m) {
    const [input] = node.inputs;
    const x = tensors.get(input);
    const { first } = grouped(node, x);
    const terms = [];
    for (const [oh, ow] of places(tensors.get(node.y).shape)) {
      for (const [i2, j2, h, w] of inside(node.window, oh, ow, x.shape)) {
        if (i2 === i && j2 === j) terms.push([at(input, [first(f) + c, h, w], m), at(slopeOf(node.y), [f, oh, ow], m)]);
      }
    }
    return terms;
  },
  "conv2d b": (node, [f], m) => [...places(tensors.get(node.y).shape)].map(([oh, ow]) => [at(slopeOf(node.y), [f, oh, ow], m)]),
  "dense W": (node, [u, k], m) => [[at(slopeOf(node.y), [u], m), at(node.inputs[0], [k], m)]],
  "dense b": (node, [u], m) => [[at(slopeOf(node.y), [u], m)]],
  "batchnorm gamma": (node, [c], m) =>
    channel(node, c).map((place) => {
      const { x, xhat } = normalised(node, place, m);
      return [at(slopeOf(node.y), place, m), { ...x, value: xhat, as: `x̂ ${short(xhat)}` }];
    }),
  "batchnorm beta": (node, [c], m) => channel(node, c).map((place) => [at(slopeOf(node.y), place, m)]),
};

function* places([, H, W]) {
  for (let h = 0; h < H; h++) for (let w = 0; w < W; w++) yield [h, w];
}

/* All places of a channel of what a node reads: maps or single numbers. */
function channel(node, c) {
  const { shape } = tensors.get(node.inputs[0]);
  return shape.length === 1 ? [[c]] : [...places(shape)].map(([h, w]) => [c, h, w]);
}

function averaged(node, oh, ow) {
  const { kernel } = node.window;
  if (node.options.count_include_pad) return kernel[0] * kernel[1];
  return [...inside(node.window, oh, ow, tensors.get(node.inputs[0]).shape)].length;
}

function normalised(node, place, m) {
  const x = at(node.inputs[0], place, m);
  const mean = at(node.statistics.mean, [place[0]]);
  const spread = at(node.statistics.variance, [place[0]]);
  const inverse = 1 / Math.sqrt(spread.value + node.options.eps);
  return { x, mean, spread, inverse, xhat: (x.value - mean.value) * inverse };
}

const bracketed = (value) => (value < 0 ? `(${short(value)})` : short(value));

/* The loss, and where the chain rule starts. */
const weight = (m) => (page.loss.weights ? page.loss.weights[m] : 1);
const outputs = (symbol, m) => Array.from({ length: tensors.get(symbol).size }, (_, k) => at(symbol, [k], m));
const weighed = (m) => (weight(m) === 1 ? "" : ` · ${short(weight(m))}, the weight of its class`);

function explainActivation([k], m) {
  const z = outputs(page.loss.logits, m);
  if (page.loss.type === "binary_cross_entropy") {
    return { lights: z, text: `1/(1 + exp(−${bracketed(z[0].value)}))`, computed: sigmoid(z[0].value) };
  }
  const top = Math.max(...z.map(({ value }) => value));
  const total = z.reduce((all, { value }) => all + Math.exp(value - top), 0);
  return {
    lights: z,
    chosen: z[k],
    text: `exp(${short(z[k].value)})/Σ exp(${page.loss.logits}), the sum over the ${z.length} classes`,
    computed: Math.exp(z[k].value - top) / total,
  };
}

function explainLoss(m) {
  const compared = page.loss.activation || page.loss.logits;
  const [a, y] = [outputs(compared, m), outputs("Y", m)];
  const lights = [...a, ...y];
  if (page.loss.type === "binary_cross_entropy") {
    const [A, Y] = [a[0].value, y[0].value];
    const text = `−[${short(Y)}·log ${short(A)} + ${short(1 - Y)}·log ${short(1 - A)}]${weighed(m)}`;
    return { lights, text, computed: -weight(m) * ((Y && Y * Math.log(A)) + (1 - Y && (1 - Y) * Math.log(1 - A))) };
  }
  if (page.loss.type === "cross_entropy") {
    const counted = a.map((factor, k) => [factor.value, y[k].value]).filter(([, Y]) => Y);
    const text = counted.length > 3 ? `−Σ Y log ${compared}` : counted.map(([A, Y]) => `−${short(Y)}·log ${short(A)}`).join(" ");
    return { lights, text: text + weighed(m), computed: -weight(m) * counted.reduce((all, [A, Y]) => all + Y * Math.log(A), 0) };
  }
  const squares = a.map((factor, k) => (factor.value - y[k].value) ** 2);
  return { lights, text: `1/${a.length} Σ (${compared} − Y)²${weighed(m)}`, computed: (weight(m) * squares.reduce((p, q) => p + q, 0)) / a.length };
}

function explainStart(symbol, [k], m) {
  const { type, activation, logits, images } = page.loss;
  const y = at("Y", [k], m);
  const share = weight(m) / images;
  if (!activation) {
    const z = at(logits, [k], m);
    const classes = tensors.get(logits).size;
    return { lights: [z, y], text: `2(${short(z.value)} − ${short(y.value)})/(${images}·${classes})${weighed(m)}`, computed: (2 * (z.value - y.value) * share) / classes };
  }
  const a = at(activation, [k], m);
  const [A, Y] = [a.value, y.value];
  if (symbol === slopeOf(activation)) {
    if (type === "cross_entropy") return { lights: [a, y], text: `−${short(Y)}/${short(A)}/${images}${weighed(m)}`, computed: Y ? (-Y / A) * share : 0 };
    return { lights: [a, y], text: `(${short(A)} − ${short(Y)})/(${short(A)}·${short(1 - A)})/${images}${weighed(m)}`, computed: ((A - Y) / (A * (1 - A))) * share };
  }
  if (symbol === `∂${activation}/∂${logits}`) return { lights: [a], text: `${short(A)}·(1 − ${short(A)})`, computed: A * (1 - A) };
  const sides = type === "cross_entropy" ? outputs(activation, m).concat(outputs(slopeOf(activation), m)) : [at(slopeOf(activation), [k], m), at(`∂${activation}/∂${logits}`, [k], m)];
  const sumOfTargets = outputs("Y", m).reduce((all, { value }) => all + value, 0);
  const total = type === "cross_entropy" ? sumOfTargets : 1;
  return { lights: sides, text: `(${short(A)} − ${short(Y)})/${images}${weighed(m)}`, computed: (A * total - Y) * share };
}

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

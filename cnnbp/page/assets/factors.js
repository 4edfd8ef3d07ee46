/* What explanations are made of: factors and their products, the windows of a layer, batch norm's x̂. */

const at = (symbol, place, m, as) => ({ symbol, place, m, value: tensors.get(symbol).at(place, m), as });
const product = (term) => term.reduce((value, factor) => value * factor.value, 1);
const sum = (terms) => terms.reduce((value, term) => value + product(term), 0);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const bracketed = (value) => (value < 0 ? `(${short(value)})` : short(value));

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

/* Group norm in image m: the places of the group that channel c is in, their mean and variance, and x̂ at a place. */
function grouping(node, c, m) {
  const [input] = node.inputs;
  const size = tensors.get(input).shape[0] / node.options.groups;
  const first = Math.floor(c / size) * size;
  const group = Array.from({ length: size }, (_, k) => channel(node, first + k)).flat();
  const mean = average(group.map((place) => at(input, place, m).value));
  const variance = average(group.map((place) => (at(input, place, m).value - mean) ** 2));
  const inverse = 1 / Math.sqrt(variance + node.options.eps);
  return { group, mean, variance, inverse, xhat: (place) => (at(input, place, m).value - mean) * inverse };
}

const average = (values) => values.reduce((a, b) => a + b, 0) / values.length;

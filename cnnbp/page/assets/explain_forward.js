/* Where a layer's output comes from: an explanation, as explain.js says, of y at a place of image m. */

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
  groupnorm(node, place, m) {
    const { group, mean, variance, xhat } = grouping(node, place[0], m);
    const [gamma, beta] = [at(node.parameters.gamma, [place[0]]), at(node.parameters.beta, [place[0]])];
    const x = at(node.inputs[0], place, m);
    return {
      lights: [...group.map((each) => at(node.inputs[0], each, m)), gamma, beta],
      chosen: x,
      text: `x̂ = (${short(x.value)} − ${bracketed(mean)})/√(${short(variance)} + ε) = ${short(xhat(place))}, then ${short(gamma.value)}·x̂ + ${short(beta.value)}; mean and variance of the ${group.length} numbers of its group`,
      computed: gamma.value * xhat(place) + beta.value,
    };
  },
  flatten(node, [k], m) {
    const [input] = node.inputs;
    return { groups: [{ terms: [[at(input, tensors.get(input).place(k), m)]] }] };
  },
  add: (node, place, m) => ({ groups: [{ terms: node.inputs.map((input) => [at(input, place, m)]) }] }),
};

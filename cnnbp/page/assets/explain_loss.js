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

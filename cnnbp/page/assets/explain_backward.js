/* Where a gradient comes from: what comes back through a layer, and what each image adds to a parameter's gradient. */

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
  groupnorm(node, place, m) {
    const { group, inverse, xhat } = grouping(node, place[0], m);
    const scaled = (each) => at(node.parameters.gamma, [each[0]]).value * at(slopeOf(node.y), each, m).value;
    const [dmean, dproduct] = [average(group.map(scaled)), average(group.map((each) => scaled(each) * xhat(each)))];
    return {
      lights: group.map((each) => at(slopeOf(node.y), each, m)),
      text: `(γ·∂L/∂y − mean(γ·∂L/∂y) − x̂·mean(γ·∂L/∂y·x̂))/σ = ${short(inverse)} · (${short(scaled(place))} − ${bracketed(dmean)} − ${bracketed(xhat(place))}·${bracketed(dproduct)}); means over the ${group.length} numbers of its group`,
      computed: inverse * (scaled(place) - dmean - xhat(place) * dproduct),
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
  "groupnorm gamma"(node, [c], m) {
    const { xhat } = grouping(node, c, m);
    return channel(node, c).map((place) => {
      const value = xhat(place);
      return [at(slopeOf(node.y), place, m), { ...at(node.inputs[0], place, m), value, as: `x̂ ${short(value)}` }];
    });
  },
  "groupnorm beta": (node, [c], m) => channel(node, c).map((place) => [at(slopeOf(node.y), place, m)]),
  "batchnorm beta": (node, [c], m) => channel(node, c).map((place) => [at(slopeOf(node.y), place, m)]),
};

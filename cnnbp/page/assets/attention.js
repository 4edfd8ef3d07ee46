/* Which pixels move the loss, and which places speak for a class. */
function drawLook() {
  const { saliency, maps: cam, classes, over } = page.attention;
  const own = Math.max(0, classes.indexOf(page.images[state.image].label));
  const chosen = state.channels[cam] ?? own;
  const select = element("select", { "aria-label": "Class", on: { change: (event) => chooseChannel(cam, event.target.selectedIndex) } }, ...classes.map((label, index) => element("option", { selected: index === chosen }, page.classes[label])));
  const picture = (title, layer) => element("figure", { class: "tensor picture" }, element("figcaption", {}, ...title), overlaid(layer));
  return [
    element("h2", {}, "Where the network looks"),
    element("p", { class: "note" }, "Saliency is |∂L/∂X|: the pixels whose change would move the loss most. Grad-CAM weighs the maps of ", typeset(over), " by the mean slope of a class's logit, and keeps what speaks for it."),
    element("p", { class: "choices" }, element("label", {}, "class ", select)),
    element("div", { class: "equation" }, picture(["the image"], null), picture([typeset("|∂L/∂X|")], layerOf(saliency, 0)), picture([`Grad-CAM, ${page.classes[classes[chosen]]}`], layerOf(cam, chosen))),
  ];
}

function layerOf(symbol, plane) {
  const tensor = tensors.get(symbol);
  const [, rows, columns] = tensor.shape;
  const values = range(rows * columns).map((k) => tensor.at([plane, Math.floor(k / columns), k % columns], state.image));
  return { values, rows, columns, largest: Math.max(...values, 0) };
}

/* The image in grey, and a layer over it: the stronger, the more of it is seen. */
function overlaid(layer) {
  const image = element("canvas", { role: "img", "aria-label": "the image" });
  paintImage(image, state.image);
  const box = element("span", { class: "overlaid" }, image);
  if (!layer) return box;
  const smooth = layer.columns < image.width ? "layer-over smooth" : "layer-over";
  const canvas = element("canvas", { width: layer.columns, height: layer.rows, class: smooth, role: "img", "aria-label": layer.largest ? "where it is strong" : "0 everywhere" });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(layer.columns, layer.rows);
  const hue = colour("--positive");
  layer.values.forEach((value, k) => pixels.data.set([...hue, 230 * (layer.largest ? value / layer.largest : 0)], 4 * k));
  context.putImageData(pixels, 0, 0);
  box.append(canvas);
  return box;
}

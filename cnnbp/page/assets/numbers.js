"use strict";
/* The numbers of the page: tensors by their symbols, and how a number is written. */

const page = JSON.parse(document.getElementById("document").textContent);

/* A tensor (…, M). `data` is null where the page had to leave its numbers out. */
class Tensor {
  constructor(symbol, description) {
    const { data, ...known } = description;
    Object.assign(this, known, { symbol });
    this.images = this.batched ? page.shown : 1;
    this.encoded = data;
    this.digits = decimals(this);
  }

  /* Decoded when it is first asked for: a large page is there sooner. */
  get data() {
    if (this.decoded === undefined) this.decoded = this.encoded ? decode(this.encoded) : null;
    return this.decoded;
  }

  at(place, m) {
    return this.data[this.offset(place) * this.images + (this.batched ? m : 0)];
  }

  offset(place) {
    return place.reduce((offset, index, axis) => offset * this.shape[axis] + index, 0);
  }

  place(offset) {
    return this.shape.reduceRight(([rest, place], size) => [Math.floor(rest / size), [rest % size, ...place]], [offset, []])[1];
  }

  get size() {
    return this.shape.reduce((a, b) => a * b, 1);
  }
}

function decode(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = characters.charCodeAt(index);
  return page.exact ? new Float64Array(bytes.buffer) : new Float32Array(bytes.buffer);
}

/* Three digits of the largest number, three decimals at least; whole numbers as such; −1 asks for powers of ten. */
function decimals({ whole, largest }) {
  if (whole) return 0;
  const exponent = largest ? Math.floor(Math.log10(largest)) : 0;
  return exponent > -5 && exponent < 4 ? Math.max(3, 2 - exponent) : -1;
}

/* Exactly 0 is a plain 0: nothing came through there. */
function written(value, digits) {
  if (value === 0) return "0";
  const text = !Number.isFinite(value) ? String(value).replace("Infinity", "∞") : digits < 0 ? value.toExponential(2) : value.toFixed(digits);
  return text.replaceAll("-", "−");
}

/* Four significant digits, as in a product that is written out. */
function short(value) {
  if (!Number.isFinite(value)) return written(value, 0);
  const text = Math.abs(value) >= 1e-4 && Math.abs(value) < 1e5 ? String(Number(value.toPrecision(4))) : value.toExponential(3);
  return value === 0 ? "0" : text.replaceAll("-", "−");
}

const tensors = new Map(Object.entries(page.tensors).map(([symbol, description]) => [symbol, new Tensor(symbol, description)]));
const nodeOf = new Map(page.nodes.map((node) => [node.y, node]));
const ownerOf = new Map(page.nodes.flatMap((node) => Object.entries(node.parameters).map(([name, symbol]) => [symbol, { node, name }])));
const readersOf = (symbol) => page.nodes.filter((node) => node.inputs.includes(symbol));
const slopeOf = (symbol) => `∂L/∂${symbol}`;

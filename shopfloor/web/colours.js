// Names of colours as shops write them, and what they look like. An unknown name gets no swatch, only its word.

const NAMED = {
  black: "#26282a", charcoal: "#44484c", anthracite: "#3a3f44", graphite: "#4b5055", slate: "#5f6c78", grey: "#9a9ea2",
  gray: "#9a9ea2", silver: "#c3c7ca", white: "#fbfbf8", ivory: "#f6f0df", cream: "#f3e9d0", ecru: "#ece2c8", beige: "#dccbaa",
  sand: "#d8c39a", stone: "#c2b9a8", taupe: "#9d8f80", camel: "#c39a67", tan: "#c99e6b", khaki: "#a79b6c", brown: "#7b553a",
  chocolate: "#5a3a26", coffee: "#6a4c38", cognac: "#9c5a2c", bronze: "#a1743f", copper: "#b56f42", gold: "#cfa63f",
  navy: "#26395f", blue: "#3d6fb4", cobalt: "#2c56a8", indigo: "#40438f", denim: "#4a6b93", sky: "#8fbfe6", azure: "#5aa7e0",
  aqua: "#6cc5cc", turquoise: "#3fb3b0", teal: "#1f7a78", petrol: "#1d5a66", cyan: "#4cc0d4", mint: "#a9dcc3",
  sage: "#a3b59a", olive: "#75763f", moss: "#6a7a45", forest: "#2f5a3f", green: "#4a8a56", emerald: "#26835c", lime: "#a8c64a",
  yellow: "#efc93f", mustard: "#cf9f2e", ochre: "#c08a35", amber: "#e0a030", orange: "#e5853a", apricot: "#f0b27c",
  peach: "#f3bfa0", coral: "#ea7a66", salmon: "#ef9a86", rust: "#b2562f", terracotta: "#c06a4b", brick: "#a64b3b",
  red: "#c63f3c", crimson: "#ad2440", burgundy: "#74263a", wine: "#70283b", maroon: "#722b30", bordeaux: "#6d2338",
  pink: "#ec9fb6", rose: "#dd8a9b", blush: "#efc5c2", fuchsia: "#cf3d8b", magenta: "#c23a85", purple: "#7f52a0",
  violet: "#7a5fb5", lilac: "#bba4d8", lavender: "#b9afe0", plum: "#6b3a63", aubergine: "#4b2a47", mauve: "#b48fae",
  natural: "#dfd2b8", oatmeal: "#dccfb6", pearl: "#ece8df", mocha: "#8a6a54", nude: "#e3c4ac", transparent: "#e4ebec",
  clear: "#e4ebec", schwarz: "#26282a", weiß: "#fbfbf8", grau: "#9a9ea2", blau: "#3d6fb4", rot: "#c63f3c", grün: "#4a8a56",
  gelb: "#efc93f", braun: "#7b553a", noir: "#26282a", blanc: "#fbfbf8", gris: "#9a9ea2", bleu: "#3d6fb4", rouge: "#c63f3c",
  vert: "#4a8a56", jaune: "#efc93f", negro: "#26282a", blanco: "#fbfbf8", azul: "#3d6fb4", rojo: "#c63f3c", verde: "#4a8a56",
};

const DARKER = /\b(dark|deep|midnight|dunkel\w*)\b/;
const LIGHTER = /\b(light|pale|pastel|hell\w*)\b/;

/** The names in a product's colour field, in the shop's order. */
export function colourNames(text) {
  return (text ?? "").split(/\s*[|,/]\s*/).map((name) => name.trim()).filter(Boolean);
}

/** What a colour's name looks like, as `#rrggbb`; null for a name not known here. */
export function colourOf(name) {
  const lowered = name.toLowerCase();
  const words = lowered.match(/\p{L}+/gu) ?? [];
  const known = words.findLast((word) => Object.hasOwn(NAMED, word));
  if (!known) return null;
  if (DARKER.test(lowered)) return mix(NAMED[known], "#000000", 0.35);
  if (LIGHTER.test(lowered)) return mix(NAMED[known], "#ffffff", 0.45);
  return NAMED[known];
}

function mix(one, other, share) {
  const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const [a, b] = [parts(one), parts(other)];
  return `#${a.map((part, at) => Math.round(part + (b[at] - part) * share).toString(16).padStart(2, "0")).join("")}`;
}

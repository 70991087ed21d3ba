// Line drawings by kind of product, chosen by the words of its category, then of its name.
// Each: `body` is filled with the product's colour, `lines` are drawn over it. All in a square of 64.

import { svg } from "./dom.js";
import { wordsOf } from "./format.js";

const DRAWINGS = {
  jacket: {
    body: "M24 12 32 17 40 12 50 17 55 44 48 46 46 34 46 53 18 53 18 34 16 46 9 44 14 17Z",
    lines: "M32 17V53 M24 12 28 22 32 17 36 22 40 12 M22 40h6 M36 40h6",
  },
  coat: {
    body: "M24 8 32 13 40 8 49 13 54 40 47 42 45 30 48 58 16 58 19 30 17 42 10 40 15 13Z",
    lines: "M32 13V58 M24 8 27 20 32 13 37 20 40 8 M19 34h26 M36 25h.1 M36 43h.1",
  },
  shirt: {
    body: "M24 11 32 16 40 11 54 19 49 30 45 28 45 54 19 54 19 28 15 30 10 19Z",
    lines: "M32 16V54 M24 11 27 20 32 16 37 20 40 11 M35 27h.1 M35 36h.1 M35 45h.1",
  },
  tshirt: {
    body: "M23 12C26 18 38 18 41 12L54 19 49 31 44 28 44 54 20 54 20 28 15 31 10 19Z",
    lines: "M20 28V22 M44 28V22",
  },
  knit: {
    body: "M23 12C26 17 38 17 41 12L49 16 56 44 49 47 45 34 45 53 19 53 19 34 15 47 8 44 15 16Z",
    lines: "M19 48h26 M25 48v5 M32 48v5 M39 48v5 M26 24l6 6 6-6 M26 32l6 6 6-6",
  },
  trousers: { body: "M20 9 44 9 48 56 37 56 32 26 27 56 16 56Z", lines: "M20 15h24 M32 15V26 M24 15l-3 8 M40 15l3 8" },
  shorts: { body: "M18 16 46 16 52 46 36 48 32 32 28 48 12 46Z", lines: "M18 22h28 M32 22V32" },
  dress: {
    body: "M25 8 28 14C30 17 34 17 36 14L39 8 42 10 41 24 51 55 13 55 23 24 22 10Z",
    lines: "M23 25C28 28 36 28 41 25 M27 34 23 55 M37 34 41 55",
  },
  skirt: { body: "M22 14 42 14 53 50C40 55 24 55 11 50Z", lines: "M21 20h22 M28 20 24 52 M36 20 40 52" },
  shoe: {
    body: "M10 24 22 24C26 32 32 36 42 37 51 38 56 41 56 48L8 48C8 38 11 34 10 24Z",
    lines: "M8 43h48 M26 30l5-4 M30 33l5-4 M35 35l4-4",
  },
  boot: {
    body: "M18 9 38 9 37 34C46 36 55 38 55 47L55 54 16 54 16 47C19 35 19 22 18 9Z",
    lines: "M16 48h39 M38 16h-6 M38 23h-6 M37 30h-6 M18 14h20",
  },
  sock: { body: "M22 8 40 8 40 30 52 42C56 50 48 58 40 53L26 42C22 39 22 36 22 32Z", lines: "M22 16h18 M40 30c-6 0-10 4-10 10 M46 54c0-5 2-8 6-9" },
  hat: { body: "M14 40C12 16 52 16 50 40Z", lines: "M10 40h44v8H10Z M32 22V14 M22 40v8 M32 40v8 M42 40v8" },
  cap: { body: "M12 40C10 20 22 14 31 14 42 14 50 22 49 38L60 44C50 48 42 40 12 40Z", lines: "M31 14C27 22 27 32 28 40 M49 38C44 38 40 39 36 41" },
  glove: { body: "M20 56 20 34 12 28C9 25 13 20 17 23L23 28 23 14C23 9 29 9 29 14L29 11C29 6 36 6 36 11L36 14C36 10 42 10 42 15L42 20C42 16 48 16 48 21L46 40 44 56Z", lines: "M29 14V28 M36 14V28 M42 20V30 M20 48h25" },
  scarf: { body: "M18 14C26 22 38 22 46 14L50 22C46 28 42 30 38 31L42 56 30 56 28 32C22 31 17 28 14 22Z", lines: "M31 50h10.500 M33 56v4 M36 56v4 M39 56v4 M28 32c3 0 7 0 10-1" },
  bag: { body: "M12 22 52 22 56 55 8 55Z", lines: "M22 28V18C22 7 42 7 42 18V28" },
  backpack: { body: "M18 24C18 8 46 8 46 24L48 52C48 56 46 57 43 57L21 57C18 57 16 56 16 52Z", lines: "M26 11C26 4 38 4 38 11 M22 36h20v14H22Z M22 42h20 M24 24h16" },
  bottle: { body: "M25 18C25 22 20 23 20 30L20 54C20 57 22 58 24 58L40 58C42 58 44 57 44 54L44 30C44 23 39 22 39 18Z", lines: "M25 8h14v10H25Z M20 36h24 M20 48h24" },
  cup: { body: "M13 18 45 18 43 46C42 52 38 54 33 54L25 54C20 54 16 52 15 46Z", lines: "M44.500 24C56 22 57 40 43.500 40 M22 6c-3 4 3 5 0 8 M32 6c-3 4 3 5 0 8" },
  pot: { body: "M12 24 52 24 50 48C50 52 47 54 43 54L21 54C17 54 14 52 14 48Z", lines: "M12 30H6v-4h6 M52 30h6v-4h-6 M12 24C14 14 50 14 52 24 M29 13h6" },
  knife: { body: "M10 46C22 22 40 12 54 10 52 22 44 34 34 42L28 36Z", lines: "M28 36 34 42 M26 44 14 56 M28 36l-4 6 4 4 6-4" },
  tent: { body: "M32 12 58 52 6 52Z", lines: "M32 12 22 52 M32 12 42 52 M32 12V6 M6 52l-3 4 M58 52l3 4" },
  sleeping: { body: "M16 18C16 4 48 4 48 18L45 52C44 58 20 58 19 52Z", lines: "M24 18C24 11 40 11 40 18 40 25 24 25 24 18Z M18 32h28 M18.500 42h27" },
  lamp: { body: "M22 8 42 8 52 34 12 34Z", lines: "M32 34V52 M20 56h24 M32 52c-6 0-10 1-12 4 M32 52c6 0 10 1 12 4 M44 34v7" },
  torch: { body: "M14 22 40 22 50 14 58 14 58 50 50 50 40 42 14 42Z", lines: "M40 22V42 M50 14V50 M22 32h8 M6 28v8" },
  candle: { body: "M22 28 42 28 42 56 22 56Z", lines: "M32 28V22 M32 8C38 14 36 21 32 22 28 21 26 14 32 8Z M22 36c4 3 6-2 10 1s6-2 10 0" },
  book: { body: "M32 16C26 11 16 11 9 14L9 52C16 49 26 49 32 54 38 49 48 49 55 52L55 14C48 11 38 11 32 16Z", lines: "M32 16V54 M15 22c4-1 8 0 11 2 M15 30c4-1 8 0 11 2 M38 24c3-2 7-3 11-2 M38 32c3-2 7-3 11-2" },
  paper: { body: "M16 8 40 8 50 18 50 56 16 56Z", lines: "M40 8V18H50 M23 28h20 M23 36h20 M23 44h12" },
  pen: { body: "M44 8 56 20 24 52 8 56 12 40Z", lines: "M38 14 50 26 M12 40 24 52" },
  phone: { body: "M20 6 44 6C47 6 48 7 48 10L48 54C48 57 47 58 44 58L20 58C17 58 16 57 16 54L16 10C16 7 17 6 20 6Z", lines: "M28 11h8 M16 48h32 M32 53h.1" },
  laptop: { body: "M12 12 52 12 52 44 12 44Z", lines: "M6 44h52l-3 8H9Z M27 48h10" },
  screen: { body: "M7 12 57 12 57 46 7 46Z", lines: "M32 46V55 M21 55h22" },
  camera: { body: "M8 20 20 20 24 13 40 13 44 20 56 20 56 52 8 52Z", lines: "M32 26a9.500 9.500 0 1 0 .1 0Z M49 26h.1" },
  headphones: { body: "M10 38 18 36 20 54 13 55C10 52 9 45 10 38Z M54 38 46 36 44 54 51 55C54 52 55 45 54 38Z", lines: "M10 40C6 4 58 4 54 40" },
  watch: { body: "M32 17a15 15 0 1 0 .1 0Z", lines: "M25 18 27 6h10l2 12 M25 46l2 12h10l2-12 M32 24v8l5 4" },
  clock: { body: "M32 8a24 24 0 1 0 .1 0Z", lines: "M32 18V32l9 6 M32 12v1 M32 51v1 M12 32h1 M51 32h1" },
  jewel: { body: "M20 12 44 12 56 26 32 54 8 26Z", lines: "M8 26h48 M20 12l4 14 8 28 8-28 4-14 M24 26l8-14 8 14" },
  glasses: { body: "M17 26a10 10 0 1 0 .1 0Z M47 26a10 10 0 1 0 .1 0Z", lines: "M27 34c2-4 8-4 10 0 M7.500 32 12 18 M56.500 32 52 18" },
  chair: { body: "M18 8 46 8 44 34 50 42 14 42 20 34Z", lines: "M20 34h24 M17 42 13 58 M47 42l4 16 M26 8v26 M38 8v26" },
  sofa: { body: "M14 28C14 16 20 14 24 14L40 14C44 14 50 16 50 28L57 28C59 28 60 30 60 32L58 50 6 50 4 32C4 30 5 28 7 28Z", lines: "M14 28v10h36V28 M32 14v24 M11 50v5 M53 50v5" },
  table: { body: "M6 20 58 20 58 27 6 27Z", lines: "M13 27 11 54 M51 27l2 27 M13 36h38" },
  bed: { body: "M6 34 58 34 58 48 6 48Z", lines: "M6 54V14 M58 54V40 M6 34c0-8 20-10 24-2v2 M58 34c0-4-4-8-10-8H30" },
  frame: { body: "M10 12 54 12 54 52 10 52Z", lines: "M16 18h32v28H16Z M16 42l10-12 8 9 5-5 9 9 M40 26h.1" },
  vase: { body: "M26 26 38 26C36 32 46 36 46 46 46 54 40 57 32 57 24 57 18 54 18 46 18 36 28 32 26 26Z", lines: "M32 26V10 M32 18c-8 0-10-5-10-9 7 0 10 3 10 9 M32 15c7 0 9-4 9-8-6 0-9 3-9 8" },
  plant: { body: "M18 38 46 38 43 57 21 57Z", lines: "M32 38V20 M32 26C20 26 16 19 16 11 27 11 32 16 32 26 M32 22C43 22 48 15 48 8 38 8 32 13 32 22 M18 44h28" },
  tool: { body: "M44 8C36 8 32 16 35 22L10 47C6 51 13 58 17 54L42 29C48 32 56 28 56 20L49 26 41 23 38 15Z", lines: "M14 50h.1" },
  bike: { body: "M16 32a11 11 0 1 0 .1 0Z M48 32a11 11 0 1 0 .1 0Z", lines: "M16 43 25 24h16l-9 19H16 M25 24l7 19 M41 24l7 19 M41 24l-2-6h6 M21 20h8" },
  ball: { body: "M32 8a24 24 0 1 0 .1 0Z", lines: "M8 32h48 M32 8v48 M14 16c10 8 10 24 0 32 M50 16c-10 8-10 24 0 32" },
  weights: { body: "M10 20 20 20 20 44 10 44Z M44 20 54 20 54 44 44 44Z", lines: "M20 32h24 M6 26v12 M58 26v12" },
  toy: { body: "M32 26C44 26 48 34 48 42 48 52 42 57 32 57 22 57 16 52 16 42 16 34 20 26 32 26Z M32 8C42 8 46 15 46 21 46 28 40 31 32 31 24 31 18 28 18 21 18 15 22 8 32 8Z", lines: "M19 14a5 5 0 1 1 6-4 M45 14a5 5 0 1 0-6-4 M27 19h.1 M37 19h.1 M29 24c2 2 4 2 6 0" },
  game: { body: "M18 20 46 20C56 20 60 50 52 50 46 50 46 42 40 42L24 42C18 42 18 50 12 50 4 50 8 20 18 20Z", lines: "M20 26v8 M16 30h8 M44 27h.1 M49 32h.1" },
  puzzle: { body: "M12 20 25 20C22 10 38 10 35 20L48 20 48 33C58 30 58 46 48 43L48 56 12 56Z", lines: "M12 33c8-3 8 13 0 10" },
  gift: { body: "M10 26 54 26 54 56 10 56Z", lines: "M7 18h50v8H7Z M32 18V56 M32 18C20 18 18 6 25 7c5 1 7 6 7 11 M32 18c12 0 14-12 7-11-5 1-7 6-7 11" },
  food: { body: "M32 18C40 12 54 14 54 30 54 44 44 58 38 57 34 56 30 56 26 57 20 58 10 44 10 30 10 14 24 12 32 18Z", lines: "M32 18c0-5 2-9 6-11 M18 26c1-3 3-5 6-5" },
  drink: { body: "M18 8 46 8C47 24 43 34 32 34 21 34 17 24 18 8Z", lines: "M32 34V55 M21 56h22 M19 18h26" },
  cake: { body: "M10 34C10 28 54 28 54 34L54 55 10 55Z", lines: "M10 42c4 5 7 5 11 0s7 5 11 0 7 5 11 0 7 5 11 0 M32 29V18 M32 8c3 4 2 7 0 7s-3-3 0-7" },
  beauty: { body: "M18 26 46 26 46 57 18 57Z", lines: "M26 26V16h12V26 M28 16V10h10 M24 38h16v10H24Z" },
  soap: { body: "M14 34C14 26 50 26 50 34L50 46C50 54 14 54 14 46Z", lines: "M22 39h20 M20 14a5 5 0 1 0 .1 0 M36 9a3.500 3.500 0 1 0 .1 0 M45 16a2.500 2.500 0 1 0 .1 0" },
  umbrella: { body: "M6 34C6 4 58 4 58 34 52 29 46 29 41 34 36 29 28 29 23 34 18 29 12 29 6 34Z", lines: "M32 11V7 M32 31V52c0 7 10 7 10 0" },
  belt: { body: "M6 24 58 24 58 40 6 40Z", lines: "M18 20h14v24H18Z M25 32h12 M42 32h.1 M49 32h.1" },
  pet: { body: "M32 30C42 30 50 42 46 51 43 57 37 52 32 52 27 52 21 57 18 51 14 42 22 30 32 30Z", lines: "M14 24a4.500 6 0 1 0 .1 0Z M26 10a4.500 6.500 0 1 0 .1 0Z M39 10a4.500 6.500 0 1 0 .1 0Z M51 24a4.500 6 0 1 0 .1 0Z" },
  baby: { body: "M20 10C24 16 40 16 44 10L54 18 48 26 46 24 46 38C46 48 40 54 38 56L26 56C24 54 18 48 18 38L18 24 16 26 10 18Z", lines: "M26 56c0-6-3-9-8-10 M38 56c0-6 3-9 8-10 M32 24h.1" },
  music: { body: "M20 44a7 6 0 1 0 .1 0Z M46 38a7 6 0 1 0 .1 0Z", lines: "M27 50V16L53 10V44 M27 24 53 18" },
  car: { body: "M6 40 10 30 18 28 24 18 42 18 50 28 58 32 58 44 6 44Z", lines: "M18 38a6.500 6.500 0 1 0 .1 0Z M46 38a6.500 6.500 0 1 0 .1 0Z M18 28h32 M33 18v10" },
  neutral: { body: "M34 8 54 8C56 8 56 9 56 10L56 30 30 56C28 58 26 58 24 56L8 40C6 38 6 36 8 34Z", lines: "M46 14.500a3.500 3.500 0 1 0 .1 0Z M24 32l8 8 M19 37l5 5" },
};

// Words that name a kind. A word also matches its plural; the later word of a text counts more ("jacket potato" is
// nothing we sell, but a "bottle bag" is a bag).
const WORDS = {
  jacket: "jacket blazer anorak windbreaker softshell gilet vest hoody hoodie outerwear jacke veste chaqueta giacca",
  coat: "coat overcoat parka trench raincoat mantel manteau abrigo",
  shirt: "shirt blouse polo hemd chemise camisa bluse",
  tshirt: "tshirt tee tees top singlet base baselayer layer layers",
  knit: "knit knitwear sweater jumper pullover cardigan fleece sweatshirt turtleneck pulli",
  trousers: "trouser trousers pants jean jeans chino chinos legging leggings tights jogger joggers hose hosen pantalon slacks",
  shorts: "shorts boxers briefs underwear swim trunks swimwear",
  dress: "dress gown kleid robe vestido jumpsuit apron pyjamas pajamas nightdress",
  skirt: "skirt rock jupe falda",
  shoe: "shoe shoes sneaker sneakers trainer trainers loafer loafers sandal sandals slipper slippers footwear schuh schuhe chaussures zapatos flats heels clogs",
  boot: "boot boots wellies wellingtons stiefel bottes botas",
  sock: "sock socks stocking stockings hosiery socken",
  hat: "hat hats beanie beanies bobble headwear mütze",
  cap: "cap caps visor",
  glove: "glove gloves mitten mittens handschuhe gants",
  scarf: "scarf scarves shawl snood buff schal écharpe bandana",
  bag: "bag bags tote handbag purse shopper clutch satchel lunchbag tasche sac bolso wallet pouch luggage suitcase duffel holdall",
  backpack: "backpack backpacks rucksack daypack knapsack",
  bottle: "bottle bottles flask flasks thermos jar canister shampoo lotion",
  cup: "cup cups mug mugs teacup tumbler saucer coffee tea espresso teapot",
  pot: "pot pots pan pans cookware kettle saucepan casserole kitchen cooking stove cooker bowl bowls dish plate plates baking",
  knife: "knife knives cutlery fork spoon scissors",
  tent: "tent tents tarp tarps shelter camping wigwam",
  sleeping: "sleeping bivvy blanket quilt duvet bedding",
  lamp: "lamp lamps light lights lighting lantern chandelier bulb lampshade",
  torch: "torch headlamp headlamps headtorch flashlight",
  candle: "candle candles tealight candlestick holder incense",
  book: "book books novel cookbook comic magazine album diary buch livre",
  paper: "paper notebook card cards stationery envelope envelopes sticker stickers calendar planner wrap print printer tissues napkins software subscription",
  pen: "pen pens pencil pencils marker brush crayon",
  phone: "phone phones smartphone mobile tablet ereader handset",
  laptop: "laptop laptops computer computers pc keyboard mouse desktop",
  screen: "tv television monitor screen display projector",
  camera: "camera cameras lens photo webcam binoculars",
  headphones: "headphone headphones earphones earbuds headset speaker speakers audio",
  watch: "watch watches smartwatch",
  clock: "clock clocks alarm timer uhr",
  jewel: "jewellery jewelry necklace bracelet earring earrings ring rings pendant brooch charm",
  glasses: "glasses sunglasses spectacles eyewear goggles",
  chair: "chair chairs stool bench seat furniture",
  sofa: "sofa couch armchair cushion cushions pillow",
  table: "table tables desk shelf shelves bookcase cabinet drawer cupboard",
  bed: "bed beds mattress cot",
  frame: "frame frames picture poster mirror art sign plaque wall decoration photograph",
  vase: "vase vases flower flowers ornament ornaments decor home",
  plant: "plant plants garden gardening seeds planter pots",
  tool: "tool tools wrench spanner hammer drill screwdriver hardware diy spare repair",
  bike: "bike bikes bicycle cycling scooter",
  ball: "ball balls football basketball tennis sport sports",
  weights: "fitness weights dumbbell dumbbells gym yoga",
  toy: "toy toys teddy doll dolls plush bear rabbit",
  game: "game games console gaming controller",
  puzzle: "puzzle puzzles jigsaw",
  gift: "gift gifts present hamper box boxes set christmas party bunting voucher",
  food: "food fruit vegetables grocery groceries snack snacks apple cheese meat bread",
  drink: "wine beer spirits drink drinks juice glass glassware",
  cake: "cake cakes cakestand cupcake chocolate sweets confectionery biscuit pudding",
  beauty: "beauty perfume fragrance makeup cosmetics skincare cream serum",
  soap: "soap soaps bath bathroom towel towels shower hygiene cleaning detergent",
  umbrella: "umbrella umbrellas parasol",
  belt: "belt belts braces suspenders strap gürtel tie ties",
  pet: "pet pets dog cat",
  baby: "baby babies infant bodysuit romper toddler",
  music: "music guitar piano vinyl record instrument cd",
  car: "car cars auto automotive vehicle tyre tyres",
};

const KIND_OF = new Map(Object.entries(WORDS).flatMap(([kind, words]) => words.split(" ").map((word) => [word, kind])));

/** The kind of drawing for a product. The name's last telling word wins where the category says nothing precise. */
export function kindOf(category, name) {
  const byName = kindIn(name);
  const byCategory = kindIn(category);
  return byName ?? byCategory ?? "neutral";
}

function kindIn(text) {
  const words = wordsOf((text ?? "").replace(/t[- ]shirt/gi, "tshirt"));
  for (const word of words.reverse()) {
    const kind = KIND_OF.get(word) ?? KIND_OF.get(word.replace(/s$/, "")) ?? KIND_OF.get(word.replace(/es$/, ""));
    if (kind) return kind;
  }
  return null;
}

/** The drawing as an SVG element. `colour`: `#rrggbb` or null. */
export function picture(kind, colour) {
  const { body, lines } = DRAWINGS[kind] ?? DRAWINGS.neutral;
  const shape = svg("path", { d: body, class: colour ? "body" : "body plain" });
  if (colour) shape.style.setProperty("fill", colour);
  const made = svg("svg", { viewBox: "0 0 64 64", class: "drawing", "aria-hidden": "true", "data-kind": kind });
  if (isDark(colour)) {
    // Light lines on the dark shape, the usual ones around it.
    drawn += 1;
    const inside = `inside-${drawn}`;
    made.append(svg("clipPath", { id: inside }, svg("path", { d: body })), svg("path", { d: lines, class: "lines" }), shape,
      svg("path", { d: lines, class: "lines on-dark", "clip-path": `url(#${inside})` }));
  } else {
    made.append(shape, svg("path", { d: lines, class: "lines" }));
  }
  made.append(svg("path", { d: body, class: "edge" }));
  return made;
}

let drawn = 0; // makes the ids of clipping shapes unique

function isDark(colour) {
  if (!colour) return false;
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue < 110;
}

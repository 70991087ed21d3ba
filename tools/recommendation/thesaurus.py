"""A small thesaurus of things for any kind of shop: what else a thing is called, the nearest first.

Words are in the form that :mod:`shopfloor.tools.recommendation.text` makes of them (lower case, singular); a word written
in one stands for its parts too ("walkingstick" for "walking stick"). The first on the right that a catalogue knows counts.
"""

from collections.abc import Mapping
from types import MappingProxyType

_WEAR = """
frock gown sundress: dress | pinafore: dress, apron | skort culotte: skirt, short | kilt: skirt
turtleneck rollneck poloneck: roll neck, jumper, sweater, pullover, knitwear | knit knitwear: jumper, sweater, cardigan
woollie: jumper, sweater, cardigan | tanktop: vest, top | vneck: v neck, jumper | crewneck: jumper, sweatshirt, sweater
waistcoat: vest, gilet | bodywarmer: gilet, vest | overcoat: coat | topcoat: coat
trenchcoat: trench coat, coat | duffle: coat | cagoule kagool cagoul: rain jacket, jacket
hardshell: rain jacket, shell, jacket | softshell: softshell, jacket | blouson bomber: jacket | sportcoat sportsjacket: blazer, jacket
tuxedo: suit, blazer | outerwear: jacket, coat, outerwear | overall: overall, dungaree, coverall
dungaree: overall, trouser | slack pantaloon breeche: trouser, pant, chino | jogger sweatpant trackpant: trouser, pant, tight
bottom: trouser, pant, jean, legging, short, skirt | corduroy: trouser
bermuda: short | legging: tight, base layer | stocking hosiery: sock, tight | pantyhose: tight, stocking | longjohn: base layer, legging
undershirt: base layer, vest, tshirt | thermal: base layer, thermal | singlet camisole: vest, top | polo poloshirt: polo shirt, polo, shirt, tshirt
buttondown dressshirt: shirt | tunic: shirt, blouse, top | jersey: jumper, sweater, tshirt, top | mit mitt muff: mitten, glove
bobblehat tuque toque skullcap knithat knittedhat winterhat: beanie, hat | sunhat: sun hat, hat | sombrero fedora panama: hat
baseballcap: cap, hat | headgear headwear: hat, cap, beanie | headband snood buff balaclava neckwarmer gaiter neckgaiter: neck tube, scarf
neckerchief bandana bandanna shawl stole pashmina: scarf | muffler: scarf | necktie: tie | bowtie: bow tie, tie | cravat: tie, scarf
suspender: brace, belt | waistband: belt | sunglass: sunglass, glass | spec spectacle eyewear eyeglass: sunglass, glass
dressinggown bathrobe: robe, dressing gown | nightie nightshirt: nightdress, nightwear, pyjama | loungewear: pyjama | bathingsuit: swimsuit, swimwear
babygrow onesie romper: bodysuit, sleepsuit, romper | bib: bib
"""
_FEET = """
flipflop: flip flop, sandal | moccasin loafer slipon: loafer, moccasin, shoe
brogue dressshoe: oxford shoe, brogue, derby, shoe | stiletto heel courtshoe highheel: pump, heel, court shoe
plimsoll tennisshoe gymshoe: trainer, sneaker, canvas shoe, shoe | runningshoe joggingshoe: running shoe, trainer, shoe
hikingshoe walkingshoe trekkingshoe: hiking boot, walking shoe, hiking shoe, boot | bootie ankleboot: ankle boot, boot, chelsea boot
welly wellie wellington gumboot rubberboot rainboot: wellie, wellington, rubber boot, rain boot, boot | snowboot moonboot: snow boot, winter boot, boot
clog espadrille: clog, slipper, sandal, shoe | houseshoe: slipper
"""
_BAGS = """
knapsack haversack schoolbag bookbag: backpack, rucksack, day pack, bag | satchel: bag | holdall duffel duffle weekender weekendbag: duffel, holdall, travel bag, bag
kitbag gymbag sportsbag: duffel, gym bag, bag | tote shopper carrierbag shoppingbag: tote, shopping bag, shopper, bag | clutch pocketbook: handbag, purse, bag
bumbag fannypack hipbag waistbag beltbag: belt, waist bag, bag | luggage suitcase trolley: suitcase, luggage, duffel, bag | wallet billfold: wallet, purse, card holder
cardholder cardcase creditcardholder: card holder, card wallet, wallet | washbag toiletbag spongebag toiletrybag: wash bag, washbag, toilet bag, cosmetic bag | cosmeticbag makeupbag: cosmetic bag, make up bag, washbag
pencilcase: pencil case, pencil tin | lunchbox: lunch box, lunchbox | lunchbag: lunch bag, cool bag
"""
_OUTDOOR = """
walkingstick walkingpole hikingpole trekkingpole hikingstick trekkingstick: trekking pole, hiking pole, walking pole, folding pole, pole, walking stick
waterbottle drinkingbottle hydroflask: bottle, water bottle, flask | vacuumflask thermosflask thermosbottle: insulated flask, flask, thermos, bottle
lantern: lantern, lamp | campstove campingstove primus: gas stove, stove | mattress campingmat sleepingpad sleepmat campmat rollmat: sleeping mat, mat, air bed
tarpaulin: tarp | messkit: cook set, cutlery | medkit medicalkit firstaid: first aid kit, first aid
spork: cutlery | bedroll: sleeping bag
cycle pushbike: bicycle, bike | kayak canoe: kayak, canoe
"""
_HOUSE = """
settee loveseat: sofa, couch | footstool pouffe ottoman: pouffe, footstool, stool | wardrobe armoire: wardrobe, cupboard | cupboard sideboard dresser: cabinet, cupboard
bookcase: shelf, bookcase | curtain drape: curtain | blind: blind | pillow: cushion, pillow | cushion: pillow, cushion
doormat: door mat, doormat, mat | doorstop doorstopper: door stop, doorstop, doorstopper | coathanger clotheshanger: coat hanger, coathanger, hanger | coatrack coatstand: coat rack, coat hook, hook, hanger | coathook: coat hook, hook, hanger, coat rack
lightbulb: bulb, light bulb | nightlight: night light, nightlight | fairylight stringlight christmaslight: fairy light, string light, light | chandelier: chandelier, lamp, light
lampshade: lamp shade, lampshade, shade | flowerpot planter plantpot: plant pot, flower pot, planter, pot | bin wastebasket trashcan dustbin garbage: bin, waste bin, bucket | hamper: picnic hamper, hamper, basket
photoalbum: photo album, album | picture painting artwork poster: picture, print, poster, canvas, wall art | ornament knickknack figurine trinket: ornament, decoration, figurine
bauble: bauble, christmas decoration, decoration | wreath: wreath, garland | pennant streamer: bunting, garland | candle: candle, t light
candleholder votive: candle holder, candlestick, t light holder | fragrance: perfume, scent | diffuser: oil burner, diffuser | incensestick joss: incense
clothespeg clothespin: peg, clothes peg | broom: broom, brush | duster: duster | laundrybasket: laundry basket, laundry bag, basket
hotwaterbottle: hot water bottle | blanket: throw, blanket | towel: towel | bathmat: bath mat | facecloth flannel: face cloth, flannel, towel
"""
_KITCHEN = """
mug beaker tumbler: mug, cup, beaker | wineglass goblet: wine glass, glass | crockery dinnerware tableware: plate, bowl, cup, dinner set
utensil flatware: cutlery, spoon | teaspoon tablespoon: spoon, teaspoon, cutlery | canister caddy: tin, storage tin, jar, canister | container tupperware: storage box, container, tin
cookiejar biscuitjar biscuittin cookietin: biscuit tin, cookie jar, biscuit jar, tin | caketin: cake tin | cakestand: cake stand | cupcakecase muffincase bakingcup cupcakeliner: cake case, baking case, muffin case
teatowel dishtowel dishcloth kitchentowel: tea towel, kitchen towel, dish towel | ovenglove ovenmitt potholder: oven glove, oven mitt, pot holder | placemat tablemat: placemat, place mat | serviette: napkin, serviette
colander strainer: colander, sieve | kettle: kettle | cafetiere frenchpress coffeemaker: cafetiere, coffee maker, coffee machine | coffeemachine espressomachine: coffee machine, espresso machine
cooler coolbox: cool box, cool bag | chopper: chopping board, knife | apron: apron, pinafore | pitcher: jug, pitcher | jug: pitcher, jug 
"""
_SMALL = """
rabbit: bunny | bunny: rabbit | teddy teddybear plushie cuddlytoy stuffedanimal softtoy plush: soft toy, teddy, plush, toy | puzzle: jigsaw, puzzle | jigsaw: puzzle | doll: doll, dolly | dolly: doll
playingcard: playing card, card game | notepad jotter: notebook, note pad, notepad, pad | copybook exercisebook: notebook, exercise book | biro ballpoint: pen, ballpoint | felttip marker: pen, marker | crayon: crayon, pencil, chalk
postit stickynote: sticky note, memo pad, note | sellotape: tape, sticky tape | postcard: postcard, post card, card | greetingcard greetingscard birthdaycard: birthday card, greeting card, card
giftpaper: gift wrap, wrapping paper, wrap | giftbag: gift bag, bag | ribbon: ribbon, bow | sticker decal: sticker, decal | rubberstamp: stamp
keyring keychain keyfob: keyring, key ring, key fob, keychain | pendant: necklace, pendant | locket: necklace, locket | bangle: bracelet, bangle | brooch: brooch, pin | earstud: earring, stud
hairslide hairclip barrette: hair clip, hairclip, hair slide, hair comb | scrunchie hairband hairtie: hair band, hair tie | watch wristwatch timepiece: watch | alarmclock: alarm clock 
trinketbox jewellerybox jewelrybox: jewellery box, trinket box, jewel box | torch: torch, flashlight, headlamp | parasol sunshade: parasol, umbrella | brolly: umbrella, brolly
"""
_GOODS = """
computer pc: computer, laptop, desktop | cellphone handset: phone, smartphone | earbud earphone: earbud, ear bud, earphone, headphone | headset: headset, headphone | telly: television, tv | monitor display: monitor, screen | charger poweradapter: charger, adapter
powerbank: power bank, battery pack | memorystick usbstick thumbdrive: usb stick, flash drive | harddrive harddisk ssd: hard drive, drive, ssd | speaker soundbar: speaker | webcam: camera, webcam | cable: cable, lead
spanner: wrench, spanner | screwdriver: screwdriver | drill powerdrill cordlessdrill: drill | hosepipe: hose | lawnmower mower: lawn mower, mower | secateur pruner: pruner, secateur, shear | trowel: trowel, spade | shovel: spade, shovel | tap: faucet, tap
plaster bandaid: plaster, bandage | moisturiser lotion: cream, moisturiser, lotion | sunscreen suncream sunblock: sun cream, sunscreen, sun lotion | shampoo: shampoo | lipstick: lipstick, lip balm | chapstick: lip balm | toothbrush: toothbrush
nappy: diaper, nappy | pacifier: dummy, soother | dummy: pacifier, soother | cot crib: cot, crib | highchair: high chair | kibble petfood: dog food, cat food | leash: leash, lead | kennel: dog bed, kennel
transportbox petcarrier carrier: transport box, carrier, pet carrier, crate | fishtank tank: aquarium, tank | hutch: hutch, cage | birdhouse nestingbox: nest box, bird house, birdhouse | scratcher: scratching post, scratch | petbed: bed
eardefender earmuff hearingprotection earprotection: ear defender, ear plug, ear muff | goggle eyeprotection: safety glass, goggle | screw: screw | rawlplug wallplug: wall plug, plug | emulsion: emulsion paint, paint | lacquer varnish: varnish, lacquer | filler: filler, sealant | caulk: sealant, silicone
hedgetrimmer: hedge trimmer, hedge shear, shear | pruningshear clipper: pruner, secateur, shear, clipper | soil pottingsoil: compost, soil, potting mix | mulch: bark, mulch | fertiliser fertilizer plantfood: fertiliser, feed, food | sapling: tree
plant: perennial, shrub, rose, tree, herb, houseplant, succulent, climber, fern, grass, orchid | novel: novel, fiction, paperback | cookbook cookerybook recipebook recipe baking: cook book, cookbook, cookery, cooking, baking | comic: comic, graphic novel | whodunnit thriller mystery detectivestory: crime, mystery, thriller | scifi: science fiction, scifi | lovestory lovenovel: romance, love story | programming coding: computing, programming | diary: diary, planner, journal | textbook: book
cellar: cellar | racket racquet: racket | dumbbell: dumbbell, weight, kettlebell | treadmill: treadmill | helmet: helmet | sneaker: trainer, sneaker | fishingrod: fishing rod, rod | pedal: pedal | bicyclelight bikelight: bike light, light | skipping: skipping rope, jump rope | jumprope: skipping rope, jump rope
fizzydrink soda: soft drink, soda, lemonade | crisp: chip, crisp | candy sweetie: sweet, candy | noodle: pasta, noodle | courgette: zucchini | coriander: cilantro | soya: soy
"""


def _read(*texts: str) -> dict[str, tuple[str, ...]]:
    out: dict[str, tuple[str, ...]] = {}
    for entry in (part for text in texts for line in text.strip().splitlines() for part in line.split("|")):
        words, _, others = entry.partition(":")
        names = tuple(name.strip() for name in others.split(","))
        for word in words.split():
            kept = (*out.get(word, ()), *(name for name in names if name != word))
            if kept:
                out[word] = tuple(dict.fromkeys(kept))
    return out


# A thing → what else it, or something that does as well, is called.
THINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    _read(_WEAR, _FEET, _BAGS, _OUTDOOR, _HOUSE, _KITCHEN, _SMALL, _GOODS)
)

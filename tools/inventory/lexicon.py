"""Words of stock questions in general: none of them belongs to a particular shop.

Words are in the plain singular form of :func:`shopfloor.tools.matching.stem`.
"""

from shopfloor.tools.matching import stem, word_set

_FRAME_TEXT = """
a an the this that these those it its them they their there here we us our you your i me my mine he she his her who whom whose
what which when where why how is are am was were be been being do does did done have has had having can could will would
shall should may might must let lets please thanks thank hello hi hey dear ok okay yes no not dont cant isnt arent doesnt
im ive id ill whats wheres hows youve youre theres were lot lots lookin lookup pls plz u ur
and or but if then than so as at by for from in into of off on onto out over to up with within without about across after
again against all almost alone along already also although always among any anybody anyone anything anywhere apart around
away back because before behind below beneath beside besides best better between beyond both bit bring bought buy buying
call can carry carried case check checked choose close closer closest collect combined come coming count cover current
currently customer day days deal deliver each either else elsewhere enough even ever every everything everywhere except
exactly far farthest few fewer fewest find first following found free fully get getting give given go going good got grab
great greatest group guess half hand handle happen hold holding hour however hundred ideally immediately include including
instead inventory item items just keep kind know known large largest last later least leave left less level like likely list
little live local locate located location long longer look looking low lower lowest make many match maximum maybe mean
medium mention mind minimum moment month more most move much near nearby nearer nearest need needed needing never new
next nobody none nothing now number nearest obtain offer offered one ones online only open opening order other others
otherwise outlet overall own part people per perhaps person physical pick pickup piece pieces place plan point position
possible possibly product products provide pull purchase quantity question quick quickly quite range rather ready really
recommend reduce remain remaining reorder replenish report request reserve restock result right roughly run running safe
said same sale sales sell selling sells send several shelf shop shopper shopping shops short show side since site situation
size sizes small smaller so sold some somebody someone something somewhere soon spare stand start state status stay still
stock stocked stocking stocks store stores such sum suppose supply sure system take takes taken tell than that thing think
time today together tomorrow tonight too total totals town toward transfer trip try trying turn two type unit units until
urgent urgently use used using usual variant various very via visit wait walk want wanted warehouse way week weekend well
went whether while whole wish wonder wondering work worth year yet yesterday zero empty available availability avail
altogether amount anymore branch branches bunch biggest bigger highest higher minimal inclusive threshold exceed cheap
combine compare comparison versus vs against fit dozen couple pair pairs stuff goods merchandise assortment sku skus
article articles model code id zip zipcode postcode postal latitude longitude lat lon lng coordinate coordinates address
phone contact service services km mile miles distance kilometre kilometer minute closest pop ahead grab drop hoping hope
wanting interested able available display shown figure figures figure details detail info information data entry record
alternative alternatives substitute replacement similar equivalent deplete depleted exhaust rate speed velocity forecast
safety lead supplier ship shipment shipping balance rebalance redistribute shift relocate excess surplus shortage
critical critically alert warning under above beneath fall drop dropped fallen gone missing ran unavailable stockout
wise regarding concerning please kindly quickly actually basically honestly currently presently anyhow somehow
option options choice choices colour colours come comes offered entire network chain estate company everywhere nationwide
worldwide grand tally headcount tot sumtotal inhand onhand hands house stockpile storeroom backroom
monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
apart excluding exclude aside besides skip unable closed shut shuts opens closes
ride drive driving travel travelling walking reach reaching head heading standing stood stuck staying based live lives living
city cities town towns country countries held hold region regions area areas metro mall centre center downtown capital
owner manager staff clerk colleague boss warehouse depot hq headquarters carrying stocking keeping listing featuring
deliverable obtainable purchase purchasable findable pickable reserveable spot spots venue counter till inside
somewhere sort supplied suffice sufficient adequate plenty satisfy fulfil fulfill meet min max minimally
holiday weekend season nowadays momentarily present presently recently lately
big wide companywide chainwide require requires required supply supplies manage arrange secure acquire receive identify determine
confirm verify figure calculate compute tally summarise summarize display retrieve return enumerate indicate present provide
outline specify state name rank sort filter query lookup search browse explore discover view read print generate produce
compile prepare share tell inform advise suggest remind notify warn update bother dig hunt spot notice hear heard saw seen
ask asked asking answer answers able unable hopefully possibly probably definitely certainly absolutely literally simply
merely purely entirely wholly fairly pretty rather so-called nice lovely fine cool awesome fantastic perfect brilliant cheers
ta appreciate appreciated grateful glad happy sorry excuse pardon madam sir morning afternoon evening night soonish shortly
instantly straightaway immediate rush hurry quickly fast faster speed asap tonight lunch break work job office home house hotel
station airport nearby around corner street road north south east west central northern southern eastern western side
exist exists existing circulate accumulate amount amounts contain contains comprise consist own owns possess retain maintain
accommodate serve serves equip equipped furnish load loaded fill filled remain remained leftover leftovers residual rest
physically digital electronic real actual true exact exactly precise precisely approximate approximately roughly estimate
bulk quantity quantities volume volumes figure level levels depth balance count counts counted counting numeric number numbers
variety varieties selection selections lineup line lines collection catalogue catalog listing listings list lists portfolio
different differing multiple several numerous countless certain specific particular respective corresponding related relevant
simultaneously jointly respectively individually separately collectively conjunction tandem addition additionally furthermore
moreover meanwhile otherwise therefore hence thus because since although though however nevertheless
whats thats heres itself themselves myself yourself ourselves whichever whatever wherever whoever
second third fourth fifth 1st 2nd 3rd 4th 5th weather sell
see seeing watch full fully add adding put set aside point pointing name naming choose choosing pick picking decide hold
bear keep spot locate locating source sourcing obtain secure snag score lay hands track chase fetch collect reserve reserving
book hit stop drop swing pass come coming visit visiting drive arrive leave start begin end finish stopping believe assume
suppose expect understand recall remember forget mean matter depend seem appear look looks feel sound happen occur turn
become stay remain change changes keep kept let allow permit enable help assist support serve deal talk speak say saying
true false correct right wrong sure certain clear obvious likely unlikely honest curious worried afraid keen eager desperate
important necessary essential useful helpful difficult easy hard simple strange odd funny bad worse worst good better best
high higher highest tall deep shallow wide narrow thick thin heavy quick slow early late later earlier soon sooner new old
older recent latest current previous former next last final entire complete partial half quarter double triple single
possible impossible option chance luck lucky fortune hope wish dream idea reason purpose sake case event situation
condition thing things stuff person people man guy lady friend family customer customers client clients shopper shoppers
staff member members colleague colleagues manager assistant clerk boss
shelves shelf rack racks aisle aisles row rows department section corner window counter storage storeroom
answer reply respond response message email chat contact
sent shipped moved shifted lent spared supplied transferred length lengths width widths pace coming upcoming gone down shelf held wherabouts whereabouts abouts anybody whos whose boss bosses pile piles sit sits sat sitting rich richest strongest heaviest floor rail rails hanger hangers premises dry wise forever heap heap heaps stack stacks
haha hahaha lol hehe damn darn ooh wow oops ugh argh hmm hm ah aha oh yay nah yeah yep yup sheesh gosh god crap bummer shame pity alas eh huh whoa ouch phew
want wanna gonna gotta lemme hiya mate guys folks anyone anybody team son daughter husband wife nephew niece friend mum mom
dad kid brother sister birthday party gift present urgently asap deliver delivered
"""

FRAME: frozenset[str] = frozenset(stem(word) for word in word_set(_FRAME_TEXT))

# Of these, words that are never part of a product's description, whatever the catalogue's words are.
HARD_FRAME: frozenset[str] = frozenset(
    stem(word)
    for word in word_set(
        """
a an the this that these those all every each it its them they their there here we us our you your i me my is how are am was were be do
does did has had having can could will would shall should may might let please thanks hello hi what whats which when where
who whom why and or but if than as at by in into of on onto to with within without many much any some available
availability stock stocks stocked inventory store stores shop shops branch branches outlet location left have got get buy
still currently now nearest closest unit units find need want wanted looking check size sizes
second third fourth fifth 1st 2nd 3rd 4th 5th
"""
    )
)

# Whom a thing is for: an "s" at their end makes no plural of the thing.
WEARERS: frozenset[str] = frozenset(
    stem(word) for word in word_set("kids mens womens ladies girls boys men women children babies unisex adults")
)
WORN_BY = {
    **dict.fromkeys((stem(word) for word in word_set("lady ladies woman female females her")), "women"),
    **dict.fromkeys((stem(word) for word in word_set("gents gentlemen man male males him")), "men"),
    **dict.fromkeys((stem(word) for word in word_set("kid child")), "kid"),
}


def is_inflected(word: str, words: frozenset[str]) -> bool:
    """Whether a plain word is a form of one of ``words``: "added", "sitting", "holder"."""
    for ending in ("ed", "ing", "er", "ers", "d", "ly"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            base = word[: -len(ending)]
            doubled = base[:-1] if len(base) > 3 and base[-1] == base[-2] else base
            if base in words or f"{base}e" in words or doubled in words:
                return True
    return False


# Words that may stand inside a product description without ending it.
CONNECTORS = word_set("in of the a an with for and to on s from by")
SPLITTERS = frozenset({"and", "plus", "or", "also"})

PLACE_PREPOSITIONS = word_set("in at near around from to by within outside inside for between towards toward")
STORE_NOUNS = word_set("store shop branch outlet location one warehouse site boutique")
DETERMINERS = word_set("the your our this that my a an")
BEFORE_STORE = word_set(
    "nearest closest next other another which what any every each all online local physical same whole single"
    " particular different new your our the this that my a best open first second"
)

NUMBER_WORDS = {
    **{
        word: value
        for value, word in enumerate(
            [
                "zero",
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
                "twelve",
                "thirteen",
                "fourteen",
                "fifteen",
                "sixteen",
                "seventeen",
                "eighteen",
                "nineteen",
            ]
        )
    },
    **{
        word: (value + 2) * 10
        for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
    },
    "fourty": 40,
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SIZE_WORDS = {
    "small": "S", "medium": "M", "large": "L", "extra large": "XL", "extra small": "XS", "x large": "XL",
    "xx large": "XXL", "extra extra large": "XXL", "x small": "XS", "double xl": "XXL",
}  # fmt: skip

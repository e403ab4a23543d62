"""Lists of facts and words, written for this repository. One pair "input output" per word pair; every word is one token."""


def pairs(text):
    words = text.split()
    assert len(words) % 2 == 0, words[-1]
    found = dict(zip(words[::2], words[1::2]))
    assert len(found) == len(words) // 2, "an input is listed twice: " + str([w for w in words[::2] if words[::2].count(w) > 1])
    return found


def groups(text):
    return {line.split(":")[0].strip(): line.split(":")[1].split() for line in text.strip().splitlines()}


# country capital continent language
COUNTRIES = """
France Paris Europe French; Italy Rome Europe Italian; Spain Madrid Europe Spanish; Germany Berlin Europe German; Austria Vienna Europe German;
Portugal Lisbon Europe Portuguese; Greece Athens Europe Greek; Poland Warsaw Europe Polish; Norway Oslo Europe Norwegian; Sweden Stockholm Europe Swedish;
Finland Helsinki Europe Finnish; Denmark Copenhagen Europe Danish; Ireland Dublin Europe English; Hungary Budapest Europe Hungarian; Romania Bucharest Europe Romanian;
Bulgaria Sofia Europe Bulgarian; Serbia Belgrade Europe Serbian; Croatia Zagreb Europe Croatian; Slovenia Ljubljana Europe Slovene; Slovakia Bratislava Europe Slovak;
Iceland Reykjavik Europe Icelandic; Estonia Tallinn Europe Estonian; Latvia Riga Europe Latvian; Lithuania Vilnius Europe Lithuanian; Ukraine Kyiv Europe Ukrainian;
Belarus Minsk Europe Russian; Moldova Chisinau Europe Romanian; Albania Tirana Europe Albanian; Malta Valletta Europe Maltese; Cyprus Nicosia Europe Greek;
Russia Moscow Europe Russian; Belgium Brussels Europe Dutch; Netherlands Amsterdam Europe Dutch; Switzerland Bern Europe German; Monaco Monaco Europe French;
England London Europe English; Scotland Edinburgh Europe English; Wales Cardiff Europe Welsh; Georgia Tbilisi Asia Georgian; Armenia Yerevan Asia Armenian;
Azerbaijan Baku Asia Azerbaijani; Turkey Ankara Asia Turkish; Iran Tehran Asia Persian; Iraq Baghdad Asia Arabic; Syria Damascus Asia Arabic;
Lebanon Beirut Asia Arabic; Jordan Amman Asia Arabic; Israel Jerusalem Asia Hebrew; Yemen Sanaa Asia Arabic; Oman Muscat Asia Arabic;
Qatar Doha Asia Arabic; Bahrain Manama Asia Arabic; Afghanistan Kabul Asia Persian; Pakistan Islamabad Asia Urdu; India Delhi Asia Hindi;
Nepal Kathmandu Asia Nepali; Bhutan Thimphu Asia Dzongkha; Bangladesh Dhaka Asia Bengali; Myanmar Naypyidaw Asia Burmese; Thailand Bangkok Asia Thai;
Laos Vientiane Asia Lao; Cambodia Phnom Asia Khmer; Vietnam Hanoi Asia Vietnamese; Malaysia Kuala Asia Malay; Indonesia Jakarta Asia Indonesian;
Philippines Manila Asia Filipino; China Beijing Asia Chinese; Taiwan Taipei Asia Chinese; Japan Tokyo Asia Japanese; Korea Seoul Asia Korean;
Mongolia Ulaanbaatar Asia Mongolian; Kazakhstan Astana Asia Kazakh; Uzbekistan Tashkent Asia Uzbek; Egypt Cairo Africa Arabic; Libya Tripoli Africa Arabic;
Tunisia Tunis Africa Arabic; Algeria Algiers Africa Arabic; Morocco Rabat Africa Arabic; Sudan Khartoum Africa Arabic; Ethiopia Addis Africa Amharic;
Somalia Mogadishu Africa Somali; Kenya Nairobi Africa Swahili; Uganda Kampala Africa English; Tanzania Dodoma Africa Swahili; Rwanda Kigali Africa Kinyarwanda;
Zambia Lusaka Africa English; Zimbabwe Harare Africa Shona; Botswana Gaborone Africa Tswana; Namibia Windhoek Africa English; Angola Luanda Africa Portuguese;
Mozambique Maputo Africa Portuguese; Madagascar Antananarivo Africa Malagasy; Nigeria Abuja Africa English; Ghana Accra Africa English; Senegal Dakar Africa French;
Mali Bamako Africa French; Niger Niamey Africa French; Chad Ndjamena Africa French; Cameroon Yaounde Africa French; Gabon Libreville Africa French;
Togo Lome Africa French; Liberia Monrovia Africa English; Canada Ottawa America English; Mexico Mexico America Spanish; Cuba Havana America Spanish;
Jamaica Kingston America English; Haiti Port America French; Panama Panama America Spanish; Honduras Tegucigalpa America Spanish; Nicaragua Managua America Spanish;
Guatemala Guatemala America Spanish; Belize Belmopan America English; Colombia Bogota America Spanish; Venezuela Caracas America Spanish; Ecuador Quito America Spanish;
Peru Lima America Spanish; Bolivia Sucre America Spanish; Chile Santiago America Spanish; Argentina Buenos America Spanish; Uruguay Montevideo America Spanish;
Paraguay Asuncion America Spanish; Brazil Brasilia America Portuguese; Guyana Georgetown America English; Suriname Paramaribo America Dutch; Australia Canberra Oceania English;
Fiji Suva Oceania Fijian; Samoa Apia Oceania Samoan; Tonga Nukualofa Oceania Tongan; Vanuatu Vila Oceania Bislama
"""
_rows = [row.split() for row in COUNTRIES.replace("\n", " ").split(";")]
# Capitals of two words, and those named as their country, teach nothing here.
_NO_CAPITAL = "Cambodia Malaysia Ethiopia Haiti Argentina Vanuatu Mexico Panama Guatemala Monaco".split()
CAPITAL = {r[0]: r[1] for r in _rows if r[0] not in _NO_CAPITAL}
CONTINENT = {r[0]: r[2] for r in _rows}
LANGUAGE = {r[0]: r[3] for r in _rows}

_ONE_WAY = pairs("""
hot cold big small high low fast slow old young good bad happy sad rich poor strong weak hard soft light dark day night up down left right in out
open closed full empty early late near far long short wide narrow thick thin deep shallow heavy weightless loud quiet clean dirty dry wet true false
alive dead first last begin end start stop win lose love hate buy sell push pull give take come go rise fall accept refuse arrive depart
attack defend ask answer awake asleep brave cowardly bright dim build destroy calm stormy careful careless cheap expensive clever stupid
create ruin dangerous safe decrease increase easy difficult enter exit even odd fail succeed famous unknown find miss forget remember
forward backward freeze melt fresh stale friend enemy front back generous mean gentle rough guilty innocent healthy sick heaven hell
hero villain hide show humble proud inside outside junior senior kind cruel laugh cry lead follow legal illegal lend borrow lock unlock
major minor male female many few maximum minimum mend break modern ancient more less mother father natural artificial north south east west
noisy silent often seldom peace war polite rude positive negative present absent private public question reply quick sluggish raise lower
real fake sharp blunt sharpen dull simple complex sink float smooth bumpy sour sweet spend save summer winter tall squat teach learn tight loose
top bottom ugly beautiful useful useless vacant occupied victory defeat visible invisible warm cool wise foolish wrong correct
yes no zenith nadir above below always never before after best worst birth death black white boy girl brother sister king queen man woman
""")
ANTONYM = dict(_ONE_WAY)

IRREGULAR_PLURAL = pairs("""
man men woman women child children foot feet tooth teeth goose geese mouse mice louse lice ox oxen person people leaf leaves knife knives wife wives
life lives wolf wolves half halves shelf shelves thief thieves loaf loaves calf calves elf elves hoof hooves scarf scarves city cities baby babies
lady ladies story stories party parties country countries family families army armies berry berries body bodies cherry cherries copy copies daisy daisies
duty duties enemy enemies fairy fairies fly flies hobby hobbies penny pennies pony ponies puppy puppies spy spies box boxes fox foxes tax taxes
bus buses glass glasses class classes kiss kisses dress dresses boss bosses dish dishes brush brushes bush bushes watch watches match matches witch witches
church churches bench benches branch branches beach beaches peach peaches potato potatoes tomato tomatoes hero heroes echo echoes cactus cacti fungus fungi
nucleus nuclei radius radii crisis crises oasis oases thesis theses datum data index indices matrix matrices
""")
REGULAR_PLURAL = {w: w + "s" for w in """
dog cat bird horse cow pig hen duck bear lion tiger monkey snake frog turtle rabbit table chair house door window book pen car train plane boat road
tree flower river mountain star moon cloud apple orange lemon banana carrot onion hat coat shirt shoe sock hand finger arm leg eye ear nose
friend teacher doctor farmer king queen game song letter word number clock lamp bed cup plate spoon fork bottle key ring coin bag map wall garden
""".split()}
PLURAL = {**IRREGULAR_PLURAL, **REGULAR_PLURAL}

PAST = pairs("""
go went be was have had do did say said get got make made know knew think thought take took see saw come came give gave find found tell told
feel felt leave left keep kept begin began bring brought buy bought catch caught teach taught fight fought seek sought write wrote ride rode
drive drove rise rose speak spoke break broke choose chose steal stole freeze froze wake woke wear wore tear tore swear swore bear bore
eat ate fall fell draw drew fly flew grow grew blow blew throw threw sing sang ring rang drink drank swim swam sink sank run ran sit sat
stand stood understand understood hold held meet met lead led feed fed read read sleep slept sweep swept weep wept send sent spend spent
bend bent lend lent build built lose lost shoot shot win won dig dug hang hung stick stuck strike struck swing swung sell sold pay paid
lay laid hear heard hide hid bite bit light lit slide slid shake shook forget forgot forgive forgave become became
walk walked talk talked play played work worked jump jumped look looked call called help helped want wanted need needed ask asked open opened
close closed move moved live lived love loved hate hated dance danced cook cooked clean cleaned wash washed paint painted laugh laughed cry cried
try tried study studied carry carried stop stopped plan planned drop dropped
""")
_DOUBLE = set("get begin sit run swim dig win stop plan drop forget".split())


def gerund(verb):
    if verb in _DOUBLE:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and verb not in ("be", "see"):
        return verb[:-1] + "ing"
    return verb + "ing"


GERUND = {v: gerund(v) for v in PAST}


def third(verb):
    if verb in ("be", "have"):
        return {"be": "is", "have": "has"}[verb]
    if verb.endswith(("sh", "ch", "s", "x", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeou":
        return verb[:-1] + "ies"
    return verb + "s"


THIRD = {v: third(v) for v in PAST}

# English French Spanish
_TRANSLATIONS = """
house maison casa; dog chien perro; cat chat gato; bird oiseau pájaro; horse cheval caballo; cow vache vaca; fish poisson pez; water eau agua;
bread pain pan; milk lait leche; wine vin vino; meat viande carne; cheese fromage queso; egg œuf huevo; apple pomme manzana; orange orange naranja;
lemon citron limón; table table mesa; chair chaise silla; door porte puerta; window fenêtre ventana; book livre libro; letter lettre carta; word mot palabra;
school école escuela; teacher professeur maestro; friend ami amigo; brother frère hermano; sister sœur hermana; mother mère madre; father père padre; son fils hijo;
daughter fille hija; man homme hombre; woman femme mujer; child enfant niño; king roi rey; queen reine reina; city ville ciudad; country pays país;
street rue calle; road route camino; river fleuve río; sea mer mar; mountain montagne montaña; tree arbre árbol; flower fleur flor; leaf feuille hoja;
sun soleil sol; moon lune luna; star étoile estrella; sky ciel cielo; cloud nuage nube; rain pluie lluvia; snow neige nieve; wind vent viento;
fire feu fuego; earth terre tierra; stone pierre piedra; gold or oro; silver argent plata; iron fer hierro; day jour día; night nuit noche;
morning matin mañana; evening soir tarde; week semaine semana; month mois mes; year an año; hour heure hora; time temps tiempo; life vie vida;
death mort muerte; love amour amor; war guerre guerra; peace paix paz; heart cœur corazón; head tête cabeza; hand main mano; foot pied pie;
eye œil ojo; ear oreille oreja; nose nez nariz; mouth bouche boca; tooth dent diente; hair cheveux pelo; arm bras brazo; leg jambe pierna;
finger doigt dedo; blood sang sangre; red rouge rojo; blue bleu azul; green vert verde; yellow jaune amarillo; black noir negro; white blanc blanco;
big grand grande; small petit pequeño; good bon bueno; bad mauvais malo; new nouveau nuevo; old vieux viejo; young jeune joven; long long largo;
short court corto; high haut alto; low bas bajo; hot chaud caliente; cold froid frío; rich riche rico; poor pauvre pobre; happy heureux feliz;
sad triste triste; strong fort fuerte; weak faible débil; easy facile fácil; difficult difficile difícil; beautiful beau hermoso; ugly laid feo; free libre libre;
one un uno; two deux dos; three trois tres; four quatre cuatro; five cinq cinco; six six seis; seven sept siete; eight huit ocho;
nine neuf nueve; ten dix diez; hundred cent cien; thousand mille mil; eat manger comer; drink boire beber; sleep dormir dormir; speak parler hablar;
write écrire escribir; read lire leer; sing chanter cantar; dance danser bailar; walk marcher caminar; run courir correr; come venir venir; go aller ir;
see voir ver; hear entendre oír; know savoir saber; think penser pensar; give donner dar; take prendre tomar; buy acheter comprar; sell vendre vender;
open ouvrir abrir; close fermer cerrar; live vivre vivir; die mourir morir; work travail trabajo; money monnaie dinero; key clé llave; ship navire barco;
"""
_rows = [row.split() for row in _TRANSLATIONS.replace("\n", " ").strip().strip(";").split(";")]
FRENCH = {r[0]: r[1] for r in _rows}
SPANISH = {r[0]: r[2] for r in _rows}

CATEGORIES = groups("""
animal: dog cat bird horse cow pig hen duck bear lion tiger monkey snake frog turtle rabbit wolf fox mouse goose sheep goat deer eagle whale shark camel
fruit: apple orange lemon banana cherry peach berry grape mango melon plum pear fig lime kiwi date olive papaya apricot coconut
colour: red blue green yellow black white purple pink brown grey violet crimson scarlet indigo beige turquoise maroon amber
body: hand finger arm leg eye ear nose mouth tooth hair head heart foot knee elbow shoulder neck chin thumb wrist ankle
tool: hammer saw drill knife axe shovel rake wrench pliers chisel screwdriver ladder broom needle scissors anvil spade
furniture: table chair bed desk sofa shelf bench stool cupboard wardrobe cradle couch drawer dresser
vehicle: car train plane boat bus ship bicycle truck tram taxi rocket canoe ferry scooter tractor van
metal: gold silver iron copper tin lead zinc nickel steel brass bronze platinum aluminium mercury
weather: rain snow wind cloud storm fog hail thunder lightning frost sunshine drizzle breeze mist
clothing: hat coat shirt shoe sock dress scarf glove skirt trousers jacket belt sweater boot tie vest
""")
LABELS = "foo bar baz qux zip zap wug dax fep blick tove gorp A B C D X Y Z 0 1 2 3 4 5 6 7 8 9".split()
NUMBER_WORDS = ("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
                "twenty thirty forty fifty sixty seventy eighty ninety hundred").split()
NUMBER_VALUES = [str(n) for n in list(range(1, 21)) + [30, 40, 50, 60, 70, 80, 90, 100]]
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

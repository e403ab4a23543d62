"""Tasks, prompt formats and what is held out. A prompt is a list of pieces, each of which is one token."""
import hashlib
import random
import string

import facts

LOWER = list(string.ascii_lowercase)
UPPER = list(string.ascii_uppercase)


def digest(task, key):
    return hashlib.sha256(f"{task}/{key}".encode()).digest()


def choose(task, keys, count):
    """Some of the keys, by a hash of task and key."""
    return set(sorted(keys, key=lambda key: digest(task, key))[:count])


def hold_out(task, keys):
    """One input in seven, but four or five of a short list: never shown in the evaluation format (`example:x->y`) of this task, only in the others."""
    keys = list(keys)
    return choose(task, keys, max(len(keys) // 7, min(5, len(keys) // 3)))


def list_held_out(letters):
    """One list in seven: shown in no format of any task."""
    return digest("lists", ",".join(letters))[0] % 7 == 0


def invert(table):
    """The inverse where it is a function."""
    seen = {}
    for x, y in table.items():
        seen.setdefault(y, []).append(x)
    return {y: xs[0] for y, xs in seen.items() if len(xs) == 1 and y != xs[0]}


def chain(words, step):
    return {w: words[i + step] for i, w in enumerate(words) if 0 <= i + step < len(words)}


def through(first, second):
    """x -> z where first maps x -> y, second maps y -> z and z is not x."""
    return {x: second[y] for x, y in first.items() if y in second and second[y] != x}


def plain(words):
    """Those written in lower-case ASCII letters alone."""
    return sorted(w for w in set(words) if w.isascii() and w.islower())


_CATEGORY = {w: c for c, ws in facts.CATEGORIES.items() for w in ws if sum(w in g for g in facts.CATEGORIES.values()) == 1}
_NOUNS_AND_VERBS = plain([*facts.PLURAL, *facts.PAST, *facts.FRENCH, *facts.ANTONYM, *(w for g in facts.CATEGORIES.values() for w in g)])
_SPELLED = plain([*_NOUNS_AND_VERBS, *facts.PLURAL.values(), *facts.PAST.values()])
_COUNTRY = invert(facts.CAPITAL)
_FR_EN, _ES_EN = invert(facts.FRENCH), invert(facts.SPANISH)
_NEXT_MONTH = {**chain(facts.MONTHS, 1), "December": "January"}
_NEXT_DAY = {**chain(facts.DAYS, 1), "Sunday": "Monday"}

# Tasks given by a table: name -> {input: output}. Inputs of one kind serve several tasks, so that the context alone says which is meant.
TABLES = {
    "country_capital": facts.CAPITAL, "location_continent": facts.CONTINENT, "country_language": facts.LANGUAGE,
    "capital_country": _COUNTRY, "capital_continent": through(_COUNTRY, facts.CONTINENT), "capital_language": through(_COUNTRY, facts.LANGUAGE),
    "antonyms": facts.ANTONYM, "word_category": _CATEGORY,
    "singular_plural": facts.PLURAL, "plural_singular": invert(facts.PLURAL),
    "present_simple_past_simple": facts.PAST, "past_simple_present_simple": invert(facts.PAST),
    "present_simple_gerund": facts.GERUND, "present_simple_third_person": facts.THIRD,
    "en_fr": facts.FRENCH, "en_es": facts.SPANISH, "fr_en": _FR_EN, "es_en": _ES_EN,
    "fr_es": through(_FR_EN, facts.SPANISH), "es_fr": through(_ES_EN, facts.FRENCH),
    "word_first_letter": {w: w[0] for w in _SPELLED}, "word_last_letter": {w: w[-1] for w in _SPELLED},
    "word_number": dict(zip(facts.NUMBER_WORDS, facts.NUMBER_VALUES)), "number_word": dict(zip(facts.NUMBER_VALUES, facts.NUMBER_WORDS)),
    "next_letter": chain(LOWER, 1), "prev_letter": chain(LOWER, -1), "to_upper": dict(zip(LOWER, UPPER)),
    "to_lower": dict(zip(UPPER, LOWER)), "next_upper_letter": chain(UPPER, 1), "prev_upper_letter": chain(UPPER, -1),
    "letter_number": {c: str(i + 1) for i, c in enumerate(LOWER)}, "number_letter": {str(i + 1): c for i, c in enumerate(LOWER)},
    "next_number": {str(i): str(i + 1) for i in range(1, 100)}, "prev_number": {str(i): str(i - 1) for i in range(1, 101)},
    "next_month": _NEXT_MONTH, "prev_month": invert(_NEXT_MONTH), "month_number": {m: str(i + 1) for i, m in enumerate(facts.MONTHS)},
    "next_day": _NEXT_DAY, "prev_day": invert(_NEXT_DAY),
}
RULES = ("next_letter", "prev_letter", "to_upper", "to_lower", "next_upper_letter", "prev_upper_letter", "letter_number", "number_letter",
         "next_number", "prev_number")
SPELLING = ("word_first_letter", "word_last_letter")
# Tasks over random lists of two to four letters, "a,b,c".
LISTS = {
    "list_first": lambda xs: xs[0], "list_last": lambda xs: xs[-1], "list_second": lambda xs: xs[1],
    "list_length": lambda xs: str(len(xs)), "list_max": max, "list_min": min,
}
NAMES = sorted(TABLES) + sorted(LISTS)
HELD_OUT = {name: hold_out(name, table) for name, table in TABLES.items()}
# Words never shown in a classification under arbitrary labels.
CLASSIFICATION_HELD_OUT = {g: hold_out("classification", words) for g, words in facts.CATEGORIES.items()}


def vocabulary():
    """Every piece a prompt can hold."""
    words = {"example", ":", "->", "\n", "=", ",", ";", "Q", "A", "(", ")"} | set(LOWER) | set(UPPER)
    for table in TABLES.values():
        words |= set(table) | set(table.values())
    words |= set(facts.LABELS) | {str(n) for n in range(101)} | set(NAME_WORDS.values())
    for group in facts.CATEGORIES.values():
        words |= set(group)
    return words


# One word per task, for the format that names it.
NAME_WORDS = {name: name.replace("_", "") for name in sorted(TABLES) + sorted(LISTS)}
FORMATS = ("example", "named", "equals", "question")


def line(form, name, x, y, blank=False):
    """Pieces of one demonstration, with an empty line after it where asked, and the index of its answer."""
    end = ["\n"] * (1 + blank)
    if form == "example":
        return ["example", ":", *x, "->", y, *end], len(x) + 3
    if form == "named":
        return [NAME_WORDS.get(name, "example"), ":", *x, "->", y, *end], len(x) + 3
    if form == "equals":
        return [*x, "=", y, *end], len(x) + 1
    return ["Q", ":", *x, "\n", "A", ":", y, *end], len(x) + 5


def naming(name, x, y):
    """Pieces of a line that names the task of its pair, and the index of the name."""
    return [*x, "->", y, ":", NAME_WORDS[name], "\n"], len(x) + 3


class Source:
    """Draws demonstrations."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.shown = {name: [x for x in table if x not in HELD_OUT[name]] for name, table in TABLES.items()}
        self.hidden = {name: sorted(HELD_OUT[name]) for name in TABLES}

    def pair(self, name, form, hidden=False):
        """One input (as pieces) and its output. Held-out inputs are drawn where asked; those of tables outside the evaluation format too."""
        r = self.random
        if name in LISTS:
            while True:
                xs = r.choices(LOWER, k=r.randint(2, 4))
                if list_held_out(xs) == hidden:
                    break
            pieces = [p for x in xs for p in (x, ",")][:-1]
            return pieces, LISTS[name](xs)
        if hidden:
            x = r.choice(self.hidden[name])
        elif form == "example":
            x = r.choice(self.shown[name])
        else:
            x = r.choice(self.shown[name] if r.random() < 0.6 else self.hidden[name])
        return [x], TABLES[name][x]

    def classification(self):
        """Words of two to four categories under arbitrary labels: the context alone says which."""
        r = self.random
        groups = r.sample(sorted(facts.CATEGORIES), r.randint(2, 4))
        labels = r.sample(facts.LABELS, len(groups))
        words = [[w for w in facts.CATEGORIES[g] if w not in CLASSIFICATION_HELD_OUT[g]] for g in groups]

        def draw():
            g = r.randrange(len(groups))
            return [r.choice(words[g])], labels[g]
        return draw

    def words(self):
        """Words of one kind, to make something arbitrary of."""
        return self.random.choice((LOWER, UPPER, _NOUNS_AND_VERBS))

    def recall(self):
        """Arbitrary pairs that come back: the answer is what stood there before."""
        r = self.random
        words = self.words()
        keys = r.sample(words, r.randint(2, 8))
        table = {k: r.choice(words) for k in keys}

        def draw():
            k = r.choice(keys)
            return [k], table[k]
        return draw

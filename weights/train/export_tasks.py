"""Writes ../tasks/NAME.task.json: what training showed in the evaluation format as "train", what it held out as "test". See ../README.md."""
import json
import os
import random

import facts
import tasks

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tasks")
TEMPLATE, SEPARATOR = "example:{input}->{output}", "\n"

# Fewest shown inputs: five demonstrations beside a development query for each of three sets.
FEWEST_SHOWN = 8
SHOWN_LISTS, HELD_OUT_LISTS, LIST_SEED = 300, 200, 1

GROUPS = {
    "knowledge": """country_capital location_continent country_language capital_country capital_continent capital_language word_category""",
    "linguistic": """antonyms singular_plural plural_singular present_simple_past_simple past_simple_present_simple present_simple_gerund
        present_simple_third_person word_number number_word""",
    "translation": "en_fr en_es fr_en es_en fr_es es_fr",
}
GROUP = {name: group for group, names in GROUPS.items() for name in names.split()}

# Words of two or three categories under labels that mean nothing: only the demonstrations say which is which.
ASKED = 5  # words of each category that queries are made of
CLASSIFICATIONS = {
    "classify_animal_tool": {"animal": "foo", "tool": "bar"},
    "classify_fruit_clothing": {"fruit": "A", "clothing": "B"},
    "classify_body_vehicle": {"body": "0", "vehicle": "1"},
    "classify_colour_metal_weather": {"colour": "X", "metal": "Y", "weather": "Z"},
}


def write(name, group, shown, held_out, options=None):
    assert shown and held_out and not set(shown) & set(held_out), name
    description = {"group": group, "template": TEMPLATE, "separator": SEPARATOR}
    if options:
        description["options"] = options
    description |= {"train": shown, "test": held_out}
    with open(os.path.join(FOLDER, f"{name}.task.json"), "w", encoding="utf-8") as f:
        json.dump(description, f, ensure_ascii=False, indent=1)
        f.write("\n")


def tables():
    for name, table in tasks.TABLES.items():
        held_out = tasks.HELD_OUT[name]
        shown = {x: y for x, y in table.items() if x not in held_out}
        if held_out and len(shown) >= FEWEST_SHOWN:
            write(name, GROUP.get(name, "algorithmic"), shown, {x: y for x, y in table.items() if x in held_out})


def lists():
    """The same lists for every task over lists, so that the tasks differ in nothing else."""
    source, drawn = random.Random(LIST_SEED), {False: {}, True: {}}
    wanted = {False: SHOWN_LISTS, True: HELD_OUT_LISTS}
    while any(len(drawn[hidden]) < wanted[hidden] for hidden in drawn):
        letters = tuple(source.choice(tasks.LOWER) for _ in range(source.randint(2, 4)))
        hidden = tasks.list_held_out(letters)
        if len(drawn[hidden]) < wanted[hidden]:
            drawn[hidden][letters] = None
    for name, answer in tasks.LISTS.items():
        shown, held_out = ({",".join(letters): answer(letters) for letters in drawn[hidden]} for hidden in (False, True))
        write(name, "algorithmic", shown, held_out)


def classifications():
    categories = {}
    for category, words in facts.CATEGORIES.items():
        for word in words:
            categories.setdefault(word, []).append(category)
    for name, labels in CLASSIFICATIONS.items():
        # A word of two categories was shown as one of them and perhaps held out of the other: it is left out.
        labelled = [(word, category) for category in labels for word in facts.CATEGORIES[category] if categories[word] == [category]]
        shown = {word: labels[c] for word, c in labelled if word not in tasks.CLASSIFICATION_HELD_OUT[c]}
        unseen = {word: labels[c] for word, c in labelled if word in tasks.CLASSIFICATION_HELD_OUT[c]}
        asked = set().union(*(tasks.choose(name, [word for word, label in shown.items() if label == labels[c]], ASKED) for c in labels))
        # Training drew the labels anew in every document, so a word that it showed tells nothing about its label here.
        write(name, "classification", {w: y for w, y in shown.items() if w not in asked}, {w: y for w, y in shown.items() if w in asked}, list(labels.values()))
        write(f"{name}_unseen", "classification", shown, unseen, list(labels.values()))


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    for file in os.listdir(FOLDER):
        if file.endswith(".task.json"):
            os.remove(os.path.join(FOLDER, file))
    tables()
    lists()
    classifications()

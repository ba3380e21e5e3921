"""The reference pages: made of what the lessons say, and nothing else."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache

import pytest

from course.curriculum import lesson
from course.prose import replace_marks
from course.questions import Choice, question
from tests.test_lesson_template import sections
from tools import reference

VERDICTS = {"true", "outdated", "wrong", "misleading", "unverified", "disputed"}
DOCUMENTS = tomllib.loads((reference.FOLDER / "claims.toml").read_text("utf-8"))["document"]
CLAIMS = [claim for document in DOCUMENTS for claim in document["claim"]]
TAUGHT = [claim for claim in CLAIMS if claim["place"] not in reference.PLANNED]


def learnt(asked):
    """What whoever answers a question right has read in the end: no hint, no wrong answer."""
    if not isinstance(asked, Choice):
        return [asked.prompt, asked.right]
    right = [option.text for option in asked.options if option.right]
    return [asked.prompt, *right, *(option.why for option in asked.options)]


@cache
def told(place):
    """The text of a section of a lesson, with what its questions tell; links as they are read."""
    number, _, heading = place.partition(": ")
    text = sections(lesson(number))[heading]
    asked = re.findall(r'ask\("([^"]+)"\)', text)
    whole = "\n".join([text, *(each for name in asked for each in learnt(question(name)))])
    unmarked = replace_marks(whole, lambda mark: mark.text)
    return " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", unmarked).split())


@pytest.mark.parametrize(("name", "text"), reference.pages().items())
class TestEveryPage:
    def test_it_is_what_the_lessons_say(self, name, text):
        stale = "run `make reference`"
        assert (reference.FOLDER / name).read_text("utf-8") == text, stale

    def test_its_links_lead_to_files_and_headings(self, name, text):
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if target.startswith("https://"):
                continue
            file, _, heading = target.partition("#")
            found = reference.FOLDER / file
            assert found.is_file(), target
            if heading:
                headings = re.findall(r'"#+ ([^"\\]+)', found.read_text("utf-8"))
                assert heading in map(reference.anchor, headings), target


def test_a_word_of_the_glossary_has_one_meaning():
    words = re.findall(r"^- \*\*([^*]+)\*\*", reference.glossary(), re.MULTILINE)
    assert len(words) >= 20
    assert [word for word, count in Counter(map(str.lower, words)).items() if count > 1] == []


def test_every_claim_has_a_verdict_a_source_and_a_place():
    assert len(CLAIMS) >= 97
    for claim in CLAIMS:
        assert claim["verdict"] in VERDICTS, claim["said"]
        assert claim["sources"] or claim["verdict"] == "unverified", claim["said"]
        assert claim["place"], claim["said"]


def test_every_source_of_a_claim_has_a_date():
    sources = tomllib.loads((reference.FOLDER / "claims.toml").read_text("utf-8"))["source"]
    undated = [key for key, each in sources.items() if not re.search(r"20\d\d-\d\d", each["date"])]
    assert undated == []


def test_a_wrong_claim_has_what_is_right_beside_it():
    for claim in CLAIMS:
        if claim["verdict"] != "true":
            assert claim["right"], claim["said"]


@pytest.mark.parametrize("claim", TAUGHT, ids=lambda claim: claim["said"][:50])
def test_a_claim_is_taught_where_its_place_says(claim):
    assert claim["shows"], claim["said"]
    missing = [words for words in claim["shows"] if words not in told(claim["place"])]
    assert missing == [], claim["said"]


def test_a_claim_of_a_planned_lesson_is_not_said_to_be_taught():
    planned = [claim for claim in CLAIMS if claim not in TAUGHT]
    assert planned
    assert [claim["said"] for claim in planned if "shows" in claim] == []

"""The reference pages: made of what the lessons say, and nothing else."""

from __future__ import annotations

import re
import tomllib
from collections import Counter

import pytest

from course.curriculum import lesson
from tools import reference

VERDICTS = {"true", "outdated", "wrong", "misleading", "unverified", "disputed"}
DOCUMENTS = tomllib.loads((reference.FOLDER / "claims.toml").read_text("utf-8"))["document"]
CLAIMS = [claim for document in DOCUMENTS for claim in document["claim"]]


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


def test_a_wrong_claim_has_what_is_right_beside_it():
    for claim in CLAIMS:
        if claim["verdict"] != "true":
            assert claim["right"], claim["said"]


def test_a_claim_is_taught_in_a_lesson_that_is_there_or_planned():
    for claim in CLAIMS:
        number = claim["place"].partition(":")[0]
        assert number in reference.PLANNED or lesson(number), claim["said"]

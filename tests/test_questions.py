"""Questions: nothing before the learner commits, and a reason for every answer."""

from __future__ import annotations

import re

import pytest

from course.errors import InputError
from course.prose import problems
from course.questions import (
    BANK,
    Choice,
    Number,
    Ordering,
    Outcome,
    judge,
    question,
    question_ids,
    read_number,
    texts,
)

ALL = [
    question(question_id)
    for file in sorted(BANK.glob("*.toml"))
    for question_id in question_ids(file.stem)
]


@pytest.mark.parametrize("asked", ALL, ids=lambda asked: asked.id)
class TestEveryQuestion:
    def test_the_right_answer_is_right_and_says_why(self, asked):
        judgement = judge(asked, asked.solution)
        assert judgement.outcome is Outcome.RIGHT
        assert all(judgement.feedback)

    def test_no_answer_is_not_attempted(self, asked):
        assert judge(asked, None).outcome is Outcome.NOT_ATTEMPTED

    def test_there_is_a_hint_and_it_does_not_give_the_answer_away(self, asked):
        assert asked.hints
        if isinstance(asked, Number) and asked.answer > 99:
            assert str(asked.answer) not in " ".join(asked.hints).replace(",", "")

    def test_the_prompt_does_not_give_the_answer_away(self, asked):
        if isinstance(asked, Number) and asked.answer > 99:
            assert str(asked.answer) not in asked.prompt.replace(",", "")

    def test_every_number_in_it_is_true(self, asked):
        assert [problem for text in texts(asked) for problem in problems(text)] == []

    def test_every_wrong_answer_is_answered(self, asked):
        if isinstance(asked, Choice):
            assert 2 <= len(asked.options) <= 5
            assert len({option.text for option in asked.options}) == len(asked.options)
            assert all(option.why for option in asked.options)
            assert asked.solution
            wrong = [[option.text] for option in asked.options if not option.right]
        elif isinstance(asked, Number):
            assert asked.answer not in asked.mistakes
            wrong = [*asked.mistakes, asked.answer + 1]
        else:
            wrong = [asked.solution[::-1], asked.shuffled]
        for answer in wrong:
            judgement = judge(asked, answer)
            assert judgement.outcome is Outcome.WRONG
            assert all(len(text) > 15 for text in judgement.feedback)


def test_part_of_several_right_options_is_not_yet_right():
    asked = question("05.warm-kubenet")
    several = Choice("x", "?", (*asked.options[:1], asked.options[0].__class__("B", "b.", True)))
    assert several.several
    judgement = judge(several, [several.options[0].text])
    assert judgement.outcome is Outcome.WRONG
    assert "There is more to choose." in judgement.feedback


def test_an_order_is_judged_by_its_first_wrong_place():
    asked = Ordering("x", "?", ("a", "b", "c", "d"), "yes, so.", "no, not so.", ())
    assert judge(asked, ["a", "b", "d", "c"]).feedback[0] == "The first 2 are right."
    assert judge(asked, ["b", "a", "c", "d"]).feedback[0] == "The first is out of place."
    with pytest.raises(InputError, match="every item once"):
        judge(asked, ["a", "a", "c", "d"])


@pytest.mark.parametrize("text", ["1581", "1,581", "1 581", " 1581 ", "/1581"])
def test_a_number_is_read_as_people_write_it(text):
    assert read_number(text) == 1581


@pytest.mark.parametrize(
    "text", ["15,81", "1581 addresses", "1.581", "ten", "1e3", "٣", "9" * 10_000]
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(InputError, match="is not a whole number"):
        read_number(text)


def test_the_right_option_has_no_place_of_its_own():
    choices = [asked for asked in ALL if isinstance(asked, Choice)]
    places = [[option.right for option in asked.shuffled].index(True) for asked in choices]
    assert len(set(places)) > 1


def test_what_is_said_of_a_bad_number_is_no_answer():
    with pytest.raises(InputError) as caught:
        read_number("ten")
    said = str(caught.value)
    named = {int(number) for number in re.findall(r"\d+", said)}
    assert not [asked.id for asked in ALL if isinstance(asked, Number) and asked.answer in named]


def test_an_unknown_question_names_those_that_exist():
    with pytest.raises(InputError, match=r"05\.taken"):
        question("05.takn")


def test_an_answer_of_another_kind_is_refused():
    with pytest.raises(InputError, match="does not answer"):
        judge(question("05.taken"), ["1550"])
    with pytest.raises(InputError, match="is no option"):
        judge(question("05.upgrade"), ["Whatever"])

"""Facts: every limit has a value, a source and a date."""

from __future__ import annotations

import re
from datetime import date

import pytest

from course.errors import InputError
from course.facts import CONFIDENCE, age_report, all_facts, by_age, fact, number


@pytest.mark.parametrize("each", all_facts().values(), ids=lambda each: each.id)
def test_a_fact_is_complete(each):
    assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", each.id)
    assert each.confidence in CONFIDENCE
    assert each.unit
    assert each.statement.endswith((".", ".)", ";", "?")), each.statement
    assert each.claims
    for claim in each.claims:
        assert claim.value is not None
        assert claim.sources
        assert re.fullmatch(r"unknown|\d{4}(-\d{2}(-\d{2})?)?", claim.as_of)
        for source in claim.sources:
            assert re.match(r"https://[\w.-]+/\S*[\w/)]( |$)", source), source


def test_all_that_is_known_about_aks_networking_is_there():
    assert len(all_facts()) >= 145


def test_the_documented_example_is_a_fact_with_source_and_date():
    found = fact("nodesubnet.example_50x30")
    assert found.value == number("nodesubnet.example_50x30") == 1581
    assert found.as_of == date(2026, 4, 16)
    assert "learn.microsoft.com" in found.cite()


def test_an_unknown_id_suggests_near_ones():
    with pytest.raises(InputError, match=r"nodesubnet\.default_max_pods"):
        fact("nodesubnet.max_pods_default")
    with pytest.raises(InputError, match="course facts"):
        fact("xyzzy")


def test_where_pages_disagree_a_fact_has_several_claims_and_no_single_value():
    surge = fact("surge.default")
    assert {claim.value for claim in surge.claims} == {1, "10%"}
    assert surge.confidence == "conflict"
    with pytest.raises(InputError, match="Choose a claim"):
        _ = surge.value


def test_a_fact_that_is_no_number_says_so():
    with pytest.raises(InputError, match="is not a number"):
        number("nodesubnet.status")


def test_the_report_puts_the_oldest_facts_first_and_the_undated_before_them():
    dates = [each.as_of for each in by_age()]
    assert dates == sorted(dates)
    lines = age_report(date(2026, 11, 20)).splitlines()
    assert len(lines) == len(all_facts()) + 1
    undated = sorted(each.id for each in by_age() if each.as_of == date.min)
    assert [line.split()[-1] for line in lines[1 : 1 + len(undated)]] == undated
    assert lines[1].split()[:2] == ["?", "unknown"]


def test_a_fact_that_is_half_of_a_story_names_the_other_half():
    assert "See also: surge.default" in fact("surge.default_docs").cite()
    assert {each.see for each in all_facts().values()} - {""} <= set(all_facts())


def test_a_date_known_by_its_year_counts_as_the_first_of_january():
    assert fact("anf.standard_ip_limit").as_of == date(2025, 1, 1)


def test_sources_are_no_shorthand():
    assert not [each.id for each in all_facts().values() if ";" in "".join(each.claims[0].sources)]

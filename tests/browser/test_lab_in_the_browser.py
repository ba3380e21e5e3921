"""The live lab in a notebook: shown, asked, spread, broken."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from course.lab.probe.readiness import readiness

pytestmark = [
    pytest.mark.browser,
    pytest.mark.lab,
    pytest.mark.skipif(not readiness().can_run, reason=readiness().why_not or "it can run"),
]


@pytest.fixture
def book(notebook):
    """The notebook, in a window as narrow as that of a small laptop, with every cell run."""
    opened = notebook("live.ipynb")
    opened.page.set_viewport_size({"width": 1060, "height": 900})
    return opened


def test_a_lab_is_shown_asked_and_broken_and_all_of_it_is_accessible(book):
    book.run_all()
    assert book.errors() == []
    expect(book.output("same").get_by_role("status")).to_contain_text("Seen as predicted")
    expect(book.output("same")).to_contain_text("as likely as 1 in 4")
    expect(book.output("hosts")).to_contain_text("node1$ ip -br addr show eth0")
    expect(book.output("hosts")).to_contain_text("10.240.0.4/24")
    expect(book.output("hosts")).to_contain_text("(stopped after 1 s)")
    expect(book.output("unknown")).to_contain_text("UsageError: 'web-9' is no host here.")
    expect(book.output("spread").get_by_role("table")).to_contain_text("1 in 4")
    expect(book.output("other").get_by_role("status")).to_contain_text("Not as predicted")
    expect(book.output("other").get_by_role("table")).to_contain_text("≠ first difference")
    assert book.violations() == []

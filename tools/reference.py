"""Makes the reference pages out of the lessons: `make reference`.

The cheat sheet, the glossary and the index of symptoms are the lessons' own rows, gathered; the
table of claims stands in reference/claims.toml. So a page never says anything that no lesson says.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from course.curriculum import Lesson, lesson, lessons
from course.personal_copy import ROOT
from course.prose import replace_marks

FOLDER = ROOT / "reference"
CHEAT_SHEET, NEW_WORDS, BREAKS = "Cheat sheet", "New words", "How it breaks in a real cluster"
WORD = r"^- \*\*([^*]+)\*\*: (.+)$"
MADE = "<!-- Made by `make reference`: change the lessons, not this page. -->"
PLANNED = {
    "07": "network policy",
    "08": "eBPF",
    "09": "ingress",
    "10": "egress",
    "11": "sizing and choosing",
    "12": "troubleshooting",
}


def main() -> None:
    """Write every page anew."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
        print(f"reference/{name}")


def pages() -> dict[str, str]:
    """The text of each page by the name of its file."""
    return {
        "cheat-sheet.md": cheat_sheet(),
        "glossary.md": glossary(),
        "symptoms.md": symptoms(),
        "claims.md": claims(),
    }


def cheat_sheet() -> str:
    """What one wants and what one does, lesson by lesson."""
    parts = [page("Cheat sheet", "What each lesson leaves you with, on one page.")]
    for each in lessons():
        if rows := table(section(each, CHEAT_SHEET)):
            parts += [f"## {link(each)}", "\n".join(rows)]
    return joined(parts)


def glossary() -> str:
    """Every new word with its meaning and the lesson that brings it, by the alphabet."""
    words = sorted(
        (word.strip("`").lower(), f"- **{word}**: {meaning} ({link(each, each.number)})")
        for each in lessons()
        for word, meaning in re.findall(WORD, section(each, NEW_WORDS), re.MULTILINE)
    )
    about = "The words of the course, each with the lesson that brings it."
    return joined([page("Glossary", about), "\n".join(line for _, line in words)])


def symptoms() -> str:
    """Every symptom with its cause, how it is shown, its cure and its lesson, by the alphabet."""
    rows = sorted(
        (
            f"{row.rstrip()} {link(each, each.number)} |"
            for each in lessons()
            for row in table(section(each, BREAKS))[2:]
        ),
        key=lambda row: row.replace("`", "").lower(),
    )
    head = ["| symptom | cause | shown by | cure | lesson |", "|---|---|---|---|---|"]
    about = "Look for the words of the error, or for what you see. Each line leads to its lesson."
    return joined([page("Symptoms", about), "\n".join([*head, *rows])])


def claims() -> str:
    """What well-read pages say about AKS networking, what is true, and where the course tells."""
    parts = [page("What is said, and what is true", CLAIMS_ABOUT)]
    told = tomllib.loads((FOLDER / "claims.toml").read_text("utf-8"))
    cited = {key: citation(**source) for key, source in told["source"].items()}
    for document in told["document"]:
        rows = [claim_row(each, cited) for each in document["claim"]]
        head = ["| is said | verdict | right is | source | taught |", "|---|---|---|---|---|"]
        parts += [f"## {document['title']}", document["about"], "\n".join([*head, *rows])]
    return joined(parts)


CLAIMS_ABOUT = (
    "This course grew from five pages that learners find when they search, and from the vendor's "
    "own. Each of their claims was held against documentation, release notes and source. "
    "Verdicts: true, outdated (was true once), wrong (never was), misleading (half true), "
    "disputed (the vendor's pages disagree), unverified (no source was found)."
)


def claim_row(claim: Mapping[str, Any], cited: Mapping[str, str]) -> str:
    """One claim as a row of its table."""
    sources = "; ".join(cited[key] for key in claim["sources"])
    told = (claim["said"], claim["verdict"], claim["right"], sources, place(claim["place"]))
    return "| " + " | ".join(told) + " |"


def citation(title: str, url: str, date: str) -> str:
    """A source with its date."""
    return f"[{title}]({url}), {date}"


def place(where: str) -> str:
    """Where a claim is taught: "04: 2. The route" as a link, or the lesson that is planned."""
    number, _, heading = where.partition(": ")
    if number in PLANNED:
        return f"planned: lesson {number}, {PLANNED[number]}"
    return f"[{where}](../{lesson(number).file}#{anchor(heading)})" if heading else where


def anchor(heading: str) -> str:
    """How JupyterLab links to a heading."""
    return heading.replace(" ", "-")


def section(each: Lesson, heading: str) -> str:
    """The Markdown below a heading of a lesson, up to the next one.

    Marks are left out, and links lead to the same place from the folder of this page.
    """
    text = replace_marks("\n".join(_below(each, heading)), lambda mark: mark.text)
    text = text.replace("](#", f"](../{each.file}#")
    return re.sub(r"\]\((\d\d-[^)]+\.ipynb)", r"](../lessons/\1", text)


def _below(each: Lesson, heading: str) -> Iterator[str]:
    within = False
    for cell in json.loads((ROOT / each.file).read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            if text.startswith("## "):
                within = text.startswith(f"## {heading}")
            if within:
                yield text


def table(text: str) -> list[str]:
    """The lines of the first table in a text."""
    found = re.search(r"(?:^\|.*\|[ \t]*\n?)+", text, re.MULTILINE)
    return found[0].splitlines() if found else []


def link(each: Lesson, text: str = "") -> str:
    """A link to a lesson."""
    return f"[{text or f'{each.number} {each.title}'}](../{each.file})"


def page(title: str, about: str) -> str:
    """The head of a page."""
    return f"{MADE}\n\n# {title}\n\n{about}"


def joined(parts: list[str]) -> str:
    """Parts with an empty line between them."""
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()

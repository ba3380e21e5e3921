"""How long it takes from a keystroke in the planner to the changed result in the browser, against a
bare ipywidgets echo (Text to HTML) in the same page, with one pool and with three. The aim for each
tab that is seen is a ratio of at most 2."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import median

from tests.browser.serving import CHROMIUM, Notebook, browsing, copy_course, serving

AIM, KEYSTROKES = 2.0, 30
# the tab of results that is seen, and the pools that are added to the first
CASES = (("Compare", 0), ("Compare", 2), ("Growth", 2), ("Export", 2))
ECHO = """
import ipywidgets
field, shown = ipywidgets.Text(description="Echo", continuous_update=True), ipywidgets.HTML("none")
field.observe(lambda change: setattr(shown, "value", change.new), names="value")
ipywidgets.VBox([field, shown])
"""
# the time of the last key, and that of the last change below an element, laid out
WATCH = """element => {
    addEventListener("keydown", () => {
        window.pressed = performance.now(); window.changed = null;
    }, {capture: true});
    new MutationObserver(() => {
        element.getBoundingClientRect(); window.changed = performance.now();
    }).observe(element, {subtree: true, childList: true, characterData: true, attributes: true});
}"""
QUIET = "() => window.changed !== null && performance.now() - window.changed > 200"


def notebook_with_both(copy: Path) -> str:
    """The planner and the echo in one notebook; returns its file's name."""
    notebook = json.loads((copy / "lessons" / "planner.ipynb").read_text("utf-8"))
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    notebook["cells"] = [code, code | {"id": "echo", "source": ECHO}]
    (copy / "keystroke.ipynb").write_text(json.dumps(notebook))
    return "keystroke.ipynb"


def milliseconds(page, field, key: str) -> float:
    """From this key in this field to the last change that it makes."""
    field.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(50)
    page.evaluate("() => { window.changed = null; }")
    page.keyboard.press(key)
    page.wait_for_function(QUIET)
    return page.evaluate("() => window.changed - window.pressed")


def measured(book: Notebook, seen: str, more: int) -> tuple[list[float], list[float]]:
    """The times of the planner and of the echo, by turns, so that a busy machine slows both."""
    planner, echo = book.output("set-up"), book.output("echo")
    planner.get_by_role("tab", name="Node pools").click()
    for number in range(more):
        planner.get_by_role("button", name="Add a node pool").click()
        planner.get_by_label(f"Pool name of pool user{number + 1}").wait_for()
    planner.get_by_role("tab", name=seen).click()
    book.page.wait_for_timeout(1000)  # the focus goes to the new pool
    panes = planner.locator(".widget-tab").last, echo.locator(".widget-html-content")
    for pane in panes:
        pane.evaluate(WATCH)
    fields = planner.get_by_label("Nodes of pool system"), echo.get_by_label("Echo")
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(KEYSTROKES):
        key = "Backspace" if turn % 2 else str(1 + turn % 9)
        for field, found in zip(fields, times, strict=True):
            found.append(milliseconds(book.page, field, key))
    return times


def main() -> None:
    """Measure and print each case, with the ratio of the medians and of the worst."""
    if not CHROMIUM:
        print("keystroke: no Chromium, not measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "course"), Path(folder, "home")
        root.mkdir()
        home.mkdir()
        file = notebook_with_both(copy_course(root))
        with serving(root, home) as url, browsing() as browser:
            for seen, more in CASES:
                book = Notebook(browser.new_page(), url, file)
                book.run_all()
                pools = f"{more + 1} pool{'s' if more else ''}"
                tell(f"{seen} with {pools}", *measured(book, seen, more))
                book.page.close()


def tell(what: str, ours: list[float], echo: list[float]) -> None:
    """Print the times of one case beside those of the echo."""
    print(
        f"keystroke to result, {what}: "
        f"planner median {median(ours):.1f} ms, worst {max(ours):.1f} ms; "
        f"bare echo median {median(echo):.1f} ms, worst {max(echo):.1f} ms; "
        f"ratio {median(ours) / median(echo):.2f} (aim: at most {AIM:g}), "
        f"of the worst {max(ours) / max(echo):.2f}"
    )

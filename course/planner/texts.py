"""Files as engineers have them: the text in their bytes, also as the shell of Windows writes it.

>>> decoded('{"name": "büro"}'.encode("utf-16"), "the file")
'{"name": "büro"}'
"""

from __future__ import annotations

import codecs

from course.errors import InputError


def decoded(given: object, where: str) -> str:
    """The text of a file in UTF-8 or UTF-16, or a text as it is; a byte order mark is left out.

    Raises InputError, which names `where` and shows nothing of what was given.

    >>> decoded(b"\\xc3\\x28", "the file")
    Traceback (most recent call last):
    ...
    course.errors.InputError: 'the file' is no text. Save it as UTF-8.
    """
    text = _text(given) if isinstance(given, bytes) else given
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    raise InputError(where, "is no text.", "Save it as UTF-8.")


def _text(given: bytes) -> str | None:
    # PowerShell's > writes UTF-16, always with its mark
    utf16 = given.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return given.decode("utf-16" if utf16 else "utf-8")
    except UnicodeDecodeError:
        return None  # the error holds all that was given, and must go no further

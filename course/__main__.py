"""`python -m course`: see course.commands."""

import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  so that an older one is told, not a traceback
        sys.exit("This course needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")
    from course.commands import main

    sys.exit(main())

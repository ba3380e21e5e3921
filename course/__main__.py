"""`python -m course`: see course.commands."""

import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("This course needs Python 3.11 or newer. Name one: make lab PYTHON=python3.12")
    from course.commands import main

    sys.exit(main())

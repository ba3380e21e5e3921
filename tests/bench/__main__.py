"""Runs every benchmark: `make bench`."""

from tests.bench import import_cost, keystroke, planning

if __name__ == "__main__":
    import_cost.main()
    planning.main()
    keystroke.main()

"""Runs every benchmark: `make bench`."""

from tests.bench import import_cost

if __name__ == "__main__":
    import_cost.main()

"""Runs every benchmark: `make bench`."""

from tests.bench import (
    grading,
    import_cost,
    keystroke,
    kubeproxy_rules,
    lessons,
    live_lab,
    planning,
    reading_rules,
)

if __name__ == "__main__":
    import_cost.main()
    planning.main()
    live_lab.main()
    reading_rules.main()  # before this process grows: its children are told its peak of memory
    kubeproxy_rules.main()
    lessons.main()
    grading.main()
    keystroke.main()

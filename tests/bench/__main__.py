"""Runs every benchmark: `make bench`."""

from tests.bench import import_cost, keystroke, kubeproxy_rules, planning

if __name__ == "__main__":
    import_cost.main()
    planning.main()
    kubeproxy_rules.main()
    keystroke.main()

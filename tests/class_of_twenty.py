"""Twenty students and what they hand in for exercise 05: right, wrong, half right, empty, hostile.

Each answer says whether it is right, so what every student is due follows, task by task.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import nbformat

EXERCISE = "05-azure-cni"
POINTS = {
    "addresses-needed": 2,
    "smallest-subnet": 2,
    "surge-nodes": 1,
    "largest-pool": 3,
    "upgrade-fits": 2,
    "source-seen": 2,
    "cure": 1,
    "explanation": 2,
}
IN_CODE = [task for task in POINTS if task != "explanation"]


# ---- answers, and which of them are right ----


@dataclass(frozen=True)
class Answer:
    """What a student writes for one task. An answer stands alone: it needs no other task's."""

    source: str
    right: bool = False


def right(source):
    return Answer(textwrap.dedent(source).strip(), right=True)


def wrong(source):
    return Answer(textwrap.dedent(source).strip())


ANSWERS = {
    "addresses-needed": {
        "right": right("""
            def addresses_needed(nodes, max_pods, max_surge):
                return (nodes + min(nodes, max_surge)) * (1 + max_pods)
        """),
        "right, in a loop": right("""
            def addresses_needed(nodes, max_pods, max_surge):
                total = 0
                for node in range(nodes):
                    total += 1 + max_pods
                    if node < max_surge:
                        total += 1 + max_pods
                return total
        """),
        "more surge nodes than the pool has": wrong("""
            def addresses_needed(nodes, max_pods, max_surge):
                return (nodes + max_surge) * (1 + max_pods)
        """),
        "surge nodes without addresses for themselves": wrong("""
            def addresses_needed(nodes, max_pods, max_surge):
                return nodes * (1 + max_pods) + min(nodes, max_surge) * max_pods + max_surge
        """),
        "always one surge node": wrong("""
            def addresses_needed(nodes, max_pods, max_surge):
                return (nodes + 1) * (1 + max_pods)
        """),
        "hard-coded": wrong("""
            def addresses_needed(nodes, max_pods, max_surge):
                return 124 if nodes == 2 else 1581
        """),
        "a float": wrong("""
            def addresses_needed(nodes, max_pods, max_surge):
                return (nodes + min(nodes, max_surge)) * (1 + max_pods) / 1
        """),
        "syntax error": wrong("def addresses_needed(nodes, max_pods, max_surge) return 1581"),
        "prints instead of returning": wrong("""
            def addresses_needed(nodes, max_pods, max_surge):
                print((nodes + min(nodes, max_surge)) * (1 + max_pods))
        """),
    },
    "smallest-subnet": {
        "right": right("""
            def smallest_subnet(required):
                for prefix in range(29, 0, -1):
                    if 2 ** (32 - prefix) - 5 >= required:
                        return prefix
        """),
        "right, by bits": right("""
            def smallest_subnet(required):
                return 32 - (required + 4).bit_length()
        """),
        "right, by logarithm": right("""
            from math import ceil, log2
            def smallest_subnet(required):
                return min(29, 32 - ceil(log2(required + 5)))
        """),
        "forgets what Azure keeps": wrong("""
            def smallest_subnet(required):
                return min(29, 32 - (required - 1).bit_length())
        """),
        "keeps only three": wrong("""
            def smallest_subnet(required):
                return min(29, 32 - (required + 2).bit_length())
        """),
        "always one to spare": wrong("""
            def smallest_subnet(required):
                return min(29, 32 - (required + 5).bit_length())
        """),
        "hard-coded": wrong("""
            def smallest_subnet(required):
                return {251: 24, 252: 23, 1581: 21, 1: 29}.get(required, 24)
        """),
        "a float": wrong("""
            def smallest_subnet(required):
                return float(min(29, 32 - (required + 4).bit_length()))
        """),
        "endless": wrong("""
            def smallest_subnet(required):
                prefix = 29
                while 2 ** (32 - prefix) - 5 < required:
                    pass
                return prefix
        """),
    },
    "surge-nodes": {
        "right": right("""
            def surge_nodes(nodes, percent):
                return -(-nodes * percent // 100)
        """),
        "right, with ceil": right("""
            import math
            def surge_nodes(nodes, percent):
                return math.ceil(nodes * percent / 100)
        """),
        "rounds down": wrong("""
            def surge_nodes(nodes, percent):
                return nodes * percent // 100
        """),
        "rounds to the nearest": wrong("""
            def surge_nodes(nodes, percent):
                return round(nodes * percent / 100 + 0.001)
        """),
        "always one more": wrong("""
            def surge_nodes(nodes, percent):
                return nodes * percent // 100 + 1
        """),
        "at least one": wrong("""
            def surge_nodes(nodes, percent):
                return max(1, -(-nodes * percent // 100))
        """),
        "a fraction of the percentage first": wrong("""
            import math
            def surge_nodes(nodes, percent):
                return math.ceil(nodes * (percent / 100))
        """),
        "a hundredth of the nodes first": wrong("""
            import math
            def surge_nodes(nodes, percent):
                return math.ceil(nodes / 100 * percent)
        """),
        "hard-coded": wrong("""
            def surge_nodes(nodes, percent):
                return 17 if percent == 33 else 5
        """),
        "a float": wrong("""
            def surge_nodes(nodes, percent):
                return -(-nodes * percent // 100) * 1.0
        """),
    },
    "largest-pool": {
        "right": right("""
            def largest_pool(prefix, max_pods, percent):
                room = (2 ** (32 - prefix) - 5) // (max_pods + 1)
                return room * 100 // (100 + percent)
        """),
        "right, downwards": right("""
            def largest_pool(prefix, max_pods, percent):
                nodes = usable = 2 ** (32 - prefix) - 5
                while (nodes + -(-nodes * percent // 100)) * (max_pods + 1) > usable:
                    nodes -= 1
                return nodes
        """),
        "leaves no room for surge": wrong("""
            def largest_pool(prefix, max_pods, percent):
                return (2 ** (32 - prefix) - 5) // (max_pods + 1)
        """),
        "surge of the room, not of the pool": wrong("""
            def largest_pool(prefix, max_pods, percent):
                room = (2 ** (32 - prefix) - 5) // (max_pods + 1)
                return room - -(-room * percent // 100)
        """),
        "surge rounded down": wrong("""
            def largest_pool(prefix, max_pods, percent):
                room = (2 ** (32 - prefix) - 5) // (max_pods + 1)
                return max(n for n in range(room + 1) if n + n * percent // 100 <= room)
        """),
        "divides by a float": wrong("""
            def largest_pool(prefix, max_pods, percent):
                room = (2 ** (32 - prefix) - 5) // (max_pods + 1)
                return int(room / (1 + percent / 100))
        """),
        "half nodes": wrong("""
            def largest_pool(prefix, max_pods, percent):
                return (2 ** (32 - prefix) - 5) * 100 // ((max_pods + 1) * (100 + percent))
        """),
        "forgets what Azure keeps": wrong("""
            def largest_pool(prefix, max_pods, percent):
                return 2 ** (32 - prefix) // (max_pods + 1) * 100 // (100 + percent)
        """),
        "forgets the nodes themselves": wrong("""
            def largest_pool(prefix, max_pods, percent):
                return (2 ** (32 - prefix) - 5) // max_pods * 100 // (100 + percent)
        """),
        "one node too few": wrong("""
            def largest_pool(prefix, max_pods, percent):
                room = (2 ** (32 - prefix) - 5) // (max_pods + 1)
                return max(0, room * 100 // (100 + percent) - (percent == 10))
        """),
        "hard-coded": wrong("""
            def largest_pool(prefix, max_pods, percent):
                return {(24, 0): 8, (24, 33): 6, (29, 10): 0}.get((prefix, percent), 6)
        """),
        "a float": wrong("""
            def largest_pool(prefix, max_pods, percent):
                room = (2 ** (32 - prefix) - 5) // (max_pods + 1)
                return float(room * 100 // (100 + percent))
        """),
    },
    "upgrade-fits": {
        "right": right("""
            def upgrade_fits(prefix, pools, upgrading):
                taken = sum(nodes * (max_pods + 1) for nodes, max_pods, percent in pools)
                nodes, max_pods, percent = pools[upgrading]
                taken += -(-nodes * percent // 100) * (max_pods + 1)
                return taken <= 2 ** (32 - prefix) - 5
        """),
        "right, changing its input": right("""
            def upgrade_fits(prefix, pools, upgrading):
                nodes, max_pods, percent = pools.pop(upgrading)
                pools.append((nodes + -(-nodes * percent // 100), max_pods, 0))
                return sum(n * (m + 1) for n, m, _ in pools) < 2 ** (32 - prefix) - 4
        """),
        "every pool surges": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                taken = sum((n + -(-n * p // 100)) * (m + 1) for n, m, p in pools)
                return taken <= 2 ** (32 - prefix) - 5
        """),
        "no pool surges": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                return sum(n * (m + 1) for n, m, p in pools) <= 2 ** (32 - prefix) - 5
        """),
        "only the upgraded pool counts": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                n, m, p = pools[upgrading]
                return (n + -(-n * p // 100)) * (m + 1) <= 2 ** (32 - prefix) - 5
        """),
        "equal pools surge together": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                taken = 0
                for pool in pools:
                    n, m, p = pool
                    surge = -(-n * p // 100) if pool == pools[upgrading] else 0
                    taken += (n + surge) * (m + 1)
                return taken <= 2 ** (32 - prefix) - 5
        """),
        "surge rounded down": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                n, m, p = pools[upgrading]
                taken = sum(n * (m + 1) for n, m, p in pools) + n * p // 100 * (m + 1)
                return taken <= 2 ** (32 - prefix) - 5
        """),
        "surge nodes with the first pool's max-pods": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                n, m, p = pools[upgrading]
                taken = sum(n * (m + 1) for n, m, p in pools)
                taken += -(-n * p // 100) * (pools[0][1] + 1)
                return taken <= 2 ** (32 - prefix) - 5
        """),
        "forgets what Azure keeps": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                n, m, p = pools[upgrading]
                taken = sum(n * (m + 1) for n, m, p in pools) + -(-n * p // 100) * (m + 1)
                return taken <= 2 ** (32 - prefix)
        """),
        "wants one to spare": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                n, m, p = pools[upgrading]
                taken = sum(n * (m + 1) for n, m, p in pools) + -(-n * p // 100) * (m + 1)
                return taken < 2 ** (32 - prefix) - 5
        """),
        "hard-coded": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                return upgrading == 1 or len(pools) == 1
        """),
        "a float": wrong("""
            def upgrade_fits(prefix, pools, upgrading):
                n, m, p = pools[upgrading]
                taken = sum(n * (m + 1) for n, m, p in pools) + -(-n * p // 100) * (m + 1)
                return float(taken <= 2 ** (32 - prefix) - 5)
        """),
    },
    "source-seen": {
        "right": right("""
            from ipaddress import ip_address, ip_network
            def source_seen(pod, node, public, own_network, destination):
                def within(cidrs):
                    return any(ip_address(destination) in ip_network(cidr) for cidr in cidrs)
                if within(own_network):
                    return pod
                inside = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
                return node if within(inside) else public
        """),
        "right, step by step": right("""
            import ipaddress
            def source_seen(pod, node, public, own_network, destination):
                address = ipaddress.ip_address(destination)
                if any(address in ipaddress.ip_network(cidr) for cidr in own_network):
                    return pod
                inside = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
                inside = [ipaddress.ip_network(cidr) for cidr in inside]
                return node if any(address in cidr for cidr in inside) else public
        """),
        "never translated": wrong("""
            def source_seen(pod, node, public, own_network, destination):
                inside = ("10.", "172.16.", "192.168.")
                return pod if destination.startswith(inside) else public
        """),
        "hard-coded": wrong("""
            def source_seen(pod, node, public, own_network, destination):
                return {"10.240.7.9": pod, "10.241.0.4": node}.get(destination, public)
        """),
    },
    "cure": {
        "right": right('cure = "C"'),
        "resize the subnet": wrong('cure = "A"'),
        "lower max-pods": wrong('cure = "B"'),
        "delete pods": wrong('cure = "D"'),
        "no option": wrong('cure = "Z"'),
        "small letter": wrong('cure = "c"'),
        "several": wrong('cure = ["A", "B", "C", "D"]'),
    },
}

# Answers of one kind that fit every task.
for _task, _answers in ANSWERS.items():
    _name = _task.replace("-", "_")
    _function = f"def {_name}(*anything):\n    " if _task != "cure" else f"{_name} = "
    _return = "return " if _task != "cure" else ""
    _answers["garbage"] = wrong(f"{_function}{_return}None")
    _answers["equal to everything"] = wrong(
        f"class Same(int):\n    __eq__ = __le__ = __ge__ = lambda self, other: True\n"
        f"    __ne__ = __lt__ = __gt__ = lambda self, other: False\n\n\n{_function}{_return}Same()"
    )
    if _task != "cure":
        _answers["raises"] = wrong(f"{_function}raise ValueError('I give up')")
        _answers["exits"] = wrong(f"{_function}raise SystemExit")

EXPLAINED = "Nodes take addresses when they are made, by max-pods: 248 of 251 are gone, 3 are left."


# ---- the class ----


@dataclass(frozen=True)
class Student:
    """What one student hands in: the name of an answer for each task, "" for untouched."""

    answers: dict[str, str]
    explanation: str = ""
    mark: int = 0  # what the grader gives for the explanation
    tampered: bool = False  # empties the tests and raises their points
    extra_cell: str = ""  # a cell of their own, above everything

    def due(self, task):
        """The points that a task is worth as this student answered it."""
        if task == "explanation":
            return self.mark
        name = self.answers.get(task, "")
        return POINTS[task] if name and ANSWERS[task][name].right else 0


def everywhere(name, **others):
    """One kind of answer for all tasks that know it, others by keyword."""
    given = {task: name for task in IN_CODE if name in ANSWERS[task]}
    return given | {task.replace("_", "-"): answer for task, answer in others.items()}


def written(mark=2):
    return {"explanation": EXPLAINED, "mark": mark}


RIGHT = everywhere("right")
CLASS = {
    "all-right": Student(RIGHT, **written()),
    "all-right-in-other-ways": Student(
        {
            "addresses-needed": "right, in a loop",
            "smallest-subnet": "right, by bits",
            "surge-nodes": "right, with ceil",
            "largest-pool": "right, downwards",
            "upgrade-fits": "right, changing its input",
            "source-seen": "right, step by step",
            "cure": "right",
        },
        **written(),
        extra_cell="import math  # a cell of my own\nprint('hello')",
    ),
    "right-but-no-word": Student(RIGHT | {"smallest-subnet": "right, by logarithm"}),
    "right-but-no-choice": Student(RIGHT | {"cure": ""}, **written(1)),
    "first-half": Student(dict.fromkeys(IN_CODE[:3], "right")),
    "second-half": Student(dict.fromkeys(IN_CODE[3:], "right"), **written()),
    "untouched": Student({}),
    "only-explained": Student({}, **written()),
    "garbage": Student(everywhere("garbage", cure="no option"), "asdf", mark=0),
    "hard-coded": Student(everywhere("hard-coded", cure="resize the subnet"), **written()),
    "tampered": Student(everywhere("hard-coded", cure="several"), tampered=True),
    "raises": Student(everywhere("raises", cure="small letter"), **written(1)),
    "exits": Student(RIGHT | {"addresses-needed": "exits", "largest-pool": "exits"}),
    "floats": Student(everywhere("a float", cure="right"), **written()),
    "equal-to-everything": Student(everywhere("equal to everything"), **written(0)),
    "endless": Student(RIGHT | {"smallest-subnet": "endless"}, **written()),
    "syntax-error": Student(RIGHT | {"addresses-needed": "syntax error"}, **written()),
    "rounding": Student(
        RIGHT
        | {
            "surge-nodes": "a fraction of the percentage first",
            "largest-pool": "divides by a float",
        },
        **written(),
    ),
    "forgets-azure": Student(
        RIGHT
        | {
            "smallest-subnet": "forgets what Azure keeps",
            "largest-pool": "forgets what Azure keeps",
            "upgrade-fits": "forgets what Azure keeps",
            "cure": "delete pods",
        },
        **written(1),
    ),
    "misreads-surge": Student(
        RIGHT
        | {
            "addresses-needed": "more surge nodes than the pool has",
            "surge-nodes": "rounds down",
            "largest-pool": "surge of the room, not of the pool",
            "upgrade-fits": "every pool surges",
            "cure": "lower max-pods",
        },
        **written(),
    ),
}
HONEST = [name for name in CLASS if name not in ("endless", "tampered", "exits")]


def answer(notebook, student):
    """Write what a student hands in into a released notebook."""
    cells = {cell.id: cell for cell in notebook.cells}
    for task, name in student.answers.items():
        if name:
            cells[task].source = ANSWERS[task][name].source
    if student.explanation:
        cells["explanation"].source = student.explanation
    if student.tampered:
        for cell in notebook.cells:
            if cell.id.endswith("-tests"):
                cell.metadata.nbgrader.points = 100
                cell.source = ""
    if student.extra_cell:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(student.extra_cell))

"""Numbers in prose: each is marked with what it rests on, and true."""

from __future__ import annotations

import pytest

from course.prose import facts_in, problems


@pytest.mark.parametrize(
    "text",
    [
        "At most [250](fact:nodesubnet.max_pods) pods.",
        "[1,581](fact:nodesubnet.example_50x30) addresses",
        "ends on [31 March 2028](fact:kubenet.retirement_date)",
        "[10%](fact:surge.default) or [1](fact:surge.default) node",
        "`51 * 31` is [1,581](calc:51*(30+1))",
        "[50 nodes](given:)",
        "It asks [every five seconds, and two failures](fact:lb.probe_rhythm) take a node out.",
        "In 2026, on 2026-04-16, at 10.240.0.4 in `10.240.0.0/24`, a /24, `--port 8080`, 99% sure.",
        "Kubernetes 1.32 and lesson 05.",
        "[page](https://example.org/12345)",
        "```\naz aks create --node-count 500\n```",
    ],
)
def test_these_are_fine(text):
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A pool takes 1,581 of them.", "1,581 bears no mark"),
        ("AKS stops at 400 nodes.", "400 nodes bears no mark"),
        ("Each node runs 30 pods.", "30 pods bears no mark"),
        ("Azure keeps 5 addresses.", "5 address"),
        ("Each node runs **30** pods.", "30 pod"),
        ("Each node runs __30__ pods, *30* pods", "30 pod"),
        ("at most `250` pods", "250 pod"),
        ("10-250 pods", "250 pod"),
        ("30 Pods", "30 Pod"),
        ("30&nbsp;pods", "30 pod"),
        ("<td>30</td><td>pods</td>", "30 pod"),
        ("| 30 | pods |", "30 pod"),
        ("30 or more pods", "30 pod"),
        ("30 Azure IP addresses", "30 address"),
        ("Limit:250", "250 bears no mark"),
        ("[250](calc:250)", "nothing is computed"),
        ("[250 of 400](fact:nodesubnet.max_pods)", "is not what fact"),
        ("[BadName](fact:azure.insufficient_subnet_size)", "is not what fact"),
        ("[never](fact:kubenet.retirement_date)", "is not what fact"),
        ("[every nine seconds](fact:lb.probe_rhythm)", "counts what fact lb.probe_rhythm does not"),
        ("Azure keeps 5 IP addresses.", "5 address"),
        ("There are 2000 nodes.", "2000 node"),
        ("up to 2048 of them", "2048 bears no mark"),
        ("<details>at most 250</details>", "250 bears no mark"),
        ("| limit | 65,536 |", "65,536 bears no mark"),
        ("[251](fact:nodesubnet.max_pods)", "is not what fact nodesubnet.max_pods says: 250"),
        ("[1](fact:surge.defualt)", "Did you mean surge.default"),
        ("[1,580](calc:51*31)", "that is 1,581"),
        ("[5](calc:__import__('os'))", "is not plain arithmetic"),
        ("[5](calc:1/0)", "division by zero"),
        ("[many](calc:2*2)", "has no number in it"),
        ("[30 April 2028](fact:kubenet.retirement_date)", "2028-03-31"),
    ],
)
def test_these_are_found(text, says):
    assert any(says in problem for problem in problems(text)), problems(text)


def test_the_facts_of_a_text_are_listed_once_each():
    text = "[30](fact:nodesubnet.default_max_pods) and [30](fact:nodesubnet.default_max_pods)"
    assert [each.id for each in facts_in(text)] == ["nodesubnet.default_max_pods"]

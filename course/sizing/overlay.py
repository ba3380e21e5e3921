"""Azure CNI Overlay: the pod range of a cluster can grow, and only grow.

Source: fact overlay.pod_cidr_expand.
"""

from __future__ import annotations

from netaddr import IPNetwork

from course.addresses import is_inside


def may_expand(current: IPNetwork, requested: IPNetwork) -> bool:
    """Whether the pod range of a cluster may become another: only a larger one that contains it.

    Source: fact overlay.pod_cidr_expand. Raises InputError if the families differ.

    >>> from course.addresses import parse_range
    >>> may_expand(parse_range("10.244.0.0/18"), parse_range("10.244.0.0/16"))
    True
    """
    return is_inside(current, requested) and current != requested

"""One Linux host as data, and what it does to a packet. It knows nothing of Kubernetes.

Read in this order: `packet`, `rule` and `ruleset` (netfilter as text), `conditions` and `netfilter`
(netfilter at work), `conntrack`, `interfaces` and `routing`, `host`, and last `path`, which puts
all of it together: `path.receive` and `path.send`.
"""

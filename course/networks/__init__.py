"""The ways in which AKS gives pods addresses, one file for each: what a model takes of which range,
its own limits, what it supports, and which ways lead out of it.

A model is a file in this folder that defines MODEL. Nothing else needs to learn about it.

>>> [model.id for model in all_models()]
['overlay', 'pod-subnet-dynamic', 'pod-subnet-static', 'node-subnet', 'kubenet']
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from course.errors import InputError
from course.networks.model import NetworkModel


def all_models() -> tuple[NetworkModel, ...]:
    """Every model, the one to be preferred first."""
    modules = (
        import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    models = [module.MODEL for module in modules if hasattr(module, "MODEL")]
    return tuple(sorted(models, key=lambda model: (model.rank, model.id)))


def model(model_id: str) -> NetworkModel:
    """The model with this id.

    Raises InputError for an id that no model has.

    >>> model("overlay").title
    'Azure CNI Overlay'
    """
    for each in all_models():
        if each.id == model_id:
            return each
    known = ", ".join(each.id for each in all_models())
    raise InputError(model_id, "is no network model.", f"There are {known}.")
